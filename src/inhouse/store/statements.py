"""Statements shared by all tables; what each dialect spells its own way is here once."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

Row = Mapping[str, Any]
_AT_ONCE: Final = 500  # values of one statement; databases bound their number
_SIZES: Final = (128, 32, 8, 1)  # rows of one statement


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


def insert_values(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows that hold the values of those columns, in their order.

    Many rows a statement, and statements of few sizes, so that their text is made once: row by row
    the driver would let go of the interpreter and wait for it again for each.
    """
    start = 0
    while start < len(rows):
        size = next(size for size in _SIZES if size <= len(rows) - start)
        values = tuple(chain.from_iterable(rows[start : start + size]))
        text = _text(table.name, names, size, connection.dialect.paramstyle)
        connection.exec_driver_sql(text, values)
        start += size


@lru_cache(maxsize=64)
def _text(table: str, names: tuple[str, ...], size: int, style: str) -> str:
    mark = "?" if style == "qmark" else "%s"
    columns, row = ", ".join(f'"{name}"' for name in names), ", ".join([mark] * len(names))
    return f'INSERT INTO "{table}" ({columns}) VALUES {", ".join([f"({row})"] * size)}'


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
