"""From the log to examples: what was served is joined with what came of it.

`page_replay.py` opens each page at the point at which it was served, so features come out as they
were. No example can see its own outcome: features are computed before any later event is folded in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import UserId
from inhouse.events.types import LoggedEvent, ServedPage
from inhouse.features.candidates import Scores, candidate_features
from inhouse.features.history import history_arrays
from inhouse.features.nearness import latest_positives, nearness
from inhouse.features.outcomes import are_positive, is_positive
from inhouse.features.people import Person
from inhouse.features.state import LiveState
from inhouse.learning.examples.gathering import Gathering
from inhouse.learning.examples.types import (
    Impressions,
    NextItems,
    join_impressions,
    no_impressions,
)
from inhouse.learning.joining.page_replay import KeptReplay, PageReplay
from inhouse.learning.joining.waiting import Waiting
from inhouse.learning.snapshots.snapshot import TasteSnapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """What a stretch of the log gave."""

    wanted: NextItems  # for the taste model, in the order of the log
    shown: Impressions  # for the head, of pages whose time of waiting is over


class Joiner:
    """Replays the log over a state of its own."""

    def __init__(self, state: LiveState, *, wait_ms: int, length: int) -> None:
        self.state = state
        self.model: TasteSnapshot | None = None  # whose taste the features carry from now on
        self._length = length
        self._pages = PageReplay(state, wait_ms=wait_ms, look=self._features)

    @property
    def late_pages(self) -> int:
        """Dropped, since their outcome came before them."""
        return self._pages.late_pages

    @property
    def now_ms(self) -> int:
        """The latest time heard of in the log."""
        return self._pages.now_ms

    @property
    def watermark_ms(self) -> int:
        """Pages whose waiting ended by then were given out."""
        return self._pages.watermark_ms

    def skip_until(self, watermark_ms: int) -> None:
        """Give no examples of pages that had matured by `watermark_ms`: they were learned from."""
        self._pages.skip_until(watermark_ms)

    def take(
        self, events: Sequence[LoggedEvent], pages: Sequence[tuple[int, ServedPage]]
    ) -> Joined:
        """Fold in the next events and pages; `pages` must hold every page logged so far."""
        wanted = Gathering(self._length)

        def before(logged: LoggedEvent, item: int) -> None:
            self._gather(logged, item, wanted)

        done = self._pages.take(events, pages, before)
        return Joined(wanted=wanted.examples(), shown=self._shown(done))

    def mature(self, now_ms: int) -> Impressions:
        """Pages whose time is over by the clock; only for a joiner that has read the whole log."""
        return self._shown(self._pages.mature(now_ms))

    def forget(self, user_id: UserId) -> None:
        """Give no example of any page that somebody was served until now, nor wait for any."""
        self._pages.forget(user_id)

    def keep(self) -> KeptReplay:
        """What it holds, for a file; the state and the model are kept by others."""
        return self._pages.keep()

    def restore(self, told: KeptReplay) -> None:
        """Hold what `keep` told. Raises ValueError where the features of a page do not fit."""
        self._pages.restore(told)

    def _gather(self, logged: LoggedEvent, item: int, wanted: Gathering) -> None:
        """Note an example for the taste model."""
        if is_first_want(self.state, logged, item):
            event = logged.event
            wanted.add(self.state.person(event.user_id), item, event.at_ms, logged.log_offset)

    def _features(
        self, page: ServedPage, rows: NDArray[np.int32], positions: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        return served_features(self.state, self.model, page, rows, positions)

    def _shown(self, done: Sequence[Waiting]) -> Impressions:
        return join_impressions([self._impressions(waiting) for waiting in done])

    def _impressions(self, waiting: Waiting) -> Impressions:
        rows = waiting.seen()
        if not len(rows):
            return no_impressions()
        outcomes = [waiting.outcomes[row] for row in rows]
        shown = waiting.shown(self.state.items.ids)
        return Impressions(
            features=waiting.features[rows],
            clicked=np.array([o.clicked for o in outcomes], dtype=np.bool_),
            liked=np.array([o.liked for o in outcomes], dtype=np.bool_),
            hidden=np.array([o.hidden for o in outcomes], dtype=np.bool_),
            dwell_ms=np.array([o.dwell_ms for o in outcomes], dtype=np.float32),
            propensity=np.array([shown[row].propensity for row in rows], dtype=np.float32),
            position=np.array([shown[row].position for row in rows], dtype=np.int32),
            at_ms=np.full(len(rows), waiting.page.at_ms, dtype=np.int64),
        )


def is_first_want(state: LiveState, logged: LoggedEvent, item: int) -> bool:
    """Whether an event that the state has not folded in yet is the first to say `wanted`."""
    event = logged.event
    duration_ms = int(state.items.duration_ms[item])
    if event.kind == "impression" or not is_positive(event.kind, event.value, duration_ms):
        return False
    return not _wanted_before(state, state.person(event.user_id), item)


def _wanted_before(state: LiveState, person: Person, item: int) -> bool:
    if item not in person.seen:
        return False
    recent = person.recent.latest()
    same = np.flatnonzero(recent.items == item)
    lengths_ms = state.items.duration_ms[recent.items[same]]
    return bool(are_positive(recent.kinds[same], recent.values[same], lengths_ms).any())


def served_features(
    state: LiveState,
    model: TasteSnapshot | None,
    page: ServedPage,
    items: NDArray[np.int32],
    positions: NDArray[np.int32],
) -> NDArray[np.float32]:
    """float32[n, F]: what the ranker saw, by the functions it used, and the places it gave."""
    person = state.person(page.user_id)
    taste = np.zeros(len(items), dtype=np.float32)
    if model is not None:
        taste = model.scores(state.items, history_arrays(person, page.at_ms), items)
    anchors = latest_positives(state.items, person)
    scores = Scores(taste=taste, similar=nearness(state.items, anchors, items), positions=positions)
    return candidate_features(state, person, items, scores, page.at_ms)
