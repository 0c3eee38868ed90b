"""The event log: append durably, read from an offset, remember how far each consumer came."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import SystemClock
from inhouse.core.ids import EventId, ItemId, PageId, UserId
from inhouse.events.types import Appended, Event, EventKind, LoggedEvent
from inhouse.store import tables
from inhouse.store.combining import Combined
from inhouse.store.database import Database
from inhouse.store.prepared import Prepared
from inhouse.store.statements import delete_in, insert_values, upsert

Row = tuple[Any, ...]  # of the log, in the order of the columns

# Column -> its type in PostgreSQL, in the order of the rows that `append_rows` takes.
_COLUMNS: Final = {
    "event_id": "text",
    "at_ms": "bigint",
    "received_ms": "bigint",
    "kind": "text",
    "user_id": "text",
    "item_id": "text",
    "target": "text",
    "value": "float8",
    "page_id": "text",
    "position": "integer",
}
# The hottest statement of the system goes to the driver as it is: SQLite takes many rows at once,
# PostgreSQL the whole batch as one array a column (twice as fast as row by row).
_IF_NEW: Final = "ON CONFLICT (event_id) DO NOTHING"
_INSERT_POSTGRES: Final = (
    f"INSERT INTO events ({', '.join(_COLUMNS)})"
    f" SELECT * FROM unnest({', '.join(f'%s::{kind}[]' for kind in _COLUMNS.values())})"
    f" {_IF_NEW}"
)
_NAMES: Final = tuple(_COLUMNS)


# The consumer that says how far the log had come when somebody was last erased from it.
ERASED_UNTIL: Final = "erased"
_SCANNED_AT_ONCE: Final = 200_000

_LOG, _CONSUMERS = tables.events.c, tables.consumers.c
_LAST: Final = Prepared(
    sa.select(
        sa.select(sa.func.max(_LOG.log_offset)).scalar_subquery(),
        sa.select(_CONSUMERS.log_offset).where(_CONSUMERS.name == ERASED_UNTIL).scalar_subquery(),
    )
)
_BEHIND: Final = Prepared(
    sa.select(tables.events)
    .where(_LOG.log_offset > sa.bindparam("after"))
    .order_by(_LOG.log_offset)
    .limit(sa.bindparam("most"))
)
_NEW_IDS: Final = Prepared(
    sa.select(_LOG.event_id, _LOG.log_offset).where(_LOG.log_offset > sa.bindparam("after"))
)


class Mention(NamedTuple):
    """A place of the log that tells of somebody."""

    log_offset: int
    user_id: str  # who did it


class EventLog:
    """One community's log. Offsets rise in the order of commit, on both databases."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wall = SystemClock()
        self._appends = Combined(database, append_batches)

    def append(self, events: Sequence[Event]) -> Appended:
        """Store a batch and wait until it is durable; ids the log has already are only counted."""
        return self.submit(events).result()

    def submit(self, events: Sequence[Event]) -> "Future[Appended]":
        """As `append`, without waiting; batches that wait together are written as one."""
        return self._appends.submit(rows_of(events, self._wall.now_ms()))

    def read(self, after: int, limit: int = 10_000) -> list[LoggedEvent]:
        """Events behind offset `after`, in order, at most `limit`."""
        return [_logged(row) for row in _BEHIND.ask(self._database, after=after, most=limit)]

    def read_all(self, after: int = 0, chunk: int = 50_000) -> Iterator[list[LoggedEvent]]:
        """The whole rest of the log in chunks."""
        while batch := self.read(after, chunk):
            yield batch
            after = batch[-1].log_offset

    def told_by(
        self, user_ids: Sequence[str], after: int = 0, *, about: bool = False
    ) -> list[Mention]:
        """Where the log behind `after` tells what these people did.

        about: also where it tells of other people's follows, mutes and blocks of them. The log has
        no index by person, so this reads all of it, in pieces that hold no lock.
        """
        table = tables.events.c
        theirs: sa.ColumnElement[bool] = table.user_id.in_(user_ids)
        if about:
            theirs = theirs | table.target.in_([f"creator:{user_id}" for user_id in user_ids])
        columns = (table.log_offset, table.user_id)
        found: list[Mention] = []
        for start in range(after, self.last_offset(), _SCANNED_AT_ONCE):
            here = (table.log_offset > start) & (table.log_offset <= start + _SCANNED_AT_ONCE)
            with self._database.read() as connection:
                rows = connection.execute(sa.select(*columns).where(here, theirs))
                found.extend(Mention(*row) for row in rows)
        return found

    def at(self, offsets: Sequence[int]) -> list[LoggedEvent]:
        """The events at these offsets, in order."""
        table = tables.events
        query = sa.select(table).where(table.c.log_offset.in_(offsets)).order_by(table.c.log_offset)
        with self._database.read() as connection:
            return [_logged(row) for row in connection.execute(query)]

    def last_offset(self) -> int:
        """Offset of the newest event, 0 where the log is empty."""
        with self._database.read() as connection:
            return _last_offset(connection)

    def last_at_ms(self) -> int:
        """When the newest event of the log happened, 0 where the log is empty."""
        table = tables.events.c
        query = sa.select(table.at_ms).order_by(table.log_offset.desc()).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).scalar() or 0

    def count(self) -> int:
        """How many events the log holds."""
        with self._database.read() as connection:
            return connection.execute(
                sa.select(sa.func.count()).select_from(tables.events)
            ).scalar_one()

    def consumer_offset(self, name: str) -> int:
        """How far the named consumer came; 0 for one never heard of."""
        query = sa.select(tables.consumers.c.log_offset).where(tables.consumers.c.name == name)
        with self._database.read() as connection:
            return connection.execute(query).scalar() or 0

    def commit_offset(self, name: str, offset: int) -> None:
        """Remember that the named consumer has dealt with everything up to `offset`."""
        self._database.write(
            lambda connection: set_consumer(connection, name, offset, self._wall.now_ms())
        )


def rows_of(events: Sequence[Event], received_ms: int) -> list[Row]:
    """Events as rows of the log, for `append_rows`."""
    return [
        (
            e.event_id,
            e.at_ms,
            received_ms,
            e.kind,
            e.user_id,
            e.item_id,
            e.target,
            e.value,
            e.page_id,
            e.position,
        )
        for e in events
    ]


def append_rows(connection: Connection, rows: Sequence[Row]) -> Appended:
    """Insert log rows in the caller's transaction, ignoring ids the log has already."""
    if not rows:
        return Appended(stored=0, repeated=0, last_offset=_last_offset(connection))
    if connection.dialect.name == "sqlite":
        stored = insert_values(connection, tables.events, _NAMES, rows, _IF_NEW)
    else:
        columns = tuple(list(column) for column in zip(*rows, strict=True))
        stored = connection.exec_driver_sql(_INSERT_POSTGRES, columns).rowcount
    return Appended(
        stored=stored, repeated=len(rows) - stored, last_offset=_last_offset(connection)
    )


def append_batches(connection: Connection, batches: Sequence[list[Row]]) -> list[Appended]:
    """Insert several batches in their order, in the caller's transaction.

    An id that stands in two of them is stored with the first.
    """
    if len(batches) == 1:
        return [append_rows(connection, batches[0])]
    last = _last_offset(connection)
    append_rows(connection, [row for batch in batches for row in batch])
    new = {row[0]: row[1] for row in _NEW_IDS.run(connection, after=last)}
    answers: list[Appended] = []
    for batch in batches:
        offsets = [new.pop(row[0]) for row in batch if row[0] in new]
        last = max([last, *offsets])
        answers.append(
            Appended(stored=len(offsets), repeated=len(batch) - len(offsets), last_offset=last)
        )
    return answers


def _last_offset(connection: Connection) -> int:
    """Of the newest event there ever was: an erased one had an offset too."""
    found = _LAST.run(connection).one()
    return max(offset or 0 for offset in found)


def erase_events(connection: Connection, offsets: Sequence[int]) -> int:
    """Remove events for good, in the caller's transaction; the offsets are never used again.

    This and `pages.erase_pages` are the only things that ever remove what was logged: decision 13.
    """
    last = _last_offset(connection)
    set_consumer(connection, ERASED_UNTIL, last, SystemClock().now_ms())
    return delete_in(connection, tables.events.c.log_offset, offsets)


def _logged(row: Any) -> LoggedEvent:
    (
        offset,
        event_id,
        at_ms,
        received_ms,
        kind,
        user_id,
        item_id,
        target,
        value,
        page_id,
        position,
    ) = row
    event = Event(
        event_id=EventId(event_id),
        at_ms=at_ms,
        kind=_kind(kind),
        user_id=UserId(user_id),
        item_id=ItemId(item_id) if item_id is not None else None,
        target=target,
        value=value,
        page_id=PageId(page_id) if page_id is not None else None,
        position=position,
    )
    return LoggedEvent(log_offset=offset, received_ms=received_ms, event=event)


def _kind(text: str) -> EventKind:
    return text  # type: ignore[return-value]  # checked when it was written


def set_consumer(connection: Connection, name: str, offset: int, now_ms: int) -> None:
    """Upsert a consumer's offset in the caller's transaction."""
    upsert(
        connection, tables.consumers, [{"name": name, "log_offset": offset, "updated_ms": now_ms}]
    )
