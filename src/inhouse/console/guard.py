"""The door around the app: every request and every web socket passes it, and a socket is shut
within seconds where its session is over."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import quote

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inhouse.app.staff.types import Standing
from inhouse.console.access import VISITOR, Door, Ruling, Visit, is_open, visit_of
from inhouse.console.rights import BARRED, FRAMEWORK, PASSWORD, SESSION, SOCKET
from inhouse.core.errors import StoreError
from inhouse.core.logs import logger

LOOK_EVERY_S: Final = 2.0
# Open pages outlive a store that does not answer for a moment, not one that is gone.
_PATIENCE_S: Final = 60.0
_NOTE_EVERY_S: Final = 30.0
# How a page tells of what somebody pressed or typed; what it sends by itself is called otherwise.
_EVENT: Final = b'["event"'
# What a page asks for without anybody's doing.
_BY_ITSELF: Final = (*FRAMEWORK, SESSION)
_SHUT: Final[Message] = {"type": "websocket.close", "code": 1008, "reason": "not let in"}
_LOG: Final = logger("console")


class Book(Protocol):
    """Where sessions are looked up."""

    def standing(self, token: str | None) -> Standing: ...

    def note(self, token: str) -> None: ...


class Guard:
    """Puts the rules in front of every request and every web socket."""

    def __init__(self, app: ASGIApp, door: Door, book: Book, headers: Mapping[str, str]) -> None:
        self._app = app
        self._door = door
        self._book = book
        self._headers = [(k.lower().encode(), v.encode()) for k, v in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        visit = visit_of(scope, self._door.cookie)
        try:
            standing = await asyncio.to_thread(self._standing, visit)
            ruling = self._door.rule(visit, standing)
        except StoreError as error:
            _LOG.error("store_refused", path_open=is_open(visit.path), exc_info=error)
            await self._turn_away(_STORE_FAILED, scope, receive, send)
            return
        scope.setdefault("state", {})[VISITOR] = self._door.visitor(visit, standing)
        if ruling == "in":
            await self._let_in(visit, scope, receive, send)
        elif ruling == "barred" and scope["type"] == "http" and scope["method"] == "GET":
            aside = {**scope, "path": BARRED, "raw_path": BARRED.encode(), "query_string": b""}
            await self._app(aside, receive, self._adding(send))
        else:
            await self._turn_away(_answer(ruling, visit.path), scope, receive, send)

    async def _let_in(self, visit: Visit, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._app(scope, _Watched(self, visit, receive, _shutting(send)), send)
            return
        if visit.path.startswith(SOCKET):
            receive = _Watched(self, visit, receive, _gone)
        elif not (visit.path.startswith(_BY_ITSELF) or is_open(visit.path)):
            await self.note(visit)
        await self._app(scope, receive, self._adding(send))

    async def lets_in(self, visit: Visit) -> bool:
        """Whether somebody who is in would be let in now. Raises StoreError."""
        standing = await asyncio.to_thread(self._book.standing, visit.ticket)
        return self._door.rule(visit, standing) == "in"

    async def note(self, visit: Visit) -> None:
        """Somebody did something."""
        if visit.ticket is not None:
            try:
                await asyncio.to_thread(self._book.note, visit.ticket)
            except StoreError:
                _LOG.warning("session_not_noted")

    def _standing(self, visit: Visit) -> Standing:
        # Open addresses are answered without the store, health among them.
        return Standing(named=True) if is_open(visit.path) else self._book.standing(visit.ticket)

    async def _turn_away(
        self, answer: Response, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send(_SHUT)
        else:
            await answer(scope, receive, self._adding(send))

    def _adding(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.setdefault("headers", [])
                names = {name.lower() for name, _ in given}
                given.extend((n, v) for n, v in self._headers if n not in names)
            await send(message)

        return sending


class _Watched:
    """What an open page sends, for as long as its session lasts."""

    def __init__(self, guard: Guard, visit: Visit, receive: Receive, shut: Receive) -> None:
        """shut: lets go of the caller, and says to the app that they are gone."""
        self._guard = guard
        self._visit = visit
        self._receive = receive
        self._shut = shut
        self._looked_s = self._good_s = time.monotonic()
        self._noted_s = -_NOTE_EVERY_S

    async def __call__(self) -> Message:
        """The next message, or the end."""
        waiting = asyncio.ensure_future(self._receive())
        try:
            while True:
                left_s = max(0.0, self._looked_s + LOOK_EVERY_S - time.monotonic())
                done, _ = await asyncio.wait({waiting}, timeout=left_s)
                if time.monotonic() - self._looked_s >= LOOK_EVERY_S and not await self._lasts():
                    return await self._shut()
                if done:
                    message = waiting.result()
                    await self._heard(message)
                    return message
        finally:
            if not waiting.done():
                waiting.cancel()

    async def _lasts(self) -> bool:
        self._looked_s = time.monotonic()
        try:
            lasts = await self._guard.lets_in(self._visit)
        except StoreError:
            return self._looked_s - self._good_s < _PATIENCE_S
        self._good_s = self._looked_s
        return lasts

    async def _heard(self, message: Message) -> None:
        now_s = time.monotonic()
        if now_s - self._noted_s >= _NOTE_EVERY_S and _tells_of_somebody(message):
            self._noted_s = now_s
            await self._guard.note(self._visit)


def _shutting(send: Send) -> Receive:
    async def shut() -> Message:
        await send(_SHUT)
        return {"type": "websocket.disconnect", "code": 1008}

    return shut


async def _gone() -> Message:
    return {"type": "http.disconnect"}


def _tells_of_somebody(message: Message) -> bool:
    text = message.get("text")
    raw = text.encode() if text else message.get("bytes") or message.get("body") or b""
    return _EVENT in raw[:64]


_STORE_FAILED: Final = PlainTextResponse(
    "The store does not answer; try again in a moment. The reason is in the console's log.\n", 503
)


def _answer(ruling: Ruling, path: str) -> Response:
    if ruling == "login":
        return RedirectResponse(f"/login?to={quote(path)}" if path != "/" else "/login", 303)
    if ruling == "choose":
        return RedirectResponse(PASSWORD, 303)
    if ruling == "foreign":
        return PlainTextResponse("Another site's page may not act in the console.\n", 403)
    if ruling == "barred":
        return PlainTextResponse("This is not for your role; ask an operator.\n", 403)
    return PlainTextResponse(
        "The console lets in only the machine it runs on, called by its own name.\n"
        "To let staff in from elsewhere, give them names there: inhouse staff add NAME --role "
        "operator\n",
        403,
    )
