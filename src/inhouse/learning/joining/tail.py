"""Reading the log in stretches: events with every page that was served before they ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from inhouse.core.clock import SystemClock
from inhouse.core.ids import UserId
from inhouse.events.types import LoggedEvent, ServedPage
from inhouse.features.follow import Follower
from inhouse.features.ports import Logs
from inhouse.features.state import LiveState

_PAGES_AT_ONCE: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """The next part of the log."""

    events: Sequence[LoggedEvent]
    pages: Sequence[tuple[int, ServedPage]]  # with their own offsets
    ended: bool  # whether nothing more was logged when it was read
    forgotten: Sequence[UserId] = ()  # people who were erased since; the state knows them no more


class Tail:
    """Reads events, then the news of the catalog, then pages, so that each finds its like known.

    An event's item was committed before it, and a page before the events that came of it. Events
    are read from where the state stands; whoever takes a stretch folds it into the state.
    """

    def __init__(self, logs: Logs, state: LiveState, page_offset: int = 0) -> None:
        """page_offset: of the last page read before."""
        self._logs = logs
        self._state = state
        # Only the catalog is followed here, and that moves no clock.
        self._follower = Follower(state, logs, SystemClock())
        self.page_offset = page_offset  # of the last page read

    def load_catalog(self) -> None:
        """Take in every user and item there is; called once."""
        self._follower.load_catalog()

    def next(self, limit: int, until: int | None = None) -> Stretch:
        """At most `limit` events, none beyond offset `until`."""
        while True:
            heard = self._follower.erasures
            events = self._logs.events.read(self._state.log_offset, limit)
            self._follower.follow_changes()
            if self._follower.erasures == heard:
                break  # else these events may tell of somebody who was erased since
        ended = len(events) < limit
        if until is not None:
            events = [logged for logged in events if logged.log_offset <= until]
        last = events[-1].log_offset if events else self._state.log_offset
        forgotten, self._follower.forgotten = self._follower.forgotten, []
        return Stretch(
            events=events, pages=self._pages_until(last), ended=ended, forgotten=forgotten
        )

    def _pages_until(self, log_offset: int) -> list[tuple[int, ServedPage]]:
        """Pages not read yet, up to the first that saw more events than these."""
        found: list[tuple[int, ServedPage]] = []
        while batch := self._logs.pages.read(self.page_offset, _PAGES_AT_ONCE):
            found.extend(batch)
            self.page_offset = batch[-1][0]
            if batch[-1][1].log_offset > log_offset:
                break
        return found
