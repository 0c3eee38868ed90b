"""The console's door."""

import dataclasses
from pathlib import Path

import pytest

from inhouse.app.build import Services
from inhouse.app.staff.types import ROLES, Member, Role, Standing, State
from inhouse.console.access import Door, Tries, Visit, is_loopback
from inhouse.console.private import KEY_NAME, feed_key, write_private
from inhouse.console.rights import PLACES
from inhouse.core.errors import StoreError

HERE = Visit(
    path="/bill",
    client="127.0.0.1",
    host="127.0.0.1:8701",
    origin=None,
    ticket=None,
    writes=False,
)
NOBODY = Standing(named=False)
UPLOAD = "/_nicegui/client/page-of-ada/upload/7"


class _Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def _door(password: str = "") -> Door:
    return Door(
        password=password,
        listens_on="console.internal",
        ticket_of_page={"page-of-ada": "adas"}.get,
    )


def _member(role: Role, state: State = "active") -> Standing:
    member = Member(
        name="Ada", role=role, state=state, created_ms=1, changed_ms=1, changed_by="Ada"
    )
    return Standing(named=True, member=member)


@pytest.mark.parametrize(
    ("change", "ruling"),
    [
        ({}, "in"),
        ({"client": "::1", "host": "[::1]:8701"}, "in"),
        ({"client": "::ffff:127.0.0.1"}, "in"),
        ({"host": "localhost:8701"}, "in"),
        ({"host": "console.internal:8701"}, "in"),
        ({"client": "10.0.0.9"}, "refused"),
        ({"client": "nonsense"}, "refused"),
        ({"host": "rebound.example"}, "refused"),
        ({"host": "[broken"}, "refused"),
        ({"client": "10.0.0.9", "path": "/healthz"}, "in"),
        ({"writes": True, "origin": "http://127.0.0.1:8701"}, "in"),
        ({"writes": True, "origin": "http://elsewhere.example"}, "foreign"),
        ({"writes": True, "origin": "null"}, "foreign"),
        ({"writes": True, "origin": None}, "in"),
        ({"path": "/staff"}, "in"),
    ],
)
def test_without_staff_only_this_machine_comes_in(change: dict[str, object], ruling: str) -> None:
    """The caller's address, the name they call and the page they come from all count."""
    assert _door().rule(dataclasses.replace(HERE, **change), NOBODY) == ruling


def test_the_consoles_password_leads_to_the_first_of_the_staff_and_nowhere_else() -> None:
    """Not even this machine comes in beside it."""
    door = _door("secret")
    assert door.rule(HERE, NOBODY) == "login"
    assert door.rule(dataclasses.replace(HERE, path="/login"), NOBODY) == "in"
    assert door.rule(dataclasses.replace(HERE, path="/login/x"), NOBODY) == "login"


@pytest.mark.parametrize(
    ("change", "standing", "ruling"),
    [
        ({}, Standing(named=True), "login"),
        ({}, _member("operator"), "in"),
        ({"client": "10.0.0.9", "host": "console.example"}, _member("operator"), "in"),
        ({}, _member("lead"), "barred"),
        ({"path": "/moderation/policy"}, _member("lead"), "in"),
        ({"path": "/moderation/policy"}, _member("moderator"), "barred"),
        ({"path": "/moderation/policy/"}, _member("moderator"), "barred"),
        ({"path": "/nobody-knows"}, _member("lead"), "barred"),
        ({"path": "/"}, _member("viewer"), "in"),
        ({"path": "/"}, _member("operator", "invited"), "choose"),
        ({"path": "/password"}, _member("viewer", "invited"), "in"),
        ({"path": "/_nicegui_ws/socket.io"}, _member("viewer"), "in"),
        ({"path": "/_nicegui_ws/socket.io"}, _member("viewer", "invited"), "choose"),
        ({"writes": True, "origin": "https://elsewhere.example"}, _member("operator"), "foreign"),
        ({"path": UPLOAD, "ticket": "adas"}, _member("lead"), "in"),
        ({"path": UPLOAD, "ticket": "bens"}, _member("operator"), "foreign"),
        ({"path": UPLOAD}, Standing(named=False), "foreign"),
    ],
)
def test_with_staff_everybody_goes_where_their_role_reaches(
    change: dict[str, object], standing: Standing, ruling: str
) -> None:
    """By name, from anywhere; what is on no list is for operators; a page is written to by the
    session that opened it alone."""
    assert _door().rule(dataclasses.replace(HERE, **change), standing) == ruling


def test_what_each_role_opens_is_what_the_guide_says() -> None:
    """The whole list once more, by role: a page that moves to another role is meant to."""
    found = {
        role: {place for place, least in PLACES.items() if least == role and "nicegui" not in place}
        for role in ROLES
    }
    moderation = ("bulk", "queues", "policy", "banks", "sealed")

    assert found == {
        "viewer": {"/", "/not-yours", "/password", "/logout", "/session"},
        "moderator": {
            "/moderation",
            "/moderation/appeals",
            "/moderation/figures",
            "/moderation/media/*",
        },
        "lead": {f"/moderation/{page}" for page in moderation},
        "operator": {
            *("/feed", "/feed/people", "/person", "/person/*", "/person-export/*", "/staff"),
            *("/bill", "/bill/dependence", "/bill/parity/*"),
        },
    }


def test_only_the_right_password_makes_the_first() -> None:
    """Where none is set, this machine; where one is, whoever knows it."""
    away = dataclasses.replace(HERE, client="10.0.0.9")
    given = [_door("sécret").may_begin(away, word) for word in ("sécret", "secret", "")]
    assert given == [True, False, False]
    assert [_door().may_begin(visit, "") for visit in (HERE, away)] == [True, False]


def test_tries_are_limited_by_caller_by_name_and_in_all() -> None:
    """Five a minute from one caller, ten in ten minutes for one name, sixty a minute in all; tries
    that are under way count, those that were right do not."""
    time = _Time()
    tries = Tries(time)
    assert [tries.begin("a", "ada") for _ in range(6)] == [True] * 5 + [False]
    assert [tries.begin(f"b{i}", "ada") for i in range(6)] == [True] * 5 + [False]
    assert tries.begin("c", "ben")
    tries.succeeded("c", "ben")
    for i in range(50):
        assert tries.begin(f"other-{i}", f"name-{i}")
    assert not tries.begin("fresh", "fresh")
    time.now_s += 60
    assert tries.begin("a", "cid")
    assert not tries.begin("fresh", "ada")
    time.now_s += 540
    assert tries.begin("fresh", "ada")


def test_what_is_loopback() -> None:
    """Only this machine's own addresses count."""
    addresses = ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "10.0.0.1", "testclient", "")
    assert [is_loopback(one) for one in addresses] == [True] * 4 + [False] * 3


def test_the_feed_pages_key_is_kept_privately_and_reused(empty_services: Services) -> None:
    """A restart makes no second key; a lost or revoked one is replaced and the old one void."""
    keys, folder = empty_services.keys, empty_services.settings.folder
    secret = feed_key(keys, folder)
    path = folder / "console" / "feed-key"
    assert (path.stat().st_mode & 0o777, feed_key(keys, folder)) == (0o600, secret)
    assert keys.require(secret, "feed").scopes == frozenset(("feed", "events"))
    path.unlink()
    second = feed_key(keys, folder)
    assert second != secret
    assert [key.revoked_ms is None for key in keys.list() if key.name == KEY_NAME] == [True, False]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error says which file, why, and what to do."""
    (tmp_path / "console").write_text("a file in the way")
    with pytest.raises(StoreError, match=r"cannot (read|write) .*a-key: "):
        write_private(tmp_path / "console" / "a-key", "a secret")
