"""Statements that are asked again and again: their text is made once and goes to the driver.

Made by the toolkit for each call, a statement takes six times as long as the driver takes for it.
The text comes from the same expressions as every other query's, so both databases are told the
same. What comes back is the driver's own: SQLite has no booleans and says 0 or 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult, Dialect

from inhouse.store.database import Database

AT_ONCE: Final = 512  # values of one list
_SIZES: Final = (1, 8, 64, AT_ONCE)  # of lists; a shorter one is filled up with its last value


@dataclass(frozen=True, kw_only=True, slots=True)
class _Text:
    """A statement as a driver takes it."""

    text: str
    names: tuple[str, ...]  # of its values, in the order of their marks
    fixed: dict[str, Any]  # the values that stand in the expression itself


class Prepared:
    """One query for both databases."""

    def __init__(self, query: sa.Select[Any]) -> None:
        """query: what differs from call to call is a `bindparam`, a list of values an expanding
        one."""
        self._query = query
        self._texts: dict[tuple[str, tuple[tuple[str, int], ...]], _Text] = {}

    def run(self, connection: Connection, **values: Any) -> "CursorResult[*tuple[Any, ...]]":
        """What it finds, in the caller's transaction. Lists hold 1 to 512 values."""
        return connection.exec_driver_sql(*self._ready(connection.dialect, values))

    def ask(self, database: Database, **values: Any) -> Sequence[tuple[Any, ...]]:
        """What it finds as of now, without a transaction around it."""
        return database.ask(*self._ready(database.engine.dialect, values))

    def _ready(self, dialect: Dialect, values: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
        lists = {name: len(value) for name, value in values.items() if isinstance(value, list)}
        sizes = {name: _size(count) for name, count in lists.items()}
        key = (dialect.name, tuple(sizes.items()))
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = _made(self._query, dialect, {**values, **_empty(sizes)})
        given = text.fixed | values
        for name, size in sizes.items():
            whole = values[name] + values[name][-1:] * (size - lists[name])
            given.update({f"{name}_{n}": value for n, value in enumerate(whole, 1)})
        return text.text, tuple([given[name] for name in text.names])


def _size(count: int) -> int:
    if not 0 < count <= AT_ONCE:
        raise ValueError(f"a list of {count} values, expected 1 to {AT_ONCE}")
    return next(size for size in _SIZES if size >= count)


def _empty(sizes: dict[str, int]) -> dict[str, Any]:
    return {name: [None] * size for name, size in sizes.items()}


def _made(query: sa.Select[Any], dialect: Dialect, values: dict[str, Any]) -> _Text:
    """By a dialect of the same kind whose marks have an order instead of names."""
    style = "qmark" if dialect.paramstyle == "qmark" else "format"
    kind: Any = type(dialect)
    state = query.compile(dialect=kind(paramstyle=style)).construct_expanded_state(values)
    return _Text(
        text=state.statement,
        names=tuple(state.positiontup or ()),
        fixed={name: value for name, value in state.parameters.items() if name not in values},
    )
