"""The ledger: one row for each attempt of a model call, appended and never edited."""

import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.models.ledger.prices import from_pico, to_pico
from inhouse.models.types import Attempt, Usage
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import insert_values

_COUNTS: Final = tuple(field.name for field in dataclasses.fields(Usage))
_OTHERWISE: Final = ("usage", "cost_usd", "estimate_usd", "saved_usd")
_MONEY: Final = ("cost_pico_usd", "estimate_pico_usd", "saved_pico_usd")
_FACTS: Final = tuple(
    field.name for field in dataclasses.fields(Attempt) if field.name not in _OTHERWISE
)
_COLUMNS: Final = (*_FACTS, *_COUNTS, *_MONEY)
_facts_of, _counts_of = attrgetter(*_FACTS), attrgetter(*_COUNTS)
_NO_COUNTS: Final = (None,) * len(_COUNTS)


def append_attempts(connection: Connection, attempts: Sequence[Attempt]) -> None:
    """Append rows in the caller's transaction."""
    if attempts:
        insert_values(connection, tables.ledger, _COLUMNS, [_row(attempt) for attempt in attempts])


class Ledger:
    """Reads of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, after: int = 0, limit: int = 1_000) -> list[tuple[int, Attempt]]:
        """Rows behind an offset with their own offsets, in order."""
        table = tables.ledger
        query = (
            sa.select(table)
            .where(table.c.log_offset > after)
            .order_by(table.c.log_offset)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_attempt(row) for row in connection.execute(query).mappings()]

    def latest(self, limit: int = 100) -> list[tuple[int, Attempt]]:
        """The newest rows with their offsets, newest first."""
        query = sa.select(tables.ledger).order_by(tables.ledger.c.log_offset.desc()).limit(limit)
        with self._database.read() as connection:
            return [_attempt(row) for row in connection.execute(query).mappings()]


def _row(attempt: Attempt) -> tuple[Any, ...]:
    """In the order of `_COLUMNS`."""
    usage = attempt.usage
    return (
        *_facts_of(attempt),
        *(_NO_COUNTS if usage is None else _counts_of(usage)),
        _pico(attempt.cost_usd),
        _pico(attempt.estimate_usd),
        _pico(attempt.saved_usd),
    )


def _pico(usd: Decimal | None) -> int | None:
    return None if usd is None else to_pico(usd)


def _attempt(row: Any) -> tuple[int, Attempt]:
    values = dict(row)
    offset = values.pop("log_offset")
    cost, estimate, saved = (_dollars(values.pop(name)) for name in _MONEY)
    counts = {name: values.pop(name) for name in _COUNTS}
    # Rows from before a kind was told apart have none of it.
    usage = None if counts["tokens_in"] is None else Usage(**{n: c or 0 for n, c in counts.items()})
    return offset, Attempt(
        **values, usage=usage, cost_usd=cost, estimate_usd=estimate, saved_usd=saved
    )


def _dollars(pico: int | None) -> Decimal | None:
    return None if pico is None else from_pico(pico)
