"""What the owned and the rented model both said of the same text, on live traffic."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from inhouse.models.types import Scores
from inhouse.store import tables


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
