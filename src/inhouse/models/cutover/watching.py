"""What is watched of a routed version, in the store: it survives whoever watches.

A row a task says up to which rows of `comparisons` and of the ledger everything is counted, and
what came of it. Whoever looks reads on from there and writes both together, so that a process that
is killed in the middle has counted nothing; of two that look at once one counts. The row begins
anew, in the same transaction, when the stage or the version changes.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.models.cutover.watch import (
    Bounds,
    Pair,
    Tried,
    Watched,
    after_pairs,
    after_requests,
    begun,
    with_bounds,
)
from inhouse.models.types import INHOUSE, Route
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import upsert

_AT_ONCE: Final = 2_000  # rows of a kind that are read together
_MOST_ROUNDS: Final = 25  # of one look; what is left waits for the next


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """The row of a task."""

    comparison_offset: int  # counted up to here
    ledger_offset: int
    watched: Watched | None  # None where nothing was counted yet


class Watch:
    """Counts what came of a route since its stage began."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self, route: Route, bounds: Bounds) -> Watched | None:
        """Read on to the present; None while no version is routed."""
        if route.owned is None:
            return None
        for _ in range(_MOST_ROUNDS):
            row, is_whole = self._counted(route, bounds)
            if is_whole or row is None:
                break
        return self.seen(route, bounds)

    def seen(self, route: Route, bounds: Bounds) -> Watched | None:
        """What was counted at the last look; None while no version is routed."""
        if route.owned is None:
            return None
        row = self._row(route)
        if row is None or row.watched is None:
            return begun(bounds)
        return with_bounds(row.watched, bounds)

    def _counted(self, route: Route, bounds: Bounds) -> tuple[_Row | None, bool]:
        """Count a part of what came; the row now, and whether that was all."""
        row = self._row(route)
        if row is None:
            self._database.write(lambda connection: begin(connection, route, 0))
            return None, True
        with self._database.read() as connection:
            pairs, pairs_to = _pairs(connection, route, row.comparison_offset)
            tried, tried_to = _tried(connection, route, row.ledger_offset)
        if not pairs and not tried:
            return row, True
        watched = begun(bounds) if row.watched is None else with_bounds(row.watched, bounds)
        watched = after_requests(after_pairs(watched, pairs, bounds), tried, bounds)
        now = _Row(
            comparison_offset=pairs_to or row.comparison_offset,
            ledger_offset=tried_to or row.ledger_offset,
            watched=watched,
        )
        kept = self._database.write(lambda connection: _replace(connection, route, row, now))
        return (now if kept else None), max(len(pairs), len(tried)) < _AT_ONCE

    def _row(self, route: Route) -> _Row | None:
        table = tables.route_watch
        query = sa.select(table).where(_is_of(route))
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        body = row["body"]
        return _Row(
            comparison_offset=row["comparison_offset"],
            ledger_offset=row["ledger_offset"],
            watched=None if body is None else msgspec.json.decode(body, type=Watched),
        )


def begin(connection: Connection, route: Route, at_ms: int, *, afresh: bool = False) -> None:
    """Count from here on, in the caller's transaction, where the stage or the version is not the
    one that is counted already, or where that is to begin `afresh`."""
    table = tables.route_watch
    if route.owned is None:
        connection.execute(table.delete().where(table.c.task == route.task))
        return
    same = connection.execute(sa.select(table.c.task).where(_is_of(route))).first() is not None
    if same and not afresh:
        return
    row = {
        "task": route.task,
        "version": route.owned,
        "stage": route.stage,
        "at_ms": at_ms,
        "comparison_offset": _last(connection, tables.comparisons),
        "ledger_offset": _last(connection, tables.ledger),
        "body": None,
    }
    upsert(connection, table, [row])


def _replace(connection: Connection, route: Route, before: _Row, now: _Row) -> bool:
    """Whether the row was still as it was read."""
    table = tables.route_watch
    result = connection.execute(
        table.update()
        .where(
            _is_of(route),
            table.c.comparison_offset == before.comparison_offset,
            table.c.ledger_offset == before.ledger_offset,
        )
        .values(
            comparison_offset=now.comparison_offset,
            ledger_offset=now.ledger_offset,
            body=msgspec.json.encode(now.watched).decode(),
        )
    )
    return result.rowcount > 0


def _is_of(route: Route) -> "sa.ColumnElement[bool]":
    table = tables.route_watch.c
    return sa.and_(
        table.task == route.task, table.version == route.owned, table.stage == route.stage
    )


def _last(connection: Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.max(table.c.log_offset))).scalar() or 0)


def _pairs(connection: Connection, route: Route, after: int) -> tuple[list[Pair], int | None]:
    table = tables.comparisons
    query = (
        sa.select(table.c.log_offset, table.c.teacher_scores, table.c.student_scores)
        .where(
            table.c.log_offset > after, table.c.task == route.task, table.c.student == route.owned
        )
        .order_by(table.c.log_offset)
        .limit(_AT_ONCE)
    )
    rows: list[Any] = list(connection.execute(query))
    found = [Pair(teacher=json.loads(row[1]), student=json.loads(row[2])) for row in rows]
    return found, (rows[-1][0] if rows else None)


def _tried(connection: Connection, route: Route, after: int) -> tuple[list[Tried], int | None]:
    table = tables.ledger
    query = (
        sa.select(table.c.log_offset, table.c.outcome, table.c.latency_ms)
        .where(
            table.c.log_offset > after,
            table.c.task == route.task,
            table.c.host == INHOUSE,
            table.c.model == route.owned,
        )
        .order_by(table.c.log_offset)
        .limit(_AT_ONCE)
    )
    rows: list[Any] = list(connection.execute(query))
    found = [Tried(outcome=row[1], latency_ms=row[2]) for row in rows]
    return found, (rows[-1][0] if rows else None)
