"""The catalog's contract, on both databases."""

import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.catalog.catalog import Catalog, put_items, tell
from inhouse.catalog.types import Change, Item, Put, User
from inhouse.catalog.vectors import rounded
from inhouse.core.ids import ItemId, UserId
from inhouse.store.database import Database, StoreSettings, open_database

_ITEM = Item(
    item_id=ItemId("i1"),
    creator_id=UserId("c1"),
    kind="video",
    title="A löwe 🦁",
    text="with 'quotes' and\nlines",
    topics=("animals", "zoo"),
    language="de",
    region="DE",
    media_url="https://media.example/1.mp4",
    duration_ms=12_000,
    created_ms=1_767_000_000_000,
    expires_ms=1_768_000_000_000,
    hidden=True,
    reply_to=ItemId("i0"),
)
_USER = User(
    user_id=UserId("u1"),
    name="Ada",
    created_ms=1_767_000_000_000,
    topics=("zoo",),
    language="en",
    region="GB",
    birth_year=1990,
    is_creator=True,
)


@pytest.fixture
def catalog(any_database: Database) -> Catalog:
    """An empty catalog."""
    return Catalog(any_database)


def _item(name: str, title: str = "") -> Item:
    return Item(item_id=ItemId(name), creator_id=UserId("c"), title=title)


def test_an_item_is_read_as_it_was_put(catalog: Catalog) -> None:
    """Every field comes back, set or not."""
    bare = Item(item_id=ItemId("i2"), creator_id=UserId("c1"))
    catalog.put_items([_ITEM, bare])

    assert catalog.items(["i1", "i2", "unknown"]) == {"i1": _ITEM, "i2": bare}
    assert (catalog.item("i1"), catalog.item("unknown")) == (_ITEM, None)


def test_a_user_is_read_as_they_were_put(catalog: Catalog) -> None:
    """Every field comes back, set or not."""
    bare = User(user_id=UserId("u2"))
    catalog.put_users([_USER, bare])

    assert catalog.users(["u1", "u2", "unknown"]) == {"u1": _USER, "u2": bare}
    assert (catalog.user("u1"), catalog.user("unknown")) == (_USER, None)


def test_putting_tells_what_was_new_what_changed_and_what_did_not(catalog: Catalog) -> None:
    """The three counts are those of the ids given."""
    catalog.put_items([_item("same"), _item("other")])

    assert catalog.put_items([_item("same"), _item("other", "new title"), _item("new")]) == Put(
        created=1, updated=1, unchanged=1
    )
    assert catalog.put_items([]) == Put(created=0, updated=0, unchanged=0)
    assert catalog.counts() == (3, 0)


def test_of_an_id_given_twice_the_last_counts(catalog: Catalog) -> None:
    """Within a batch too, and it is one item."""
    put = catalog.put_items([_item("a", "first"), _item("a", "last")])

    assert put == Put(created=1, updated=0, unchanged=0)
    assert catalog.items(["a"]) == {"a": _item("a", "last")}


def test_changes_tell_only_of_what_differs(catalog: Catalog) -> None:
    """Whoever follows the catalog hears of a row once a change, in order."""
    catalog.put_items([_item("a"), _item("b")])
    catalog.put_users([_USER])
    catalog.put_items([_item("a"), _item("b", "changed")])
    told = [(change.entity, change.entity_id) for change in catalog.changes(0)]

    assert told == [("item", "a"), ("item", "b"), ("user", "u1"), ("item", "b")]
    assert catalog.changes(3) == [Change(log_offset=4, entity="item", entity_id="b")]
    assert [change.log_offset for change in catalog.changes(1, limit=2)] == [2, 3]
    assert catalog.last_change() == 4


def test_an_item_and_the_news_of_it_are_one_transaction(
    catalog: Catalog, any_database: Database
) -> None:
    """Where the caller's transaction fails, neither is there."""

    def put_and_fail(connection):  # type: ignore[no-untyped-def]
        put_items(connection, [_item("a")])
        tell(connection, "verdict", ["a"])
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        any_database.write(put_and_fail)
    assert (catalog.counts(), catalog.changes(0), catalog.last_change()) == ((0, 0), [], 0)


def test_everything_is_walked_in_chunks(catalog: Catalog) -> None:
    """All items and users by id, however many fit into a chunk."""
    names = [f"n{i:04}" for i in range(1_203)]
    catalog.put_items([_item(name) for name in names])
    catalog.put_users([User(user_id=UserId(name)) for name in names])

    assert [[item.item_id for item in chunk] for chunk in catalog.all_items(chunk=500)] == [
        names[:500],
        names[500:1_000],
        names[1_000:],
    ]
    assert [user.user_id for chunk in catalog.all_users() for user in chunk] == names
    assert len(catalog.items(names)) == 1_203


def test_one_item_from_many_processes_is_created_once(store_settings: StoreSettings) -> None:
    """Three processes put the same items at once; together they say created once each."""
    databases = [open_database(store_settings) for _ in range(3)]
    answers: list[Put] = []

    def put(database: Database) -> None:
        answers.extend(Catalog(database).put_items([_item(f"i{n}")]) for n in range(40))

    threads = [threading.Thread(target=put, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [change.entity_id for change in Catalog(databases[0]).changes(0)]
    for database in databases:
        database.close()

    assert sum(put.created for put in answers) == 40
    assert sum(put.unchanged for put in answers) == 80
    assert sorted(told) == sorted(f"i{n}" for n in range(40))


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(title=_TEXT, text=_TEXT, topics=st.lists(_TEXT, max_size=4), hidden=st.booleans())
def test_any_text_comes_back(
    any_database: Database, title: str, text: str, topics: list[str], hidden: bool
) -> None:
    """Whatever people write is stored as written."""
    catalog = Catalog(any_database)
    item = replace(_ITEM, title=title, text=text, topics=tuple(topics), hidden=hidden)
    catalog.put_items([item])

    assert catalog.item("i1") == item


def test_vectors_come_back_in_half_precision(any_database: Database) -> None:
    """A post with vectors is kept to three digits, and given again it has not changed."""
    catalog = Catalog(any_database)
    item = replace(_ITEM, vectors={"sound": (0.1, -2.0), "image": (1e-9, 3.14159)})

    first, again = catalog.put_items([item]), catalog.put_items([item])
    plain = catalog.put_items([_ITEM])

    kept = catalog.item("i1")
    assert (first.created, again.unchanged, plain.updated) == (1, 1, 1)
    assert kept is not None
    assert kept.vectors == {}
    assert rounded(item.vectors) == {
        "image": (0.0, 3.140625),
        "sound": (0.0999755859375, -2.0),
    }
