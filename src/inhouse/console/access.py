"""Who may come in: this machine alone, or whoever knows the password.

The rules are plain functions of what is known of a request; `Guard` puts them around the app, web
sockets included.
"""

import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "inhouse_console"
SESSION_S: Final = 12 * 3_600
OPEN_PATHS: Final = ("/login", "/healthz", "/console/assets/", "/favicon.ico")
_LOOPBACK_NAMES: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_TRIES: Final = 5
_TRIES_OF_ALL: Final = 60
_WINDOW_S: Final = 60.0
_MOST_CLIENTS: Final = 1_000

Ruling = Literal["in", "login", "refused", "foreign"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """What the door sees of a request."""

    path: str  # asked for
    client: str  # the caller's address
    host: str  # the Host header: under which name the console was called
    origin: str | None  # the Origin header: the page that asks; browsers cannot forge it
    ticket: str | None  # the session cookie
    writes: bool  # a web socket, or a method other than GET and HEAD


class Sessions:
    """Tickets signed with a key on this machine and the password; a new password voids them all."""

    def __init__(self, key: bytes, password: str, now_s: Callable[[], float]) -> None:
        self._key = hmac.digest(key, password.encode(), "sha256")
        self._now_s = now_s

    def issue(self) -> str:
        """A ticket that is good for twelve hours."""
        body = f"{int(self._now_s())}.{secrets.token_hex(8)}"
        return f"{body}.{self._sign(body)}"

    def valid(self, ticket: str | None) -> bool:
        """Whether a ticket was issued here and is not too old."""
        body, _, signature = (ticket or "").rpartition(".")
        if not hmac.compare_digest(self._sign(body).encode(), signature.encode()):
            return False
        issued = int(body.partition(".")[0])
        return 0 <= self._now_s() - issued < SESSION_S

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()


class Tries:
    """Failed logins of the last minute, by caller and of all together."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._failed: dict[str, deque[float]] = {}
        self._all: deque[float] = deque()

    def allowed(self, client: str) -> bool:
        """Whether this caller may try a password now."""
        self._forget()
        return (
            len(self._failed.get(client, ())) < _TRIES
            and len(self._all) < _TRIES_OF_ALL
            and (client in self._failed or len(self._failed) < _MOST_CLIENTS)
        )

    def failed(self, client: str) -> None:
        """Remember a wrong password."""
        now_s = self._now_s()
        self._failed.setdefault(client, deque()).append(now_s)
        self._all.append(now_s)

    def _forget(self) -> None:
        since_s = self._now_s() - _WINDOW_S
        for times in (self._all, *self._failed.values()):
            while times and times[0] <= since_s:
                times.popleft()
        self._failed = {client: times for client, times in self._failed.items() if times}


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """The rules."""

    password: str  # empty lets in only this machine
    # Browsers keep one for all ports of a machine, so each console has its own.
    cookie: str = COOKIE
    listens_on: str  # the host of the settings; a name the console may be called by
    sessions: Sessions

    def rule(self, visit: Visit) -> Ruling:
        """Whether a request may pass."""
        if visit.writes and not _same_site(visit):
            return "foreign"
        if any(visit.path == p or (p[-1] == "/" and visit.path.startswith(p)) for p in OPEN_PATHS):
            return "in"
        if not self.password:
            return "in" if self._from_here(visit) else "refused"
        return "in" if self.sessions.valid(visit.ticket) else "login"

    def opens(self, given: str) -> bool:
        """Whether a password is the right one; takes the same time for every wrong one."""
        return bool(self.password) and hmac.compare_digest(given.encode(), self.password.encode())

    def _from_here(self, visit: Visit) -> bool:
        # The name matters too: a foreign page may point its own name at this machine.
        name = _name_of(visit.host)
        return is_loopback(visit.client) and (name in _LOOPBACK_NAMES or name == self.listens_on)


def is_loopback(address: str) -> bool:
    """Whether an address is this machine."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same_site(visit: Visit) -> bool:
    """Whether the asking page is the console's own; programs send no origin."""
    if visit.origin is None:
        return True
    try:
        return urlsplit(visit.origin).netloc == visit.host
    except ValueError:
        return False


class Guard:
    """Puts the rules in front of every request and every web socket."""

    def __init__(self, app: ASGIApp, door: Door, headers: Mapping[str, str]) -> None:
        self._app = app
        self._door = door
        self._headers = [(k.lower().encode(), v.encode()) for k, v in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        ruling = self._door.rule(visit_of(scope, self._door.cookie))
        if ruling == "in":
            await self._app(scope, receive, self._adding(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "not let in"})
        else:
            await _turn_away(ruling, scope["path"])(scope, receive, self._adding(send))

    def _adding(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.setdefault("headers", [])
                names = {name.lower() for name, _ in given}
                given.extend((n, v) for n, v in self._headers if n not in names)
            await send(message)

        return sending


def cookie_of(community: str) -> str:
    """What the session cookie of a community's console is called."""
    return f"{COOKIE}_{community}" if community else COOKIE


def visit_of(scope: Scope, cookie: str) -> Visit:
    """What the door needs to know of an ASGI scope."""
    headers = Headers(scope=scope)
    client = scope.get("client")
    return Visit(
        path=scope["path"],
        client=client[0] if client else "",
        host=headers.get("host", ""),
        origin=headers.get("origin"),
        ticket=_ticket(headers.get("cookie", ""), cookie),
        writes=scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD"),
    )


def _ticket(cookies: str, name: str) -> str | None:
    try:
        morsel = SimpleCookie(cookies).get(name)
    except CookieError:
        return None
    return morsel.value if morsel else None


def _turn_away(ruling: Ruling, path: str) -> Response:
    if ruling == "login":
        return RedirectResponse(f"/login?to={quote(path)}" if path != "/" else "/login", 303)
    if ruling == "foreign":
        return PlainTextResponse("Another site's page may not act in the console.\n", 403)
    return PlainTextResponse(
        "The console lets in only the machine it runs on, called by its own name.\n"
        "To let staff in from elsewhere, set INHOUSE_CONSOLE_PASSWORD and start it again.\n",
        403,
    )
