"""Whether verdicts are still what the audit chain tells of them.

Every verdict was written together with its row of the chain, and writers take turns, so the two
tables tell of the same decisions in the same order. The chain's own rows are checked by
`store.chain`; here each verdict is held against its row, so that one which somebody changed,
removed or slipped in is found. Verdicts of before there was a chain come first and have no row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.moderation.recording.record import RULING, SEAL, UNDO, VERDICT
from inhouse.moderation.types import Verdict
from inhouse.moderation.verdicts.rows import evidence_key, verdict_of_row
from inhouse.store import tables
from inhouse.store.database import Database

_KINDS: Final = (VERDICT, RULING, UNDO, SEAL)
_AT_ONCE: Final = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictsChecked:
    """What a look at all verdicts found."""

    verdicts: int  # that have a row in the chain
    earlier: int  # written before there was a chain
    fault: str | None  # the first that does not hold, in words; None where all do


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    """What a row of the chain tells of a verdict."""

    number: int
    at_ms: int
    actor: str
    item_id: str | None  # None where an erasure blanked the row
    policy: str | None
    model: str | None
    evidence: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bounds:
    """How much there was at one moment."""

    verdicts: int
    last_verdict: int  # its offset
    rows: int
    last_row: int  # its number


def check_verdicts(database: Database) -> VerdictsChecked:
    """Hold every verdict against its row of the chain, and stop at the first that differs."""
    with database.read() as connection:
        return _check(connection)


def _check(connection: Connection) -> VerdictsChecked:
    bounds = _bounds(connection)
    verdicts = _verdicts(connection, bounds.last_verdict)
    earlier = passed = 0
    verdict = next(verdicts, None)
    for told in _rows(connection, bounds.last_row):
        while not passed and verdict is not None and _differs(verdict, told):
            if earlier >= bounds.verdicts - bounds.rows:
                break
            earlier += 1
            verdict = next(verdicts, None)
        fault = _fault(verdict, told)
        if fault is not None:
            return VerdictsChecked(verdicts=passed, earlier=earlier, fault=fault)
        passed += 1
        verdict = next(verdicts, None)
    if not passed:
        return VerdictsChecked(verdicts=0, earlier=bounds.verdicts, fault=None)
    fault = None if verdict is None else f"{_named(verdict)} has no row in the chain"
    return VerdictsChecked(verdicts=passed, earlier=earlier, fault=fault)


def _fault(verdict: Verdict | None, told: _Told) -> str | None:
    if verdict is None:
        return f"the verdict that row {told.number} of the chain tells of is gone"
    what = _differs(verdict, told)
    if what is None:
        return None
    return f"{_named(verdict)} is not what row {told.number} of the chain tells: {what}"


def _named(verdict: Verdict) -> str:
    return f"verdict {verdict.log_offset} on {verdict.item_id}"


def _differs(verdict: Verdict, told: _Told) -> str | None:
    """What is not as it was written, or None."""
    if verdict.at_ms != told.at_ms:
        return "its time"
    if verdict.decided_by != told.actor:
        return "who decided"
    if told.item_id is None:
        return None  # an erasure left no more to compare
    if verdict.item_id != told.item_id:
        return "its post"
    if verdict.policy_version != told.policy:
        return "its policy"
    if verdict.model_version != told.model:
        return "its model"
    return None if evidence_key(verdict) == told.evidence else "its evidence"


def _bounds(connection: Connection) -> _Bounds:
    """In one statement, so that nothing is written between the four."""
    verdicts, audit = tables.verdicts.c, tables.audit.c
    of_verdicts = audit.what.in_(_KINDS)
    row = connection.execute(
        sa.select(
            sa.select(sa.func.count()).select_from(tables.verdicts).scalar_subquery(),
            sa.select(sa.func.max(verdicts.log_offset)).scalar_subquery(),
            sa.select(sa.func.count()).where(of_verdicts).scalar_subquery(),
            sa.select(sa.func.max(audit.number)).where(of_verdicts).scalar_subquery(),
        )
    ).one()
    return _Bounds(verdicts=row[0], last_verdict=row[1] or 0, rows=row[2], last_row=row[3] or 0)


def _verdicts(connection: Connection, last: int) -> Iterator[Verdict]:
    table, after = tables.verdicts, 0
    query = sa.select(table).order_by(table.c.log_offset).limit(_AT_ONCE)
    while True:
        some = query.where(table.c.log_offset > after, table.c.log_offset <= last)
        rows = connection.execute(some).all()
        yield from map(verdict_of_row, rows)
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].log_offset


def _rows(connection: Connection, last: int) -> Iterator[_Told]:
    c, after = tables.audit.c, 0
    query = sa.select(c.number, c.at_ms, c.what, c.actor, c.item_id, c.details).order_by(c.number)
    while True:
        rows = connection.execute(
            query.where(c.number > after, c.number <= last).limit(_AT_ONCE)
        ).all()
        yield from (_told(row) for row in rows if row.what in _KINDS)
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].number


def _told(row: Any) -> _Told:
    details = {} if row.details is None else msgspec.json.decode(row.details)
    return _Told(
        number=row.number,
        at_ms=row.at_ms,
        actor=row.actor,
        item_id=row.item_id,
        policy=details.get("policy"),
        model=details.get("model"),
        evidence=details.get("evidence"),
    )
