"""Threads: what an item answers, and what answers it, as they are stored.

Items arrive in any order, so an item may answer one that is not there yet, or is not there any
more. Two may even name each other; whoever walks a thread meets each item once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import item_of_row
from inhouse.catalog.types import Item
from inhouse.core.ids import ItemId
from inhouse.store import tables

MOST_ABOVE: Final = 50  # items between one and the root of its thread that are looked at

# How far a walk upwards came. root: to an item that answers nothing; gone: to an id that no item
# has, yet or any more; cut: to where it stops looking; circle: back to an item it had met.
End = Literal["root", "gone", "cut", "circle"]
Order = Literal["oldest", "newest"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Above:
    """The way from an item to the root of its thread."""

    items: tuple[Item, ...]  # what it answers, what that answers, and so on, each once
    end: End
    missing: ItemId | None  # of `gone`: which id no item has


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an item stands among those that answer the same one."""

    item_id: ItemId
    created_ms: int


def above(connection: Connection, item: Item, most: int = MOST_ABOVE) -> Above:
    """What an item answers, up to the root, at most `most` items."""
    if item.reply_to is None:
        return Above(items=(), end="root", missing=None)
    met: dict[ItemId, Item] = {item.item_id: item}
    last = item
    for row in connection.execute(_upwards(item.reply_to, most)):
        if row.item_id in met:
            break
        last = met[row.item_id] = item_of_row(row)
    end, missing = _end(last, met, most)
    return Above(items=tuple(met.values())[1:], end=end, missing=missing)


def _end(last: Item, met: dict[ItemId, Item], most: int) -> tuple[End, ItemId | None]:
    if last.reply_to is None:
        return "root", None
    if last.reply_to in met:
        return "circle", None
    return ("cut", None) if len(met) > most else ("gone", last.reply_to)


def _upwards(item_id: ItemId, most: int) -> sa.Select[tuple[object, ...]]:
    """Rows of an item and of those above it, itself first. The depth ends it in a circle too."""
    c, parent = tables.items.c, tables.items.alias()
    first = sa.select(c.item_id, c.reply_to, sa.literal(1).label("depth"))
    way = first.where(c.item_id == item_id).cte("way", recursive=True)
    further = sa.select(parent.c.item_id, parent.c.reply_to, way.c.depth + 1)
    way = way.union_all(
        further.join(way, parent.c.item_id == way.c.reply_to).where(way.c.depth < most)
    )
    joined = sa.select(tables.items).join(way, way.c.item_id == c.item_id)
    return joined.order_by(way.c.depth)


def replies(
    connection: Connection, item_id: str, order: Order, after: Place | None, most: int
) -> list[Place]:
    """What answers an item in the order of time, of one time by id, behind a place."""
    c = tables.items.c
    query = sa.select(c.item_id, c.created_ms).where(c.reply_to == item_id)
    newest = order == "newest"
    if after is not None:
        here, there = sa.tuple_(c.created_ms, c.item_id), (after.created_ms, after.item_id)
        query = query.where(here < there if newest else here > there)
    both = [column.desc() if newest else column.asc() for column in (c.created_ms, c.item_id)]
    return [
        Place(item_id=ItemId(row.item_id), created_ms=row.created_ms)
        for row in connection.execute(query.order_by(*both).limit(most))
    ]


def answered(
    connection: Connection, ids: Sequence[str], most: int
) -> list[tuple[ItemId, ItemId]] | None:
    """Which item answers which of `ids`: pairs of the one that answers and the one it answers;
    None where there are more than `most`."""
    c = tables.items.c
    query = sa.select(c.item_id, c.reply_to).where(c.reply_to.in_(ids)).limit(most + 1)
    found = [(ItemId(row.item_id), ItemId(row.reply_to)) for row in connection.execute(query)]
    return found if len(found) <= most else None
