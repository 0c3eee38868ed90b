"""A person as the log tells of them."""

from array import array
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from inhouse.core.ids import UserId
from inhouse.features.outcomes import CODE_STRENGTH
from inhouse.features.rows import Actions, Latest, RowSet

EMPTY: Final[frozenset[Any]] = frozenset()  # an empty set takes 216 bytes, and most are
HISTORY_KEPT: Final = 200
SERVED_KEPT: Final = 500
_MERGE_LOOKBACK: Final = 12
_SLACK: Final = 24
# What a person asked for, by the name of its field.
RELATIONS: Final = (
    "follows",
    "muted_creators",
    "blocked_creators",
    "blocked_by",
    "muted_topics",
    "muted_words",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """The strongest thing a person did with an item at one sitting."""

    item: int  # row in the item table
    kind: int  # features.outcomes.KIND_CODES
    at_ms: int  # of the latest event that was merged into it
    value: float  # longest dwell or watch, ms; 0 where there was none


class History:
    """The last 200 actions, oldest first, in 17 bytes each."""

    __slots__ = ("_at_ms", "_items", "_kinds", "_values")

    def __init__(self, actions: Actions | None = None) -> None:
        told = _NOTHING if actions is None else actions
        self._items = array("i", told.items.tolist())
        self._kinds = array("b", told.kinds.tolist())
        self._at_ms = array("q", told.at_ms.tolist())
        self._values = array("f", told.values.tolist())

    def remember(self, action: Action) -> None:
        """Append, or strengthen what the person just did with the same item."""
        newest = len(self._items) - 1
        for back in range(newest, max(-1, newest - _MERGE_LOOKBACK), -1):
            if self._items[back] == action.item:
                self._strengthen(back, action)
                return
        self._items.append(action.item)
        self._kinds.append(action.kind)
        self._at_ms.append(action.at_ms)
        self._values.append(action.value)
        if len(self._items) > HISTORY_KEPT + _SLACK:
            for column in (self._items, self._kinds, self._at_ms, self._values):
                del column[:-HISTORY_KEPT]

    def latest(self, most: int = HISTORY_KEPT) -> Actions:
        """The last `most` actions, as arrays of their own."""
        start = max(0, len(self._items) - min(most, HISTORY_KEPT))
        return Actions(
            items=np.frombuffer(self._items[start:], dtype=np.int32),
            kinds=np.frombuffer(self._kinds[start:], dtype=np.int8),
            at_ms=np.frombuffer(self._at_ms[start:], dtype=np.int64),
            values=np.frombuffer(self._values[start:], dtype=np.float32),
        )

    def take_back(self, item: int) -> int | None:
        """Drop the latest action with an item; returns its kind, None where there is none."""
        first = max(0, len(self._items) - HISTORY_KEPT)
        for place in range(len(self._items) - 1, first - 1, -1):
            if self._items[place] == item:
                kind = int(self._kinds[place])
                for column in (self._items, self._kinds, self._at_ms, self._values):
                    del column[place]
                return kind
        return None

    def join(self, other: "History") -> None:
        """Take another's actions in, in the order of time."""
        mine, theirs = self.latest(), other.latest()
        both = {
            name: np.concatenate([getattr(mine, name), getattr(theirs, name)])
            for name in Actions.__struct_fields__
        }
        order = np.argsort(both["at_ms"], kind="stable")[-HISTORY_KEPT:]
        joined = History(Actions(**{name: part[order] for name, part in both.items()}))
        for name in self.__slots__:
            setattr(self, name, getattr(joined, name))

    def clear(self) -> None:
        """Forget them all."""
        for column in (self._items, self._kinds, self._at_ms, self._values):
            del column[:]

    def __len__(self) -> int:
        return min(len(self._items), HISTORY_KEPT)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return False
        mine, theirs = self.latest(), other.latest()
        return all(
            np.array_equal(getattr(mine, name), getattr(theirs, name))
            for name in Actions.__struct_fields__
        )

    __hash__ = None  # type: ignore[assignment]

    def _strengthen(self, place: int, action: Action) -> None:
        if CODE_STRENGTH[action.kind] >= CODE_STRENGTH[self._kinds[place]]:
            self._kinds[place] = action.kind
        self._values[place] = max(self._values[place], action.value)
        self._at_ms[place] = max(self._at_ms[place], action.at_ms)


_NOTHING: Final = Actions(
    items=np.empty(0, dtype=np.int32),
    kinds=np.empty(0, dtype=np.int8),
    at_ms=np.empty(0, dtype=np.int64),
    values=np.empty(0, dtype=np.float32),
)


@dataclass(slots=True)
class Person:
    """Everything a request needs to know of a person; derived from the log, kept in memory.

    What most people never do costs nothing: all the empty sets are one.
    """

    user_id: UserId
    seen: RowSet = field(default_factory=RowSet)  # with an impression or anything stronger
    recent: History = field(default_factory=History)
    served: Latest = field(default_factory=lambda: Latest(SERVED_KEPT))  # items on the last pages
    follows: frozenset[int] = EMPTY  # creators
    muted_creators: frozenset[int] = EMPTY
    blocked_creators: frozenset[int] = EMPTY
    blocked_by: frozenset[int] = EMPTY  # creators who blocked this person
    muted_topics: frozenset[int] = EMPTY
    muted_words: frozenset[str] = EMPTY
    topics: tuple[int, ...] = ()  # chosen at sign-up
    region: str | None = None
    language: str | None = None
    birth_year: int | None = None
    created_ms: int = 0  # joined
    first_ms: int = 0  # first event
    last_ms: int = 0  # latest event
    pages: int = 0  # pages served so far
    paused: bool = False  # personalisation is off: what is done meanwhile says nothing of taste
