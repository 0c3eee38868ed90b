"""Rows of the table of cases, read and changed in the caller's transaction."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import ConflictError, UnknownError
from inhouse.moderation.reviewing.cases import GOLD, case_of_row
from inhouse.moderation.types import Case
from inhouse.store import tables

WAITING = ("open", GOLD)


def case_row(connection: Connection, case_id: str, *, locked: bool = True) -> Any:
    """One case's row. Raises UnknownError."""
    table = tables.review_cases
    query = sa.select(table).where(table.c.case_id == case_id)
    row = connection.execute(query.with_for_update() if locked else query).first()
    if row is None:
        raise UnknownError(f"no case has the id {case_id!r}")
    return row


def held_row(connection: Connection, case_id: str, reviewer: str) -> Any:
    """The row of a case that lies on somebody's table. Raises ConflictError where it does not."""
    row = case_row(connection, case_id)
    if row.state not in WAITING or row.locked_by != reviewer:
        raise ConflictError(f"the case {case_id} is not on the table of {reviewer}; take it first")
    return row


def change(connection: Connection, case_id: str, **values: object) -> None:
    """Write some of its columns."""
    table = tables.review_cases
    connection.execute(table.update().where(table.c.case_id == case_id).values(**values))


def put_back(connection: Connection, row: Any) -> Case:
    """Take a case off the table of whoever has it; it is undecided."""
    change(connection, row.case_id, locked_by=None, locked_until_ms=None, taken_ms=None)
    return case_of_row(case_row(connection, row.case_id))
