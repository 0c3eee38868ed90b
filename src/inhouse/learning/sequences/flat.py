"""Sequences of many people in flat arrays: read, split leave-one-out, and packed into rows.

Most people did little. A row of L places therefore holds several people one after the other, told
apart by their number in the row, so that hardly a place is computed for nothing.
"""

import csv
import gzip
import hashlib
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId
from inhouse.features.content import CONTENT_DIMS
from inhouse.features.outcomes import KIND_CODES
from inhouse.learning.encoding import age_codes

Longs = NDArray[np.int64]
Codes = NDArray[np.uint8]
Floats = NDArray[np.float32]
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sequences:
    """What n people did, each in the order of time, one person after the other."""

    items: Longs  # [total] from 0
    starts: Longs  # [n + 1] where each person begins; the last is the total
    codes: Codes | None = None  # [total, 3] kind, gap, dwell of each; None for plain clicks

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Longs:
        """int64[n]"""
        return np.diff(self.starts)

    def of(self, person: int) -> Longs:
        """int64[length] of one person."""
        return self.items[self.starts[person] : self.starts[person + 1]]

    def take(self, people: Longs) -> "Sequences":
        """Some of them, in the order given."""
        return self.cut(self.starts[people], self.lengths[people])

    def without_last(self, count: int) -> "Sequences":
        """Each cut by its last `count` items; empty where it had no more."""
        return self.cut(self.starts[:-1], np.maximum(self.lengths - count, 0))

    def latest(self, length: int) -> "Sequences":
        """Of each the last `length` items at most."""
        kept = np.minimum(self.lengths, length)
        return self.cut(self.starts[1:] - kept, kept)

    def counts(self, item_count: int) -> Longs:
        """int64[item_count] how often each item stands in them."""
        return np.bincount(self.items, minlength=item_count)

    def cut(self, first: Longs, kept: Longs) -> "Sequences":
        """`kept[i]` items from place `first[i]` of `items` on, for each i."""
        starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(kept)])
        taken = np.repeat(first - starts[:-1], kept) + np.arange(starts[-1])
        codes = None if self.codes is None else self.codes[taken]
        return Sequences(items=self.items[taken], starts=starts, codes=codes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """Sequences as a file names them."""

    sequences: Sequences
    users: tuple[str, ...]  # [n] their names
    items: tuple[str, ...]  # [items] the names behind the numbers

    def digest(self) -> str:
        """By which a file's sequences are known again, whatever people are called."""
        found = hashlib.sha256("\n".join(self.items).encode())
        found.update(self.sequences.items.tobytes())
        found.update(self.sequences.starts.tobytes())
        return found.hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """The items that a model is trained over."""

    item_ids: tuple[ItemId, ...]  # in the order that targets and histories count in
    content: Floats  # [items, 64], zeros where only the id is known

    @classmethod
    def of_ids(cls, names: Sequence[str]) -> "Catalogue":
        """Items of which nothing but their names is known."""
        ids = tuple(ItemId(name) for name in names)
        return cls(item_ids=ids, content=np.zeros((len(ids), CONTENT_DIMS), dtype=np.float32))


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """Rows of L places, each holding stretches of one or more people, oldest item first."""

    items: Longs  # [rows, L] -1 where nobody stands
    people: Longs  # [rows, L] number of the stretch in its row, -1 where nobody stands
    targets: Longs  # [rows, L] the item that came next, -1 for none
    codes: Codes  # [rows, L, 3] kind, gap and dwell of what stands there

    def take(self, rows: Longs) -> "Packed":
        """Some of the rows."""
        return Packed(
            items=self.items[rows],
            people=self.people[rows],
            targets=self.targets[rows],
            codes=self.codes[rows],
        )


def from_lists(lists: Iterable[Iterable[int]]) -> Sequences:
    """Sequences of lists of item numbers."""
    parts = [np.fromiter(part, dtype=np.int64) for part in lists]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts], dtype=np.int64)])
    items = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
    return Sequences(items=items, starts=starts.astype(np.int64))


def read_sequences(path: Path) -> Named:
    """Sequences of a file, gzipped or not: one line a person, `user item item …`, or a table
    `user,position,item` with or without a header, in any order.

    Raises InputError, naming the line, where a line has neither form.
    """
    numbers: dict[str, int] = {}
    users: list[str] = []
    lists: list[list[int]] = []
    for user, items in _people(path):
        users.append(user)
        lists.append([numbers.setdefault(item, len(numbers)) for item in items])
    return Named(sequences=from_lists(lists), users=tuple(users), items=tuple(numbers))


def pack(sequences: Sequences, length: int, order: Longs) -> Packed:
    """Every stretch of `length` + 1 items of the people in `order`, put side by side into rows.

    A person with more items gives several stretches, cut from the end, so that only the oldest may
    be short. Stretches go into the first of the latest rows that has room.
    """
    stretches = [
        (max(first, last - length - 1), last)
        for person in order
        for first, last in [(int(sequences.starts[person]), int(sequences.starts[person + 1]))]
        for last in range(last, first + 1, -length)
    ]
    places, rows = _places([last - first - 1 for first, last in stretches], length)
    shape = (rows, length)
    out = Packed(
        items=np.full(shape, -1, dtype=np.int64),
        people=np.full(shape, -1, dtype=np.int64),
        targets=np.full(shape, -1, dtype=np.int64),
        codes=plain_codes(shape),
    )
    for (first, last), (row, column, number) in zip(stretches, places, strict=True):
        stop = column + last - first - 1
        out.items[row, column:stop] = sequences.items[first : last - 1]
        out.targets[row, column:stop] = sequences.items[first + 1 : last]
        out.people[row, column:stop] = number
        if sequences.codes is not None:
            out.codes[row, column:stop] = sequences.codes[first : last - 1]
    return out


def plain_codes(shape: tuple[int, ...]) -> Codes:
    """uint8[*shape, 3] of actions of which only the item is known: clicks without times."""
    codes = np.zeros((*shape, 3), dtype=np.uint8)
    codes[..., 0] = KIND_CODES["click"]
    return codes


def timed_codes(at_ms: Longs, starts: Longs) -> Codes:
    """uint8[total, 3] of clicks, each with the time since the same person's before, 0 for the
    first. at_ms: [total] in each person's order; starts: [n + 1] where each begins."""
    codes = plain_codes(at_ms.shape)
    gaps_ms = np.diff(at_ms, prepend=at_ms[:1])
    gaps_ms[starts[:-1][np.diff(starts) > 0]] = 0
    codes[:, 1] = age_codes(gaps_ms)
    return codes


def _places(sizes: list[int], length: int) -> tuple[list[tuple[int, int, int]], int]:
    """Row, first column and number in the row of each stretch, and how many rows there are."""
    open_rows: list[int] = []  # the latest few with room
    used: list[int] = []
    held: list[int] = []
    places: list[tuple[int, int, int]] = []
    for size in sizes:
        row = next((row for row in open_rows if used[row] + size <= length), None)
        if row is None:
            row = len(used)
            used.append(0)
            held.append(0)
            open_rows = [*open_rows[-7:], row]
        places.append((row, used[row], held[row]))
        used[row] += size
        held[row] += 1
        if used[row] == length:
            open_rows.remove(row)
    return places, len(used)


def _people(path: Path) -> Iterator[tuple[str, list[str]]]:
    with path.open("rb") as raw:
        zipped = raw.read(2) == _GZIP
        raw.seek(0)
        unzipped = gzip.GzipFile(fileobj=raw) if zipped else raw
        with io.TextIOWrapper(unzipped, encoding="utf-8") as lines:
            first = lines.readline()
            rest = itertools.chain([first], lines)
            yield from _table(path, rest) if "," in first else _lines(path, rest)


def _lines(path: Path, lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    for number, line in enumerate(lines, 1):
        user, *items = line.split() or [""]
        if not items:
            raise InputError(f"{path}:{number}: no item, expected `user item item …`")
        yield user, items


def _table(path: Path, lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    rows: list[tuple[str, float, str]] = []
    for number, row in enumerate(csv.reader(lines), 1):
        if len(row) != 3:
            raise InputError(f"{path}:{number}: {len(row)} columns, expected user,position,item")
        try:
            rows.append((row[0], float(row[1]), row[2]))
        except ValueError:
            if number > 1:  # else a header
                raise InputError(
                    f"{path}:{number}: position is {row[1]!r}, expected a number"
                ) from None
    rows.sort(key=lambda row: (row[0], row[1]))
    for user, found in groupby(rows, key=lambda row: row[0]):
        yield user, [item for _, _, item in found]
