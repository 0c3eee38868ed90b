"""HTTP/1.1 as the role `gateway` speaks it: `httptools` parses, calls are answered straight away,
and all else goes through ASGI.

A general server takes as long for a call as all that is done about it. Left out is what calls do
not need: WebSockets and other upgrades, bodies that are read while they come.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp, Message, Scope

from inhouse.api.middleware import BodyTooLargeError
from inhouse.core.logs import logger
from inhouse.models.providers.passing import Waiting

_MOST_HEAD_BYTES: Final = 64 * 1024
_MOST_WAITING: Final = 16  # requests on one connection that came before the first was answered
_IDLE_S: Final = 75.0  # so long a connection without a request is kept
_SLOW_S: Final = 60.0  # so long a request may take to come
_SWEEP_S: Final = 1.0
_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_LOG = logger("api")


@dataclass(slots=True)
class Inbound:
    """A request, complete."""

    method: bytes = b""
    target: bytes = b""  # path and query
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)  # names in lower case
    body: bytes = b""
    version: str = "1.1"
    keep_alive: bool = True
    too_large: bool = False  # its body is not all there, for it is more than is taken
    caller: Waiting = field(default_factory=Waiting)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """An answer that is there as a whole."""

    status: int
    headers: bytes  # lines, each with its end
    body: bytes


Handler = Callable[[Inbound], Awaitable[Ready | ASGIApp]]


class Site:
    """What the connections of a process share."""

    def __init__(self, handle: Handler, most_body_bytes: int, drain_s: float) -> None:
        """handle: finds the answer, or who gives it; cancelled when that takes longer than
        `drain_s` from when the caller left."""
        self.handle, self.most_body_bytes, self.drain_s = handle, most_body_bytes, drain_s
        self.connections: set[Caller] = set()
        self.is_ending = False  # connections close behind their answer
        self.date = b""
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep the date, and close connections that say nothing."""
        self.date = formatdate(usegmt=True).encode()
        self._sweeper = asyncio.ensure_future(self._sweep())

    async def end(self, grace_s: float) -> None:
        """Let those finish who are being answered, then close every connection."""
        self.is_ending = True
        for caller in list(self.connections):
            caller.close_if_idle()
        until = asyncio.get_running_loop().time() + grace_s
        while self.connections and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)
        tasks = [caller.abort() for caller in list(self.connections)]
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_S)
            self.date = formatdate(usegmt=True).encode()
            for caller in list(self.connections):
                caller.close_if_silent(loop.time())


class Caller(asyncio.Protocol):
    """One connection of a caller. Requests are answered one after another."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._reading = Inbound()  # what is still to come
        self._pieces: list[bytes] = []  # of its body
        self._size = 0
        self._heard_at = self._loop.time()  # since when it is idle or its request comes
        self._is_reading = False  # a request has begun and not ended
        self._waiting: deque[Inbound] = deque()
        self._task: asyncio.Task[None] | None = None
        self._sought: Inbound | None = None  # its answer is being found
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._room: asyncio.Future[None] | None = None  # while the caller reads too slowly

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._site.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._site.connections.discard(self)
        self._waiting.clear()
        if not self._lost.done():
            self._lost.set_result(None)
        self.resume_writing()
        if self._sought is not None:
            self._sought.caller.left = True
            self._loop.call_later(self._site.drain_s, self._stop_seeking)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # answered as what it is without, and no more after it
            self._reading.keep_alive = False
        except (httptools.HttpParserError, ValueError):
            self._refuse()

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # What the parser calls

    def on_message_begin(self) -> None:
        self._reading, self._pieces, self._size = Inbound(), [], 0
        self._is_reading, self._heard_at = True, self._loop.time()

    def on_url(self, url: bytes) -> None:
        self._reading.target += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._reading.headers.append((name.lower(), value))
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        self._size = 0
        if self._transport is None:
            return
        for name, value in self._reading.headers:
            if name == b"expect" and value.lower() == b"100-continue":
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._reading.too_large:
            return
        self._size += len(body)
        if self._size > self._site.most_body_bytes:  # answered at once, and the rest not waited for
            self._reading.too_large, self._pieces = True, []
            self._complete(keep_alive=False)
            return
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self._reading.too_large:
            return
        self._complete(keep_alive=self._parser.should_keep_alive())

    def _count(self, more: int) -> None:
        self._size += more
        if self._size > _MOST_HEAD_BYTES:
            raise ValueError("a head too large")

    def _complete(self, *, keep_alive: bool) -> None:
        request, pieces = self._reading, self._pieces
        request.method = self._parser.get_method()
        request.version = self._parser.get_http_version()
        request.keep_alive = keep_alive
        request.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._is_reading, self._pieces = False, []
        self._waiting.append(request)
        if self._task is None:
            self._next()
        elif len(self._waiting) > _MOST_WAITING:
            self._refuse()

    # Answering

    def _next(self) -> None:
        self._task = None
        if self._waiting and self._transport is not None:
            self._task = self._loop.create_task(self._serve(self._waiting.popleft()))
        else:
            self._heard_at = self._loop.time()
            if self._site.is_ending:
                self.close_if_idle()

    async def _serve(self, request: Inbound) -> None:
        try:
            self._sought = request
            found = await self._site.handle(request)
            self._sought = None
            if isinstance(found, Ready):
                self._write(request, found)
            else:
                await Exchange(self, request).run(found)
        except asyncio.CancelledError:
            self.abort()
        except Exception as error:  # noqa: BLE001 - one caller's connection ends, the others go on
            _LOG.error("connection_crashed", kind=type(error).__name__, exc_info=error)
            self.abort()
        finally:
            self._sought = None
            self._next()

    def _write(self, request: Inbound, ready: Ready) -> None:
        head = self.head(request, ready.status, ready.headers)
        self.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(ready.body), ready.body))
        self.end(request)

    def head(self, request: Inbound, status: int, headers: bytes) -> bytes:
        """The first lines, up to what says how long the body is."""
        close = b"" if self.stays(request) else b"connection: close\r\n"
        if request.version == "1.0" and not close:
            close = b"connection: keep-alive\r\n"
        reason = _REASONS.get(status, b"")
        return b"HTTP/1.1 %d %b\r\ndate: %b\r\n%b%b" % (
            status, reason, self._site.date, headers, close,
        )  # fmt: skip

    def stays(self, request: Inbound) -> bool:
        """Whether the connection stays open behind the answer."""
        return request.keep_alive and not self._site.is_ending

    def write(self, data: bytes) -> None:
        """Send, where there is still somebody."""
        if self._transport is not None:
            self._transport.write(data)

    def end(self, request: Inbound) -> None:
        """The answer is complete."""
        if self._transport is not None and not self.stays(request):
            self._transport.close()

    async def room(self) -> None:
        """Wait until the caller has read enough of what was sent."""
        if self._room is not None:
            await self._room

    async def lost(self) -> None:
        """Wait until the caller has left."""
        await asyncio.shield(self._lost)

    # Ending

    def _stop_seeking(self) -> None:
        """The caller left a while ago: there is no answer yet, and it is not waited for longer."""
        if self._sought is not None and self._task is not None:
            self._task.cancel()

    def close_if_idle(self) -> None:
        """Close where nothing is being asked or answered."""
        if self._task is None and not self._is_reading and self._transport is not None:
            self._transport.close()

    def close_if_silent(self, now: float) -> None:
        """Close where nobody has asked for long, or a request does not come to its end."""
        silent_s = now - self._heard_at
        if self._is_reading:
            if silent_s > _SLOW_S and self._task is None:
                self.abort()
        elif silent_s > _IDLE_S:
            self.close_if_idle()

    def abort(self) -> "asyncio.Task[None] | None":
        """Close at once. Returns what was under way."""
        if self._transport is not None:
            self._transport.abort()
        task = self._task
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        return task

    def _refuse(self) -> None:
        """What came is no HTTP, or too much of it."""
        if self._task is None:
            body = b'{"error":{"message":"not understood: expected HTTP/1.1","code":"bad_request"}}'
            request = Inbound(keep_alive=False)
            headers = b"content-type: application/json\r\n"
            self._write(request, Ready(status=400, headers=headers, body=body))
        elif self._transport is not None:
            self.abort()


class Exchange:
    """One request answered through ASGI."""

    def __init__(self, caller: Caller, request: Inbound) -> None:
        self._caller, self._request = caller, request
        self._is_read = False
        self._has_begun = self._is_chunked = self._has_ended = False
        self._start: Message = {}

    async def run(self, app: ASGIApp) -> None:
        """Have it answered. An app that breaks off in the middle takes the connection along."""
        await app(self._scope(), self._receive, self._send)
        if not self._has_ended:
            self._caller.abort()

    def _scope(self) -> Scope:
        request = self._request
        path, _, query = request.target.partition(b"?")
        if not path.startswith(b"/"):  # as to a proxy: the whole address
            with contextlib.suppress(httptools.HttpParserInvalidURLError):
                path = httptools.parse_url(request.target).path or b"/"
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": request.version,
            "method": request.method.decode("ascii"),
            "scheme": "http",
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": request.headers,
            "client": None,
            "server": None,
            "state": {},
        }

    async def _receive(self) -> Message:
        if self._request.too_large:
            raise BodyTooLargeError
        if not self._is_read:
            self._is_read = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        await self._caller.lost()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if not self._has_begun:
            self._begin(len(body), more=more)
        if self._request.method != b"HEAD" and body:
            self._caller.write(b"%x\r\n%b\r\n" % (len(body), body) if self._is_chunked else body)
        if not more:
            self._has_ended = True
            self._caller.write(b"0\r\n\r\n" if self._is_chunked else b"")
            self._caller.end(self._request)
        await self._caller.room()

    def _begin(self, length: int, *, more: bool) -> None:
        self._has_begun = True
        given = self._start.get("headers", [])
        lines = b"".join(b"%b: %b\r\n" % pair for pair in given)
        if not any(name == b"content-length" for name, _ in given):
            if not more:
                lines += b"content-length: %d\r\n" % length
            elif self._request.version == "1.1":
                self._is_chunked, lines = True, lines + b"transfer-encoding: chunked\r\n"
            else:
                self._request.keep_alive = False  # the connection's end is the body's
        head = self._caller.head(self._request, self._start["status"], lines)
        self._caller.write(head + b"\r\n")
