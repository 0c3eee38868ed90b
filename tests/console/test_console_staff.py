"""Named staff over HTTP: signing in, what each role opens, and sessions that end."""

import asyncio
import contextlib
import dataclasses
import itertools
import re
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from console_whole import Whole
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from nicegui import core
from sqlalchemy.engine import Connection
from starlette.websockets import WebSocketDisconnect

from inhouse.app.build import Services
from inhouse.app.staff.types import Role, Standing, may
from inhouse.console.access import COOKIE, VISITOR, Door, Visitor
from inhouse.console.gate import gate_messages
from inhouse.console.guard import LOOK_EVERY_S, Guard
from inhouse.console.login import login_router
from inhouse.console.moderation.figures_page import Figures, of_one
from inhouse.console.rights import PLACES, least_role
from inhouse.core.errors import StoreError
from inhouse.moderation.measuring.agreement import agreement
from inhouse.moderation.measuring.quality import Accuracy, Quality, ReviewerAgreement
from inhouse.moderation.reviewing.statistics import Statistics
from inhouse.stats.types import NotEnough
from inhouse.store import tables

OWN = "four words nobody says"
HOST = "https://console.example"
_callers = itertools.count(1)
pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture(autouse=True)
def staffless(whole: Whole) -> Iterator[None]:
    """Whatever a test made of the staff is gone after it."""
    yield

    def write(connection: Connection) -> None:
        for table in (tables.staff_sessions, tables.staff):
            connection.execute(table.delete())

    whole.services.database.write(write)


@pytest.fixture
def anybody(whole: Whole) -> TestClient:
    """A browser elsewhere."""
    return _browser(whole.app)


def _browser(console: FastAPI, token: str = "") -> TestClient:
    # Not entered: at its start the framework looks at every object of the process for a server.
    cookies = {COOKIE: token} if token else {}
    return TestClient(
        console,
        base_url=HOST,
        follow_redirects=False,
        cookies=cookies,
        client=(f"10.0.0.{next(_callers)}", 1),  # each with tries of its own
        raise_server_exceptions=False,
    )


def _tokens(services: Services) -> dict[Role, str]:
    """A session of somebody of each role, who has chosen a password."""
    tokens = {}
    for role in reversed(get_args(Role)):
        services.staff.add(f"the {role}", role)
        member = services.staff.choose(f"the {role}", f"{OWN} {role}")
        tokens[role] = services.staff_sessions.begin(member)
    return tokens


def test_every_address_is_open_to_the_roles_it_is_for_and_no_others(whole: Whole) -> None:
    """Each page, picture, export and report, asked for by every role: where a role does not reach,
    the answer says so and is made by nothing behind the door."""
    tokens = _tokens(whole.services)
    asked = sorted(whole.addresses() - {("POST", "/logout"), ("POST", "/login")})
    wrong = []
    for role, token in tokens.items():
        browser = _browser(whole.app, token)
        for method, path in asked:
            found = browser.request(method, path)
            open_to_all = path in ("/login", "/healthz", "/favicon.ico")
            reaches = open_to_all or may(role, least_role(path))
            if (found.status_code == 403) == (reaches and path != "/not-yours"):
                wrong.append((role, method, path, found.status_code))
    pages = {path for _, path in asked}

    assert wrong == []
    assert pages >= {p for p in PLACES if "*" not in p} - {"/logout"}
    assert {"/person/x", "/person-export/x", "/moderation/media/x", "/bill/parity/x"} <= pages


def test_a_page_that_is_not_for_a_role_says_so_and_lists_what_is(whole: Whole) -> None:
    """In words, with whom to ask; the navigation shows what the role opens and nothing else."""
    tokens = _tokens(whole.services)
    places = {
        role: re.findall(
            r"href=\W*(/[a-z]*)\W+class=\W*place", _browser(whole.app, token).get("/").text
        )
        for role, token in tokens.items()
    }
    barred = _browser(whole.app, tokens["moderator"]).get("/moderation/policy")

    assert barred.status_code == 403
    assert "Your role is moderator" in barred.text
    assert "An operator of this community can give you another role" in barred.text
    assert {role: len(found) for role, found in places.items()} == {
        "viewer": 1,
        "moderator": 2,
        "lead": 2,
        "operator": 6,
    }
    assert places["moderator"] == ["/", "/moderation"]


def test_moderation_shows_the_ways_that_are_open(whole: Whole) -> None:
    """A moderator is not led to policies, banks and what is sealed; a lead is."""
    tokens = _tokens(whole.services)
    found = {
        role: _browser(whole.app, tokens[role]).get("/moderation").text
        for role in ("moderator", "lead")
    }
    ways = ("/moderation/appeals", "/moderation/figures", "/moderation/policy", "/moderation/bulk")

    assert [way in found["moderator"] for way in ways] == [True, True, False, False]
    assert [way in found["lead"] for way in ways] == [True] * 4
    assert "Deciding as" not in found["moderator"]


def test_a_moderator_sees_their_own_figures() -> None:
    """Of people, that is; how the queues are is for everybody who works on them."""
    unknown, looks = NotEnough(reason="few"), agreement([])
    people = [
        Accuracy(name=name, answers=4, right=3, too_strict=1, too_mild=0, share=unknown)
        for name in ("Ada", "Ben")
    ]
    quality = Quality(
        since_ms=0,
        known=people,
        known_by_queue=people[:1],
        pairs=[],
        second_looks=looks,
        by_reviewer=[ReviewerAgreement(reviewer=one.name, looks=looks) for one in people],
    )
    statistics = Statistics(since_ms=0, queues=[], days=[], waiting={})
    own = of_one(Figures(now_ms=1, statistics=statistics, quality=quality), "Ben")

    assert own.quality == dataclasses.replace(
        quality, known=people[1:], by_reviewer=quality.by_reviewer[1:]
    )


def test_signing_in_leads_to_the_page_that_was_asked_for(anybody: TestClient, whole: Whole) -> None:
    """Turned away, signed in, let in, signed out, turned away, with the old cookie too."""
    whole.services.staff.begin("Ada", OWN)
    away = anybody.get("/bill")
    assert (away.status_code, away.headers["location"]) == (303, "/login?to=/bill")
    form = anybody.get(away.headers["location"]).text
    assert all(f'autocomplete="{word}"' in form for word in ("username", "current-password"))
    assert 'value="/bill"' in form
    entered = anybody.post("/login", data={"name": " ada", "password": OWN, "to": "/bill"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/bill")
    cookie = entered.headers["set-cookie"]
    assert all(part in cookie for part in (COOKIE, "HttpOnly", "SameSite=strict", "Secure"))
    old = anybody.cookies[COOKIE]
    page = anybody.get("/bill")
    assert (page.status_code, page.headers["x-frame-options"]) == (200, "DENY")
    assert "Sign out" in page.text
    anybody.post("/logout")
    assert anybody.get("/bill").status_code == 303
    anybody.cookies.set(COOKIE, old)
    assert anybody.get("/bill").status_code == 303


def test_who_is_invited_chooses_a_password_before_all_else(
    anybody: TestClient, whole: Whole
) -> None:
    """Every address leads there; two that differ or are too short are told; then they are in."""
    whole.services.staff.begin("Ada", OWN)
    _, once = whole.services.staff.add("Ben", "moderator", "Ada")
    anybody.post("/login", data={"name": "Ben", "password": once})
    led = {path: anybody.get(path).headers.get("location") for path in ("/", "/moderation")}
    form = anybody.get("/password").text
    told = [
        anybody.post("/password", data={"new": new, "again": again})
        for new, again in (("a long sentence", "another"), ("short", "short"), (once, once))
    ]
    chosen = anybody.post("/password", data={"new": f"{OWN}!", "again": f"{OWN}!"})

    assert led == {"/": "/password", "/moderation": "/password"}
    assert 'autocomplete="new-password"' in form
    assert 'name="password"' not in form
    assert [answer.status_code for answer in told] == [400] * 3
    assert "A password of 5 characters; expected 12 to 256." in told[1].text
    assert (chosen.status_code, anybody.get("/moderation").status_code) == (303, 200)


def test_a_password_is_changed_by_who_knows_it(anybody: TestClient, whole: Whole) -> None:
    """Whoever finds a console open cannot take it over; other sessions end with the change."""
    member = whole.services.staff.begin("Ada", OWN)
    other = whole.services.staff_sessions.begin(member)
    anybody.post("/login", data={"name": "Ada", "password": OWN})
    new = {"new": "another long sentence", "again": "another long sentence"}
    wrong = anybody.post("/password", data={"password": "a guess", **new})
    changed = anybody.post("/password", data={"password": OWN, **new})

    assert (wrong.status_code, changed.status_code) == (401, 303)
    assert anybody.get("/").status_code == 200
    assert whole.services.staff_sessions.standing(other) == Standing(named=True)


def test_the_first_of_the_staff_begins_on_this_machine(whole: Whole) -> None:
    """Nobody else may; from then on this machine signs in as everybody does."""
    here = TestClient(
        whole.app,
        base_url="http://127.0.0.1:8701",
        client=("127.0.0.1", 50_000),
        follow_redirects=False,
    )
    begun = {"name": "Ada", "new": OWN, "again": OWN}
    foreign = _browser(whole.app).post("/login", data=begun)
    local = here.get("/moderation")
    differ = here.post("/login", data={**begun, "again": "else"})
    begins = here.post("/login", data=begun)
    second = TestClient(whole.app, base_url="http://127.0.0.1:8701", client=("127.0.0.1", 1))

    assert (foreign.status_code, differ.status_code) == (401, 400)
    assert (local.status_code, "Deciding as" in local.text) == (200, True)
    assert (begins.status_code, begins.headers["location"]) == (303, "/staff")
    assert here.get("/staff").status_code == 200
    assert "Sign in" in second.get("/moderation").text
    assert [(m.name, m.role) for m in whole.services.staff.list()] == [("Ada", "operator")]


def test_with_a_password_the_first_begins_from_anywhere(empty_services: Services) -> None:
    """It opens nothing else, and nothing at all once there is somebody."""
    door = Door(password="of the console", listens_on="x")
    client = _small(empty_services, door)
    begun = {"name": "Ada", "new": OWN, "again": OWN}
    led = client.get("/bill").headers["location"]
    form = client.get("/login").text
    wrong = client.post("/login", data={**begun, "console": "a guess"})
    begins = client.post("/login", data={**begun, "console": "of the console"})
    client.post("/logout")
    again = client.post("/login", data={**begun, "name": "Eve", "console": "of the console"})

    assert led == "/login?to=/bill"
    assert "Password of the console" in form
    assert (wrong.status_code, begins.status_code, again.status_code) == (401, 303, 401)
    assert [member.name for member in empty_services.staff.list()] == ["Ada"]


class _Clockwork:
    """A clock that stands."""

    def __call__(self) -> float:
        return 1_000.0


def _small(services: Services, door: Door) -> TestClient:
    """The door around one page and one socket."""
    small = FastAPI()
    small.include_router(login_router(door, services.staff, services.staff_sessions, _Clockwork()))

    @small.get("/bill")
    def bill() -> str:
        return "money"

    @small.websocket("/_nicegui_ws/socket.io")
    async def socket(connection: WebSocket) -> None:
        await connection.accept()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await connection.send_text(await connection.receive_text())

    small.add_middleware(Guard, door=door, book=services.staff_sessions, headers={})
    return TestClient(small, base_url=HOST, follow_redirects=False)


@pytest.fixture
def small(empty_services: Services) -> Iterator[TestClient]:
    """A small app behind the door, with Ada in its staff."""
    empty_services.staff.begin("Ada", OWN)
    with _small(empty_services, Door(password="", listens_on="x")) as client:
        yield client


def test_tries_are_limited_and_nothing_of_them_is_logged(
    small: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """After five wrong ones even the right one has to wait; neither names nor passwords are in the
    log."""
    wrong = {"name": "Ada", "password": "a wrong one"}
    codes = [small.post("/login", data=wrong).status_code for _ in range(6)]
    right = small.post("/login", data={"name": "Ada", "password": OWN})
    logged = "".join(capsys.readouterr())

    assert (codes, right.status_code) == ([401] * 5 + [429], 429)
    assert not any(word in logged for word in ("Ada", "a wrong one", OWN))


@pytest.mark.parametrize(
    "body",
    [
        b"password=" + b"x" * 10_000,
        b"\xff\xfe\x00",
        b"name=%00&password=%00",
        b"name=%F0%9F%98%80&password=" + "نص".encode(),
        b'{"name": "Ada"}',
        b"",
    ],
)
def test_garbage_is_no_sign_in(small: TestClient, body: bytes) -> None:
    """Whatever is sent, the answer is the form again."""
    found = small.post("/login", content=body)

    assert found.status_code == 401
    assert 'autocomplete="current-password"' in found.text


def test_signing_in_leads_nowhere_else(small: TestClient) -> None:
    """A foreign address to go on to is dropped, hostile text is escaped."""
    to = "https://elsewhere.example"
    entered = small.post("/login", data={"name": "Ada", "password": OWN, "to": to})
    hostile = small.get("/login", params={"to": '/"><script>', "name": '"><script>__TO__'})

    assert entered.headers["location"] == "/"
    assert "<script>" not in hostile.text
    assert "__TO__" in hostile.text


def test_sockets_and_foreign_pages_are_kept_out(small: TestClient) -> None:
    """A web socket needs a session, and a page of another site may not write."""
    path = "wss://console.example/_nicegui_ws/socket.io"
    with pytest.raises(WebSocketDisconnect), small.websocket_connect(path):
        pass
    small.post("/login", data={"name": "Ada", "password": OWN})
    cookie = {"cookie": f"{COOKIE}={small.cookies[COOKIE]}"}
    with small.websocket_connect(path, headers=cookie) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
    foreign = {**cookie, "origin": "https://elsewhere.example"}
    with pytest.raises(WebSocketDisconnect), small.websocket_connect(path, headers=foreign):
        pass
    refused = small.post("/logout", headers={"origin": "https://elsewhere.example"})
    assert refused.status_code == 403


def test_a_page_that_is_open_is_shut_within_seconds(
    small: TestClient, empty_services: Services
) -> None:
    """Switched off while a page is open: nothing more is heard from it, and it hears nothing."""
    empty_services.staff.add("Ben", "operator")
    small.post("/login", data={"name": "Ada", "password": OWN})
    cookie = {"cookie": f"{COOKIE}={small.cookies[COOKIE]}"}
    path = "wss://console.example/_nicegui_ws/socket.io"
    with small.websocket_connect(path, headers=cookie) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
        empty_services.staff.off("Ada")
        began_s = time.monotonic()
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()
        took_s = time.monotonic() - began_s

    assert took_s < LOOK_EVERY_S + 3


def test_what_somebody_does_keeps_a_session_and_what_a_page_does_not(
    small: TestClient, empty_services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A press counts, and a page that is asked for; the beat of an open page does not."""
    noted: list[str] = []
    monkeypatch.setattr(empty_services.staff_sessions, "note", noted.append)
    small.post("/login", data={"name": "Ada", "password": OWN})
    token = small.cookies[COOKIE]
    cookie = {"cookie": f"{COOKIE}={token}"}
    path = "wss://console.example/_nicegui_ws/socket.io"
    small.get("/session")
    with small.websocket_connect(path, headers=cookie) as socket:
        for text in ("3", '42["ack",{"client_id":"x"}]'):
            socket.send_text(text)
            socket.receive_text()
    beats = list(noted)
    with small.websocket_connect(path, headers=cookie) as socket:
        socket.send_text('42["event",{"client_id":"x"}]')
        socket.receive_text()
    small.get("/bill")

    assert (beats, noted) == ([], [token, token])


def test_a_store_that_does_not_answer_lets_nobody_in(
    small: TestClient, empty_services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who somebody is cannot be looked up, so no page is shown; the sign of life is."""

    def fails(token: str | None) -> Standing:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(empty_services.staff_sessions, "standing", fails)
    found = small.get("/bill")

    assert (found.status_code, "disk" in found.text) == (503, False)
    assert small.get("/login").status_code == 200


class _Sockets:
    """Stands for the framework's server of sockets."""

    def __init__(self, token: str) -> None:
        self.handlers: dict[str, dict[str, Any]] = {"/": {"event": self.hear, "disconnect": len}}
        self.heard: list[object] = []
        headers = [(b"cookie", f"{COOKIE}={token}".encode())]
        self._scope = {"type": "websocket", "path": "/", "headers": headers}

    def hear(self, sid: str, message: object) -> None:
        self.heard.append(message)

    def get_environ(self, sid: str) -> dict[str, Any]:
        return {"asgi.scope": self._scope}


def _page_of(token: str) -> SimpleNamespace:
    visitor = Visitor(name="Ada", role="operator", ticket=token)
    return SimpleNamespace(request=SimpleNamespace(scope={"state": {VISITOR: visitor}}))


@pytest.mark.parametrize(
    ("message", "heard"),
    [
        ({"client_id": "own", "id": 7}, True),
        ({"client_id": "anothers", "id": 7}, False),
        ({"client_id": "gone"}, True),
        ("nonsense", True),
    ],
)
def test_a_button_of_anothers_page_is_not_pressed(
    message: object, heard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever learns the number of an open page of an operator sends it nothing: a message is heard
    where its socket and its page are of one session."""
    sockets = _Sockets("mine")
    pages = {"own": _page_of("mine"), "anothers": _page_of("theirs")}
    monkeypatch.setattr("inhouse.console.gate.core", SimpleNamespace(sio=sockets))
    monkeypatch.setattr("inhouse.console.gate.Client", SimpleNamespace(instances=pages))
    monkeypatch.setattr("inhouse.console.gate._PLAIN", {})
    gate_messages(COOKIE)
    gate_messages(COOKIE)  # another console in one process, as tests have them
    asyncio.run(sockets.handlers["/"]["event"]("sid", message))

    assert sockets.heard == ([message] if heard else [])
    assert sockets.handlers["/"]["disconnect"] is len


def test_every_message_of_the_framework_is_gated(whole: Whole) -> None:
    """A handler that a newer framework adds is, too."""
    names = {name: handler.__name__ for name, handler in core.sio.handlers["/"].items()}

    assert {name for name, handler in names.items() if handler != "gated"} == {"disconnect"}
    assert {"event", "handshake", "connect", "javascript_response"} <= names.keys()
