"""The two statements that each dialect spells its own way: here once, so that no query branches."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

Row = Mapping[str, Any]


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Insert the rows whose unique keys are new; returns how many were."""
    if not rows:
        return 0
    statement = _insert(connection)(table).on_conflict_do_nothing()
    # Row by row inside the driver: a statement of many VALUES is compiled anew for each batch.
    result = connection.execute(
        statement, list(rows), execution_options={"preserve_rowcount": True}
    )
    return result.rowcount


def upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows or overwrite those with the same primary key; the last of equal keys counts."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = _insert(connection)(table)
    update = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=update), list(rows)
    )


def _insert(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
