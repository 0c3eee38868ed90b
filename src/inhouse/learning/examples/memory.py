"""What is remembered of past examples: the latest so many, in arrays that are written in place."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inhouse.learning.encoding import Histories
from inhouse.learning.examples.types import Impressions, NextItems, no_impressions, no_next_items

_START: Final = 1_024


class Ring:
    """Rows of several columns; beyond `most` the oldest are overwritten."""

    def __init__(self, empty: dict[str, NDArray[Any]], most: int) -> None:
        self._most = most
        self._written = 0
        self._columns = {name: _sized(part, min(_START, most)) for name, part in empty.items()}

    def __len__(self) -> int:
        return min(self._written, self._most)

    def add(self, rows: dict[str, NDArray[Any]]) -> None:
        """Append rows, all columns of one length."""
        n = len(next(iter(rows.values())))
        skipped = max(0, n - self._most)
        places = np.arange(self._written + skipped, self._written + n) % self._most
        self._reserve(min(self._written + n, self._most))
        for name, part in rows.items():
            self._columns[name][places] = part[skipped:]
        self._written += n

    def at(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Rows by index, 0 for the oldest."""
        return {name: self.column(name, indices) for name in self._columns}

    def column(self, name: str, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Of one column, by index, 0 for the oldest."""
        first = self._written - len(self)
        return self._columns[name][(first + indices) % self._most]

    def oldest(self, name: str, n: int) -> NDArray[Any]:
        """The oldest n of one column, all of them where they are fewer."""
        return self.column(name, np.arange(max(0, min(n, len(self))), dtype=np.int64))

    def keep(self, name: str, gone: NDArray[np.int64]) -> None:
        """Drop the rows whose value in a column is one of `gone`."""
        rows = self.at(np.arange(len(self), dtype=np.int64))
        kept = ~np.isin(rows[name], gone)
        if kept.all():
            return
        self._written = 0
        self._columns = {column: np.zeros_like(part) for column, part in self._columns.items()}
        self.add({column: part[kept] for column, part in rows.items()})

    def _reserve(self, rows: int) -> None:
        for name, part in self._columns.items():
            if rows > len(part):
                size = min(max(rows, 2 * len(part)), self._most)
                grown = _sized(part, size)
                grown[: len(part)] = part
                self._columns[name] = grown


class NextItemMemory:
    """The latest moments at which somebody wanted something."""

    def __init__(self, most: int, length: int) -> None:
        self._most = most
        self._ring = Ring(_columns_of(no_next_items(length)), most)
        self._times = np.zeros(_START, dtype=np.int64)  # how often each item is an answer of it
        self._wanted: NDArray[np.int64] | None = None  # until anything changes

    def __len__(self) -> int:
        return len(self._ring)

    def add(self, examples: NextItems) -> None:
        """Remember them."""
        kept = examples.targets[-self._most :]
        overwritten = self._ring.oldest("targets", len(self) + len(kept) - self._most)
        self._count(kept, 1)
        self._count(overwritten, -1)
        self._ring.add(_columns_of(examples))

    def forget(self, offsets: NDArray[np.int64]) -> None:
        """Drop what was learned from the events at these offsets of the log."""
        self._ring.keep("offsets", offsets)
        self._times[:] = 0
        self._count(self._ring.oldest("targets", len(self)), 1)

    def wanted(self) -> NDArray[np.int64]:
        """The different items that are answers of it, rising."""
        if self._wanted is None:
            self._wanted = np.flatnonzero(self._times)
        return self._wanted

    def times_wanted(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[n]: how often each is an answer of it."""
        known = items < len(self._times)
        return np.where(known, self._times[np.where(known, items, 0)], 0)

    def targets(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[n]: the answers by index, 0 for the oldest."""
        return self._ring.column("targets", indices).astype(np.int64)

    def draw(self, indices: NDArray[np.int64]) -> NextItems:
        """By index, 0 for the oldest."""
        found = self._ring.at(indices)
        return NextItems(
            histories=Histories(
                items=found["items"],
                kinds=found["kinds"],
                ages=found["ages"],
                dwells=found["dwells"],
            ),
            targets=found["targets"],
            at_ms=found["at_ms"],
            offsets=found["offsets"],
        )

    def latest(self, n: int) -> NextItems:
        """The newest n, oldest of them first."""
        return self.draw(np.arange(max(0, len(self) - n), len(self), dtype=np.int64))

    def _count(self, targets: NDArray[np.integer], times: int) -> None:
        if not len(targets):
            return
        highest = int(targets.max())
        if highest >= len(self._times):
            grown = np.zeros(max(highest + 1, 2 * len(self._times)), dtype=np.int64)
            grown[: len(self._times)] = self._times
            self._times = grown
        np.add.at(self._times, targets, times)
        self._wanted = None


class ImpressionMemory:
    """The latest impressions with their outcomes."""

    def __init__(self, most: int) -> None:
        self._ring = Ring(no_impressions().arrays(), most)

    def __len__(self) -> int:
        return len(self._ring)

    def add(self, examples: Impressions) -> None:
        """Remember them."""
        self._ring.add(examples.arrays())

    def forget(self, page_ms: NDArray[np.int64]) -> None:
        """Drop the impressions of pages that were served at these moments."""
        self._ring.keep("at_ms", page_ms)

    def all(self) -> Impressions:
        """Oldest first."""
        return Impressions(**self._ring.at(np.arange(len(self), dtype=np.int64)))


def _columns_of(examples: NextItems) -> dict[str, NDArray[Any]]:
    histories = examples.histories
    return {
        "items": histories.items,
        "kinds": histories.kinds,
        "ages": histories.ages,
        "dwells": histories.dwells,
        "targets": examples.targets,
        "at_ms": examples.at_ms,
        "offsets": examples.offsets,
    }


def _sized(part: NDArray[Any], rows: int) -> NDArray[Any]:
    return np.zeros((rows, *part.shape[1:]), dtype=part.dtype)
