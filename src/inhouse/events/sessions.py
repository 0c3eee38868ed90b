"""Anonymous sessions: people known by a session alone, kept for a day unless they are linked.

A session has an id like a person, `session:` and the app's own name for it. It joins a person only
where the app says so; what it did before is the person's from then on. Of all others nothing is
left a day later: the log forgets them, as it forgets who is erased (decision 13).
"""

import itertools
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import DAY_MS
from inhouse.events.log import append_rows, erase_events, rows_of, set_consumer
from inhouse.events.types import SESSION_PREFIX, Appended, Event
from inhouse.store import tables
from inhouse.store.database import Database, overwriting
from inhouse.store.statements import delete_in

SESSION_KEPT_MS: Final = DAY_MS
CONSUMER: Final = "sessions"  # and the name of a log
_AT_ONCE: Final = 2_000
_DELETED_AT_ONCE: Final = 500
# Log tables that tell of sessions, and the column that says when.
_LOGS: Final = (("events", "received_ms"), ("served_pages", "at_ms"), ("exposures", "at_ms"))


def link(connection: Connection, event: Event, received_ms: int) -> Appended:
    """Log that a session (`event.target`) was a person, in the caller's transaction."""
    row = {"session_id": event.target, "user_id": event.user_id, "at_ms": event.at_ms}
    connection.execute(tables.session_links.insert(), row)
    return append_rows(connection, rows_of([event], received_ms))


def linked_to(database: Database, user_id: str) -> list[str]:
    """The sessions that were a person."""
    links = tables.session_links.c
    query = sa.select(links.session_id).where(links.user_id == user_id).order_by(links.at_ms)
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def erase_links(connection: Connection, user_ids: Sequence[str]) -> int:
    """Remove who was which session, in the caller's transaction."""
    return delete_in(connection, tables.session_links.c.user_id, user_ids)


class Sessions:
    """Lets unlinked sessions go; the worker calls it now and then."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def expire(self, now_ms: int) -> int:
        """Remove what sessions did and were shown more than a day ago, by the machine's clock.

        Returns how many rows went; at most a piece of the log is gone through at a time.
        """
        before_ms = now_ms - SESSION_KEPT_MS
        return self._database.write(lambda connection: _expire(connection, before_ms, now_ms))


def _expire(connection: Connection, before_ms: int, now_ms: int) -> int:
    """Go on through each log from where the last time ended; ids are compared exactly."""
    overwriting(connection)
    linked = _linked(connection)
    found: set[str] = set()
    removed = 0
    for log, time in _LOGS:
        table = tables.metadata.tables[log]
        name = f"{CONSUMER}:{log}"
        rows = _old_rows(connection, name, table.c[time], before_ms)
        theirs = [(offset, who) for offset, who in rows if who.startswith(SESSION_PREFIX)]
        old = [offset for offset, who in theirs if who not in linked]
        found.update(who for _, who in theirs if who not in linked)
        removed += _removed(connection, table, old)
        if rows:
            set_consumer(connection, name, rows[-1][0], now_ms)
    return removed + _forget_profiles(connection, sorted(found), before_ms)


def _old_rows(
    connection: Connection, name: str, time: "sa.Column[int]", before_ms: int
) -> list[tuple[int, str]]:
    """Offsets and people of the next rows, up to the first that is not old yet."""
    table = time.table
    consumers = tables.consumers.c
    done = connection.execute(sa.select(consumers.log_offset).where(consumers.name == name))
    query = (
        sa.select(table.c.log_offset, table.c.user_id, time)
        .where(table.c.log_offset > (done.scalar() or 0))
        .order_by(table.c.log_offset)
    )
    first = connection.execute(query.limit(1)).first()
    if first is None or first[2] >= before_ms:  # the usual case, and all that a look costs
        return []
    rows = connection.execute(query.limit(_AT_ONCE)).all()
    old = itertools.takewhile(lambda row: row[2] < before_ms, rows)
    return [(offset, who) for offset, who, _ in old]


def _removed(connection: Connection, table: sa.Table, offsets: Sequence[int]) -> int:
    if table is tables.events:
        return erase_events(connection, offsets) if offsets else 0
    return delete_in(connection, table.c.log_offset, offsets)


def _forget_profiles(connection: Connection, names: Sequence[str], before_ms: int) -> int:
    """What was said of the sessions, and the news of it."""
    users, changes = tables.users, tables.changes
    removed = 0
    for start in range(0, len(names), _DELETED_AT_ONCE):
        some = names[start : start + _DELETED_AT_ONCE]
        old = users.c.user_id.in_(some) & (users.c.created_ms < before_ms)
        removed += connection.execute(users.delete().where(old)).rowcount
        news = (changes.c.entity == "user") & changes.c.entity_id.in_(some)
        gone = changes.c.entity_id.not_in(sa.select(users.c.user_id))
        connection.execute(changes.delete().where(news, gone))
    return removed


def _linked(connection: Connection) -> frozenset[str]:
    return frozenset(connection.execute(sa.select(tables.session_links.c.session_id)).scalars())
