"""The two statements that each dialect spells its own way: here once, so that no query branches."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

Row = Mapping[str, Any]
# SQLite allows 32,766 bound values in a statement; PostgreSQL 65,535.
_MOST_VALUES: Final = 30_000


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Insert the rows whose unique keys are new; returns how many were."""
    stored = 0
    for chunk in _chunks(rows):
        statement = _insert(connection)(table).values(list(chunk)).on_conflict_do_nothing()
        stored += connection.execute(statement).rowcount
    return stored


def upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows or overwrite those with the same primary key. Keys within `rows` must differ."""
    keys = [column.name for column in table.primary_key]
    for chunk in _chunks(rows):
        statement = _insert(connection)(table).values(list(chunk))
        update = {name: statement.excluded[name] for name in chunk[0] if name not in keys}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=update))


def _insert(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    if not rows:
        return
    size = max(1, _MOST_VALUES // len(rows[0]))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
