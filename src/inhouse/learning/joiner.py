"""From the log to examples: what was served is joined with what came of it.

Events and pages are replayed in the order in which the serving process saw them (a page names the
log offset its state had reached), so features come out as they were when the page was served. No
example can see its own outcome: features are computed before any later event is folded in, and a
page that reaches the log after its reader already acted on it is dropped and counted.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import PageId, UserId
from inhouse.events.types import (
    ITEM_KINDS,
    Event,
    EventKind,
    LoggedEvent,
    ServedPage,
)
from inhouse.features.candidates import Scores, candidate_features
from inhouse.features.history import history_arrays
from inhouse.features.nearness import latest_positives, nearness
from inhouse.features.outcomes import Outcome, are_positive, is_positive
from inhouse.features.people import Person
from inhouse.features.state import LiveState
from inhouse.learning.examples import (
    Impressions,
    NextItems,
    join_impressions,
    no_impressions,
)
from inhouse.learning.gathering import Gathering
from inhouse.learning.snapshot import TasteSnapshot
from inhouse.learning.waiting import KeptPage, Waiting, kept, unkept

# Pages that the head ranks; on the others people choose from other orders. Under load a page may be
# made without ranking: from this level on.
_RANKED_SURFACES: Final = frozenset(("for_you",))
_UNRANKED_LEVEL: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """What a stretch of the log gave."""

    wanted: NextItems  # for the taste model, in the order of the log
    shown: Impressions  # for the head, of pages whose time of waiting is over


class KeptJoiner(msgspec.Struct):
    """What a joiner holds beside its state, for a file."""

    clock: tuple[int, int, int, int]  # now, watermark, known until, late pages
    queue: list[tuple[int, ServedPage]]  # offset, page
    waiting: list[KeptPage]  # in the order in which they were opened
    last_offset: dict[str, int]  # of each person's latest event


class Joiner:
    """Replays the log over a state of its own."""

    def __init__(self, state: LiveState, *, wait_ms: int, length: int) -> None:
        self.state = state
        self.model: TasteSnapshot | None = None  # whose taste the features carry from now on
        self.late_pages = 0  # dropped, since their outcome came before them
        self.now_ms = 0  # the latest time heard of in the log
        self.watermark_ms = 0  # pages whose waiting ended by then were given out
        self._wait_ms = wait_ms
        self._length = length
        self._queue: deque[tuple[int, ServedPage]] = (
            deque()
        )  # pages whose events are not all in yet
        self._waiting: dict[PageId, Waiting] = {}
        self._pages_of: dict[UserId, deque[PageId]] = {}
        self._last_offset: dict[UserId, int] = {}  # of each person's latest event in the state
        self._known_until_ms = -1

    def skip_until(self, watermark_ms: int) -> None:
        """Give no examples of pages that had matured by `watermark_ms`: they were learned from."""
        self._known_until_ms = watermark_ms

    def take(
        self, events: Sequence[LoggedEvent], pages: Sequence[tuple[int, ServedPage]]
    ) -> Joined:
        """Fold in the next events and pages; `pages` must hold every page logged so far."""
        self._queue.extend(pages)
        wanted = Gathering(self._length)
        shown: list[Impressions] = []
        for logged in events:
            self._open_until(logged.log_offset - 1)
            shown.extend(self._matured(self.now_ms))
            item = self._item(logged.event)
            if item is not None and not self._is_paused(logged.event.user_id):
                self._gather(logged, item, wanted)
                self._attribute(logged.event, item)
            self._fold(logged)
        self._open_until(self.state.log_offset)
        shown.extend(self._matured(self.now_ms))
        return Joined(wanted=wanted.examples(), shown=join_impressions(shown))

    def mature(self, now_ms: int) -> Impressions:
        """Pages whose time is over by the clock; only for a joiner that has read the whole log."""
        return join_impressions(self._matured(now_ms))

    def forget(self, user_id: UserId) -> None:
        """Give no example of any page that somebody was served until now, nor wait for any."""
        self._stop_waiting(user_id)
        self._queue = deque(entry for entry in self._queue if entry[1].user_id != user_id)
        self._last_offset.pop(user_id, None)

    def _is_paused(self, user_id: UserId) -> bool:
        person = self.state.people.get(user_id)
        return person is not None and person.paused

    def _stop_waiting(self, user_id: UserId) -> None:
        for page_id in self._pages_of.pop(user_id, ()):
            del self._waiting[page_id]

    def keep(self) -> KeptJoiner:
        """What it holds, for a file; the state and the model are kept by others."""
        return KeptJoiner(
            clock=(self.now_ms, self.watermark_ms, self._known_until_ms, self.late_pages),
            queue=list(self._queue),
            waiting=[kept(waiting) for waiting in self._waiting.values()],
            last_offset=dict(self._last_offset.items()),
        )

    def restore(self, told: KeptJoiner) -> None:
        """Hold what `keep` told. Raises ValueError where the features of a page do not fit."""
        self.now_ms, self.watermark_ms, self._known_until_ms, self.late_pages = told.clock
        self._queue = deque(told.queue)
        self._last_offset = {UserId(name): offset for name, offset in told.last_offset.items()}
        self._waiting, self._pages_of = {}, {}
        for page in told.waiting:
            waiting = unkept(page)
            self._waiting[waiting.page.page_id] = waiting
            self._pages_of.setdefault(waiting.page.user_id, deque()).append(waiting.page.page_id)

    def _gather(self, logged: LoggedEvent, item: int, wanted: Gathering) -> None:
        """Note an example for the taste model, where the event is the first to say `wanted`."""
        event = logged.event
        if event.kind == "impression" or not self._is_positive(event.kind, event.value, item):
            return
        person = self.state.person(event.user_id)
        if not self._wanted_before(person, item):
            wanted.add(person, item, event.at_ms, logged.log_offset)

    def _wanted_before(self, person: Person, item: int) -> bool:
        if item not in person.seen:
            return False
        recent = person.recent.latest()
        same = np.flatnonzero(recent.items == item)
        lengths_ms = self.state.items.duration_ms[recent.items[same]]
        return bool(are_positive(recent.kinds[same], recent.values[same], lengths_ms).any())

    def _is_positive(self, kind: EventKind, value: float | None, item: int) -> bool:
        return is_positive(kind, value, int(self.state.items.duration_ms[item]))

    def _fold(self, logged: LoggedEvent) -> None:
        event = logged.event
        if event.kind == "reset":
            self._stop_waiting(event.user_id)
        self.state.apply_events([logged])
        self._last_offset[event.user_id] = logged.log_offset
        self.now_ms = max(self.now_ms, event.at_ms)

    def _item(self, event: Event) -> int | None:
        if event.kind not in ITEM_KINDS or event.item_id is None:
            return None
        return self.state.items.index.get(event.item_id)

    def _attribute(self, event: Event, item: int) -> None:
        """Credit the page that the event names, else the latest one that shows the item."""
        waiting = self._waiting.get(event.page_id) if event.page_id is not None else None
        if waiting is None or waiting.page.user_id != event.user_id or item not in waiting.places:
            waiting = self._latest_with(event.user_id, item)
        if waiting is None:
            return
        place = waiting.places[item]
        waiting.examined[place] = True
        if event.kind == "impression":
            waiting.impressed = True
        else:
            waiting.outcomes[place].add(event.kind, event.value)

    def _latest_with(self, user_id: UserId, item: int) -> Waiting | None:
        for page_id in reversed(self._pages_of.get(user_id, deque())):
            if item in self._waiting[page_id].places:
                return self._waiting[page_id]
        return None

    def _open_until(self, log_offset: int) -> None:
        """Open the pages, in the order of their log, that were served on events up to there."""
        while self._queue and self._queue[0][1].log_offset <= log_offset:
            self._open(*self._queue.popleft())

    def _open(self, offset: int, page: ServedPage) -> None:
        """See a page as it was served, then remember that it was."""
        self.now_ms = max(self.now_ms, page.at_ms)
        if self._last_offset.get(page.user_id, 0) > page.log_offset:
            self.late_pages += 1
        elif self._is_for_the_head(page):
            self._wait_for(page)
        self.state.apply_page(offset, page)

    def _is_for_the_head(self, page: ServedPage) -> bool:
        is_new = page.at_ms + self._wait_ms > self._known_until_ms
        is_ranked = page.surface in _RANKED_SURFACES and page.level < _UNRANKED_LEVEL
        return is_ranked and page.profiled and is_new

    def _wait_for(self, page: ServedPage) -> None:
        index = self.state.items.index
        kept = [shown for shown in page.items if shown.item_id in index]
        if not kept:
            return
        rows = np.array([index[shown.item_id] for shown in kept], dtype=np.int32)
        positions = np.array([shown.position for shown in kept], dtype=np.int32)
        self._waiting[page.page_id] = Waiting(
            page=page,
            places={int(row): place for place, row in enumerate(rows)},
            features=served_features(self.state, self.model, page, rows, positions),
            outcomes=[Outcome() for _ in kept],
            examined=[False] * len(kept),
        )
        self._pages_of.setdefault(page.user_id, deque()).append(page.page_id)

    def _matured(self, now_ms: int) -> list[Impressions]:
        done: list[Impressions] = []
        self.watermark_ms = max(self.watermark_ms, now_ms)
        while self._waiting:
            page_id, waiting = next(iter(self._waiting.items()))
            if waiting.page.at_ms + self._wait_ms > now_ms:
                break
            del self._waiting[page_id]
            self._forget(waiting.page)
            done.append(self._impressions(waiting))
        return done

    def _forget(self, page: ServedPage) -> None:
        theirs = self._pages_of[page.user_id]
        theirs.remove(page.page_id)
        if not theirs:
            del self._pages_of[page.user_id]

    def _impressions(self, waiting: Waiting) -> Impressions:
        """What was examined: told by the client, or else all down to the last item acted upon."""
        examined = np.array(waiting.examined)
        if not waiting.impressed and examined.any():
            examined[: int(np.flatnonzero(examined)[-1]) + 1] = True
        rows = np.flatnonzero(examined)
        if not len(rows):
            return no_impressions()
        outcomes = [waiting.outcomes[row] for row in rows]
        by_item = {shown.item_id: shown for shown in waiting.page.items}
        ids = self.state.items.ids
        shown = [by_item[ids[item]] for item in waiting.places]
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
