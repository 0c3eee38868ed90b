"""The console's door."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from inhouse.app.build import Services
from inhouse.console.access import (
    COOKIE,
    SESSION_S,
    Door,
    Guard,
    Sessions,
    Tries,
    Visit,
    is_loopback,
)
from inhouse.console.login import login_router
from inhouse.console.private import KEY_NAME, feed_key, session_key
from inhouse.core.errors import StoreError

HERE = Visit(
    path="/bill",
    client="127.0.0.1",
    host="127.0.0.1:8701",
    origin=None,
    ticket=None,
    writes=False,
)


class _Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def _door(password: str = "", now_s: _Time | None = None) -> Door:
    sessions = Sessions(b"key", password, now_s or _Time())
    return Door(password=password, listens_on="console.internal", sessions=sessions)


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
    ],
)
def test_without_a_password_only_this_machine_comes_in(
    change: dict[str, object], ruling: str
) -> None:
    """The caller's address, the name they call and the page they come from all count."""
    assert _door().rule(dataclasses.replace(HERE, **change)) == ruling


def test_with_a_password_everyone_needs_a_ticket() -> None:
    """A valid ticket lets in from anywhere; without one the login page is all there is."""
    door = _door("secret")
    assert door.rule(HERE) == "login"
    ticket = door.sessions.issue()
    away = dataclasses.replace(HERE, client="10.0.0.9", host="console.example", ticket=ticket)
    assert door.rule(away) == "in"
    assert door.rule(dataclasses.replace(HERE, path="/login")) == "in"
    assert door.rule(dataclasses.replace(HERE, path="/login/x")) == "login"


def test_a_ticket_is_void_after_twelve_hours_a_change_or_a_new_password() -> None:
    """Tickets cannot be stretched, forged or carried over to another password."""
    time = _Time()
    sessions = Sessions(b"key", "secret", time)
    ticket = sessions.issue()
    assert sessions.valid(ticket)
    assert not sessions.valid(ticket[:-1] + ("0" if ticket[-1] != "0" else "1"))
    assert not sessions.valid(f"9{ticket}")
    assert not sessions.valid(None)
    assert not sessions.valid("نص")
    assert not Sessions(b"key", "another", time).valid(ticket)
    time.now_s += SESSION_S
    assert not sessions.valid(ticket)


def test_only_the_right_password_opens() -> None:
    """An empty password opens nothing."""
    assert [_door("sécret").opens(given) for given in ("sécret", "secret", "")] == [
        True,
        False,
        False,
    ]
    assert not _door("").opens("")


def test_wrong_passwords_are_limited_by_caller_and_in_all() -> None:
    """Five a minute from one caller, sixty from all together; a minute later they are forgotten."""
    time = _Time()
    tries = Tries(time)
    for _ in range(5):
        assert tries.allowed("a")
        tries.failed("a")
    assert not tries.allowed("a")
    for i in range(55):
        tries.failed(f"other-{i}")
    assert not tries.allowed("fresh")
    time.now_s += 60
    assert tries.allowed("a")
    assert tries.allowed("fresh")


def test_what_is_loopback() -> None:
    """Only this machine's own addresses count."""
    addresses = ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "10.0.0.1", "testclient", "")
    assert [is_loopback(one) for one in addresses] == [True] * 4 + [False] * 3


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A guarded app with a login page and a socket, asked over HTTPS from elsewhere."""
    app = FastAPI()
    door = _door("secret")
    app.include_router(login_router(door, _Time()))

    @app.get("/bill")
    def bill() -> str:
        return "money"

    @app.websocket("/socket")
    async def socket(connection: WebSocket) -> None:
        await connection.accept()
        await connection.send_text("hello")
        await connection.close()

    app.add_middleware(Guard, door=door, headers={"X-Frame-Options": "DENY"})
    with TestClient(app, base_url="https://console.example", follow_redirects=False) as opened:
        yield opened


def test_logging_in_leads_to_the_page_that_was_asked_for(client: TestClient) -> None:
    """Turned away, logged in, let in, logged out, turned away."""
    away = client.get("/bill")
    assert (away.status_code, away.headers["location"]) == (303, "/login?to=/bill")
    assert 'value="/bill"' in client.get(away.headers["location"]).text
    entered = client.post("/login", data={"password": "secret", "to": "/bill"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/bill")
    cookie = entered.headers["set-cookie"]
    assert all(part in cookie for part in (COOKIE, "HttpOnly", "SameSite=strict", "Secure"))
    assert client.get("/bill").json() == "money"
    assert client.get("/bill").headers["x-frame-options"] == "DENY"
    client.post("/logout")
    assert client.get("/bill").status_code == 303


def test_a_wrong_password_is_told_and_then_limited(client: TestClient) -> None:
    """After five wrong ones even the right one has to wait."""
    codes = [client.post("/login", data={"password": "no"}).status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    assert client.post("/login", data={"password": "secret"}).status_code == 429


def test_login_leads_nowhere_else_and_takes_no_flood(client: TestClient) -> None:
    """A foreign address to go on to is dropped, hostile text is escaped, a huge body is cut off."""
    to = "https://elsewhere.example"
    entered = client.post("/login", data={"password": "secret", "to": to})
    assert entered.headers["location"] == "/"
    assert "<script>" not in client.get("/login", params={"to": '/"><script>'}).text
    assert client.post("/login", content=b"password=" + b"x" * 10_000).status_code == 401


def test_sockets_and_foreign_pages_are_kept_out_too(client: TestClient) -> None:
    """A web socket needs the ticket, and a page of another site may not write."""
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/socket"):
        pass
    client.post("/login", data={"password": "secret"})
    cookie = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
    with client.websocket_connect("wss://console.example/socket", headers=cookie) as socket:
        assert socket.receive_text() == "hello"
    foreign = {**cookie, "origin": "https://elsewhere.example"}
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("wss://console.example/socket", headers=foreign),
    ):
        pass
    refused = client.post("/logout", headers={"origin": "https://elsewhere.example"})
    assert refused.status_code == 403


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


def test_the_session_key_survives_a_restart(tmp_path: Path) -> None:
    """Tickets stay valid when the console starts again, and nobody else can read their key."""
    first = session_key(tmp_path)
    assert (session_key(tmp_path), len(first)) == (first, 64)
    assert (tmp_path / "console" / "session-key").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error says which file, why, and what to do."""
    (tmp_path / "console").write_text("a file in the way")
    with pytest.raises(StoreError, match=r"cannot (read|write) .*session-key: "):
        session_key(tmp_path)
