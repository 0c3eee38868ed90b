"""The hidden truth of a community: its people, creators and posts, hour by hour.

Every draw comes from a stream of its own purpose and hour, so that an hour can be played again
after a restart and a change in one place moves nothing elsewhere. Knows nothing of HTTP.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.random import stream
from inhouse.simulator import appeal, creators, people
from inhouse.simulator.arrays import Flags, Floats, Ints, Times, joined
from inhouse.simulator.posts import draw_posts, wording
from inhouse.simulator.words import Wording

HOURS_PER_DAY: Final = 24
PAST_DAYS: Final = 6  # over which the posts that are there at the start were written
SIGN_UP_PAST_DAYS: Final = 2  # over which the people who are there at the start signed up
JOIN_SHARE_PER_DAY: Final = 0.02  # newcomers, of the people at the start, unless told otherwise
LIKELY_POSTS: Final = 400  # most valuable posts among which the best feed is composed


@dataclass(frozen=True, kw_only=True, slots=True)
class Calling:
    """One visit that will happen."""

    person: int  # who
    start_ms: int  # when they open the feed


@dataclass(frozen=True, kw_only=True, slots=True)
class VisitOutcome:
    """What one visit did to the person and to the posts they saw."""

    person: int  # who
    start_ms: int  # when it began
    satisfaction: float | None  # of the visit, 0 to 1; None where nothing was looked at
    shown: tuple[int, ...]  # posts on the screen, also those not looked at
    looked: tuple[int, ...]  # posts looked at, in order
    clicked: tuple[int, ...]
    liked: tuple[int, ...]
    followed: tuple[int, ...]  # creator numbers
    taste_gain: tuple[tuple[int, float], ...]  # (topic, change) from what satisfied


class World:
    """People, posts and creators with everything that is true of them."""

    def __init__(
        self,
        *,
        seed: int,
        start_ms: int,
        people_at_start: int,
        join_share_per_day: float = JOIN_SHARE_PER_DAY,
    ) -> None:
        """`start_ms`: midnight UTC of the first day."""
        self.seed = seed
        self.start_ms = start_ms
        self.people_at_start = people_at_start
        self._join_share_per_day = join_share_per_day
        self.traits = people.draw_traits(seed, people_at_start)
        self.moods = people.newcomers(self.traits, 0, start_ms)
        past_ms = stream(seed, "sign-up").random(people_at_start) * SIGN_UP_PAST_DAYS * DAY_MS
        self.moods.joined_ms[:] -= past_ms.astype(np.int64)
        self.talents = creators.draw_talents(seed, self.traits)
        self.careers = creators.new_careers(len(self.talents.person), 0.0)
        self.posts = draw_posts(seed, 0, np.empty(0, np.int32), np.empty(0, np.int64), self.talents)
        self.seen: list[set[int]] = [set() for _ in range(people_at_start)]
        self.follows: list[set[int]] = [set() for _ in range(people_at_start)]
        self.active: Flags = np.zeros((people_at_start, 0), np.bool_)  # [people, days so far]

    @property
    def people_count(self) -> int:
        return len(self.moods.satisfaction)

    @property
    def post_count(self) -> int:
        return len(self.posts.topic)

    def hour_ms(self, hour: int) -> int:
        """When the hour begins, counted from the first day's midnight."""
        return self.start_ms + hour * HOUR_MS

    def add_past_posts(self, count: int) -> None:
        """The posts that are there before the first day, oldest first."""
        random = stream(self.seed, "past")
        rate = self.talents.posts_per_day / self.talents.posts_per_day.sum()
        who = random.choice(len(rate), count, p=rate / rate.sum(dtype=np.float64))
        created_ms = self.start_ms - np.sort(random.integers(1, PAST_DAYS * DAY_MS, count))[::-1]
        self._add_posts(who.astype(np.int32), created_ms)

    def begin_hour(self, hour: int) -> list[int]:
        """Newcomers join, people and creators leave, at midnight tastes drift; who joined."""
        if hour % HOURS_PER_DAY == 0:
            self._begin_day(hour // HOURS_PER_DAY)
        random = stream(self.seed, "leaving", hour)
        leaves = random.random(self.people_count) < _hourly(people.churn_hazards(self.moods))
        self.moods.churned[leaves & (self.moods.visits > 0)] = True
        random = stream(self.seed, "quitting", hour)
        hazards = creators.quit_hazards(self.careers)
        self.careers.quit[random.random(len(hazards)) < _hourly(hazards)] = True
        expected = self.people_at_start * self._join_share_per_day / HOURS_PER_DAY
        return self._join(int(stream(self.seed, "joining", hour).poisson(expected)), hour)

    def callings(self, hour: int) -> list[Calling]:
        """Who visits in the hour and when, in order of time; at most one visit each."""
        random = stream(self.seed, "visits", hour)
        p_visit = 1.0 - np.exp(
            -people.visit_rates(self.moods, self.traits, self.hour_ms(hour)).astype(np.float64)
        )
        comes = random.random(self.people_count) < p_visit
        offset_ms = random.integers(0, HOUR_MS, self.people_count)
        who = np.flatnonzero(comes)
        order = np.argsort(offset_ms[who], kind="stable")
        start_ms = self.hour_ms(hour) + offset_ms
        return [Calling(person=int(p), start_ms=int(start_ms[p])) for p in who[order]]

    def absorb(self, outcomes: Sequence[VisitOutcome]) -> None:
        """Let visits leave their mark. The order of visits by different people is immaterial."""
        for outcome in outcomes:
            self._absorb_person(outcome)
            clicked, liked = _rows(outcome.clicked), _rows(outcome.liked)
            np.add.at(self.posts.impressions, _rows(outcome.shown), 1)
            np.add.at(self.posts.clicks, clicked, 1)
            np.add.at(self.posts.likes, liked, 1)
            creators.credit(self.careers, self.posts.creator[clicked], self.posts.creator[liked])

    def write_posts(self, hour: int) -> list[int]:
        """Creators post in the hour; numbers of the new posts."""
        random = stream(self.seed, "posting", hour)
        rates = creators.posting_rates(self.careers, self.talents, self.traits, self.hour_ms(hour))
        counts = random.poisson(rates.astype(np.float64))
        who = np.repeat(np.arange(len(counts)), counts)
        when_ms = self.hour_ms(hour) + np.sort(random.integers(0, HOUR_MS, len(who)))
        first = self.post_count
        self._add_posts(random.permutation(who).astype(np.int32), when_ms)
        return list(range(first, self.post_count))

    def words(self, post: int) -> Wording:
        """Title and text of a post."""
        return wording(self.seed, post, self.posts)

    def mind(self, person: int, now_ms: int) -> appeal.Mind:
        """How tired the person is at that time, and what they have seen."""
        fatigue = appeal.fatigue_of(
            self.moods, person, self.posts, len(self.talents.person), now_ms
        )
        return appeal.Mind(fatigue=fatigue, seen=self.seen[person])

    def true_values(self, person: int, posts: Ints, mind: appeal.Mind | None = None) -> Floats:
        """[len(posts)] true chance that each, unseen, satisfies the person in an average mood:
        rested, or as tired as `mind` is."""
        logits = self._logits(person, posts)
        if mind is not None:
            logits -= mind.fatigue.costs(self.posts.topic[posts], self.posts.creator[posts])
        return appeal.chance(logits)

    def page_values(self, person: int, posts: Ints, mind: appeal.Mind) -> Floats:
        """[len(posts)] true satisfaction from top to bottom, tiring, with posts seen before."""
        logits = self._logits(person, posts)
        topics, makers = self.posts.topic[posts].tolist(), self.posts.creator[posts].tolist()
        fatigue = mind.fatigue.copy()
        costs = []
        for post, topic, maker in zip(posts.tolist(), topics, makers, strict=True):
            repeat = appeal.REPEAT_COST if post in mind.seen else 0.0
            costs.append(fatigue.cost(topic, maker) + repeat)
            fatigue.looked(topic, maker)
        return appeal.chance(logits - np.asarray(costs, np.float32))

    def best_feed(self, person: int, n: int, mind: appeal.Mind, posts: Ints | None = None) -> Ints:
        """The true best page: unseen posts, each the most satisfying after those above it.

        Greedy, which is not proven best once tiredness couples the places; against all orders of
        small choices it lost less than 0.03 of mean satisfaction. `posts`: the choice (default:
        all). Shorter than `n` where little is unseen.
        """
        choice = np.arange(self.post_count, dtype=np.int32) if posts is None else posts
        choice = appeal.unseen(choice, mind.seen)
        logits = self._logits(person, choice)
        if len(choice) > LIKELY_POSTS:
            likely = np.argpartition(-logits, LIKELY_POSTS)[:LIKELY_POSTS]
            choice, logits = choice[likely], logits[likely]
        topics, makers = self.posts.topic[choice], self.posts.creator[choice]
        fatigue = mind.fatigue.copy()
        chosen: list[int] = []
        for _ in range(min(n, len(choice))):
            place = int(np.argmax(logits - fatigue.costs(topics, makers)))
            chosen.append(int(choice[place]))
            fatigue.looked(int(topics[place]), int(makers[place]))
            logits[place] = -np.inf
        return np.asarray(chosen, np.int32)

    def _logits(self, person: int, posts: Ints) -> Floats:
        matches = appeal.match(
            self.moods.taste[person], self.traits.style[person], self.posts, posts
        )
        return appeal.satisfaction_logits(self.traits, person, matches, self.posts, posts)

    def _begin_day(self, day: int) -> None:
        if day > 0:
            people.drift(self.moods, self.traits, stream(self.seed, "drift", day))
            creators.close_day(self.careers)
        today = np.zeros((self.people_count, 1), np.bool_)
        self.active = np.concatenate([self.active, today], axis=1)

    def _join(self, count: int, hour: int) -> list[int]:
        if count == 0:
            return []
        first = self.people_count
        self.traits = people.draw_traits(self.seed, first + count)
        self.moods = joined(self.moods, people.newcomers(self.traits, first, self.hour_ms(hour)))
        self.seen.extend(set() for _ in range(count))
        self.follows.extend(set() for _ in range(count))
        never = np.zeros((count, self.active.shape[1]), np.bool_)
        self.active = np.concatenate([self.active, never])
        self._open_careers()
        return list(range(first, first + count))

    def _open_careers(self) -> None:
        missing = creators.creator_count(self.people_count) - len(self.careers.quit)
        if missing:
            self.talents = creators.draw_talents(self.seed, self.traits)
            lent = float(self.careers.attention.mean())
            self.careers = joined(self.careers, creators.new_careers(missing, lent))

    def _absorb_person(self, outcome: VisitOutcome) -> None:
        person, moods = outcome.person, self.moods
        moods.visits[person] += 1
        day = (outcome.start_ms - self.start_ms) // DAY_MS
        self.active[person, day] = True
        appeal.remember(moods, person, list(outcome.looked), outcome.start_ms)
        self.seen[person].update(outcome.looked)
        self.follows[person].update(outcome.followed)
        for topic, gain in outcome.taste_gain:
            taste = moods.taste[person, topic] + gain
            moods.taste[person, topic] = np.clip(taste, -people.TASTE_LIMIT, people.TASTE_LIMIT)
        if outcome.satisfaction is not None:
            gap = outcome.satisfaction - moods.satisfaction[person]
            moods.satisfaction[person] += people.SATISFACTION_STEP * gap

    def _add_posts(self, who: Ints, created_ms: Times) -> None:
        if len(who) == 0:
            return
        new = draw_posts(self.seed, self.post_count, who, created_ms, self.talents)
        self.posts = joined(self.posts, new)


def _rows(posts: Sequence[int]) -> Ints:
    return np.asarray(posts, np.int32)


def _hourly(per_day: Floats) -> Floats:
    """Chance within an hour of something with this daily hazard."""
    return np.asarray(1.0 - np.exp(-per_day / HOURS_PER_DAY), np.float32)
