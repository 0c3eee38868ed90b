"""What is kept of posts' media: a row while it waits, its hashes once it was read.

Whoever reads a file writes the hashes and the news of the item in one transaction, so the next scan
judges it. A file is tried as often as its row says, whoever dies in between.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import tell
from inhouse.catalog.types import Item
from inhouse.core.clock import DAY_MS, SystemClock
from inhouse.core.ids import ItemId
from inhouse.moderation.media.types import Frame, MediaHashes, MediaRow
from inhouse.store import tables
from inhouse.store.statements import delete_in, insert_new, upsert

_CHUNK: Final = 500
_HEAD_START_MS: Final = 30 * DAY_MS  # of new posts


def enrol(connection: Connection, items: Sequence[Item], *, new: bool = True) -> None:
    """Let the media of items wait to be read, in the caller's transaction. What waits already
    keeps its place; new posts stand before all old ones."""
    if not items:
        return
    due_ms = SystemClock().now_ms() - (_HEAD_START_MS if new else 0)
    known = _rows(connection, [item.item_id for item in items])
    unknown = [item for item in items if item.item_id not in known]
    moved = [i for i in items if i.item_id in known and known[i.item_id].url != i.media_url]
    insert_new(connection, tables.media, [_waiting(item, due_ms) for item in unknown])
    upsert(connection, tables.media, [_waiting(item, due_ms) for item in moved])
    delete_in(connection, tables.media_hashes.c.item_id, [item.item_id for item in moved])


def media_of(connection: Connection, item_ids: Iterable[str]) -> dict[ItemId, MediaRow]:
    """The rows of items, with their hashes."""
    rows = _rows(connection, item_ids)
    frames = _frames(connection, [i for i, row in rows.items() if row.state == "read"])
    return {item_id: _media_row(row, frames.get(item_id, ())) for item_id, row in rows.items()}


def due(connection: Connection, now_ms: int, limit: int) -> list[MediaRow]:
    """Rows whose turn it is, the longest-waiting first."""
    table = tables.media
    query = (
        sa.select(table)
        .where(table.c.state == "waiting", table.c.due_ms <= now_ms)
        .order_by(table.c.due_ms, table.c.item_id)
        .limit(limit)
    )
    return [_media_row(row, ()) for row in connection.execute(query)]


def postpone(connection: Connection, rows: Sequence[MediaRow], due_ms: int, *, tried: bool) -> None:
    """Give rows another time; `tried` where somebody takes them up now, which counts as a try."""
    table = tables.media
    for row in rows:
        values = {"due_ms": due_ms, "tries": row.tries + tried}
        connection.execute(table.update().where(_is(row)).values(**values))


def save_hashes(connection: Connection, row: MediaRow, hashes: MediaHashes) -> None:
    """Keep what a file looks like and tell of it; nothing where the post has gone or changed."""
    facts = {"kind": hashes.kind, "md5": hashes.md5, "sha256": hashes.sha256}
    if not _settle(connection, row, "read", facts):
        return
    table = tables.media_hashes
    connection.execute(table.delete().where(table.c.item_id == row.item_id))
    frames = {frame.place: frame for frame in hashes.frames}
    rows = [
        {"item_id": row.item_id, "place": f.place, "pdq": f.pdq, "quality": f.quality}
        for f in frames.values()
    ]
    connection.execute(table.insert(), rows)


def give_up(connection: Connection, row: MediaRow, reason: str) -> None:
    """Say that a file cannot be read, and tell of it."""
    _settle(connection, row, "unread", {"reason": reason})


def retry(connection: Connection, row: MediaRow, reason: str, due_ms: int) -> None:
    """Let a row wait for another try."""
    table = tables.media
    values = {"reason": reason, "due_ms": due_ms}
    connection.execute(table.update().where(_is(row)).values(**values))


def release(connection: Connection, limit: int) -> int:
    """Let posts that wait be judged without their media; returns how many that were."""
    table = tables.media
    query = sa.select(table.c.item_id).where(table.c.state == "waiting").limit(limit)
    ids = list(connection.execute(query).scalars())
    delete_in(connection, table.c.item_id, ids)
    tell(connection, "item", ids)
    return len(ids)


def waiting(connection: Connection) -> int:
    """How many posts wait for their media."""
    table = tables.media
    query = sa.select(sa.func.count()).select_from(table).where(table.c.state == "waiting")
    return connection.execute(query).scalar_one()


def erase_media(connection: Connection, item_ids: Sequence[str]) -> int:
    """Remove what is kept of posts that go, in the caller's transaction."""
    delete_in(connection, tables.media_hashes.c.item_id, item_ids)
    return delete_in(connection, tables.media.c.item_id, item_ids)


def _settle(connection: Connection, row: MediaRow, state: str, facts: Mapping[str, object]) -> bool:
    table = tables.media
    update = table.update().where(_is(row), table.c.state == "waiting")
    if connection.execute(update.values(state=state, **facts)).rowcount == 0:
        return False
    tell(connection, "item", [row.item_id])
    return True


def _is(row: MediaRow) -> sa.ColumnElement[bool]:
    return (tables.media.c.item_id == row.item_id) & (tables.media.c.url == row.url)


def _rows(connection: Connection, item_ids: Iterable[str]) -> dict[ItemId, Any]:
    table, wanted = tables.media, list(item_ids)
    found: list[Any] = []
    for start in range(0, len(wanted), _CHUNK):
        query = sa.select(table).where(table.c.item_id.in_(wanted[start : start + _CHUNK]))
        found += connection.execute(query).all()
    return {ItemId(row.item_id): row for row in found}


def _frames(connection: Connection, item_ids: Sequence[str]) -> dict[ItemId, tuple[Frame, ...]]:
    table = tables.media_hashes
    found: dict[ItemId, tuple[Frame, ...]] = {}
    for start in range(0, len(item_ids), _CHUNK):
        some = table.c.item_id.in_(item_ids[start : start + _CHUNK])
        query = sa.select(table).where(some).order_by(table.c.item_id, table.c.place)
        for row in connection.execute(query):
            frame = Frame(place=row.place, pdq=bytes(row.pdq), quality=row.quality)
            item_id = ItemId(row.item_id)
            found[item_id] = (*found.get(item_id, ()), frame)
    return found


def _waiting(item: Item, due_ms: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("reason", "kind", "md5", "sha256"))
    return row | {
        "item_id": item.item_id,
        "url": item.media_url,
        "state": "waiting",
        "tries": 0,
        "due_ms": due_ms,
    }


def _media_row(row: Any, frames: tuple[Frame, ...]) -> MediaRow:
    hashes = None
    if row.state == "read":
        hashes = MediaHashes(
            kind=row.kind, md5=bytes(row.md5), sha256=bytes(row.sha256), frames=frames
        )
    return MediaRow(
        item_id=ItemId(row.item_id),
        url=row.url,
        state=row.state,
        tries=row.tries,
        due_ms=row.due_ms,
        reason=row.reason,
        hashes=hashes,
    )
