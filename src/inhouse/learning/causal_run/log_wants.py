"""What people wanted, read from the log for training in batch, by the code of the learner.

First wants are the joiner's, and whoever is paused makes none. From somebody's `reset` on, what
they wanted before it is left out; of somebody erased, everything is. The log is read twice: once to
know how much there is and where it is to be cut, once for the moments that were then chosen.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import UserId
from inhouse.events.types import LoggedEvent, ServedPage
from inhouse.features.history import HistoryArrays, history_arrays
from inhouse.features.items import ItemTable
from inhouse.features.ports import Logs
from inhouse.features.state import LiveState
from inhouse.learning.examples.gathering import Gathering
from inhouse.learning.examples.types import NextItems, join_next_items
from inhouse.learning.joining.joiner import is_first_want
from inhouse.learning.joining.page_replay import PageReplay
from inhouse.learning.joining.tail import Stretch, Tail
from inhouse.learning.sequences.flat import Longs
from inhouse.learning.training.course import Progress

_EVENTS_AT_ONCE: Final = 4_000


@dataclass(frozen=True, kw_only=True, slots=True)
class LogWants:
    """What people wanted for the first time, in the order of the log."""

    users: Longs  # [n] a number for each person
    items: Longs  # [n] rows of the table
    at_ms: Longs  # [n]
    offsets: Longs  # [n] of the events, rising


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A moment at which somebody wanted something, as a server would have seen it."""

    offset: int  # of the event
    at_ms: int
    history: HistoryArrays  # of before
    answer: int  # row of the item


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The moments to look at, by the offsets of their events."""

    examples: Collection[int] = ()  # to learn from
    questions: Collection[int] = ()  # to be asked
    length: int = 64  # actions read of an example


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatWasWanted:
    """The log up to an offset."""

    wants: LogWants
    table: ItemTable
    examples: NextItems
    questions: tuple[Question, ...]


def read_wanted(logs: Logs, until: int, chosen: Chosen, progress: Progress) -> WhatWasWanted:
    """Read the log up to offset `until`."""
    reader = _Reader(logs, chosen)
    while reader.state.log_offset < until and reader.read(until):
        progress("log", reader.state.log_offset, until)
    return reader.found(logs)


@dataclass(slots=True)
class _Noted:
    """One column each, a place for each first want."""

    users: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    at_ms: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)


class _Reader:
    """A state that follows the log, and what is noted on the way."""

    def __init__(self, logs: Logs, chosen: Chosen) -> None:
        self.state = LiveState()
        # Pages tell nothing of what was wanted, so none is read.
        self._tail = Tail(logs, self.state, logs.pages.last_offset())
        self._tail.load_catalog()
        self._pages = PageReplay(self.state, wait_ms=0, look=_look_at_nothing)
        self._chosen = chosen
        self._gathering = Gathering(chosen.length)
        self._examples: list[NextItems] = []
        self._questions: list[Question] = []
        self._noted = _Noted()
        self._numbers: dict[UserId, int] = {}
        self._people = 0
        self._void_until: dict[int, int] = {}  # number -> what they wanted up to this offset

    def read(self, until: int) -> bool:
        """The next stretch; returns whether there was any."""
        stretch = self._tail.next(_EVENTS_AT_ONCE, until)
        for user_id in stretch.forgotten:
            self._leave_out(user_id, self.state.log_offset)
            self._numbers.pop(user_id, None)
        self._pages.take(stretch.events, (), self._hear)
        self._leave_out_before_resets(stretch)
        self._examples.append(self._gathering.examples())
        self._gathering = Gathering(self._chosen.length)
        return len(stretch.events) > 0

    def found(self, logs: Logs) -> WhatWasWanted:
        """All of it, without what may not be learned from."""
        noted = {name: np.array(getattr(self._noted, name), np.int64) for name in _Noted.__slots__}
        erasures = logs.catalog.erasures
        due = [whom for _, whom in (*erasures.in_state("running"), *erasures.in_state("told"))]
        void = np.array([offset for whom in due for offset in whom.offsets], np.int64)
        last = np.array(
            [self._void_until.get(user, 0) for user in noted["users"].tolist()], np.int64
        )
        kept = (noted["offsets"] > last) & ~np.isin(noted["offsets"], void)
        wants = LogWants(**{name: part[kept] for name, part in noted.items()})
        examples = join_next_items(self._examples, self._chosen.length)
        good = set(wants.offsets.tolist())
        return WhatWasWanted(
            wants=wants,
            table=self.state.items,
            examples=examples.take(np.flatnonzero(np.isin(examples.offsets, wants.offsets))),
            questions=tuple(asked for asked in self._questions if asked.offset in good),
        )

    def _hear(self, logged: LoggedEvent, item: int) -> None:
        if not is_first_want(self.state, logged, item):
            return
        event, offset = logged.event, logged.log_offset
        self._noted.users.append(self._number(event.user_id))
        self._noted.items.append(item)
        self._noted.at_ms.append(event.at_ms)
        self._noted.offsets.append(offset)
        if offset in self._chosen.examples:
            self._gathering.add(self.state.person(event.user_id), item, event.at_ms, offset)
        if offset in self._chosen.questions:
            history = history_arrays(self.state.person(event.user_id), event.at_ms)
            self._questions.append(
                Question(offset=offset, at_ms=event.at_ms, history=history, answer=item)
            )

    def _number(self, user_id: UserId) -> int:
        """A new one for who was erased and came again."""
        number = self._numbers.get(user_id)
        if number is None:
            number = self._numbers[user_id] = self._people
            self._people += 1
        return number

    def _leave_out_before_resets(self, stretch: Stretch) -> None:
        for logged in stretch.events:
            if logged.event.kind == "reset":
                self._leave_out(logged.event.user_id, logged.log_offset)

    def _leave_out(self, user_id: UserId, until: int) -> None:
        number = self._numbers.get(user_id)
        if number is not None:
            self._void_until[number] = until


def _look_at_nothing(
    page: ServedPage, rows: NDArray[np.int32], positions: NDArray[np.int32]
) -> NDArray[np.float32]:
    """For pages, of which none is given."""
    return np.zeros((len(rows), 0), dtype=np.float32)
