"""Who may come in, and where to: this machine alone while there are no staff with names; from then
on each of them where their role reaches.

The rules are plain functions of what is known of a request; `Guard` puts them around the app, web
sockets included.
"""

import hmac
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import Scope

from inhouse.app.staff.types import Role, Standing
from inhouse.console.rights import CLIENT, PASSWORD, opens

COOKIE: Final = "inhouse_console"
OPEN_PATHS: Final = ("/login", "/healthz", "/console/assets/", "/favicon.ico")
VISITOR: Final = "visitor"  # in a request's state: who asks
_LOOPBACK_NAMES: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_TRIES: Final = 5
_TRIES_OF_NAME: Final = 10
_TRIES_OF_ALL: Final = 60
_WINDOW_S: Final = 60.0
_NAME_WINDOW_S: Final = 600.0
_MOST_REMEMBERED: Final = 1_000

Ruling = Literal["in", "login", "refused", "foreign", "barred", "choose"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """What the door sees of a request."""

    path: str  # asked for
    client: str  # the caller's address
    host: str  # the Host header: under which name the console was called
    origin: str | None  # the Origin header: the page that asks; browsers cannot forge it
    ticket: str | None  # the session cookie
    writes: bool  # a web socket, or a method other than GET and HEAD


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """Who asks, once they are in."""

    name: str | None  # of the staff; None while there are none and only this machine comes in
    role: Role
    ticket: str | None = None  # of their session
    is_invited: bool = False  # whether they still have to choose a password


def visitor_of(request: Request) -> Visitor:
    """Who asks for a page; the door has put it there, and nobody passes beside the door."""
    found = request.scope["state"][VISITOR]
    assert isinstance(found, Visitor)
    return found


class Tries:
    """Sign-ins that are being tried or failed lately: by caller, by name, and of all together.

    A try counts from its beginning, so that many at once are no way around the bound.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._callers = _Recent(_WINDOW_S)
        self._names = _Recent(_NAME_WINDOW_S)
        self._all = _Recent(_WINDOW_S)

    def begin(self, caller: str, name: str) -> bool:
        """Whether this caller may try a password for this name now; if so, it counts."""
        now_s = self._now_s()
        if not (
            self._callers.below(caller, _TRIES, now_s)
            and self._names.below(name, _TRIES_OF_NAME, now_s)
            and self._all.below("", _TRIES_OF_ALL, now_s)
        ):
            return False
        for recent, key in self._counted(caller, name):
            recent.add(key, now_s)
        return True

    def succeeded(self, caller: str, name: str) -> None:
        """The password was right: this try does not count."""
        for recent, key in self._counted(caller, name):
            recent.take_back(key)

    def _counted(self, caller: str, name: str) -> "tuple[tuple[_Recent, str], ...]":
        return ((self._callers, caller), (self._names, name), (self._all, ""))


class _Recent:
    """When something happened lately, by key."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._times: dict[str, deque[float]] = {}

    def below(self, key: str, most: int, now_s: float) -> bool:
        """Whether it happened less often than so; nobody new is remembered beyond a bound."""
        for times in self._times.values():
            while times and times[0] <= now_s - self._window_s:
                times.popleft()
        self._times = {known: times for known, times in self._times.items() if times}
        room = key in self._times or len(self._times) < _MOST_REMEMBERED
        return room and len(self._times.get(key, ())) < most

    def add(self, key: str, now_s: float) -> None:
        self._times.setdefault(key, deque()).append(now_s)

    def take_back(self, key: str) -> None:
        if self._times.get(key):
            self._times[key].pop()


def _no_page(_client_id: str) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """The rules."""

    password: str  # asked once, of the first of the staff; empty: this machine alone may be it
    # Browsers keep one for all ports of a machine, so each console has its own.
    cookie: str = COOKIE
    listens_on: str  # the host of the settings; a name the console may be called by
    # Of an open page, by its number: the session that it was made for.
    ticket_of_page: Callable[[str], str | None] = field(default=_no_page)

    def rule(self, visit: Visit, standing: Standing) -> Ruling:
        """Whether a request may pass."""
        if visit.writes and not _same_site(visit):
            return "foreign"
        if is_open(visit.path):
            return "in"
        if not self._owns_page(visit):
            return "foreign"
        if not standing.named:
            if self.password:
                return "login"
            return "in" if self.is_here(visit) else "refused"
        member = standing.member
        if member is None:
            return "login"
        if member.state == "invited" and visit.path != PASSWORD:
            return "choose"
        return "in" if opens(member.role, visit.path) else "barred"

    def visitor(self, visit: Visit, standing: Standing) -> Visitor:
        """Who somebody is that was let in."""
        member = standing.member
        if member is not None:
            return Visitor(
                name=member.name,
                role=member.role,
                ticket=visit.ticket,
                is_invited=member.state == "invited",
            )
        # Whoever is let in without a name: at an open address, or on this machine.
        return Visitor(name=None, role="viewer" if is_open(visit.path) else "operator")

    def may_begin(self, visit: Visit, given: str) -> bool:
        """Whether somebody may make themselves the first of the staff; takes the same time for
        every wrong password."""
        if not self.password:
            return self.is_here(visit)
        return hmac.compare_digest(given.encode(), self.password.encode())

    def is_here(self, visit: Visit) -> bool:
        """Whether a request comes from this machine, which was called by its own name."""
        # The name matters too: a foreign page may point its own name at this machine.
        name = _name_of(visit.host)
        return is_loopback(visit.client) and (name in _LOOPBACK_NAMES or name == self.listens_on)

    def _owns_page(self, visit: Visit) -> bool:
        """What is sent to an open page comes from the session that opened it."""
        if not visit.path.startswith(CLIENT):
            return True
        page = visit.path.removeprefix(CLIENT).partition("/")[0]
        return self.ticket_of_page(page) == visit.ticket


def is_open(path: str) -> bool:
    """Whether an address is for everybody."""
    return any(path == p or (p[-1] == "/" and path.startswith(p)) for p in OPEN_PATHS)


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
