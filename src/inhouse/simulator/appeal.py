"""How much a post truly satisfies a person, and how much it draws them: two different things.

Both are log-odds, linear in the match of person and post. A lure (`bait`) draws and disappoints,
harm draws a little and costs a lot, tiredness lowers both: chocolate and kale, signs the right way.
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import Final

import numpy as np

from inhouse.core.clock import HOUR_MS
from inhouse.simulator.arrays import Floats, Ints
from inhouse.simulator.people import MEMORY_POSTS, Moods, Traits
from inhouse.simulator.posts import SECOND_TOPIC_WEIGHT, Posts
from inhouse.simulator.topics import TOPICS

# Log-odds of satisfaction.
TASTE_WEIGHT: Final = 0.95  # per unit of taste for the topic
STYLE_WEIGHT: Final = 1.5  # per unit of likeness of style, -1 to 1
QUALITY_WEIGHT: Final = 0.6  # per unit of quality
BAIT_COST: Final = 1.8  # of a full lure for a person of average regret
HARM_COST: Final = 3.0  # of the severest harm for a person of average sensitivity
REPEAT_COST: Final = 1.6  # of a post seen before
OFFSET: Final = -0.2  # of an average post

# Log-odds of a click, on top of the match.
CLICK_OFFSET: Final = -2.0
BAIT_DRAW: Final = 1.2  # of a full lure for a person of average pull
HARM_DRAW: Final = 0.7  # of the severest harm: outrage is interesting
CLICK_MATCH: Final = 0.9  # how much of the match shows before the click

# Tiredness, in log-odds per recent post, halved every FATIGUE_HALF_LIFE_MS.
TOPIC_FATIGUE: Final = 0.05
CREATOR_FATIGUE: Final = 0.12
FATIGUE_HALF_LIFE_MS: Final = 7 * HOUR_MS
FATIGUE_LIMIT: Final = 2.5  # log-odds, at most


@dataclass(frozen=True, kw_only=True, slots=True)
class Fatigue:
    """How tired one person is right now, in recent posts; changed in place while they look."""

    topic: Floats  # [topics]
    creator: Floats  # [creators]

    def costs(self, topics: Ints, creators: Ints) -> Floats:
        """Log-odds lost on posts of these topics and creators."""
        tired = TOPIC_FATIGUE * self.topic[topics] + CREATOR_FATIGUE * self.creator[creators]
        return np.minimum(tired, FATIGUE_LIMIT)

    def cost(self, topic: int, creator: int) -> float:
        """The same of one post."""
        tired = TOPIC_FATIGUE * self.topic[topic] + CREATOR_FATIGUE * self.creator[creator]
        return min(float(tired), FATIGUE_LIMIT)

    def looked(self, topic: int, creator: int) -> None:
        """One more post was looked at."""
        self.topic[topic] += 1.0
        self.creator[creator] += 1.0

    def copy(self) -> "Fatigue":
        """One that can be changed without changing this one."""
        return Fatigue(topic=self.topic.copy(), creator=self.creator.copy())


@dataclass(frozen=True, kw_only=True, slots=True)
class Mind:
    """What a person has behind them when they look at a page."""

    fatigue: Fatigue
    seen: Set[int]  # posts looked at before


def fatigue_of(moods: Moods, person: int, posts: Posts, creators: int, now_ms: int) -> Fatigue:
    """From the latest looked-at posts and their ages."""
    topic = np.zeros(len(TOPICS), np.float32)
    creator = np.zeros(creators, np.float32)
    filled = min(int(moods.recent_count[person]), MEMORY_POSTS)
    recent = moods.recent_post[person, :filled]
    ages_ms = np.maximum(now_ms - moods.recent_ms[person, :filled], 0)
    weight = np.exp2(-ages_ms / FATIGUE_HALF_LIFE_MS).astype(np.float32)
    np.add.at(topic, posts.topic[recent], weight)
    np.add.at(creator, posts.creator[recent], weight)
    return Fatigue(topic=topic, creator=creator)


def remember(moods: Moods, person: int, looked: list[int], at_ms: int) -> None:
    """Put looked-at posts into the person's memory, over the oldest ones."""
    count = int(moods.recent_count[person])
    for post in looked:
        place = count % MEMORY_POSTS
        moods.recent_post[person, place] = post
        moods.recent_ms[person, place] = at_ms
        count += 1
    moods.recent_count[person] = count


def match(taste: Floats, style: Floats, posts: Posts, rows: Ints) -> Floats:
    """[len(rows)] log-odds from topic, style and quality alone."""
    affinity = (1.0 - SECOND_TOPIC_WEIGHT) * taste[posts.topic[rows]]
    affinity += SECOND_TOPIC_WEIGHT * taste[posts.second[rows]]
    likeness = posts.style[rows] @ style
    return np.asarray(
        TASTE_WEIGHT * affinity + STYLE_WEIGHT * likeness + QUALITY_WEIGHT * posts.quality[rows],
        np.float32,
    )


def satisfaction_logits(
    traits: Traits, person: int, matches: Floats, posts: Posts, rows: Ints
) -> Floats:
    """[len(rows)] log-odds of being satisfied, rested and not having seen the posts before."""
    bait = BAIT_COST * traits.bait_regret[person] * posts.bait[rows]
    harm = HARM_COST * traits.harm_sensitivity[person] * posts.severity[rows]
    return np.asarray(OFFSET + matches - bait - harm, np.float32)


def click_logits(traits: Traits, person: int, matches: Floats, posts: Posts, rows: Ints) -> Floats:
    """[len(rows)] log-odds of a click, rested."""
    bait = BAIT_DRAW * traits.bait_pull[person] * posts.bait[rows]
    harm = HARM_DRAW * posts.severity[rows]
    return np.asarray(CLICK_OFFSET + CLICK_MATCH * matches + bait + harm, np.float32)


def chance(logits: Floats) -> Floats:
    """The logistic function."""
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)


def unseen(rows: Ints, seen: Set[int]) -> Ints:
    """The rows that the person has not looked at."""
    return rows[~np.isin(rows, np.fromiter(seen, np.int32, len(seen)))] if seen else rows
