"""Served pages: appended with everything needed to explain them and to learn from them.

Nobody waits for the disk: a page is answered once it is handed over here, and durable some 50 ms
later (decision 0021). What is asked of the log by a person's or a page's name waits for that.
"""

import threading
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import zstandard

from inhouse.core.ids import PageId, UserId
from inhouse.events.types import ServedPage
from inhouse.store import tables
from inhouse.store.combining import Combined
from inhouse.store.database import Database, overwriting
from inhouse.store.prepared import Prepared
from inhouse.store.statements import delete_in

_PAGES_AT_ONCE = 100
_DECODER = msgspec.msgpack.Decoder(ServedPage)
# Every feed request costs one of these, so with SQLite it goes to the driver as it is: made anew by
# the toolkit it takes twice as long as all the database does.
_COLUMNS: Final = ("page_id", "at_ms", "user_id", "surface", "body")
_INSERT_SQLITE: Final = (
    f"INSERT INTO served_pages ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
)
_PAGES: Final = tables.served_pages.c
_BEHIND: Final = Prepared(
    sa.select(_PAGES.log_offset, _PAGES.body)
    .where(_PAGES.log_offset > sa.bindparam("after"))
    .order_by(_PAGES.log_offset)
    .limit(sa.bindparam("most"))
)
_NEWEST_SQLITE: Final = "SELECT log_offset FROM served_pages ORDER BY log_offset DESC LIMIT ?"


class PageLog:
    """The pages of one community, in the order they were served."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._appends = Combined(database, append_pages, patient=True)

    def submit(self, page: ServedPage) -> "Future[int]":
        """Queue a page; its offset once it is durable. Pages of the same 50 ms are written as
        one."""
        return self._appends.submit(page)

    @contextmanager
    def _settled(self) -> Iterator[sa.Connection]:
        """A connection that sees every page submitted before."""
        self._appends.settle()
        with self._database.read() as connection:
            yield connection

    def page(self, page_id: PageId) -> ServedPage | None:
        """One page, or None where no page has that id."""
        query = sa.select(tables.served_pages.c.body).where(
            tables.served_pages.c.page_id == page_id
        )
        with self._settled() as connection:
            body = connection.execute(query).scalar()
        return None if body is None else _decode(body)

    def pages_of(self, user_id: UserId, limit: int = 20) -> list[ServedPage]:
        """The person's latest pages, newest first."""
        pages = tables.served_pages
        query = (
            sa.select(pages.c.body)
            .where(pages.c.user_id == user_id)
            .order_by(pages.c.log_offset.desc())
            .limit(limit)
        )
        with self._settled() as connection:
            return [_decode(body) for body in connection.execute(query).scalars()]

    def all_of(self, user_ids: Sequence[str]) -> Iterator[ServedPage]:
        """Every page that was served to these people, oldest first, one by one."""
        pages, last = tables.served_pages.c, 0
        while True:
            query = (
                sa.select(pages.log_offset, pages.body)
                .where(pages.user_id.in_(user_ids), pages.log_offset > last)
                .order_by(pages.log_offset)
                .limit(_PAGES_AT_ONCE)
            )
            with self._settled() as connection:
                rows = connection.execute(query).all()
            if not rows:
                return
            yield from (_decode(body) for _, body in rows)
            last = rows[-1][0]

    def times_of(self, user_ids: Sequence[str]) -> list[int]:
        """When pages were served to these people."""
        pages = tables.served_pages.c
        query = sa.select(pages.at_ms).where(pages.user_id.in_(user_ids))
        with self._settled() as connection:
            return list(connection.execute(query).scalars())

    def read(self, after: int, limit: int = 1_000) -> list[tuple[int, ServedPage]]:
        """Pages behind an offset with their own offsets, in order."""
        found = _BEHIND.ask(self._database, after=after, most=limit)
        return [(offset, _decode(body)) for offset, body in found]

    def last_offset(self) -> int:
        """Offset of the newest page, 0 where none was served."""
        with self._database.read() as connection:
            return (
                connection.execute(
                    sa.select(sa.func.max(tables.served_pages.c.log_offset))
                ).scalar()
                or 0
            )


def append_pages(connection: sa.Connection, pages: Sequence[ServedPage]) -> list[int]:
    """Insert pages in their order, in the caller's transaction; the offset of each."""
    rows = [(page.page_id, page.at_ms, page.user_id, page.surface, _encode(page)) for page in pages]
    if connection.dialect.name == "sqlite":
        if len(rows) == 1:
            return [connection.exec_driver_sql(_INSERT_SQLITE, rows[0]).lastrowid]
        connection.exec_driver_sql(_INSERT_SQLITE, rows)
        newest = connection.exec_driver_sql(_NEWEST_SQLITE, (len(rows),))
    else:
        table = tables.served_pages
        connection.execute(table.insert(), [dict(zip(_COLUMNS, row, strict=True)) for row in rows])
        order = table.c.log_offset.desc()
        newest = connection.execute(sa.select(table.c.log_offset).order_by(order).limit(len(rows)))
    return list(newest.scalars())[::-1]


def expire_pages(connection: sa.Connection, before_ms: int, most: int) -> int:
    """Remove the oldest pages, at most so many, where they were served before; returns how many
    went. The newest stays whatever its age, so that offsets go on rising.

    By place in the log: one that a fast clock dated later goes with those behind it. Nothing of
    them stays in free space, where an erasure of later days could not find it.
    """
    overwriting(connection)
    oldest = sa.select(_PAGES.log_offset, _PAGES.at_ms).order_by(_PAGES.log_offset).limit(most + 1)
    rows = connection.execute(oldest).all()
    old = [offset for offset, at_ms in rows[:-1] if at_ms < before_ms]
    if not old:
        return 0
    gone = tables.served_pages.delete().where(_PAGES.log_offset <= old[-1])
    return connection.execute(gone).rowcount


def erase_pages(
    connection: sa.Connection, user_ids: Sequence[str], until: int | None = None
) -> int:
    """Remove pages for good, in the caller's transaction; returns how many.

    until: only those that were served on events up to this offset; None for all.
    """
    pages = tables.served_pages
    if until is None:
        return delete_in(connection, pages.c.user_id, user_ids)
    query = sa.select(pages.c.log_offset, pages.c.body).where(pages.c.user_id.in_(user_ids))
    found = connection.execute(query).all()
    old = [offset for offset, body in found if _decode(body).log_offset <= until]
    return delete_in(connection, pages.c.log_offset, old)


class _Zstandard(threading.local):
    """One of each a thread: they are not made for two at once."""

    def __init__(self) -> None:
        self.small = zstandard.ZstdCompressor(level=1)
        self.large = zstandard.ZstdDecompressor()


_ZSTANDARD: Final = _Zstandard()
_DEFLATED: Final = b"\x78"  # what pages of before begin with


def _encode(page: ServedPage) -> bytes:
    return _ZSTANDARD.small.compress(msgspec.msgpack.encode(page))


def _decode(body: Any) -> ServedPage:
    data = bytes(body)
    plain = zlib.decompress if data[:1] == _DEFLATED else _ZSTANDARD.large.decompress
    return _DECODER.decode(plain(data))
