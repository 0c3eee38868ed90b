"""Many small lists of numbers, one set of them for each person: packed, and quick to ask."""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]
Mask = NDArray[np.bool_]
R = TypeVar("R", np.int16, np.int32)
N = TypeVar("N", np.int32, np.int64, np.uint32, np.float64)


class RowSet(Collection[int]):
    """A growing set of rows, sorted, in four bytes each."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Rows | None = None) -> None:
        """rows: int32[k], sorted, each once."""
        self._rows = array("i")
        if rows is not None:
            self._rows.frombytes(rows.tobytes())

    def add(self, row: int) -> bool:
        """Let a row in; returns whether it is new."""
        # Not numpy's own search: it lets go of the interpreter for a microsecond of work, and a
        # thread that takes it keeps it for milliseconds.
        held = self._rows
        place = bisect_left(held, row)
        if place < len(held) and held[place] == row:
            return False
        held.insert(place, row)
        return True

    def among(self, rows: Rows) -> Mask:
        """bool[n]: which of the rows are in it."""
        return in_sorted(self.rows(), rows)

    def rows(self) -> Rows:
        """int32[k], sorted; of its own, since an array that is looked into cannot grow."""
        return np.frombuffer(self._rows[:], dtype=np.int32)

    def __contains__(self, row: object) -> bool:
        if not isinstance(row, int):
            return False
        held = self._rows
        place = bisect_left(held, row)
        return place < len(held) and held[place] == row

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows.tolist())

    def __len__(self) -> int:
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowSet) and self._rows == other._rows

    __hash__ = None  # type: ignore[assignment]


def in_sorted(members: Rows, rows: Rows) -> Mask:
    """bool[n]: which rows are among the sorted members."""
    if not len(members):
        return np.zeros(len(rows), dtype=np.bool_)
    places = members.searchsorted(rows)
    places[places == len(members)] = 0
    found: Mask = members[places] == rows
    return found


def distinct(rows: NDArray[R]) -> NDArray[R]:
    """[k], sorted, each once. numpy's `unique` takes ten times as long for a few hundred."""
    ordered = np.sort(rows)
    first = np.empty(len(ordered), dtype=np.bool_)
    first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


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
        return np.frombuffer(self._rows[-kept:] if kept else self._rows[:0], dtype=np.int32)

    def __len__(self) -> int:
        return min(len(self._rows), self._most)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Latest) and np.array_equal(self.rows(), other.rows())

    __hash__ = None  # type: ignore[assignment]


class Ragged:
    """A list of numbers for each row, all of them in one buffer."""

    def __init__(self, values: NDArray[np.uint32], lengths: NDArray[np.int32]) -> None:
        """values: the lists one after the other; lengths: of each row's."""
        self._set(values, lengths)

    def _set(self, values: NDArray[np.uint32], lengths: NDArray[np.int32]) -> None:
        self._values = values
        self._starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
        self._starts = self._starts[:-1]
        self._lengths = lengths
        self._used = len(values)
        self._alive = len(values)

    def put(self, row: int, values: NDArray[np.uint32]) -> None:
        """Set a row's list; a row behind the last makes room for itself and those before it."""
        if row >= len(self._lengths):
            self._starts = longer(self._starts, row + 1, 0)
            self._lengths = longer(self._lengths, row + 1, 0)
        self._alive += len(values) - int(self._lengths[row])
        self._lengths[row] = 0
        if self._used + len(values) > len(self._values):
            self._make_room(len(values))
        self._values[self._used : self._used + len(values)] = values
        self._starts[row], self._lengths[row] = self._used, len(values)
        self._used += len(values)

    def of(self, rows: Rows) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """The lists of some rows one after the other, and for each number its place in `rows`."""
        lengths = self._lengths[rows].astype(np.int64)
        owners = np.repeat(np.arange(len(rows)), lengths)
        before = np.cumsum(lengths) - lengths  # [n] numbers in front of each list
        places = np.arange(len(owners)) - before[owners] + self._starts[rows][owners]
        return self._values[places], owners

    def all(self, count: int) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
        """As the constructor takes them, of the first `count` rows."""
        values, _ = self.of(np.arange(count, dtype=np.int32))
        return values, self._lengths[:count].copy()

    def _make_room(self, more: int) -> None:
        """Drop what edits left behind where that is half of it, else grow."""
        if self._alive + more > self._used // 2:
            self._values = longer(self._values, self._used + more, 0)
            return
        values, lengths = self.all(len(self._lengths))
        self._set(values, lengths)
        self._values = longer(values, len(values) + more, 0)


def longer(old: NDArray[N], least: int, fill: float) -> NDArray[N]:
    """The array at least `least` long, and at least doubled where it grows."""
    if least <= len(old):
        return old
    grown = np.full(max(least, 2 * len(old)), fill, dtype=old.dtype)
    grown[: len(old)] = old
    return grown


class Actions(msgspec.Struct, frozen=True, kw_only=True):
    """Actions in columns, oldest first."""

    items: Rows  # [k] row in the item table
    kinds: NDArray[np.int8]  # [k] features.outcomes.KIND_CODES
    at_ms: NDArray[np.int64]  # [k] of the latest event that was merged into it
    values: NDArray[np.float32]  # [k] longest dwell or watch, ms; 0 where there was none

    def __len__(self) -> int:
        return len(self.items)
