"""What the owned and the rented model both said of the same text, on live traffic."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.models.agreement import ANY, Agreement, agreement
from inhouse.models.types import Scores
from inhouse.store import tables
from inhouse.store.database import Database

WINDOW: Final = 2_000  # latest pairs looked at: older agreement says little of today's


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One text, two answers. The text itself is not kept here."""

    task: str
    at_ms: int
    ref: str  # of the text
    student: str  # version of the owned model
    teacher: str  # host/owner/model of the rented one
    student_scores: Scores
    teacher_scores: Scores


def add_comparisons(connection: Connection, found: Sequence[Comparison]) -> None:
    """Append in the caller's transaction."""
    rows = [
        {
            "task": one.task,
            "at_ms": one.at_ms,
            "ref": one.ref,
            "student": one.student,
            "teacher": one.teacher,
            "student_scores": json.dumps(dict(one.student_scores)),
            "teacher_scores": json.dumps(dict(one.teacher_scores)),
        }
        for one in found
    ]
    if rows:
        connection.execute(tables.comparisons.insert(), rows)


def live_pairs(
    database: Database, task: str, student: str, since_ms: int
) -> list[tuple[Scores, Scores]]:
    """(rented, owned) scores of a version after that moment, at most the latest WINDOW."""
    table = tables.comparisons
    query = (
        sa.select(table.c.teacher_scores, table.c.student_scores)
        .where(table.c.task == task, table.c.student == student, table.c.at_ms > since_ms)
        .order_by(table.c.log_offset.desc())
        .limit(WINDOW)
    )
    with database.read() as connection:
        return [
            (json.loads(teacher), json.loads(own)) for teacher, own in connection.execute(query)
        ]


def live_agreement(
    database: Database, task: str, student: str, since_ms: int, flag_at: float
) -> Agreement | None:
    """Agreement on whether anything was found; None where nothing was compared yet."""
    pairs = live_pairs(database, task, student, since_ms)
    return agreement(ANY, pairs, flag_at) if pairs else None
