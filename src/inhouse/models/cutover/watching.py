"""What is watched of a routed version, in the store: it survives whoever watches.

A row a routed version, and one of the version that it is to replace, say up to which rows of
`comparisons` and of the ledger everything is counted, and what came of it. Whoever looks reads on
from there and writes both together, so that a process that is killed in the middle has counted
nothing; of two that look at once one counts. The row begins anew, in the same transaction, when the
stage or the version changes, or whom it is held against.
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
from inhouse.models.harvest.labels import source_of
from inhouse.models.types import INHOUSE, Route, Stage
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import upsert

_AT_ONCE: Final = 2_000  # rows of a kind that are read together
_MOST_ROUNDS: Final = 25  # of one look; what is left waits for the next


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A version that is watched."""

    task: str
    version: str
    stage: Stage  # at which it is
    reference: str | None = None  # the version it is held against; None: rented models


def held_of(route: Route) -> tuple[Held, ...]:
    """Who is watched on a route: the routed version, then the one that it is to replace."""
    if route.owned is None:
        return ()
    first = Held(task=route.task, version=route.owned, stage=route.stage, reference=route.incumbent)
    if route.incumbent is None:
        return (first,)
    return first, Held(task=route.task, version=route.incumbent, stage="owned")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """The row of a version."""

    comparison_offset: int  # counted up to here
    ledger_offset: int
    watched: Watched | None  # None where nothing was counted yet


class Watch:
    """Counts what came of versions since their stage began."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(self, held: Held, bounds: Bounds) -> Watched:
        """Read on to the present."""
        for _ in range(_MOST_ROUNDS):
            row, is_whole = self._counted(held, bounds)
            if is_whole or row is None:
                break
        return self.seen(held, bounds)

    def seen(self, held: Held, bounds: Bounds) -> Watched:
        """What was counted at the last look."""
        row = self._row(held)
        if row is None or row.watched is None:
            return begun(bounds)
        return with_bounds(row.watched, bounds)

    def _counted(self, held: Held, bounds: Bounds) -> tuple[_Row | None, bool]:
        """Count a part of what came; the row now, and whether that was all."""
        row = self._row(held)
        if row is None:
            self._database.write(lambda connection: _begin(connection, held, 0))
            return None, True
        with self._database.read() as connection:
            pairs, pairs_to = _pairs(connection, held, row.comparison_offset)
            tried, tried_to = _tried(connection, held, row.ledger_offset)
        if not pairs and not tried:
            return row, True
        watched = begun(bounds) if row.watched is None else with_bounds(row.watched, bounds)
        watched = after_requests(after_pairs(watched, pairs, bounds), tried, bounds)
        now = _Row(
            comparison_offset=pairs_to or row.comparison_offset,
            ledger_offset=tried_to or row.ledger_offset,
            watched=watched,
        )
        kept = self._database.write(lambda connection: _replace(connection, held, row, now))
        return (now if kept else None), max(len(pairs), len(tried)) < _AT_ONCE

    def _row(self, held: Held) -> _Row | None:
        table = tables.route_watch
        query = sa.select(table).where(_is_of(held))
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
    """Count from here on, in the caller's transaction, whoever is watched on the route and is not
    counted so already; the routed version in any case where that is to begin `afresh`."""
    table, watched = tables.route_watch, held_of(route)
    gone = sa.and_(
        table.c.task == route.task, table.c.version.not_in([held.version for held in watched])
    )
    connection.execute(table.delete().where(gone))
    for place, held in enumerate(watched):
        query = sa.select(table.c.task).where(_is_of(held))
        is_counted = connection.execute(query).first() is not None
        if not is_counted or (afresh and place == 0):
            _begin(connection, held, at_ms)


def _begin(connection: Connection, held: Held, at_ms: int) -> None:
    row = {
        "task": held.task,
        "version": held.version,
        "stage": held.stage,
        "reference": held.reference,
        "at_ms": at_ms,
        "comparison_offset": _last(connection, tables.comparisons),
        "ledger_offset": _last(connection, tables.ledger),
        "body": None,
    }
    upsert(connection, tables.route_watch, [row])


def _replace(connection: Connection, held: Held, before: _Row, now: _Row) -> bool:
    """Whether the row was still as it was read."""
    table = tables.route_watch
    result = connection.execute(
        table.update()
        .where(
            _is_of(held),
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


def _is_of(held: Held) -> "sa.ColumnElement[bool]":
    table = tables.route_watch.c
    return sa.and_(
        table.task == held.task,
        table.version == held.version,
        table.stage == held.stage,
        table.reference.is_not_distinct_from(held.reference),
    )


def _last(connection: Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.max(table.c.log_offset))).scalar() or 0)


def _pairs(connection: Connection, held: Held, after: int) -> tuple[list[Pair], int | None]:
    table = tables.comparisons
    ours = source_of(INHOUSE, INHOUSE, held.reference or "")
    teacher = table.c.teacher
    reference = teacher == ours if held.reference else teacher.not_like(f"{ours}%")
    query = (
        sa.select(table.c.log_offset, table.c.teacher_scores, table.c.student_scores)
        .where(
            table.c.log_offset > after,
            table.c.task == held.task,
            table.c.student == held.version,
            reference,
        )
        .order_by(table.c.log_offset)
        .limit(_AT_ONCE)
    )
    rows: list[Any] = list(connection.execute(query))
    found = [Pair(teacher=json.loads(row[1]), student=json.loads(row[2])) for row in rows]
    return found, (rows[-1][0] if rows else None)


def _tried(connection: Connection, held: Held, after: int) -> tuple[list[Tried], int | None]:
    table = tables.ledger
    query = (
        sa.select(table.c.log_offset, table.c.outcome, table.c.latency_ms)
        .where(
            table.c.log_offset > after,
            table.c.task == held.task,
            table.c.host == INHOUSE,
            table.c.model == held.version,
        )
        .order_by(table.c.log_offset)
        .limit(_AT_ONCE)
    )
    rows: list[Any] = list(connection.execute(query))
    found = [Tried(outcome=row[1], latency_ms=row[2]) for row in rows]
    return found, (rows[-1][0] if rows else None)
