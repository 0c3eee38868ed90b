"""API keys: shown once, stored hashed, checked for scope."""

from typing import NoReturn

import pytest
import sqlalchemy as sa

from inhouse.app.keys import Keys
from inhouse.core.clock import FollowingClock
from inhouse.core.errors import AccessError, InputError, StoreError, UnknownError
from inhouse.store import tables
from inhouse.store.database import Database


def test_a_key_may_do_what_its_scopes_say(database: Database) -> None:
    """A key passes for its own scopes and no others."""
    keys = Keys(database)
    key, secret = keys.create("app", ["events"])

    assert keys.require(secret, "events") == key
    with pytest.raises(AccessError, match="key 'app' lacks the scope 'feed', it has events"):
        keys.require(secret, "feed")


@pytest.mark.parametrize("secret", [None, "", "inh_wrong", "' OR 1=1 --"])
def test_an_unknown_secret_is_refused(database: Database, secret: str | None) -> None:
    """Nothing, a wrong secret and an injection are all just unknown."""
    with pytest.raises(AccessError, match="no valid API key"):
        Keys(database).require(secret, "events")


def test_the_secret_is_stored_nowhere(database: Database) -> None:
    """The table holds a hash, from which the secret cannot be read."""
    _, secret = Keys(database).create("app", ["events"])
    with database.read() as connection:
        (row,) = connection.execute(sa.select(tables.api_keys)).all()

    assert all(secret.removeprefix("inh_") not in str(value) for value in row)


def test_a_revoked_key_is_void(database: Database) -> None:
    """A process that has not checked the key before refuses it at once."""
    key, secret = Keys(database).create("app", ["events"])
    Keys(database).revoke(key.key_id)

    with pytest.raises(AccessError, match="no valid API key"):
        Keys(database).require(secret, "events")
    with pytest.raises(UnknownError, match="no key 'key_none'"):
        Keys(database).revoke("key_none")


def test_a_known_key_is_believed_while_the_store_refuses(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a quarter of an hour, asking again every two seconds; an unknown one is not; what is
    revoked when the store is back is refused."""
    clock, asked = FollowingClock(1_000_000), 0
    keys = Keys(database, clock=clock)
    key, secret = keys.create("app", ["feed"])
    assert keys.require(secret, "feed") == key

    def refusing() -> NoReturn:
        nonlocal asked
        asked += 1
        raise StoreError("the database refused: file is not a database")

    with monkeypatch.context() as broken:
        broken.setattr(database, "read", refusing)
        for after_ms in (3_000, 4_000, 899_000):
            clock.advance(1_000_000 + after_ms)
            assert keys.require(secret, "feed") == key
        assert asked == 2
        with pytest.raises(StoreError, match="not a database"):
            keys.require("inh_other", "feed")
        clock.advance(1_000_000 + 902_000)
        with pytest.raises(StoreError, match="not a database"):
            keys.require(secret, "feed")
    Keys(database).revoke(key.key_id)
    with pytest.raises(AccessError, match="no valid API key"):
        keys.require(secret, "feed")


def test_a_scope_that_does_not_exist_is_refused(database: Database) -> None:
    """The message names the wrong scope and lists the right ones."""
    with pytest.raises(InputError, match="scopes: got everything, expected some of items, users"):
        Keys(database).create("app", ["everything"])
