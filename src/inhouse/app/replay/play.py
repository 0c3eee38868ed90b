"""Play recorded behaviour through the code that serves: ask for a page, score it, then learn.

Before an event that says a person wanted an item they had not met, the feed is asked for the page
it would have served at that moment; a hit is the wanted item among its k places. Beside it,
popularity of the last days and item-item neighbours answer the same question under the same rule:
nothing the person has met already. Only then is the event folded in, and the learner hears of it;
when a round of learning is due it is held, and a snapshot that passes the gate serves from the next
question on.

What differs from serving, because the people of a recording never saw these pages: pages are not
remembered as served, no place is given to chance (see `ReplaySettings`), the ranking head has no
impressions to learn from, and posts need no verdict (`Permissive`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from inhouse.app.replay.recording import Recording
from inhouse.app.replay.report import Answers, standings_of
from inhouse.app.replay.types import ReplayProgress, ReplayReport, ReplaySettings
from inhouse.core.random import stream
from inhouse.events.types import ITEM_KINDS, LoggedEvent
from inhouse.features.outcomes import is_positive
from inhouse.features.people import Person
from inhouse.features.state import LiveState
from inhouse.learning.measuring.baselines import ItemNeighbours, RecentPopularity
from inhouse.learning.measuring.evaluate import Recommender
from inhouse.learning.training.course import Course
from inhouse.recommend.permissive import Permissive
from inhouse.recommend.pipeline import Feed
from inhouse.recommend.types import FeedQuery
from inhouse.stats.ranking import target_ranks

PAGE = "feed, page as served"
ORDER = "feed, order before arranging"
MISSED = np.iinfo(np.int64).max  # the rank of an answer that was not offered at all
_TOLD_EVERY = 500  # events
_LOOKED_EVERY = 50  # events, whether a round of learning is due


def replay(
    recording: Recording,
    settings: ReplaySettings | None = None,
    on_progress: Callable[[ReplayProgress], None] = lambda progress: None,
) -> ReplayReport:
    """Play a recording from its first event to its last. The same seed gives the same figures."""
    began_s = time.monotonic()
    player = _Player(recording, settings or ReplaySettings(), on_progress)
    for logged in recording.events:
        player.play(logged)
    return player.report(time.monotonic() - began_s)


@dataclass(slots=True)
class _Noted:
    """What is written down of each question."""

    ranks: dict[str, list[int]] = field(default_factory=dict)
    people: list[int] = field(default_factory=list)
    wanted_before: list[int] = field(default_factory=list)  # by the person
    item_wanted_before: list[int] = field(default_factory=list)  # of the answer, by anybody
    at_ms: list[int] = field(default_factory=list)


class _Player:
    """The serving state, the feed and the learner over it, and the baselines beside them."""

    def __init__(
        self,
        recording: Recording,
        settings: ReplaySettings,
        on_progress: Callable[[ReplayProgress], None],
    ) -> None:
        self._recording, self._settings, self._tell = recording, settings, on_progress
        self._state = LiveState()
        self._state.apply_users(recording.users)
        self._feed = Feed(self._state, Permissive(), settings.recommend, patient=True)
        self._course = Course(self._state, settings.learning)
        items = len(recording.items)
        self._baselines: tuple[Recommender, ...] = (
            RecentPopularity(items, settings.popular_days),
            ItemNeighbours(items),
        )
        self._dice = stream(settings.seed, "replay", "asked")
        self._noted = _Noted()
        self._numbers: dict[str, int] = {}  # of each person
        self._wanted_by = np.zeros(0, dtype=np.int64)  # [people]
        self._wanted_of = np.zeros(items, dtype=np.int64)  # [items]
        self._arrived = 0
        self._rounds = self._snapshots = 0

    def play(self, logged: LoggedEvent) -> None:
        """Ask, score, learn."""
        event = logged.event
        self._let_arrive(event.at_ms)
        person = self._state.person(event.user_id)
        number = self._number(event.user_id)
        item = self._wanted_anew(logged, person)
        if item is not None:
            if self._dice.random() < self._settings.asked_share:
                self._ask(logged, person, item)
            for baseline in self._baselines:
                baseline.learn(number, item, event.at_ms)
            self._wanted_by[number] += 1
            self._wanted_of[item] += 1
        self._course.take([logged], [])
        if logged.log_offset % _LOOKED_EVERY == 0 and self._course.is_due():
            self._learn(event.at_ms)
        if logged.log_offset % _TOLD_EVERY == 0:
            self._progress(event.at_ms, "playing")

    def report(self, took_s: float) -> ReplayReport:
        """The figures of all questions."""
        noted, settings = self._noted, self._settings
        answers = Answers(
            ranks={name: np.array(ranks) for name, ranks in noted.ranks.items()},
            people=np.array(noted.people, dtype=np.int64),
            cold_people=np.array(noted.wanted_before) < settings.cold_below,
            cold_items=np.array(noted.item_wanted_before) < settings.cold_below,
        )
        standings, differences = standings_of(answers, settings)
        return ReplayReport(
            events=len(self._recording.events),
            people=len(self._numbers),
            items=self._state.items.count,
            questions=len(noted.at_ms),
            rounds=self._rounds,
            snapshots=self._snapshots,
            k=settings.k,
            window_starts_ms=tuple(
                int(part[0])
                for part in np.array_split(np.array(noted.at_ms), settings.windows)
                if len(part)
            ),
            standings=standings,
            differences=differences,
            took_s=took_s,
        )

    def _let_arrive(self, now_ms: int) -> None:
        """Items can be shown once they are posted."""
        until = self._arrived
        while until < len(self._recording.items) and self._recording.arrivals_ms[until] <= now_ms:
            until += 1
        if until > self._arrived:
            self._state.apply_items(self._recording.items[self._arrived : until])
            self._arrived = until

    def _number(self, user_id: str) -> int:
        number = self._numbers.setdefault(user_id, len(self._numbers))
        if number >= len(self._wanted_by):
            self._wanted_by = np.append(self._wanted_by, np.zeros(number + 1, dtype=np.int64))
        return number

    def _wanted_anew(self, logged: LoggedEvent, person: Person) -> int | None:
        """The row of the item, where the event is the person's first word on it and says wanted."""
        event = logged.event
        if event.kind not in ITEM_KINDS or event.item_id is None:
            return None
        item = self._state.items.index.get(event.item_id)
        if item is None or item in person.seen:
            return None
        duration_ms = int(self._state.items.duration_ms[item])
        return item if is_positive(event.kind, event.value, duration_ms) else None

    def _ask(self, logged: LoggedEvent, person: Person, item: int) -> None:
        event, noted, number = logged.event, self._noted, self._numbers[logged.event.user_id]
        trace = self._feed.trace(
            FeedQuery(
                user_id=event.user_id,
                now_ms=event.at_ms,
                n=self._settings.k,
                seed=logged.log_offset,
            )
        )
        page = [self._state.items.index[shown.item_id] for shown in trace.page.items]
        ranks = {PAGE: _place(page, item), ORDER: _place(trace.ranked.items.tolist(), item)}
        allowed = np.ones(len(self._wanted_of), dtype=np.bool_)
        allowed[person.seen.rows()] = False
        for baseline in self._baselines:
            scores = baseline.scores(number, event.at_ms)
            ranks[baseline.name] = int(target_ranks(scores[None], [item], allowed[None])[0])
        for name, rank in ranks.items():
            noted.ranks.setdefault(name, []).append(rank)
        noted.people.append(number)
        noted.wanted_before.append(int(self._wanted_by[number]))
        noted.item_wanted_before.append(int(self._wanted_of[item]))
        noted.at_ms.append(event.at_ms)

    def _learn(self, now_ms: int) -> None:
        self._progress(now_ms, "learning")
        held = self._course.learn(now_ms)
        self._rounds += 1
        if held.model is not None:
            self._snapshots += 1
            self._feed.use(held.model)
        changed = self._course.changes(now_ms)
        if changed is not None and changed.delta is not None:
            self._feed.moved(self._course.serve_delta(changed.delta))  # its model is this one

    def _progress(self, at_ms: int, doing: str) -> None:
        self._tell(
            ReplayProgress(
                events=self._state.log_offset,
                total=len(self._recording.events),
                questions=len(self._noted.at_ms),
                at_ms=at_ms,
                doing=doing,
            )
        )


def _place(order: list[int], item: int) -> int:
    """1 for the first; MISSED where the item is not among them."""
    return order.index(item) + 1 if item in order else MISSED
