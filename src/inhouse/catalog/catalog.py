"""Items and users in the store. A write and the news of it are one transaction."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.erasures import Erasures
from inhouse.catalog.types import Change, Item, Posted, Put, User, texts_of, words_ref
from inhouse.catalog.vectors import packed, rounded, unpacked
from inhouse.core.ids import ItemId, UserId
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.prepared import AT_ONCE, Prepared
from inhouse.store.statements import delete_in, insert_values, upsert

Entity = Literal["item", "user", "verdict", "erased"]
T = TypeVar("T", Item, User)
_FIELDS = {kind: tuple(f.name for f in dataclasses.fields(kind)) for kind in (Item, User)}


def _by_ids(key: "sa.Column[Any]", *columns: Any) -> Prepared:
    """Rows whose key is one of `ids`."""
    return Prepared(sa.select(*columns).where(key.in_(sa.bindparam("ids", expanding=True))))


_CHANGES = tables.changes.c
_ITEMS = _by_ids(tables.items.c.item_id, tables.items)
_USERS = _by_ids(tables.users.c.user_id, tables.users)
_SEALED = _by_ids(tables.sealed.c.item_id, tables.sealed.c.item_id)
_ANY_SEALED = Prepared(sa.select(tables.sealed.c.item_id).limit(1))
_LAST_CHANGE = Prepared(sa.select(sa.func.max(_CHANGES.log_offset)))
_BEHIND = Prepared(
    sa.select(_CHANGES.log_offset, _CHANGES.entity, _CHANGES.entity_id)
    .where(_CHANGES.log_offset > sa.bindparam("after"))
    .order_by(_CHANGES.log_offset)
    .limit(sa.bindparam("most"))
)


class Catalog:
    """Reads and writes of items and users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def erasures(self) -> Erasures:
        """The jobs that erase people."""
        return Erasures(self._database)

    def submit_items(self, items: Sequence[Item]) -> "Future[Posted]":
        """Create or overwrite items; of an id given twice the last counts. Done once durable."""
        return self._database.submit(lambda connection: post_items(connection, items))

    def put_items(self, items: Sequence[Item]) -> Put:
        """As `submit_items`, waiting."""
        return self.submit_items(items).result().put

    def submit_users(self, users: Sequence[User]) -> "Future[Put]":
        """Create or overwrite users; of an id given twice the last counts. Done once durable."""
        return self._database.submit(lambda connection: put_users(connection, users))

    def put_users(self, users: Sequence[User]) -> Put:
        """As `submit_users`, waiting."""
        return self.submit_users(users).result()

    def items(self, ids: Iterable[str]) -> dict[ItemId, Item]:
        """The known ones among `ids`."""
        with self._database.read() as connection:
            return items_by_id(connection, ids)

    def item(self, item_id: str) -> Item | None:
        """One item, or None."""
        return self.items([item_id]).get(ItemId(item_id))

    def users(self, ids: Iterable[str]) -> dict[UserId, User]:
        """The known ones among `ids`."""
        with self._database.read() as connection:
            rows = _rows(connection, _USERS, ids)
        return {user.user_id: user for user in map(_user_of_row, rows)}

    def user(self, user_id: str) -> User | None:
        """One user, or None."""
        return self.users([user_id]).get(UserId(user_id))

    def all_items(self, chunk: int = 5_000) -> Iterator[list[Item]]:
        """Every item by id, in chunks."""
        for rows in self._all(tables.items, "item_id", chunk):
            yield [item_of_row(row) for row in rows]

    def all_users(self, chunk: int = 5_000) -> Iterator[list[User]]:
        """Every user by id, in chunks."""
        for rows in self._all(tables.users, "user_id", chunk):
            yield [_user_of_row(row) for row in rows]

    def counts(self) -> tuple[int, int]:
        """How many items and users there are."""
        with self._database.read() as connection:
            both = [
                connection.execute(sa.select(sa.func.count()).select_from(t)).scalar_one()
                for t in (tables.items, tables.users)
            ]
        return both[0], both[1]

    def changes(self, after: int, limit: int = 10_000) -> list[Change]:
        """What changed behind an offset, in order."""
        return [
            Change(log_offset=offset, entity=entity, entity_id=entity_id)
            for offset, entity, entity_id in _BEHIND.ask(self._database, after=after, most=limit)
        ]

    def latest_item_ms(self) -> int:
        """When the item that changed last was posted, 0 where there is none."""
        changes, items = tables.changes, tables.items
        last = (
            sa.select(changes.c.entity_id)
            .where(changes.c.entity == "item")
            .order_by(changes.c.log_offset.desc())
            .limit(1)
            .scalar_subquery()
        )
        with self._database.read() as connection:
            return (
                connection.execute(
                    sa.select(items.c.created_ms).where(items.c.item_id == last)
                ).scalar()
                or 0
            )

    def last_change(self) -> int:
        """Offset of the newest change, 0 where none was made."""
        with self._database.read() as connection:
            return _LAST_CHANGE.run(connection).scalar() or 0

    def _all(self, table: sa.Table, key: str, chunk: int) -> Iterator[Sequence[Any]]:
        last = ""
        while True:
            query = sa.select(table).where(table.c[key] > last).order_by(table.c[key]).limit(chunk)
            with self._database.read() as connection:
                rows = connection.execute(query).all()
            if not rows:
                return
            yield rows
            last = getattr(rows[-1], key)


def items_by_id(connection: Connection, ids: Iterable[str]) -> dict[ItemId, Item]:
    """As `Catalog.items`, in the caller's transaction."""
    rows = _rows(connection, _ITEMS, ids)
    return {item.item_id: item for item in map(item_of_row, rows)}


def put_items(connection: Connection, items: Sequence[Item]) -> Put:
    """Upsert items in the caller's transaction and tell of those that differ. What moderation has
    sealed stays as it is."""
    return post_items(connection, items).put


def post_items(connection: Connection, items: Sequence[Item]) -> Posted:
    """As `put_items`, for whoever keeps what differs in memory."""
    last = {item.item_id: _as_stored(item) for item in items}
    for item_id in _sealed(connection, last):
        del last[item_id]
    known = items_by_id(connection, last)
    changed = [item for key, item in last.items() if known.get(key) != item]
    if not changed:
        return Posted(put=_counted(last, known, changed), changed=(), last_change=0)
    upsert(connection, tables.items, [_row(item) for item in changed])
    tell(connection, "item", [item.item_id for item in changed])
    told = _LAST_CHANGE.run(connection).scalar_one()
    return Posted(put=_counted(last, known, changed), changed=tuple(changed), last_change=told)


def replace_item(connection: Connection, item: Item) -> None:
    """Overwrite an item, sealed or not, and tell of it; in the caller's transaction."""
    upsert(connection, tables.items, [_row(item)])
    tell(connection, "item", [item.item_id])


def put_users(connection: Connection, users: Sequence[User]) -> Put:
    """Upsert users in the caller's transaction and tell of those that differ."""
    last = {user.user_id: user for user in users}
    known = {user.user_id: user for user in map(_user_of_row, _rows(connection, _USERS, last))}
    changed = [user for key, user in last.items() if known.get(key) != user]
    upsert(connection, tables.users, [_row(user) for user in changed])
    tell(connection, "user", [user.user_id for user in changed])
    return _counted(last, known, changed)


def erase_person(connection: Connection, user_ids: Sequence[str], posts: Sequence[str]) -> int:
    """Remove users, what they posted and the news of them, in the caller's transaction.

    Other processes hear that the posts changed and find them gone. Returns how many rows went.
    """
    removed = delete_in(connection, tables.items.c.item_id, posts)
    removed += delete_in(connection, tables.users.c.user_id, user_ids)
    changes = tables.changes
    news = (changes.c.entity == "user") & changes.c.entity_id.in_(user_ids)
    connection.execute(changes.delete().where(news))
    tell(connection, "item", posts)
    return removed


def posts_of(connection: Connection, user_ids: Sequence[str]) -> list[str]:
    """The ids of everything these people posted."""
    table = tables.items
    query = sa.select(table.c.item_id).where(table.c.creator_id.in_(user_ids))
    return list(connection.execute(query).scalars())


def words_of(connection: Connection, item_ids: Sequence[str]) -> list[str]:
    """What the texts of these items are called where somebody sent them without an id."""
    items = _rows(connection, _ITEMS, item_ids)
    return sorted(
        {words_ref(text) for item in map(item_of_row, items) for text in texts_of(item) if text}
    )


def tell(connection: Connection, entity: Entity, ids: Iterable[str]) -> None:
    """Append to the log of changes, in the caller's transaction."""
    rows = [(entity, entity_id) for entity_id in ids]
    insert_values(connection, tables.changes, ("entity", "entity_id"), rows)


def _counted(given: Mapping[Any, T], known: Mapping[Any, T], changed: Sequence[T]) -> Put:
    created, same = len(given) - len(known), len(given) - len(changed)
    return Put(created=created, updated=len(changed) - created, unchanged=same)


def _sealed(connection: Connection, ids: Iterable[str]) -> list[ItemId]:
    if _ANY_SEALED.run(connection).first() is None:
        return []
    return [row.item_id for row in _rows(connection, _SEALED, ids)]


def _rows(connection: Connection, query: Prepared, ids: Iterable[str]) -> list[Any]:
    wanted = list(ids)
    rows: list[Any] = []
    for start in range(0, len(wanted), AT_ONCE):
        rows.extend(query.run(connection, ids=wanted[start : start + AT_ONCE]))
    return rows


def _row(thing: Item | User) -> dict[str, Any]:
    row = {name: getattr(thing, name) for name in _FIELDS[type(thing)]}
    row["topics"] = json.dumps(thing.topics)
    if isinstance(thing, Item):
        row["vectors"] = packed(thing.vectors)
    return row


def _as_stored(item: Item) -> Item:
    if not item.vectors:
        return item
    return dataclasses.replace(item, vectors=rounded(item.vectors))


def item_of_row(row: Any) -> Item:
    """An item from a row of its table."""
    values = dict(row._mapping)
    topics, vectors = tuple(json.loads(values["topics"])), unpacked(values["vectors"])
    hidden = bool(values["hidden"])
    return Item(**{**values, "topics": topics, "vectors": vectors, "hidden": hidden})


def _user_of_row(row: Any) -> User:
    values = dict(row._mapping)
    topics, is_creator = tuple(json.loads(values["topics"])), bool(values["is_creator"])
    return User(**{**values, "topics": topics, "is_creator": is_creator})
