"""Many small lists of numbers, one set of them for each person: packed, and quick to ask."""

from array import array
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]
Mask = NDArray[np.bool_]
_MERGED_AT: Final = 64


class RowSet(Collection[int]):
    """A growing set of rows in four bytes each: a sorted array, and the few that came since."""

    __slots__ = ("_new", "_sorted")

    def __init__(self, rows: Rows | None = None) -> None:
        """rows: int32[k], sorted, each once."""
        self._sorted = np.empty(0, dtype=np.int32) if rows is None else rows
        self._new: set[int] = set()

    def add(self, row: int) -> bool:
        """Let a row in; returns whether it is new."""
        if row in self:
            return False
        self._new.add(row)
        if len(self._new) >= _MERGED_AT:
            self.rows()
        return True

    def among(self, rows: Rows) -> Mask:
        """bool[n]: which of the rows are in it."""
        return in_sorted(self.rows(), rows)

    def rows(self) -> Rows:
        """int32[k], sorted."""
        if self._new:
            new = np.fromiter(self._new, dtype=np.int32, count=len(self._new))
            self._sorted = np.sort(np.concatenate([self._sorted, new]))
            self._new = set()
        return self._sorted

    def __contains__(self, row: object) -> bool:
        if row in self._new:
            return True
        if not isinstance(row, int):
            return False
        place = int(self._sorted.searchsorted(row))
        return place < len(self._sorted) and int(self._sorted[place]) == row

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows().tolist())

    def __len__(self) -> int:
        return len(self._sorted) + len(self._new)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowSet) and np.array_equal(self.rows(), other.rows())

    __hash__ = None  # type: ignore[assignment]


def in_sorted(members: Rows, rows: Rows) -> Mask:
    """bool[n]: which rows are among the sorted members."""
    if not len(members):
        return np.zeros(len(rows), dtype=np.bool_)
    places = members.searchsorted(rows)
    places[places == len(members)] = 0
    found: Mask = members[places] == rows
    return found


class Latest:
    """The last `most` rows, in order; older ones are let go now and then."""

    __slots__ = ("_most", "_rows")

    def __init__(self, most: int, rows: Iterable[int] = ()) -> None:
        self._most = most
        self._rows = array("i", rows)

    def extend(self, rows: Iterable[int]) -> None:
        """Append, in order."""
        self._rows.extend(rows)
        if len(self._rows) > self._most + self._most // 8:
            del self._rows[: -self._most]

    def rows(self, most: int | None = None) -> Rows:
        """int32[k]: the last `most` of them, oldest first."""
        kept = self._most if most is None else min(most, self._most)
        return np.array(self._rows[-kept:] if kept else self._rows[:0], dtype=np.int32)

    def __len__(self) -> int:
        return min(len(self._rows), self._most)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Latest) and np.array_equal(self.rows(), other.rows())

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True, slots=True)
class Actions:
    """Actions in columns, oldest first."""

    items: Rows  # [k] row in the item table
    kinds: NDArray[np.int8]  # [k] features.outcomes.KIND_CODES
    at_ms: NDArray[np.int64]  # [k] of the latest event that was merged into it
    values: NDArray[np.float32]  # [k] longest dwell or watch, ms; 0 where there was none

    def __len__(self) -> int:
        return len(self.items)
