"""Events and pages replayed in the order in which the serving process saw them.

A page names the log offset its state had reached, so it is opened at just that point: whatever is
looked at then is as it was when the page was served. What people do afterwards is credited to the
page it came of, until its time of waiting is over. A page that reaches the log after its reader
already acted on it is dropped and counted. What a page teaches and how good it was are both read
from here, so that they mean the same outcomes.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import PageId, UserId
from inhouse.events.types import ITEM_KINDS, Event, LoggedEvent, ServedPage
from inhouse.features.outcomes import Outcome
from inhouse.features.state import LiveState
from inhouse.learning.joining.waiting import KeptPage, Waiting, kept, unkept

Rows = NDArray[np.int32]
# Looks at the places of a page as it is opened: the page, its items' rows and their positions ->
# float32[n, F].
Look = Callable[[ServedPage, Rows, Rows], NDArray[np.float32]]
# Hears of an event on an item, and of the item's row, before the event is folded in.
Before = Callable[[LoggedEvent, int], None]

# Pages that the head ranks; on the others people choose from other orders. Under load a page may be
# made without ranking: from this level on.
RANKED_SURFACES: Final = frozenset(("for_you",))
_UNRANKED_LEVEL: Final = 2


class KeptReplay(msgspec.Struct):
    """What a replay holds beside its state, for a file."""

    clock: tuple[int, int, int, int]  # now, watermark, known until, late pages
    queue: list[tuple[int, ServedPage]]  # offset, page
    waiting: list[KeptPage]  # in the order in which they were opened
    last_offset: dict[str, int]  # of each person's latest event


def hear_nothing(logged: LoggedEvent, item: int) -> None:
    """For who wants the pages alone."""


class PageReplay:
    """Replays the log over a state of its own."""

    def __init__(self, state: LiveState, *, wait_ms: int, look: Look) -> None:
        self.state = state
        self.late_pages = 0  # dropped, since their outcome came before them
        self.now_ms = 0  # the latest time heard of in the log
        self.watermark_ms = 0  # pages whose waiting ended by then were given out
        self._wait_ms = wait_ms
        self._look = look
        # Pages with events before them that are not all in yet.
        self._queue: deque[tuple[int, ServedPage]] = deque()
        self._waiting: dict[PageId, Waiting] = {}
        self._pages_of: dict[UserId, deque[PageId]] = {}
        self._last_offset: dict[UserId, int] = {}  # of each person's latest event in the state
        self._known_until_ms = -1

    def skip_until(self, watermark_ms: int) -> None:
        """Give out no page that had matured by `watermark_ms`."""
        self._known_until_ms = watermark_ms

    def take(
        self,
        events: Sequence[LoggedEvent],
        pages: Sequence[tuple[int, ServedPage]],
        before: Before = hear_nothing,
    ) -> list[Waiting]:
        """Fold in the next events and pages; the pages whose time of waiting ended meanwhile.

        `pages` must hold every page logged so far. before: called for what people who are not
        paused did with items that are known.
        """
        done: list[Waiting] = []
        self._queue.extend(pages)
        for logged in events:
            self._open_until(logged.log_offset - 1)
            done.extend(self.mature(self.now_ms))
            item = self._item(logged.event)
            if item is not None and not self._is_paused(logged.event.user_id):
                before(logged, item)
                self._attribute(logged.event, item)
            self._fold(logged)
        self._open_until(self.state.log_offset)
        done.extend(self.mature(self.now_ms))
        return done

    def mature(self, now_ms: int) -> list[Waiting]:
        """Pages whose time is over by then, oldest first; they wait no more."""
        done: list[Waiting] = []
        self.watermark_ms = max(self.watermark_ms, now_ms)
        while self._waiting:
            page_id, waiting = next(iter(self._waiting.items()))
            if waiting.page.at_ms + self._wait_ms > now_ms:
                break
            del self._waiting[page_id]
            self._let_go(waiting.page)
            done.append(waiting)
        return done

    def waiting(self) -> int:
        """How many pages wait for what comes of them."""
        return len(self._waiting)

    def forget(self, user_id: UserId) -> None:
        """Give out no page that somebody was served until now, nor wait for any."""
        self._stop_waiting(user_id)
        self._queue = deque(entry for entry in self._queue if entry[1].user_id != user_id)
        self._last_offset.pop(user_id, None)

    def keep(self) -> KeptReplay:
        """What it holds, for a file; the state is kept by others."""
        return KeptReplay(
            clock=(self.now_ms, self.watermark_ms, self._known_until_ms, self.late_pages),
            queue=list(self._queue),
            waiting=[kept(waiting) for waiting in self._waiting.values()],
            last_offset=dict(self._last_offset.items()),
        )

    def restore(self, told: KeptReplay) -> None:
        """Hold what `keep` told. Raises ValueError where the features of a page do not fit."""
        self.now_ms, self.watermark_ms, self._known_until_ms, self.late_pages = told.clock
        self._queue = deque(told.queue)
        self._last_offset = {UserId(name): offset for name, offset in told.last_offset.items()}
        self._waiting, self._pages_of = {}, {}
        for page in told.waiting:
            waiting = unkept(page)
            self._waiting[waiting.page.page_id] = waiting
            self._pages_of.setdefault(waiting.page.user_id, deque()).append(waiting.page.page_id)

    def _is_paused(self, user_id: UserId) -> bool:
        person = self.state.people.get(user_id)
        return person is not None and person.paused

    def _stop_waiting(self, user_id: UserId) -> None:
        for page_id in self._pages_of.pop(user_id, ()):
            del self._waiting[page_id]

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
        if self._is_ranked_anew(page):
            if self._last_offset.get(page.user_id, 0) > page.log_offset:
                self.late_pages += 1
            else:
                self._wait_for(page)
        self.state.apply_page(offset, page)

    def _is_ranked_anew(self, page: ServedPage) -> bool:
        is_new = page.at_ms + self._wait_ms > self._known_until_ms
        is_ranked = page.surface in RANKED_SURFACES and page.level < _UNRANKED_LEVEL
        return is_ranked and page.profiled and is_new

    def _wait_for(self, page: ServedPage) -> None:
        index = self.state.items.index
        known = [shown for shown in page.items if shown.item_id in index]
        if not known:
            return
        rows = np.array([index[shown.item_id] for shown in known], dtype=np.int32)
        positions = np.array([shown.position for shown in known], dtype=np.int32)
        self._waiting[page.page_id] = Waiting(
            page=page,
            places={int(row): place for place, row in enumerate(rows)},
            features=self._look(page, rows, positions),
            outcomes=[Outcome() for _ in known],
            examined=[False] * len(known),
        )
        self._pages_of.setdefault(page.user_id, deque()).append(page.page_id)

    def _let_go(self, page: ServedPage) -> None:
        theirs = self._pages_of[page.user_id]
        theirs.remove(page.page_id)
        if not theirs:
            del self._pages_of[page.user_id]
