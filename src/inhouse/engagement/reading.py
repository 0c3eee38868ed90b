"""The log as columns, and dense codes for the ids in it."""

from collections.abc import Iterator
from typing import Final

import polars as pl
import sqlalchemy as sa

from inhouse.store import tables
from inhouse.store.database import Database

CHUNK: Final = 200_000
_SCHEMA: Final = {
    "log_offset": pl.Int64(),
    "at_ms": pl.Int64(),
    "kind": pl.String(),
    "user_id": pl.String(),
    "item_id": pl.String(),
    "value": pl.Float64(),
}
_EVENTS: Final = tables.events.c
# Posts are asked for where they are counted alone: reading an id costs a microsecond.
_POST_SEEN: Final = sa.case((_EVENTS.kind == "impression", _EVENTS.item_id)).label("item_id")
_COLUMNS: Final = [_POST_SEEN if name == "item_id" else _EVENTS[name] for name in _SCHEMA]


def last_offset(database: Database) -> int:
    """Offset of the newest event, 0 where the log is empty."""
    with database.read() as connection:
        query = sa.select(sa.func.max(_EVENTS.log_offset))
        return connection.execute(query).scalar() or 0


def event_id_at(database: Database, offset: int) -> str | None:
    """Which event stands at an offset, None where none does: it tells one log from another."""
    query = sa.select(_EVENTS.event_id).where(_EVENTS.log_offset == offset)
    with database.read() as connection:
        return connection.execute(query).scalar()


def event_chunks(database: Database, after: int, until: int) -> Iterator[pl.DataFrame]:
    """Events behind offset `after` up to and with `until`, in order, at most CHUNK at a time.

    Columns: log_offset, at_ms, kind, user_id, item_id (of impressions, else null), value; nothing
    else is read.
    """
    while after < until:
        frame = _read(database, after, until)
        if frame.is_empty():
            return
        yield frame
        after = int(frame["log_offset"][-1])


def _read(database: Database, after: int, until: int) -> pl.DataFrame:
    offset = _EVENTS.log_offset
    query = (
        sa.select(*_COLUMNS).where(offset > after, offset <= until).order_by(offset).limit(CHUNK)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


class Codes:
    """Dense integers for ids, in order of first sight."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def of(self, ids: pl.Series) -> pl.Series:
        """Codes of a column of ids, new ones added; null stays null."""
        distinct = ids.drop_nulls().unique(maintain_order=True)
        codes = [self.code(name) for name in distinct]
        return ids.replace_strict(
            distinct, pl.Series(codes, dtype=pl.UInt32), default=None, return_dtype=pl.UInt32
        )

    def code(self, name: str) -> int:
        """The code of one id, added where it is new; of nobody a new one each time."""
        code = self._codes.get(name) if name else None
        if code is None:
            code = self._codes[name] = len(self.names)
            self.names.append(name)
        return code

    def forget(self, name: str) -> int | None:
        """Let a code stand for nobody; returns it, None where the id was never added."""
        code = self._codes.pop(name, None)
        if code is not None:
            self.names[code] = ""
        return code

    def known(self, ids: pl.Series) -> pl.Series:
        """Codes of a column of ids; null for those never added."""
        distinct = [name for name in ids.drop_nulls().unique() if name in self._codes]
        codes = [self._codes[name] for name in distinct]
        return ids.replace_strict(
            pl.Series(distinct, dtype=pl.String),
            pl.Series(codes, dtype=pl.UInt32),
            default=None,
            return_dtype=pl.UInt32,
        )
