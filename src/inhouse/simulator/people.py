"""People: what they are by nature, which never changes, and what a day does to them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from inhouse.core.clock import HOUR_MS
from inhouse.core.random import stream
from inhouse.simulator.arrays import Flags, Floats, Ints, Times, joined
from inhouse.simulator.topics import ANGLES, TOPICS

STYLE_DIMS: Final = 12
BLOCK: Final = 256  # people drawn from one random stream, so that more people change nobody

# Visits a day of a person at neutral satisfaction, by activity class: casual, regular, heavy.
ACTIVITY_VISITS_PER_DAY: Final = (0.6, 1.4, 3.0)
ACTIVITY_SHARE: Final = (0.42, 0.42, 0.16)
# Weight of each local hour by habit; rows are habits, each is scaled to a mean of 1.
HABITS: Final = (
    "000000389632333233334310",  # commuter, before and after work
    "000000011345975334456531",  # daytime
    "100000011223322234579973",  # evening
    "642100001111222234567998",  # night owl
)
HABIT_SHARE: Final = (0.3, 0.2, 0.38, 0.12)
REGIONS: Final = ("GB", "DE", "US", "NG", "IN")
REGION_SHARE: Final = (0.34, 0.3, 0.16, 0.1, 0.1)
REGION_UTC_OFFSET_H: Final = (0, 1, -5, 1, 5)
BIRTH_YEARS: Final = (1952, 2011)  # drawn triangularly with the mode below
BIRTH_YEAR_MODE: Final = 1996
P_BIRTH_YEAR_UNKNOWN: Final = 0.05
UNKNOWN_YEAR: Final = 0

TASTE_BASE: Final = -0.7  # of a topic nobody in particular cares for
TASTE_SPREAD: Final = 0.4  # standard deviation around it
FAVOURITE_BOOST: Final = (2.2, 3.2)  # a favourite topic's extra taste, uniform
FAVOURITES: Final = (2, 4)  # how many favourite topics a person has
TOPIC_POPULARITY_SLOPE: Final = 0.25  # Zipf exponent of which topics are favourites
PATIENCE_POSTS: Final = 13.0  # median posts looked at in a visit at neutral satisfaction

DRIFT_PER_DAY: Final = 0.12  # rate at which a taste returns to its home, 1/day
DRIFT_SPREAD: Final = 0.3  # standard deviation of a taste around its home, in the long run
CONSUMED_PULL: Final = 0.02  # taste gained by one wholly satisfying post of a topic
TASTE_LIMIT: Final = 3.5  # tastes stay within plus and minus this

NEUTRAL_SATISFACTION: Final = 0.5  # with which everybody starts
SATISFACTION_STEP: Final = 0.35  # weight of the latest visit in the accumulated satisfaction
VISIT_GAIN: Final = 2.6  # log of visit rate per unit of satisfaction above neutral
CHURN_PER_DAY: Final = 0.012  # hazard of leaving for good at neutral satisfaction, 1/day
CHURN_GAIN: Final = 7.0  # log of that hazard per unit of satisfaction below neutral
MEMORY_POSTS: Final = 48  # latest looked-at posts that can tire a person
NOTHING: Final = -1  # an empty place in that memory


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """By nature; row = person. Never changes and is drawn again from the seed on a restart."""

    taste_home: Floats  # [n, topics] long-term taste; satisfaction's log-odds
    style: Floats  # [n, STYLE_DIMS] unit vector of liked ways of writing and showing
    visits_per_day: Floats  # [n] at neutral satisfaction
    hour_weight: Floats  # [n, 24] of the local hour, mean 1
    weekend_weight: Floats  # [n] factor on Saturdays and Sundays
    utc_offset_h: Ints  # [n] hours ahead of UTC
    region: Ints  # [n] index into REGIONS
    birth_year: Ints  # [n] or UNKNOWN_YEAR
    patience_posts: Floats  # [n] posts a visit lasts at neutral satisfaction
    examine_decay: Floats  # [n] exponent: place k is looked at with chance (1+k)^-decay
    bait_pull: Floats  # [n] how much a lure draws a click
    bait_regret: Floats  # [n] how much a lure lowers satisfaction
    harm_sensitivity: Floats  # [n] how much harm lowers satisfaction
    p_report: Floats  # [n] chance to report a wholly severe harm that was looked at
    expressiveness: Floats  # [n] factor on likes, comments, shares, saves, follows


@dataclass(frozen=True, kw_only=True, slots=True)
class Moods:
    """What days do to people; row = person. Arrays are changed in place and saved."""

    taste: Floats  # [n, topics] today's taste
    satisfaction: Floats  # [n] accumulated, 0 to 1
    churned: Flags  # [n] left for good
    joined_ms: Times  # [n] when they signed up
    visits: Ints  # [n] so far
    recent_post: Ints  # [n, MEMORY_POSTS] looked at, a ring; NOTHING where empty
    recent_ms: Times  # [n, MEMORY_POSTS] when
    recent_count: Ints  # [n] looked at so far; modulo MEMORY_POSTS the next place in the ring


def draw_traits(seed: int, count: int) -> Traits:
    """Traits of people 0 to count-1; a longer draw begins with the same people."""
    blocks = [_block(seed, number) for number in range(-(-count // BLOCK))]
    whole = blocks[0]
    for block in blocks[1:]:
        whole = joined(whole, block)
    return Traits(**{name: getattr(whole, name)[:count] for name in Traits.__slots__})


def angle_styles(seed: int) -> Floats:
    """[angles, STYLE_DIMS] unit vectors: where the ways of writing lie."""
    return unit(stream(seed, "angles").normal(size=(len(ANGLES), STYLE_DIMS)))


def unit(vectors: np.ndarray) -> Floats:
    """Rows scaled to length 1."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-9), np.float32)


@lru_cache(maxsize=256)
def _block(seed: int, number: int) -> Traits:
    random = stream(seed, "traits", number)
    n = BLOCK
    activity = random.choice(len(ACTIVITY_SHARE), n, p=ACTIVITY_SHARE)
    region = random.choice(len(REGIONS), n, p=REGION_SHARE)
    low, high = BIRTH_YEARS
    birth_year = random.triangular(low, BIRTH_YEAR_MODE, high, n).astype(np.int32)
    birth_year[random.random(n) < P_BIRTH_YEAR_UNKNOWN] = UNKNOWN_YEAR
    visits = np.asarray(ACTIVITY_VISITS_PER_DAY)[activity] * random.lognormal(0.0, 0.25, n)
    return Traits(
        taste_home=_taste_home(random, n),
        style=_style(random, angle_styles(seed), n),
        visits_per_day=visits.astype(np.float32),
        hour_weight=_hour_weights()[random.choice(len(HABIT_SHARE), n, p=HABIT_SHARE)],
        weekend_weight=random.uniform(0.75, 1.6, n).astype(np.float32),
        utc_offset_h=np.asarray(REGION_UTC_OFFSET_H, np.int32)[region],
        region=region.astype(np.int32),
        birth_year=birth_year,
        patience_posts=random.lognormal(np.log(PATIENCE_POSTS), 0.4, n).astype(np.float32),
        examine_decay=random.uniform(0.05, 0.3, n).astype(np.float32),
        bait_pull=random.uniform(0.6, 1.6, n).astype(np.float32),
        bait_regret=random.uniform(0.6, 1.5, n).astype(np.float32),
        harm_sensitivity=random.uniform(0.5, 1.5, n).astype(np.float32),
        p_report=random.beta(1.2, 5.0, n).astype(np.float32),
        expressiveness=random.lognormal(-0.1, 0.5, n).astype(np.float32),
    )


def _taste_home(random: np.random.Generator, n: int) -> Floats:
    topics = len(TOPICS)
    taste = random.normal(TASTE_BASE, TASTE_SPREAD, (n, topics))
    popularity = -TOPIC_POPULARITY_SLOPE * np.log(np.arange(1, topics + 1))
    # Gumbel noise makes the order of topics a draw without replacement by popularity.
    order = np.argsort(-(popularity + random.gumbel(size=(n, topics))), axis=1)
    count = random.integers(FAVOURITES[0], FAVOURITES[1] + 1, n)
    boost = random.uniform(*FAVOURITE_BOOST, (n, topics))
    favourite = np.arange(topics) < count[:, None]  # [n, topics] by rank in `order`
    np.put_along_axis(
        taste, order, np.take_along_axis(taste, order, axis=1) + boost * favourite, axis=1
    )
    return np.asarray(taste, np.float32)


def _style(random: np.random.Generator, angles: Floats, n: int) -> Floats:
    favourite = angles[random.integers(len(angles), size=n)]  # [n, STYLE_DIMS]
    return unit(0.8 * favourite + 0.8 * unit(random.normal(size=(n, STYLE_DIMS))))


def _hour_weights() -> Floats:
    weights = np.asarray([[int(digit) for digit in habit] for habit in HABITS], np.float32)
    weights += 0.05  # nobody is never awake
    return np.asarray(weights / weights.mean(axis=1, keepdims=True), np.float32)


def newcomers(traits: Traits, first: int, joined_ms: int) -> Moods:
    """The moods of the people from row `first` on, on the day they join."""
    taste = traits.taste_home[first:].copy()
    n = len(taste)
    return Moods(
        taste=taste,
        satisfaction=np.full(n, NEUTRAL_SATISFACTION, np.float32),
        churned=np.zeros(n, np.bool_),
        joined_ms=np.full(n, joined_ms, np.int64),
        visits=np.zeros(n, np.int32),
        recent_post=np.full((n, MEMORY_POSTS), NOTHING, np.int32),
        recent_ms=np.zeros((n, MEMORY_POSTS), np.int64),
        recent_count=np.zeros(n, np.int32),
    )


def drift(moods: Moods, traits: Traits, random: np.random.Generator) -> None:
    """One day of an Ornstein-Uhlenbeck walk of every taste around its home, exact for the step.

    taste' = home + (taste - home) e^-r + s sqrt(1 - e^-2r) N(0, 1), r = DRIFT_PER_DAY,
    s = DRIFT_SPREAD: the gap to home shrinks by e^-r on average, its spread tends to s.
    """
    keep = np.exp(-DRIFT_PER_DAY)
    noise = DRIFT_SPREAD * np.sqrt(1.0 - keep**2) * random.normal(size=moods.taste.shape)
    moved = traits.taste_home + (moods.taste - traits.taste_home) * keep + noise
    moods.taste[:] = np.clip(moved, -TASTE_LIMIT, TASTE_LIMIT)


def visit_rates(moods: Moods, traits: Traits, hour_ms: int) -> Floats:
    """[n] expected visits in the hour that begins at `hour_ms`: the rate of a Poisson process that
    varies by local hour, weekday and satisfaction. 0 for those who left."""
    local_ms = hour_ms + traits.utc_offset_h.astype(np.int64) * HOUR_MS
    local_hour = (local_ms // HOUR_MS) % 24
    weekday = (local_ms // (24 * HOUR_MS) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    by_hour = np.take_along_axis(traits.hour_weight, local_hour[:, None], axis=1)[:, 0]
    by_day = np.where(weekday >= 5, traits.weekend_weight, 1.0)
    pull = np.exp(VISIT_GAIN * (moods.satisfaction - NEUTRAL_SATISFACTION))
    rates = traits.visits_per_day / 24.0 * by_hour * by_day * pull
    return np.where(moods.churned, 0.0, rates).astype(np.float32)


def churn_hazards(moods: Moods) -> Floats:
    """[n] hazard of leaving for good, 1/day, by accumulated satisfaction; 0 for those who left."""
    hazard = CHURN_PER_DAY * np.exp(-CHURN_GAIN * (moods.satisfaction - NEUTRAL_SATISFACTION))
    return np.where(moods.churned, 0.0, hazard).astype(np.float32)


def return_chances(moods: Moods, traits: Traits) -> Floats:
    """[n] chance of at least one visit on an average day, given today's satisfaction."""
    pull = np.exp(VISIT_GAIN * (moods.satisfaction - NEUTRAL_SATISFACTION))
    rates = traits.visits_per_day * pull
    return np.where(moods.churned, 0.0, 1.0 - np.exp(-rates)).astype(np.float32)
