"""Statements shared by all tables, in the words that both databases know."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import Column, Table
from sqlalchemy.engine import Connection

Row = Mapping[str, Any]
_AT_ONCE: Final = 500  # values of one statement; databases bound their number
_SIZES: Final = (128, 64, 32, 16, 8, 4, 2, 1)  # rows of one statement


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Insert the rows whose unique keys are new; returns how many were. All name the same
    columns."""
    return _insert_each(connection, table, rows, "ON CONFLICT DO NOTHING") if rows else 0


def upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows or overwrite those with the same primary key; the last of equal keys counts. All
    name the same columns."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    told = ", ".join(f'"{name}" = excluded."{name}"' for name in rows[0] if name not in keys)
    there = ", ".join(f'"{key}"' for key in keys)
    _insert_each(connection, table, rows, f"ON CONFLICT ({there}) DO UPDATE SET {told}")


def insert_values(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    ending: str = "",
) -> int:
    """Insert rows that hold the values of those columns, in their order; returns how many went in.

    Many rows a statement, and statements of few sizes, so that their text is made once: row by row
    the driver would let go of the interpreter and wait for it again for each. ending: what follows
    the values.
    """
    start = inserted = 0
    while start < len(rows):
        size = next(size for size in _SIZES if size <= len(rows) - start)
        values = tuple(chain.from_iterable(rows[start : start + size]))
        text = _text(table.name, names, size, connection.dialect.paramstyle, ending)
        inserted += connection.exec_driver_sql(text, values).rowcount
        start += size
    return inserted


def _insert_each(connection: Connection, table: Table, rows: Sequence[Row], ending: str) -> int:
    """Row by row inside the driver, so that equal keys meet one another."""
    names = tuple(rows[0])
    text = _text(table.name, names, 1, connection.dialect.paramstyle, ending)
    values = [tuple([row[name] for name in names]) for row in rows]
    return connection.exec_driver_sql(text, values[0] if len(values) == 1 else values).rowcount


@lru_cache(maxsize=256)
def _text(table: str, names: tuple[str, ...], size: int, style: str, ending: str) -> str:
    mark = "?" if style == "qmark" else "%s"
    columns, row = ", ".join(f'"{name}"' for name in names), ", ".join([mark] * len(names))
    rows = ", ".join([f"({row})"] * size)
    return f'INSERT INTO "{table}" ({columns}) VALUES {rows} {ending}'.rstrip()


def delete_in(connection: Connection, column: Column[Any], values: Sequence[Any]) -> int:
    """Delete the rows whose column holds one of the values, however many; returns how many went."""
    removed = 0
    for start in range(0, len(values), _AT_ONCE):
        some = column.in_(values[start : start + _AT_ONCE])
        removed += connection.execute(column.table.delete().where(some)).rowcount
    return removed
