"""Stored evidence as arrays: what the latest verdict on each post says, thousands at a time.

No model is asked and no text is read: what another policy would make of the past follows from the
numbers that were written when each post was judged.
"""

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from inhouse.moderation.policy.match import MISSING, UNKNOWN, Columns, Number
from inhouse.moderation.types import CODES, P_SCALE, Action
from inhouse.store import tables
from inhouse.store.database import Database

_AT_ONCE: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Which posts of the past."""

    since_ms: int = 0  # judged from then on
    newest: int | None = None  # at most so many, those judged last; all where None


@dataclass(frozen=True, kw_only=True, slots=True)
class Posts:
    """Posts with what is known of them, in the order in which they were judged."""

    item_ids: Sequence[str]
    creator_ids: Sequence[str]
    offsets: NDArray[np.int64]  # of the verdict that counts
    at_ms: NDArray[np.int64]  # when it was written
    calls: NDArray[np.uint8]  # code of a person's action + 1, or 0
    columns: Columns  # the numbers that were asked for
    first: int  # no verdict before this offset was looked at
    last: int  # none behind this one will be

    def __len__(self) -> int:
        return len(self.item_ids)


class _Label(msgspec.Struct, frozen=True, gc=False):
    category: str
    p: float


class _Call(msgspec.Struct, frozen=True, gc=False):
    action: Action


class _Known(msgspec.Struct, frozen=True, gc=False):
    """As much as decisions need of the column `labels`."""

    labels: tuple[_Label, ...]
    signals: dict[str, int]
    person: _Call | None = None


class _Said(Protocol):
    """A label, of evidence or as stored."""

    @property
    def category(self) -> str: ...
    @property
    def p(self) -> float: ...


class _Numbered(Protocol):
    """Evidence, or as much of it as is read here."""

    @property
    def labels(self) -> Sequence[_Said]: ...
    @property
    def signals(self) -> Mapping[str, int]: ...


_DECODER: Final = msgspec.json.Decoder(_Known)


def read_history(
    database: Database, numbers: Collection[Number], window: Window
) -> Iterator[Posts]:
    """The posts of a window that still exist, a part at a time, with the numbers asked for."""
    with database.read() as connection:
        first, last = _bounds(connection, window)
    after = first
    while True:
        with database.read() as connection:
            rows = latest_rows(connection, after, last, _AT_ONCE)
        if not rows:
            return
        after = rows[-1].log_offset
        yield _posts(rows, numbers, (first, last))


def latest_rows(connection: Connection, after: int, last: int, limit: int) -> Sequence[Any]:
    """Verdicts with offsets behind `after` up to `last` that are the latest of an existing item, in
    order, with the item's creator."""
    table, later, items = tables.verdicts, tables.verdicts.alias(), tables.items
    newer = sa.exists().where(
        later.c.item_id == table.c.item_id, later.c.log_offset > table.c.log_offset
    )
    query = (
        sa.select(table, items.c.creator_id)
        .join(items, items.c.item_id == table.c.item_id)
        .where(table.c.log_offset > after, table.c.log_offset <= last, ~newer)
        .order_by(table.c.log_offset)
        .limit(limit)
    )
    return connection.execute(query).all()


def last_verdict(connection: Connection) -> int:
    """The newest verdict's offset, 0 where there is none."""
    return connection.execute(sa.select(sa.func.max(tables.verdicts.c.log_offset))).scalar() or 0


def offset_before(connection: Connection, at_ms: int) -> int:
    """The last offset before the first verdict written at `at_ms` or later: verdicts are written in
    the order of time, so it is found by halving."""
    table = tables.verdicts
    low, high = 0, last_verdict(connection)
    while low < high:
        middle = (low + high) // 2
        query = (
            sa.select(table.c.log_offset, table.c.at_ms)
            .where(table.c.log_offset > middle)
            .order_by(table.c.log_offset)
            .limit(1)
        )
        offset, written_ms = connection.execute(query).one()
        if written_ms < at_ms:
            low = offset
        else:
            high = middle
    return low


def _bounds(connection: Connection, window: Window) -> tuple[int, int]:
    """Offsets between which the verdicts of a window lie: (before the first, last]."""
    last = last_verdict(connection)
    first = offset_before(connection, window.since_ms) if window.since_ms > 0 else 0
    if window.newest is not None:
        table = tables.verdicts
        query = (
            sa.select(table.c.log_offset)
            .where(table.c.log_offset > first)
            .order_by(table.c.log_offset.desc())
            .offset(window.newest)
            .limit(1)
        )
        first = connection.execute(query).scalar() or first
    return first, last


def _posts(rows: Sequence[Any], numbers: Collection[Number], bounds: tuple[int, int]) -> Posts:
    known = [_DECODER.decode(row.labels) for row in rows]
    return Posts(
        item_ids=[row.item_id for row in rows],
        creator_ids=[row.creator_id for row in rows],
        offsets=np.array([row.log_offset for row in rows], np.int64),
        at_ms=np.array([row.at_ms for row in rows], np.int64),
        calls=np.array([CODES[k.person.action] + 1 if k.person else 0 for k in known], np.uint8),
        columns=columns_of(known, numbers),
        first=bounds[0],
        last=bounds[1],
    )


def columns_of(known: Sequence[_Numbered], numbers: Collection[Number]) -> Columns:
    """As `numbers_of`, for many and only the numbers asked for."""
    n = len(known)
    columns = {number: array("H", [UNKNOWN[number[0]]]) * n for number in numbers}
    p = {name: column for (kind, name), column in columns.items() if kind == "p"}
    counts = {name: column for (kind, name), column in columns.items() if kind == "count"}
    for place, one in enumerate(known):
        for name, count in one.signals.items():
            if name in counts:
                counts[name][place] = min(count, MISSING - 1)
        for label in one.labels:
            column = p.get(label.category)
            if column is not None:
                scaled = round(label.p * P_SCALE)
                if column[place] == MISSING or scaled > column[place]:
                    column[place] = scaled
    return {number: np.frombuffer(column, np.uint16) for number, column in columns.items()}
