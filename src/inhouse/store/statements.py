"""Statements shared by all tables; what each dialect spells its own way is here once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

Row = Mapping[str, Any]
_AT_ONCE: Final = 500  # values of one statement; databases bound their number


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


def delete_in(connection: Connection, column: Column[Any], values: Sequence[Any]) -> int:
    """Delete the rows whose column holds one of the values, however many; returns how many went."""
    removed = 0
    for start in range(0, len(values), _AT_ONCE):
        some = column.in_(values[start : start + _AT_ONCE])
        removed += connection.execute(column.table.delete().where(some)).rowcount
    return removed


def _insert(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
