"""The audit chain: rows that are only appended, each holding the hash of the one before it.

    digest = SHA-256(salt | item, user, details)         what the row tells, of whom
    hash   = SHA-256(previous hash | digest | number, time, what, actor)

Who changes, removes, moves or inserts a row breaks the chain there; a cut-off end is found by
whoever noted an earlier head. What a row tells of people can be blanked: the digest stays, the salt
goes with the words, so that nobody can guess what stood there; the blanking is a row of its own.
Numbers rise by one in the order of commit because write transactions take turns (`store.database`).
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.store import tables

BLANKED: Final = "blanked"
START: Final = bytes(32)  # what the first row holds as the hash before it
_SALT_BYTES: Final = 16
_AT_ONCE: Final = 5_000
_COLUMNS: Final = [column.name for column in tables.audit.columns]
_INSERT: Final = {
    dialect: "INSERT INTO audit ({}) VALUES ({})".format(
        ", ".join(_COLUMNS), ", ".join([mark] * len(_COLUMNS))
    )
    for dialect, mark in (("sqlite", "?"), ("postgresql", "%s"))
}
_ENCODE: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Something that was decided."""

    at_ms: int  # when
    what: str  # verdict, ruling, undo, appeal, report, policy, model, seal, strike, …
    actor: str  # `rule:NAME`, `person:NAME`, `cutover`, …
    item_id: str | None = None  # about which item
    user_id: str | None = None  # about whose account
    details: dict[str, object] | None = None  # versions, categories, outcomes; never people's words


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """How far the chain goes. Noted elsewhere, it shows later that nothing was cut off."""

    number: int  # of the last row, 0 where there is none
    hash: str  # its hash, hex

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Break:
    """The first place where the chain does not hold."""

    number: int  # of the row
    fault: str  # changed, missing, moved, blanked or cut
    detail: str  # in words


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What a look at the whole chain found."""

    rows: int  # that were read
    blanked: int  # of them, without what they told of people
    head: Head
    fault: Break | None  # None where all holds


def append(connection: Connection, entries: Sequence[Entry]) -> None:
    """Append to the chain in the caller's transaction, which must be `Database.write`'s."""
    if not entries:
        return
    number, last = _last(connection)
    salts = os.urandom(_SALT_BYTES * len(entries))
    rows = []
    for place, entry in enumerate(entries):
        number += 1
        salt = salts[place * _SALT_BYTES : (place + 1) * _SALT_BYTES]
        details = _ENCODE(entry.details or {}).decode()
        digest = _digest(salt, entry.item_id, entry.user_id, details)
        hashed = _hash(last, digest, (number, entry.at_ms, entry.what, entry.actor))
        told = (entry.at_ms, entry.what, entry.actor, entry.item_id, entry.user_id, details)
        rows.append((number, *told, salt, digest, last, hashed))
        last = hashed
    # Straight to the driver: every scanned post is a row here.
    connection.exec_driver_sql(_INSERT[connection.dialect.name], rows)


def head(connection: Connection) -> Head:
    """Where the chain ends."""
    number, last = _last(connection)
    return Head(number=number, hash=last.hex() if number else "")


def blank(
    connection: Connection, user_ids: Sequence[str], items: Sequence[str], now_ms: int
) -> int:
    """Remove what rows tell of people and their items, and say so in a new row; in the caller's
    transaction. Returns how many rows there were."""
    table = tables.audit
    about = sorted({n for where in _about(user_ids, items) for n in _numbers(connection, where)})
    for start in range(0, len(about), 500):
        connection.execute(
            table.update()
            .where(table.c.number.in_(about[start : start + 500]))
            .values(item_id=None, user_id=None, details=None, salt=None)
        )
    for start in range(0, len(about), _AT_ONCE):
        told: dict[str, object] = {"rows": _ranges(about[start : start + _AT_ONCE])}
        append(connection, [Entry(at_ms=now_ms, what=BLANKED, actor="erasure", details=told)])
    return len(about)


def check(connection: Connection, noted: Head | None = None) -> Checked:
    """Read the whole chain, row by row, and stop at the first that does not hold.

    noted: a head that somebody wrote down; where the chain no longer comes so far it was cut.
    """
    state = _Walk(noted=noted)
    for row in _rows(connection):
        fault = state.step(row)
        if fault is not None:
            return state.found(fault)
    return state.found(state.end())


class _Walk:
    """How far a check is."""

    def __init__(self, noted: Head | None) -> None:
        self._noted = noted
        self._last = START
        self._number = 0
        self._blank: set[int] = set()
        self._told: set[int] = set()

    def step(self, row: Any) -> Break | None:
        """Take the next row; a break where it does not hold."""
        number, at_ms, what, actor, item_id, user_id, details, salt, digest, previous, hashed = row
        expected = self._number + 1
        if number != expected:
            return Break(
                number=expected,
                fault="missing",
                detail=f"{_rows_in_words(expected, number - 1)} missing",
            )
        if salt is None:
            if (item_id, user_id, details) != (None, None, None):
                return _changed(number, "it is half blanked")
            self._blank.add(number)
        elif bytes(digest) != _digest(bytes(salt), item_id, user_id, details):
            return _changed(number, "what it tells is not what was written")
        if bytes(hashed) != _hash(bytes(previous), bytes(digest), (number, at_ms, what, actor)):
            return _changed(number, "its time, kind, actor or number is not what was written")
        if bytes(previous) != self._last:
            detail = f"row {number} was not written after row {self._number} as it stands now"
            return Break(number=number, fault="moved", detail=detail)
        if what == BLANKED and details is not None:
            self._told.update(_numbers_in(details))
        self._number, self._last = number, bytes(hashed)
        noted = self._noted
        if noted is not None and noted.number == number and noted.hash != hashed.hex():
            return _changed(number, "it is not the row whose hash was noted")
        return None

    def end(self) -> Break | None:
        """What only the whole shows."""
        if self._noted is not None and self._noted.number > self._number:
            first = self._number + 1
            rows = _rows_in_words(first, self._noted.number)
            detail = f"{rows} cut off; the noted head has more"
            return Break(number=first, fault="cut", detail=detail)
        silent = min(self._blank - self._told, default=None)
        if silent is not None:
            detail = f"row {silent} is blank, and no erasure says that it blanked it"
            return Break(number=silent, fault="blanked", detail=detail)
        return None

    def found(self, fault: Break | None) -> Checked:
        return Checked(
            rows=self._number,
            blanked=len(self._blank),
            head=Head(number=self._number, hash=self._last.hex() if self._number else ""),
            fault=fault,
        )


def _changed(number: int, why: str) -> Break:
    return Break(number=number, fault="changed", detail=f"row {number} was changed: {why}")


def _rows_in_words(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"


def _digest(salt: bytes, item_id: str | None, user_id: str | None, details: str | None) -> bytes:
    return hashlib.sha256(salt + _ENCODE((item_id, user_id, details))).digest()


def _hash(previous: bytes, digest: bytes, facts: tuple[int, int, str, str]) -> bytes:
    return hashlib.sha256(previous + digest + _ENCODE(facts)).digest()


def _last(connection: Connection) -> tuple[int, bytes]:
    table = tables.audit
    query = sa.select(table.c.number, table.c.hash).order_by(table.c.number.desc()).limit(1)
    row = connection.execute(query).first()
    return (0, START) if row is None else (row.number, bytes(row.hash))


def _rows(connection: Connection) -> Iterator[Any]:
    """Every row in order, a few thousand at a time."""
    table = tables.audit
    after = 0
    while True:
        query = sa.select(table).where(table.c.number > after).order_by(table.c.number)
        rows = connection.execute(query.limit(_AT_ONCE)).all()
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].number


def _about(user_ids: Sequence[str], items: Sequence[str]) -> Iterator["sa.ColumnElement[bool]"]:
    table = tables.audit
    for column, values in ((table.c.user_id, user_ids), (table.c.item_id, items)):
        for start in range(0, len(values), 500):
            yield column.in_(values[start : start + 500])


def _numbers(connection: Connection, where: "sa.ColumnElement[bool]") -> Iterable[int]:
    return connection.execute(sa.select(tables.audit.c.number).where(where)).scalars()


def _ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Rising numbers as first and last of each run.

    >>> _ranges([1, 2, 3, 7])
    [[1, 3], [7, 7]]
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs


def _numbers_in(details: str) -> Iterator[int]:
    for first, last in msgspec.json.decode(details)["rows"]:
        yield from range(first, last + 1)
