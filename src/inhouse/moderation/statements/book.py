"""Reads of the statements of one community."""

import sqlalchemy as sa

from inhouse.core.errors import UnknownError
from inhouse.moderation.statements.keep import statement_of_row
from inhouse.moderation.statements.types import Statement
from inhouse.store import tables
from inhouse.store.database import Database


class Statements:
    """For the people whom they concern, and for whoever counts them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_user(self, user_id: str, limit: int = 100, offset: int = 0) -> list[Statement]:
        """Everything that restricts or restricted a person's posts and account, newest first."""
        table = tables.statements
        query = (
            sa.select(table)
            .where(table.c.user_id == user_id)
            .order_by(table.c.at_ms.desc(), table.c.statement_id.desc())
            .limit(limit)
            .offset(offset)
        )
        with self._database.read() as connection:
            return [statement_of_row(row) for row in connection.execute(query)]

    def of_item(self, item_id: str) -> list[Statement]:
        """Every statement on a post, newest first."""
        table = tables.statements
        query = (
            sa.select(table)
            .where(table.c.item_id == item_id)
            .order_by(table.c.at_ms.desc(), table.c.statement_id.desc())
        )
        with self._database.read() as connection:
            return [statement_of_row(row) for row in connection.execute(query)]

    def get(self, statement_id: str) -> Statement:
        """One statement. Raises UnknownError."""
        table = tables.statements
        query = sa.select(table).where(table.c.statement_id == statement_id)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise UnknownError(f"no statement has the id {statement_id[:80]!r}")
        return statement_of_row(row)
