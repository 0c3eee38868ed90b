"""Rows of what reviewers said: decisions in force, and opinions that are not by themselves."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import ConflictError, UnknownError
from inhouse.moderation.recording.rulings import Ruling
from inhouse.moderation.types import UNDO, Effect, ReviewDecision
from inhouse.store import tables


def keep_decision(connection: Connection, decision: ReviewDecision) -> ReviewDecision:
    """Write a decision, or the taking back of one."""
    row = dataclasses.asdict(decision)
    del row["effect"]
    connection.execute(tables.review_decisions.insert(), row)
    return decision


def keep_opinion(
    connection: Connection, opinion: ReviewDecision, gold_id: str | None = None
) -> ReviewDecision:
    """Write what somebody said of a case that is not in force by their word alone."""
    row = dataclasses.asdict(opinion)
    del row["effect"]
    row["opinion_id"] = row.pop("decision_id")
    connection.execute(tables.review_opinions.insert(), {**row, "gold_id": gold_id})
    return opinion


def decision_of_row(row: Any) -> ReviewDecision:
    """From a row of the table of decisions."""
    return ReviewDecision(**{n: v for n, v in row._mapping.items() if n != "log_offset"})


def opinion_of_row(row: Any) -> ReviewDecision:
    """From a row of the table of opinions."""
    values = dict(row._mapping)
    decision_id = values.pop("opinion_id")
    del values["log_offset"], values["gold_id"]
    return ReviewDecision(decision_id=decision_id, **values)


def standing_opinions(connection: Connection, case_id: str) -> list[ReviewDecision]:
    """What was said of a case and not taken back, oldest first."""
    table = tables.review_opinions
    query = sa.select(table).where(table.c.case_id == case_id).order_by(table.c.log_offset)
    rows = connection.execute(query).all()
    undone = {row.undoes for row in rows}
    return [
        opinion_of_row(row) for row in rows if row.undoes is None and row.opinion_id not in undone
    ]


def effect_of(earlier: Sequence[ReviewDecision], ruling: Ruling) -> Effect:
    """What a ruling does where two people must agree: nothing by itself, all where it says the same
    as the one before it, and after two that differ the third one decides."""
    if not earlier:
        return "waits_for_second"
    if len(earlier) > 1:
        return "in_force"
    first = earlier[0]
    same = (first.action, first.category) == (ruling.action, ruling.category)
    return "in_force" if same else "waits_for_third"


def undoable_decision(connection: Connection, decision_id: str) -> ReviewDecision | None:
    """A decision that may be taken back, or None where the id is no decision's. Raises
    ConflictError where it was taken back already, or is a taking back itself."""
    table = tables.review_decisions
    return _undoable(connection, table, table.c.decision_id, decision_id)


def undoable_opinion(
    connection: Connection, opinion_id: str
) -> tuple[ReviewDecision, str | None] | None:
    """The same of an opinion, with the known answer it was measured by."""
    table = tables.review_opinions
    found = _undoable(connection, table, table.c.opinion_id, opinion_id)
    if found is None:
        return None
    query = sa.select(table.c.gold_id).where(table.c.opinion_id == opinion_id)
    return found, connection.execute(query).scalar()


def unknown_decision(decision_id: str) -> UnknownError:
    """That there is no such decision."""
    return UnknownError(f"no decision has the id {decision_id!r}")


def _undoable(
    connection: Connection, table: sa.Table, key: "sa.ColumnElement[str]", wanted: str
) -> ReviewDecision | None:
    row = connection.execute(sa.select(table).where(key == wanted)).first()
    if row is None:
        return None
    if row.action == UNDO:
        raise ConflictError("an undoing cannot be undone; decide the case anew")
    query = sa.select(table.c.log_offset).where(
        table.c.case_id == row.case_id, table.c.undoes == wanted
    )
    if connection.execute(query).first() is not None:
        raise ConflictError(f"the decision {wanted} was undone already")
    return opinion_of_row(row) if table is tables.review_opinions else decision_of_row(row)
