"""What is known around a post when it is judged: floods, its creator's standing, complaints."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item, post_text, text_key
from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.ids import ItemId
from inhouse.moderation.around.reporters import NO_COMPLAINTS, Complaints, complaints
from inhouse.moderation.around.velocity import Post, Velocity
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.signals.counted import AGE_DAYS, REPORTS, TRUSTED_REPORTS
from inhouse.moderation.statements.strikes import creator_signals
from inhouse.moderation.types import Hit
from inhouse.moderation.verdicts.history import last_verdict, offset_before
from inhouse.store import tables
from inhouse.store.database import Database

_LINKS: Final = ("links", "shorteners")
_AT_ONCE: Final = 10_000
_MOST_REBUILT: Final = 200_000  # verdicts, the newest


class _Judged(msgspec.Struct, frozen=True, gc=False):
    """As much as is needed of the column `labels` of a verdict."""

    text: str
    hits: tuple[Hit, ...] = ()


_DECODER: Final = msgspec.json.Decoder(_Judged)


class Circumstances:
    """Keeps count of what is posted; one for each moderator."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._catalog = Catalog(database)
        self._velocity: Velocity | None = None

    def signals(
        self,
        posts: Sequence[tuple[Item, Sequence[Hit]]],
        policy: Policy,
        now_ms: int,
        hashes: Mapping[ItemId, Sequence[str]] | None = None,
    ) -> list[dict[str, int]]:
        """The signals of posts in order, each with the places that were found in its text.
        hashes: of the pictures of those that have some. Takes in every post."""
        velocity = self._velocity or self._rebuilt(now_ms)
        items = [item for item, _ in posts]
        standing = self._standing(items, policy, now_ms)
        with self._database.read() as connection:
            reported = complaints(connection, [item.item_id for item in items])
        found = []
        for (item, hits), known in zip(posts, standing, strict=True):
            pictures = (hashes or {}).get(item.item_id, ())
            post = _post(item, hits, item.created_ms or now_ms, pictures)
            told = complaint_signals(reported.get(item.item_id, NO_COMPLAINTS))
            found.append({**velocity.add(post), **known, **told})
        return found

    def _standing(self, items: Sequence[Item], policy: Policy, now_ms: int) -> list[dict[str, int]]:
        creators = list(dict.fromkeys(item.creator_id for item in items))
        with self._database.read() as connection:
            against = creator_signals(connection, creators, policy, now_ms)
        users = self._catalog.users(creators)
        standing = []
        for item in items:
            user, at_ms = users.get(item.creator_id), item.created_ms or now_ms
            joined_ms = user.created_ms if user else 0
            days = (at_ms - joined_ms) // DAY_MS + 1 if 0 < joined_ms <= at_ms else 0
            aged = {AGE_DAYS: days} if days else {}
            standing.append({**against.get(item.creator_id, {}), **aged})
        return standing

    def _rebuilt(self, now_ms: int) -> Velocity:
        """As if every post of the last day had just been taken in."""
        self._velocity = velocity = Velocity()
        with self._database.read() as connection:
            newest = last_verdict(connection) - _MOST_REBUILT
            after = max(newest, offset_before(connection, now_ms - DAY_MS))
            while part := _judged_posts(connection, after):
                for row in part:
                    velocity.add(_post_of_row(row, now_ms))
                after = part[-1].log_offset
        return velocity


def complaint_signals(reported: Complaints) -> dict[str, int]:
    """What is known of an item's reports, as signals: whole numbers, rounded down."""
    signals = {REPORTS: reported.people, TRUSTED_REPORTS: int(reported.weight)}
    return {name: count for name, count in signals.items() if count}


def _judged_posts(connection: Connection, after: int) -> Sequence[Any]:
    verdicts, items = tables.verdicts, tables.items
    query = (
        sa.select(
            verdicts.c.log_offset,
            verdicts.c.at_ms,
            verdicts.c.labels,
            items.c.item_id,
            items.c.creator_id,
            items.c.created_ms,
            items.c.title,
            items.c.text,
            items.c.media_url,
        )
        .join(items, items.c.item_id == verdicts.c.item_id)
        .where(verdicts.c.log_offset > after)
        .order_by(verdicts.c.log_offset)
        .limit(_AT_ONCE)
    )
    return connection.execute(query).all()


def _post_of_row(row: Any, now_ms: int) -> Post:
    """Of posts of more than an hour ago only the creator counts still."""
    at_ms = row.created_ms or row.at_ms
    hits: Sequence[Hit] = ()
    text = ""
    if at_ms > now_ms - HOUR_MS:
        judged = _DECODER.decode(row.labels)
        text = post_text(row.title, row.text)
        is_judged = judged.text == text_key(row.title, row.text, row.media_url)
        hits = judged.hits if is_judged else ()
    return Post(
        item_id=row.item_id,
        creator_id=row.creator_id,
        at_ms=at_ms,
        text=text,
        links=_links(text, hits),
    )


def _post(item: Item, hits: Sequence[Hit], at_ms: int, hashes: Sequence[str]) -> Post:
    text = post_text(item.title, item.text)
    return Post(
        item_id=item.item_id,
        creator_id=item.creator_id,
        at_ms=at_ms,
        text=text,
        links=_links(text, hits),
        hashes=tuple(hashes),
    )


def _links(text: str, hits: Sequence[Hit]) -> tuple[str, ...]:
    return tuple(text[hit.start : hit.end] for hit in hits if hit.signal in _LINKS)
