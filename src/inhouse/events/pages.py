"""Served pages: appended with everything needed to explain them and to learn from them."""

import zlib
from concurrent.futures import Future
from typing import Any

import msgspec
import sqlalchemy as sa

from inhouse.core.ids import PageId, UserId
from inhouse.events.types import ServedPage
from inhouse.store import tables
from inhouse.store.database import Database

_DECODER = msgspec.msgpack.Decoder(ServedPage)


class PageLog:
    """The pages of one community, in the order they were served."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(self, page: ServedPage) -> "Future[int]":
        """Queue a page; its offset once it is durable."""

        def insert(connection: sa.Connection) -> int:
            row = {
                "page_id": page.page_id,
                "at_ms": page.at_ms,
                "user_id": page.user_id,
                "surface": page.surface,
                "body": zlib.compress(msgspec.msgpack.encode(page), 1),
            }
            key = connection.execute(tables.served_pages.insert(), row).inserted_primary_key
            return int(key[0]) if key else 0

        return self._database.submit(insert)

    def page(self, page_id: PageId) -> ServedPage | None:
        """One page, or None where no page has that id."""
        query = sa.select(tables.served_pages.c.body).where(
            tables.served_pages.c.page_id == page_id
        )
        with self._database.read() as connection:
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
        with self._database.read() as connection:
            return [_decode(body) for body in connection.execute(query).scalars()]

    def read(self, after: int, limit: int = 1_000) -> list[tuple[int, ServedPage]]:
        """Pages behind an offset with their own offsets, in order."""
        pages = tables.served_pages
        query = (
            sa.select(pages.c.log_offset, pages.c.body)
            .where(pages.c.log_offset > after)
            .order_by(pages.c.log_offset)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [(offset, _decode(body)) for offset, body in connection.execute(query)]

    def last_offset(self) -> int:
        """Offset of the newest page, 0 where none was served."""
        with self._database.read() as connection:
            return (
                connection.execute(
                    sa.select(sa.func.max(tables.served_pages.c.log_offset))
                ).scalar()
                or 0
            )


def _decode(body: Any) -> ServedPage:
    return _DECODER.decode(zlib.decompress(body))
