"""Creators: the people who post. How well, how often, how honestly, and whether they go on."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from inhouse.core.clock import HOUR_MS
from inhouse.core.random import stream
from inhouse.simulator.arrays import Flags, Floats, Ints, joined
from inhouse.simulator.people import STYLE_DIMS, Traits, angle_styles, unit
from inhouse.simulator.topics import ANGLES, HARMS, NO_HARM

ONE_CREATOR_IN: Final = 12  # people
ONE_HARMFUL_IN: Final = 14  # creators
HARMFUL_POSTS_PER_DAY: Final = 7.5  # of every harmful creator, so that their share is steady
HARMFUL_REMAINDER: Final = 5  # creator numbers with this remainder post harm
P_HARM_OF_HARMFUL: Final = 0.75  # of a harmful creator's posts
P_HARM_OF_OTHERS: Final = 0.015  # of anybody else's posts
POSTS_PER_DAY: Final = 2.9  # median of a creator at average attention
TOPICS_OF_CREATOR: Final = 3  # topics a creator posts about, first most
TOPIC_SHARE: Final = (0.65, 0.25, 0.10)

ATTENTION_KEPT: Final = 0.7  # of yesterday's attention, a day later
ATTENTION_GAIN: Final = 0.45  # exponent: posting rate by attention relative to the mean
RATE_LIMITS: Final = (0.25, 2.5)  # least and most of that factor
QUIT_PER_DAY: Final = 0.006  # hazard of giving up posting at average attention, 1/day
QUIT_GAIN: Final = 0.8  # exponent: that hazard by attention relative to the mean
CLICK_ATTENTION: Final = 1  # what a click on a post is worth to its creator
LIKE_ATTENTION: Final = 3  # and a like


@dataclass(frozen=True, kw_only=True, slots=True)
class Talents:
    """By nature; row = creator. Never changes and is drawn again from the seed on a restart."""

    person: Ints  # [c] who this is among the people
    skill: Floats  # [c] mean quality of the posts, standard normal
    style: Floats  # [c, STYLE_DIMS] unit vector, how the creator shows things
    topics: Ints  # [c, TOPICS_OF_CREATOR] indices into TOPICS
    angle: Ints  # [c] favourite index into ANGLES
    bait: Floats  # [c] tendency to lure, 0 to 1
    posts_per_day: Floats  # [c] at average attention
    p_harm: Floats  # [c] share of harmful posts
    harm: Ints  # [c] category a harmful creator keeps to, or NO_HARM


@dataclass(frozen=True, kw_only=True, slots=True)
class Careers:
    """What attention does to creators; row = creator. Changed in place and saved."""

    attention: Floats  # [c] decayed clicks and likes of the days before
    today: Ints  # [c] clicks and likes since midnight, whole so that their order is immaterial
    quit: Flags  # [c] posts no more


def creator_count(people: int) -> int:
    """Every ONE_CREATOR_IN-th person posts, the first included."""
    return -(-people // ONE_CREATOR_IN)


def draw_talents(seed: int, traits: Traits) -> Talents:
    """The creators among people with these traits; more people change no earlier creator."""
    count = creator_count(len(traits.visits_per_day))
    angles = angle_styles(seed)
    rows = [_talent(seed, number, traits, angles) for number in range(count)]
    whole = rows[0]
    for row in rows[1:]:
        whole = joined(whole, row)
    return whole


def _talent(seed: int, number: int, traits: Traits, angles: Floats) -> Talents:
    random = stream(seed, "creator", number)
    person = number * ONE_CREATOR_IN
    harmful = number % ONE_HARMFUL_IN == HARMFUL_REMAINDER
    taste = traits.taste_home[person] + random.gumbel(0.0, 0.5, traits.taste_home.shape[1])
    angle = int(random.integers(len(ANGLES)))
    style = unit(angles[angle] + 0.8 * unit(random.normal(size=STYLE_DIMS)))
    usual = POSTS_PER_DAY * float(random.lognormal(0.0, 0.6))
    return Talents(
        person=np.asarray([person], np.int32),
        skill=np.asarray([random.normal()], np.float32),
        style=style[None, :],
        topics=np.argsort(-taste)[None, :TOPICS_OF_CREATOR].astype(np.int32),
        angle=np.asarray([angle], np.int32),
        bait=np.asarray([random.beta(0.7, 2.6)], np.float32),
        posts_per_day=np.asarray([HARMFUL_POSTS_PER_DAY if harmful else usual], np.float32),
        p_harm=np.asarray([P_HARM_OF_HARMFUL if harmful else P_HARM_OF_OTHERS], np.float32),
        harm=np.asarray(
            [(number // ONE_HARMFUL_IN) % len(HARMS) if harmful else NO_HARM], np.int32
        ),
    )


def new_careers(count: int, attention: float) -> Careers:
    """Creators at their start, with the attention a newcomer is lent."""
    return Careers(
        attention=np.full(count, attention, np.float32),
        today=np.zeros(count, np.int32),
        quit=np.zeros(count, np.bool_),
    )


def credit(careers: Careers, clicked: Ints, liked: Ints) -> None:
    """A click or a like for the creator at each place (numbers may repeat)."""
    np.add.at(careers.today, clicked, CLICK_ATTENTION)
    np.add.at(careers.today, liked, LIKE_ATTENTION)


def close_day(careers: Careers) -> None:
    """At midnight the day's attention joins the fading one."""
    careers.attention[:] = ATTENTION_KEPT * (careers.attention + careers.today)
    careers.today[:] = 0


def relative_attention(careers: Careers) -> Floats:
    """[c] attention against the mean of those who still post, 1 where all are equal."""
    attention = careers.attention + careers.today
    posting = attention[~careers.quit]
    mean = float(posting.mean()) if len(posting) else 0.0
    return ((1.0 + attention) / (1.0 + mean)).astype(np.float32)


def posting_rates(careers: Careers, talents: Talents, traits: Traits, hour_ms: int) -> Floats:
    """[c] expected new posts in the hour; attention raises it (after RecSim NG's providers)."""
    local_ms = hour_ms + traits.utc_offset_h[talents.person].astype(np.int64) * HOUR_MS
    local_hour = (local_ms // HOUR_MS) % 24
    by_hour = traits.hour_weight[talents.person, local_hour]
    spur = np.clip(relative_attention(careers) ** ATTENTION_GAIN, *RATE_LIMITS)
    rates = talents.posts_per_day / 24.0 * by_hour * spur
    return np.where(careers.quit, 0.0, rates).astype(np.float32)


def quit_hazards(careers: Careers) -> Floats:
    """[c] hazard of giving up posting, 1/day: the less attention, the higher."""
    hazard = QUIT_PER_DAY * relative_attention(careers) ** -QUIT_GAIN
    return np.where(careers.quit, 0.0, hazard).astype(np.float32)
