"""Drills in the store: begun, ended once, graded once.

A process reads here once a second, while it is asked, whether a vendor is cut off. What it sees
meanwhile it writes as counts, which go when the drill is graded. Live drills begin and end on the
audit chain, with the name of whoever consented.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import ConflictError, UnknownError
from inhouse.models.drill.going_on import PLAIN, drill_of, open_drill
from inhouse.models.drill.results import DrillResult, TaskResult, passed
from inhouse.models.drill.types import Drill, Noted
from inhouse.models.ledger.prices import from_pico
from inhouse.store import chain, tables
from inhouse.store.database import Database

LOOKED_AFTER_MS: Final = 180_000  # so long after its end one waits to see the vendor used again
_LATEST: Final = 50
_MOST_CALLS: Final = 500_000  # that are read for a grade: ten minutes at 800 a second
_FIELDS: Final = tuple(Drill.__dataclass_fields__)


class DrillBook:
    """The drills of one community."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, drill: Drill) -> None:
        """Cut the vendor off, in all processes within two seconds. Raises ConflictError while
        another drill of this kind goes on."""

        def write(connection: Connection) -> None:
            going_on = open_drill(connection, drill.started_ms)
            if going_on is not None:
                raise ConflictError(
                    f"a {going_on.how} drill of {going_on.vendor} goes on; wait for its grade, or "
                    "end it with `inhouse drill stop`"
                )
            connection.execute(tables.drills.insert(), _row(drill))
            _audit(connection, drill, "begun", drill.started_ms)

        self._database.write(write)

    def open(self, now_ms: int) -> Drill | None:
        """The shadow or live drill that goes on, or is over and not graded yet."""
        with self._database.read() as connection:
            return open_drill(connection, now_ms)

    def end(self, drill_id: str, why: str, now_ms: int) -> bool:
        """End a drill that goes on; whether it was this call that did."""
        table = tables.drills

        def write(connection: Connection) -> bool:
            done = connection.execute(
                table.update()
                .where(table.c.drill_id == drill_id, table.c.ended_ms.is_(None))
                .values(
                    ended_ms=sa.case((table.c.until_ms < now_ms, table.c.until_ms), else_=now_ms)
                )
                .values(why_ended=why)
            )
            if done.rowcount:
                _audit(connection, _one(connection, drill_id), why, now_ms)
            return bool(done.rowcount)

        return self._database.write(write)

    def waiting(self, drill_id: str, posts: int) -> None:
        """So many posts are without a verdict at the moment; the most is kept."""
        table = tables.drills
        before = sa.func.coalesce(table.c.most_waiting, -1)
        change = (
            table.update()
            .where(table.c.drill_id == drill_id, before < posts)
            .values(most_waiting=posts)
        )
        self._database.write(lambda connection: connection.execute(change).rowcount)

    def keep(self, result: DrillResult) -> bool:
        """Keep a grade and let go of the calls it rests on; False where there was one already."""
        table, drill_id = tables.drills, result.drill.drill_id

        def write(connection: Connection) -> bool:
            done = connection.execute(
                table.update()
                .where(table.c.drill_id == drill_id, table.c.result.is_(None))
                .values(result=_body(result))
            )
            calls = tables.drill_calls
            connection.execute(calls.delete().where(calls.c.drill_id == drill_id))
            return bool(done.rowcount)

        return self._database.write(write)

    def add(self, result: DrillResult) -> None:
        """Keep a drill that was made in a copy, with its grade."""
        row = {**_row(result.drill), "result": _body(result)}
        self._database.write(lambda connection: connection.execute(tables.drills.insert(), row))

    def drill(self, drill_id: str) -> Drill:
        """As it stands now. Raises UnknownError."""
        with self._database.read() as connection:
            return _one(connection, drill_id)

    def result(self, drill_id: str) -> DrillResult | None:
        """Its grade; None while there is none."""
        table = tables.drills
        query = sa.select(table).where(table.c.drill_id == drill_id, table.c.result.is_not(None))
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _result(row)

    def calls(self, drill_id: str) -> list[Noted]:
        """What was seen, in the order the calls ended."""
        table = tables.drill_calls
        query = (
            sa.select(table)
            .where(table.c.drill_id == drill_id)
            .order_by(table.c.at_ms, table.c.log_offset)
            .limit(_MOST_CALLS)
        )
        with self._database.read() as connection:
            return [_noted(row) for row in connection.execute(query).mappings()]

    def lost(self, drill_id: str) -> tuple[int, int]:
        """Inputs asked and answered so far."""
        c = tables.drill_calls.c
        query = sa.select(
            sa.func.coalesce(sa.func.sum(c.asked), 0), sa.func.coalesce(sa.func.sum(c.answered), 0)
        ).where(c.drill_id == drill_id)
        with self._database.read() as connection:
            asked, answered = connection.execute(query).one()
        return int(asked), int(answered)

    def used_again(self, drill: Drill) -> bool:
        """Whether the vendor answered since the drill ended, in every task that it failed in."""
        c = tables.drill_calls.c
        ended_ms = drill.ended_ms or drill.until_ms
        own = sa.select(c.task).where(c.drill_id == drill.drill_id).distinct()
        with self._database.read() as connection:
            failed = connection.execute(own.where(c.failed > 0, c.at_ms < ended_ms)).scalars().all()
            back = connection.execute(own.where(c.by_vendor > 0, c.at_ms >= ended_ms)).scalars()
            used = set(back.all())
        return bool(used) and used.issuperset(failed)


def last_drills(database: Database, limit: int = _LATEST) -> list[DrillResult]:
    """The latest drills that are graded, newest first."""
    table = tables.drills
    query = (
        sa.select(table)
        .where(table.c.result.is_not(None))
        .order_by(table.c.started_ms.desc(), table.c.drill_id)
        .limit(limit)
    )
    with database.read() as connection:
        return [_result(row) for row in connection.execute(query).mappings()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """How ready a task was in its last drill."""

    task: str
    last: TaskResult  # of the latest drill it took part in
    last_ms: int  # when that was
    passed_ms: int | None  # when it last passed one; None never


def readiness(database: Database) -> dict[str, Readiness]:
    """By task, from the latest drills."""
    found: dict[str, Readiness] = {}
    for result in last_drills(database):
        at_ms = result.drill.started_ms
        for task in result.tasks:
            known = found.get(task.task)
            passed_ms = at_ms if passed(task) else None
            if known is None:
                found[task.task] = Readiness(
                    task=task.task, last=task, last_ms=at_ms, passed_ms=passed_ms
                )
            elif known.passed_ms is None and passed_ms is not None:
                found[task.task] = replace(known, passed_ms=passed_ms)
    return found


def _one(connection: Connection, drill_id: str) -> Drill:
    query = sa.select(tables.drills).where(tables.drills.c.drill_id == drill_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownError(f"no drill is called {drill_id[:80]!r}; see `inhouse drill list`")
    return drill_of(row)


def _audit(connection: Connection, drill: Drill, outcome: str, now_ms: int) -> None:
    if drill.how != "live":
        return
    told: dict[str, object] = {
        "drill": drill.drill_id,
        "vendor": drill.vendor,
        "layer": drill.layer,
        "fault": drill.fault,
        "until_ms": drill.until_ms,
        "outcome": outcome,
    }
    actor = f"person:{drill.started_by}"[:128]
    entry = chain.Entry(at_ms=now_ms, what="drill", actor=actor, details=told)
    chain.append(connection, [entry])


def _row(drill: Drill) -> dict[str, object]:
    return {name: getattr(drill, name) for name in _FIELDS}


def _body(result: DrillResult) -> str:
    return msgspec.json.encode(replace(result, drill=_BARE)).decode()


def _noted(row: Any) -> Noted:
    cost = row["cost_pico_usd"]
    values = {name: row[name] for name in PLAIN}
    return Noted(**values, cost_usd=None if cost is None else from_pico(cost))


def _result(row: Any) -> DrillResult:
    told = msgspec.json.decode(row["result"], type=DrillResult)
    return replace(told, drill=drill_of(row))


# Stands in the kept result, for the row itself says which drill it is.
_BARE: Final = Drill(
    drill_id="",
    vendor="",
    layer="host",
    fault="refused",
    how="copy",
    share=1.0,
    started_by="",
    started_ms=0,
    until_ms=0,
)
