"""Banks of hashes in the store: made, filled, tried out step by step, and taken back."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import ConflictError, Fault, InputError, UnknownError
from inhouse.core.faults import did_you_mean
from inhouse.events.log import set_consumer
from inhouse.moderation.media.lines import HashLine, read_hash, read_lines
from inhouse.moderation.media.pdq import MOST_DISTANCE
from inhouse.moderation.media.types import (
    HASH_KINDS,
    BankHash,
    BankSpec,
    HashBank,
    HashState,
)
from inhouse.store import tables
from inhouse.store.database import Database

MOST_LINES: Final = 100_000  # of one call
MOST_BANKS: Final = 1_000
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,47}")
_AT_ONCE: Final = 1_000
_COUNTER: Final = "bank_changes"  # the consumer row that counts changes of hashes
_FIXED: Final = "kind"


@dataclass(frozen=True, kw_only=True, slots=True)
class BankFacts:
    """A bank and how full it is."""

    bank: HashBank
    hashes: int  # that are active
    disabled: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """What became of lines."""

    added: int  # hashes that were new, or active again
    known: int  # hashes that were there already


class HashBanks:
    """One community's banks."""

    def __init__(self, database: Database, categories: Collection[str]) -> None:
        """categories: of the policy, which banks may speak of."""
        self._database = database
        self._categories = categories

    def create(self, spec: BankSpec, now_ms: int) -> HashBank:
        """A bank without hashes. Raises InputError with every fault, ConflictError for a name that
        is taken."""
        self._check(spec)
        row = {"name": spec.name, "body": _encoded(spec), "created_ms": now_ms}

        def write(connection: Connection) -> HashBank:
            there = all_banks(connection)
            if any(bank.spec.name == spec.name for bank in there.values()):
                raise ConflictError(f"a bank named {spec.name!r} is there; choose another name")
            if len(there) >= MOST_BANKS:
                raise ConflictError(f"there are {MOST_BANKS} banks; remove one first")
            made = connection.execute(tables.hash_banks.insert(), row).inserted_primary_key
            bank_id = int(made[0]) if made is not None else 0
            return HashBank(bank_id=bank_id, spec=spec, created_ms=now_ms)

        return self._database.write(write)

    def change(self, spec: BankSpec) -> HashBank:
        """Put another idea of the bank of that name into force. Its kind stays as it is. Raises
        InputError, UnknownError."""
        self._check(spec)

        def write(connection: Connection) -> HashBank:
            bank = bank_named(connection, spec.name)
            if bank.spec.kind != spec.kind:
                raise InputError(
                    f"{_FIXED} of {spec.name!r} is {bank.spec.kind} and stays so; make another bank"
                )
            table = tables.hash_banks
            update = table.update().where(table.c.bank_id == bank.bank_id)
            connection.execute(update.values(body=_encoded(spec)))
            return HashBank(bank_id=bank.bank_id, spec=spec, created_ms=bank.created_ms)

        return self._database.write(write)

    def facts(self) -> list[BankFacts]:
        """Every bank by name."""
        table = tables.bank_hashes
        count = sa.select(table.c.bank_id, table.c.state, sa.func.count())
        with self._database.read() as connection:
            banks = all_banks(connection).values()
            rows = connection.execute(count.group_by(table.c.bank_id, table.c.state)).all()
        counts = {(row[0], row[1]): row[2] for row in rows}
        return [
            BankFacts(
                bank=bank,
                hashes=counts.get((bank.bank_id, "active"), 0),
                disabled=counts.get((bank.bank_id, "disabled"), 0),
            )
            for bank in sorted(banks, key=lambda bank: bank.spec.name)
        ]

    def get(self, name: str) -> HashBank:
        """One bank. Raises UnknownError."""
        with self._database.read() as connection:
            return bank_named(connection, name)

    def hashes(self, name: str, after: int = 0, limit: int = 100) -> list[BankHash]:
        """Hashes of a bank that were not removed, in the order in which they came, behind the one
        of number `after`."""
        bank, table = self.get(name), tables.bank_hashes
        query = (
            sa.select(table)
            .where(table.c.bank_id == bank.bank_id, table.c.hash_id > after)
            .where(table.c.state != "removed")
            .order_by(table.c.hash_id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_bank_hash(row) for row in connection.execute(query)]

    def add(self, name: str, text: str, now_ms: int, *, first_line: int = 1) -> Added:
        """Add hashes from lines `HEX` or `HEX,a note`; all or, where a line is wrong, none.

        first_line: the number of the text's first line in its file. Raises InputError that names
        the lines.
        """
        bank = self.get(name)
        lines = read_lines(bank.spec.kind, text, MOST_LINES, first_line)
        added = 0
        for some in _parts(lines):
            write = partial(_add, bank_id=bank.bank_id, lines=some, now_ms=now_ms)
            added += self._database.write(write)
        return Added(added=added, known=len(lines) - added)

    def set_state(self, name: str, hash_: str, state: HashState, now_ms: int) -> BankHash:
        """Disable one hash, activate it again, or remove it. Raises InputError, UnknownError."""
        bank, table = self.get(name), tables.bank_hashes
        digest = read_hash(bank.spec.kind, hash_)

        def write(connection: Connection) -> BankHash:
            here = (table.c.hash == digest) & (table.c.bank_id == bank.bank_id)
            row = connection.execute(sa.select(table).where(here)).first()
            if row is None or row.state == "removed":
                raise UnknownError(f"no hash {hash_[:80]!r} in {name!r}; list them to see all")
            values: dict[str, Any] = {"state": state}
            values["change"] = _count_on(connection, 1, now_ms)
            if state == "removed":
                values["note"] = None
            connection.execute(table.update().where(here).values(**values))
            return _bank_hash(connection.execute(sa.select(table).where(here)).one())

        return self._database.write(write)

    def remove(self, name: str) -> int:
        """Remove a bank and its hashes; from the first moment none of them counts. Returns how
        many hashes went."""
        bank, table = self.get(name), tables.bank_hashes
        banks = tables.hash_banks
        self._database.write(
            lambda connection: connection.execute(
                banks.delete().where(banks.c.bank_id == bank.bank_id)
            )
        )
        # Also of banks whose removal somebody did not live to finish.
        some = (
            sa.select(table.c.hash_id)
            .where(table.c.bank_id.not_in(sa.select(banks.c.bank_id)))
            .order_by(table.c.hash_id)
            .limit(_AT_ONCE)
        )
        gone = table.delete().where(table.c.hash_id.in_(some.scalar_subquery()))
        removed = 0
        while count := self._database.write(lambda connection: connection.execute(gone).rowcount):
            removed += count
        return removed

    def _check(self, spec: BankSpec) -> None:
        faults = list(_faults(spec, self._categories))
        if faults:
            lines = "\n".join(f"  {fault}" for fault in faults)
            raise InputError(f"the bank cannot be made\n{lines}")


def all_banks(connection: Connection) -> dict[int, HashBank]:
    """Every bank by its number."""
    rows = connection.execute(sa.select(tables.hash_banks)).all()
    return {row.bank_id: _bank(row) for row in rows}


def bank_named(connection: Connection, name: str) -> HashBank:
    """Raises UnknownError that names the nearest."""
    table = tables.hash_banks
    row = connection.execute(sa.select(table).where(table.c.name == name)).first()
    if row is None:
        names = connection.execute(sa.select(table.c.name)).scalars().all()
        hint = did_you_mean(name, names) if names else "there is none yet; create one"
        raise UnknownError(f"no bank {name[:48]!r}; {hint}")
    return _bank(row)


def _faults(spec: BankSpec, categories: Collection[str]) -> Iterator[Fault]:
    if not _NAME.fullmatch(spec.name):
        expected = "1 to 48 of a-z 0-9 _ -, a letter first"
        yield Fault(field="name", value=repr(spec.name[:60]), expected=expected)
    if spec.kind not in HASH_KINDS:
        expected = "one of " + ", ".join(HASH_KINDS)
        yield Fault(field="kind", value=repr(str(spec.kind)[:60]), expected=expected)
    if spec.category is not None and spec.category not in categories:
        expected = "none, or one of " + ", ".join(sorted(categories))
        yield Fault(field="category", value=repr(spec.category[:60]), expected=expected)
    if not 0.0 < spec.p <= 1.0:
        yield Fault(field="p", value=f"{spec.p:g}", expected="a number above 0 and at most 1")
    bounds = {"distance": MOST_DISTANCE, "least_quality": 100, "share": 100}
    for name, most in bounds.items():
        value = getattr(spec, name)
        if not 0 <= value <= most:
            yield Fault(field=name, value=str(value), expected=f"a whole number from 0 to {most}")


def _add(connection: Connection, bank_id: int, lines: Sequence[HashLine], now_ms: int) -> int:
    """Insert what is new and activate what was removed; returns how many that were."""
    table = tables.bank_hashes
    query = sa.select(table.c.hash, table.c.state).where(
        table.c.hash.in_([line.hash for line in lines]), table.c.bank_id == bank_id
    )
    known = {bytes(row.hash): row.state for row in connection.execute(query)}
    new = [line for line in lines if known.get(line.hash, "removed") == "removed"]
    if not new:
        return 0
    last = _count_on(connection, len(new), now_ms)
    rows = [
        {
            "bank_id": bank_id,
            "hash": line.hash,
            "note": line.note,
            "state": "active",
            "added_ms": now_ms,
            "change": last - len(new) + place,
        }
        for place, line in enumerate(new, 1)
    ]
    again = [row for row in rows if row["hash"] in known]
    for row in again:
        here = (table.c.hash == row["hash"]) & (table.c.bank_id == bank_id)
        connection.execute(table.update().where(here).values(**row))
    fresh = [row for row in rows if row["hash"] not in known]
    if fresh:
        connection.execute(table.insert(), fresh)
    return len(new)


def _count_on(connection: Connection, by: int, now_ms: int) -> int:
    """Take the next numbers of changes; returns the last of them. Writers take turns, so numbers
    rise in the order of commit."""
    table = tables.consumers
    query = sa.select(table.c.log_offset).where(table.c.name == _COUNTER)
    last = (connection.execute(query).scalar() or 0) + by
    set_consumer(connection, _COUNTER, last, now_ms)
    return last


def _parts(lines: Sequence[HashLine]) -> Iterator[Sequence[HashLine]]:
    return (lines[start : start + _AT_ONCE] for start in range(0, len(lines), _AT_ONCE))


def _encoded(spec: BankSpec) -> str:
    return msgspec.json.encode(spec).decode()


def _bank(row: Any) -> HashBank:
    spec = msgspec.json.decode(row.body, type=BankSpec)
    return HashBank(bank_id=row.bank_id, spec=spec, created_ms=row.created_ms)


def _bank_hash(row: Any) -> BankHash:
    return BankHash(
        hash_id=row.hash_id,
        hash=bytes(row.hash).hex(),
        note=row.note,
        state=row.state,
        added_ms=row.added_ms,
    )
