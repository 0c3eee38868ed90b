"""One visit: what a person does with the pages they are given, and what it does to them.

A pure function of the world, the person, the hour and the pages. No clock, no HTTP.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from inhouse.core.clock import HOUR_MS
from inhouse.core.random import stream
from inhouse.simulator import appeal
from inhouse.simulator.arrays import Floats, Ints
from inhouse.simulator.people import CONSUMED_PULL, NEUTRAL_SATISFACTION
from inhouse.simulator.topics import NO_HARM, TOPICS
from inhouse.simulator.world import Calling, VisitOutcome, World

MOOD_SPREAD: Final = 0.45  # standard deviation of a visit's passing taste for each topic
PATIENCE_SPREAD: Final = 0.35  # log standard deviation of a visit's length
LOOK_COST: Final = 1.55  # patience a looked-at post takes …
LOOK_REWARD: Final = 1.1  # … less this much times its satisfaction
SKIP_COST: Final = 0.3  # patience of scrolling past a post
MOST_PAGES: Final = 8  # in one visit
WARNING_TURNS_AWAY: Final = 0.7  # chance that a warning label is heeded
GLANCE_WEIGHT: Final = 0.4  # of a post that was only glanced at, in the visit's satisfaction
HARM_SHOCK: Final = 0.25  # taken off the visit's satisfaction by the severest harm looked at

GLANCE_MS: Final = 1_800.0  # median dwell without a click
READ_MS: Final = (14_000.0, 8_000.0)  # median dwell after a click at neutral: text, picture
WATCH_SHARE: Final = 0.55  # median share of a video that is watched after a click, at neutral
ENGAGED_GAIN: Final = 2.2  # log of dwell per unit of satisfaction above neutral
DWELL_SPREAD: Final = 0.55  # log standard deviation of dwell
SKIP_MS: Final = 350  # time to scroll past a post
GAP_MS: Final = 600  # time between two posts

# Chance after a click, at full satisfaction and average expressiveness; the power sharpens it.
P_LIKE: Final = 0.42
P_COMMENT: Final = 0.05
P_SHARE: Final = 0.05
P_SAVE: Final = 0.09
P_FOLLOW: Final = 0.10
LIKE_POWER: Final = 2.0
P_HIDE: Final = 0.05  # at no satisfaction, after a look; the power sharpens it
HIDE_POWER: Final = 4.0
P_HIDE_HARM: Final = 0.3  # added by the severest harm


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A page as the person sees it."""

    page_id: str  # names the events
    at_ms: int  # when it was served, by the server's clock
    item_ids: tuple[str, ...]  # from top to bottom
    posts: tuple[int, ...]  # the same as post numbers; -1 for one this world did not make
    labels: tuple[str | None, ...] = ()  # moderation's label by place, none where absent


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """Something done with a post; becomes an event."""

    kind: str  # as the server calls it
    place: int  # on the page
    at_ms: int
    value: float | None = None  # milliseconds, for dwell and watch
    creator: int | None = None  # whom, for follow


@dataclass(frozen=True, kw_only=True, slots=True)
class Reaction:
    """What a page led to."""

    acts: tuple[Act, ...]  # in order of time
    reports: tuple[int, ...]  # places of posts reported as harmful
    leaves: bool  # whether the visit is over


class Visit:
    """Feed it pages until it leaves, then ask for the outcome."""

    def __init__(self, world: World, calling: Calling) -> None:
        self._world = world
        self._calling = calling
        self._person = calling.person
        hour = (calling.start_ms - world.start_ms) // HOUR_MS
        random = stream(world.seed, "visit", hour, calling.person)
        self._random = random
        mood = random.normal(0.0, MOOD_SPREAD, len(TOPICS))
        self._taste: Floats = (world.moods.taste[self._person] + mood).astype(np.float32)
        length = float(random.lognormal(0.0, PATIENCE_SPREAD))
        self._patience = float(world.traits.patience_posts[self._person]) * length
        mind = world.mind(self._person, calling.start_ms)
        self._fatigue = mind.fatigue
        self._seen = set(mind.seen)
        self._clock_ms = calling.start_ms
        self._pages = 0
        self._is_over = False
        self._weights: list[tuple[float, float]] = []  # (weight, satisfaction) of looked-at posts
        self._worst = 0.0
        self._shown: list[int] = []
        self._looked: list[int] = []
        self._clicked: list[int] = []
        self._liked: list[int] = []
        self._followed: list[int] = []
        self._gains: list[tuple[int, float]] = []

    @property
    def clock_ms(self) -> int:
        """The person's own time, which the visit moves forward."""
        return self._clock_ms

    @property
    def is_over(self) -> bool:
        """Whether the person has had enough."""
        return self._is_over

    @property
    def pages(self) -> int:
        """How many pages were looked at so far."""
        return self._pages

    @property
    def mind(self) -> appeal.Mind:
        """What is behind the person by now, this visit included."""
        return appeal.Mind(fatigue=self._fatigue, seen=self._seen)

    def look(self, page: Shown) -> Reaction:
        """Go down the page until its end or until the patience is used up."""
        self._pages += 1
        self._clock_ms = max(self._clock_ms, page.at_ms) + GAP_MS
        views = _views(self._world, self._person, self._taste, page)
        draws = self._random.random((len(page.posts), 10)).tolist()
        spread = np.exp(self._random.normal(0.0, DWELL_SPREAD, len(page.posts))).tolist()
        decay = float(self._world.traits.examine_decay[self._person])
        acts: list[Act] = []
        reports: list[int] = []
        for place, post in enumerate(page.posts):
            acts.append(Act(kind="impression", place=place, at_ms=self._clock_ms))
            if self._passes_over(page, place, post, decay, draws[place]):
                self._clock_ms += SKIP_MS
                self._patience -= SKIP_COST
            else:
                acts += self._examine(place, post, views, draws[place], spread[place])
                if acts[-1].kind == "report":
                    reports.append(place)
            if self._patience <= 0:
                break
        self._is_over = self._patience <= 0 or self._pages >= MOST_PAGES or not page.posts
        return Reaction(acts=tuple(acts), reports=tuple(reports), leaves=self._is_over)

    def outcome(self) -> VisitOutcome:
        """What the visit did, for `World.absorb`."""
        satisfaction = None
        if self._weights:
            whole = sum(weight for weight, _ in self._weights)
            mean = sum(weight * value for weight, value in self._weights) / whole
            sensitivity = float(self._world.traits.harm_sensitivity[self._person])
            satisfaction = max(0.0, mean - HARM_SHOCK * self._worst * sensitivity)
        return VisitOutcome(
            person=self._person,
            start_ms=self._calling.start_ms,
            satisfaction=satisfaction,
            shown=tuple(self._shown),
            looked=tuple(self._looked),
            clicked=tuple(self._clicked),
            liked=tuple(self._liked),
            followed=tuple(self._followed),
            taste_gain=tuple(self._gains),
        )

    def _passes_over(
        self, page: Shown, place: int, post: int, decay: float, draw: list[float]
    ) -> bool:
        if post < 0:
            return True
        self._shown.append(post)
        warned = place < len(page.labels) and page.labels[place] is not None
        if warned and draw[0] < WARNING_TURNS_AWAY:
            return True
        return draw[1] >= float((1.0 + place) ** -decay)

    def _examine(
        self, place: int, post: int, views: "_Views", draw: list[float], spread: float
    ) -> list[Act]:
        """Look at a post: perhaps click, dwell, and whatever follows."""
        topic, creator = views.topic[place], views.creator[place]
        tired = self._fatigue.cost(topic, creator) + appeal.REPEAT_COST * (post in self._seen)
        satisfied = _logistic(views.satisfaction[place] - tired)
        clicks = draw[2] < _logistic(views.click[place] - tired)
        self._fatigue.looked(topic, creator)
        self._seen.add(post)
        self._looked.append(post)
        self._weights.append((1.0 if clicks else GLANCE_WEIGHT, satisfied))
        self._worst = max(self._worst, views.severity[place])
        self._patience -= LOOK_COST - LOOK_REWARD * satisfied
        acts = [*self._click(place, post, clicks)]
        acts.append(self._dwell(place, views, clicks, satisfied, spread))
        if clicks:
            self._gains.append((topic, CONSUMED_PULL * (satisfied - NEUTRAL_SATISFACTION)))
            acts += self._express(place, post, creator, satisfied, draw)
        acts += self._object(place, post, views.severity[place], satisfied, draw)
        self._clock_ms += GAP_MS
        return acts

    def _click(self, place: int, post: int, clicks: bool) -> list[Act]:
        if not clicks:
            return []
        self._clicked.append(post)
        return [Act(kind="click", place=place, at_ms=self._clock_ms)]

    def _dwell(
        self, place: int, views: "_Views", clicks: bool, satisfied: float, spread: float
    ) -> Act:
        """How long they stay; a video ends when it ends, whatever they intended."""
        duration_ms = views.duration_ms[place]
        median_ms = GLANCE_MS
        if clicks:
            rest_ms = READ_MS[min(views.kind[place], 1)]
            median_ms = WATCH_SHARE * duration_ms if duration_ms else rest_ms
        gain = math.exp(ENGAGED_GAIN * (satisfied - NEUTRAL_SATISFACTION))
        stay_ms = median_ms * gain * spread
        if duration_ms:
            stay_ms = min(stay_ms, float(duration_ms))
        self._clock_ms += int(stay_ms)
        kind = "watch" if duration_ms else "dwell"
        return Act(kind=kind, place=place, at_ms=self._clock_ms, value=float(round(stay_ms)))

    def _express(
        self, place: int, post: int, creator: int, satisfied: float, draw: list[float]
    ) -> list[Act]:
        eager = float(self._world.traits.expressiveness[self._person]) * satisfied**LIKE_POWER
        kinds = (("like", P_LIKE), ("comment", P_COMMENT), ("share", P_SHARE), ("save", P_SAVE))
        acts = [
            Act(kind=kind, place=place, at_ms=self._clock_ms)
            for (kind, p_full), luck in zip(kinds, draw[3:7], strict=True)
            if luck < p_full * eager
        ]
        if any(act.kind == "like" for act in acts):
            self._liked.append(post)
        known = creator in self._world.follows[self._person] or creator in self._followed
        if not known and draw[7] < P_FOLLOW * eager:
            self._followed.append(creator)
            acts.append(Act(kind="follow", place=place, at_ms=self._clock_ms, creator=creator))
        return acts

    def _object(
        self, place: int, post: int, severity: float, satisfied: float, draw: list[float]
    ) -> list[Act]:
        acts = []
        p_hide = P_HIDE * (1.0 - satisfied) ** HIDE_POWER + P_HIDE_HARM * severity
        if draw[8] < p_hide:
            acts.append(Act(kind="hide", place=place, at_ms=self._clock_ms))
        harmful = self._world.posts.harm[post] != NO_HARM
        if harmful and draw[9] < self._world.traits.p_report[self._person] * severity:
            acts.append(Act(kind="report", place=place, at_ms=self._clock_ms))
        return acts


@dataclass(frozen=True, kw_only=True, slots=True)
class _Views:
    """A page's posts as this person sees them, by place, as plain numbers for the loop."""

    satisfaction: list[float]  # log-odds, rested
    click: list[float]  # log-odds, rested
    severity: list[float]
    topic: list[int]
    creator: list[int]
    kind: list[int]
    duration_ms: list[int]


def _views(world: World, person: int, taste: Floats, page: Shown) -> _Views:
    rows: Ints = np.asarray([max(post, 0) for post in page.posts], np.int32)
    posts = world.posts
    matches = appeal.match(taste, world.traits.style[person], posts, rows)
    return _Views(
        satisfaction=appeal.satisfaction_logits(
            world.traits, person, matches, posts, rows
        ).tolist(),
        click=appeal.click_logits(world.traits, person, matches, posts, rows).tolist(),
        severity=posts.severity[rows].tolist(),
        topic=posts.topic[rows].tolist(),
        creator=posts.creator[rows].tolist(),
        kind=posts.kind[rows].tolist(),
        duration_ms=posts.duration_ms[rows].tolist(),
    )


def _logistic(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))
