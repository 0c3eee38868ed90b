"""The thread around a case: what the post answers, and the replies next to it."""

import pytest
from moderation_worlds import POLICY

from inhouse.catalog.catalog import put_items, put_users
from inhouse.catalog.threads import MOST_ABOVE, Above, above, answered
from inhouse.catalog.types import Item, User, key_of
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.policy.parse import read_policy
from inhouse.moderation.reviewing.thread import Thread, ThreadPost, thread_around
from inhouse.moderation.types import Evidence, PersonCall, Verdict
from inhouse.moderation.verdicts.rows import append_verdicts
from inhouse.store.database import Database

_NEVER_MS = 1 << 62


def _item(name: str, reply_to: str | None = None, at_ms: int = 0, **facts: object) -> Item:
    return Item(
        item_id=ItemId(name),
        creator_id=UserId(f"by-{name}"),
        text=f"words of {name}",
        reply_to=None if reply_to is None else ItemId(reply_to),
        created_ms=at_ms,
        **facts,  # type: ignore[arg-type]
    )


def _put(database: Database, *items: Item) -> None:
    database.write(lambda connection: put_items(connection, items))


def _thread(database: Database, name: str, until_ms: int = _NEVER_MS) -> Thread | None:
    with database.read() as connection:
        item = above(connection, _item("", name)).items[0]
        return thread_around(connection, read_policy("test.yaml", POLICY), item, until_ms)


def _post(name: str, at_ms: int = 0, **facts: object) -> ThreadPost:
    return ThreadPost(
        item_id=ItemId(name),
        creator_id=UserId(f"by-{name}"),
        created_ms=at_ms,
        words=f"words of {name}",
        **{"state": "there", **facts},  # type: ignore[arg-type]
    )


def _removed(item: Item) -> Verdict:
    call = PersonCall(action="remove", category="hate", name="ada")
    return Verdict(
        item_id=item.item_id,
        at_ms=1,
        text_key=key_of(item),
        evidence=Evidence(person=call),
        decided_by="person:ada",
        policy_version="1",
    )


def test_a_thread_is_told_from_its_root_with_names_and_states(any_database: Database) -> None:
    """Removed, withdrawn and unjudged ones are marked; the nearest replies come in order."""
    root, middle = _item("root"), _item("middle", "root", 1, hidden=True)
    _put(any_database, root, middle, *(_item(f"r{n}", "middle", 10 + n) for n in range(9)))

    def write(connection):  # type: ignore[no-untyped-def]
        put_users(connection, [User(user_id=UserId("by-root"), name="Rue")])
        append_verdicts(connection, [_removed(root)])

    any_database.write(write)

    assert _thread(any_database, "r4") == Thread(
        above=(
            _post("root", creator_name="Rue", action="remove"),
            _post("middle", 1, state="withdrawn"),
        ),
        end="root",
        before=tuple(_post(f"r{n}", 10 + n) for n in (1, 2, 3)),
        after=tuple(_post(f"r{n}", 10 + n) for n in (5, 6, 7)),
        beside=8,
    )
    assert _thread(any_database, "root") is None


def test_a_verdict_on_other_words_does_not_count(any_database: Database) -> None:
    """An edited parent awaits its verdict."""
    _put(any_database, _item("root", title="new"), _item("reply", "root"))
    any_database.write(lambda connection: append_verdicts(connection, [_removed(_item("root"))]))

    found = _thread(any_database, "reply")
    assert found is not None
    assert found.above[0].action is None


def test_what_is_not_there_is_gone(any_database: Database) -> None:
    """A parent that was erased, or comes later."""
    _put(any_database, _item("a", "nowhere"), _item("b", "a", 1))
    found = _thread(any_database, "b")

    assert found is not None
    assert found.above == (ThreadPost(item_id=ItemId("nowhere"), state="gone"), _post("a"))
    assert found.end == "gone"


def test_a_circle_is_walked_once(any_database: Database) -> None:
    """Nobody stands above and below themselves."""
    _put(any_database, _item("a", "c"), _item("b", "a"), _item("c", "b"))
    found = _thread(any_database, "a")

    assert found is not None
    assert [post.item_id for post in found.above] == ["b", "c"]
    assert (found.end, found.before, found.after) == ("circle", (), ())


@pytest.mark.parametrize("more", [0, 1])
def test_a_walk_ends_after_so_many(any_database: Database, more: int) -> None:
    """However deep a thread is."""
    depth = MOST_ABOVE + more
    _put(any_database, *(_item(f"i{n}", f"i{n - 1}" if n else None) for n in range(depth + 1)))
    with any_database.read() as connection:
        found = above(connection, _item(f"i{depth}", f"i{depth - 1}"))

    assert len(found.items) == MOST_ABOVE
    assert found.items[0].item_id == f"i{depth - 1}"
    assert (found.end, found.missing) == ("cut" if more else "root", None)
    with any_database.read() as connection:
        assert above(connection, _item("x")) == Above(items=(), end="root", missing=None)


def test_around_a_known_answer_nothing_newer_is_shown(any_database: Database) -> None:
    """What others said since might tell it."""
    _put(any_database, _item("root"), *(_item(f"r{n}", "root", n) for n in range(4)))
    found = _thread(any_database, "r1", until_ms=3)

    assert found is not None
    assert [post.item_id for post in found.before + found.after] == ["r0", "r2"]
    assert found.beside == 2


def test_too_many_to_count_are_not_counted(any_database: Database) -> None:
    """A bound on what one request reads."""
    _put(any_database, *(_item(f"r{n}", "root", n) for n in range(4)))
    with any_database.read() as connection:
        assert sorted(answered(connection, ["root", "other"], 4) or []) == [
            (f"r{n}", "root") for n in range(4)
        ]
        assert answered(connection, ["root"], 3) is None
