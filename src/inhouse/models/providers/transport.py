"""HTTP to vendors: kept connections, no redirects, answers of bounded size."""

import asyncio
import base64
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from inhouse.models.providers.connection import Connection

_MOST_BYTES: Final = 8 * 1024 * 1024
_MOST_IDLE: Final = 128  # connections kept to one vendor
_IDLE_S: Final = 30.0  # so long they are kept; vendors close theirs after a minute or more
_END_S: Final = 0.1
_MOST_HEADS: Final = 1_024
_IN_ADDRESSES: Final = "/%:@!$&'()*+,;=-._~?"  # what stands for itself in a path and behind it
_ALWAYS: Final = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "inhouse"}
_BREAKS: Final = frozenset("\r\n\0")


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpRequest:
    """A POST to a vendor."""

    url: str
    headers: Mapping[str, str]  # hold the key: never logged
    body: bytes  # JSON


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpResponse:
    """What came back, or why nothing did."""

    status: int  # 0 where there was no answer
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    latency_ms: float
    fault: str = ""  # timeout or unreachable, where status is 0


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpStream:
    """An answer whose body is still to come."""

    connection: Connection
    wait_s: float  # longest between two pieces

    @property
    def status(self) -> int:
        return self.connection.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        return self.connection.headers

    async def whole(self) -> bytes:
        """All of the body, up to the bound on answers."""
        return await self.connection.whole(_MOST_BYTES, self._until())

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises TimeoutError, OSError or ValueError."""
        while (piece := await self.connection.piece(self._until())) is not None:
            yield piece

    async def finish(self) -> None:
        """The last piece was heard: wait a moment for the end behind it, so that the connection is
        good for another call."""
        await self.connection.finish(asyncio.get_running_loop().time() + _END_S)

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self.wait_s


@dataclass(frozen=True, kw_only=True, slots=True)
class _Origin:
    """Whom to connect to."""

    host: str
    port: int
    secure: bool


class Transport:
    """Sends requests. Its connections belong to the loop that first used it, until `close`.

    A call is never sent twice: a kept connection that the vendor has closed is seen to be closed
    before anything is sent on it; one that closes afterwards is an attempt that failed, for whoever
    asks to count and to repeat. Redirects are not followed: they would carry the key elsewhere.
    """

    def __init__(self) -> None:
        self._idle: dict[_Origin, deque[Connection]] = {}
        self._heads: dict[tuple[object, ...], tuple[_Origin, bytes]] = {}
        self._tls: ssl.SSLContext | None = None

    async def post(self, request: HttpRequest, timeout_ms: int) -> HttpResponse:
        """One attempt."""
        started = perf_counter()
        until = asyncio.get_running_loop().time() + timeout_ms / 1_000
        try:
            origin, call = self._call(request)
            connection = await self._connected(origin, until)
            try:
                connection.send(call)
                body = await connection.whole(_MOST_BYTES, until)
            finally:
                self._give_back(origin, connection)
        except TimeoutError:
            return _nothing("timeout", started)
        except (OSError, ValueError):
            return _nothing("unreachable", started)
        return HttpResponse(
            status=connection.status,
            headers=connection.headers,
            body=body,
            latency_ms=_since(started),
        )

    @asynccontextmanager
    async def open(self, request: HttpRequest, timeout_ms: int) -> AsyncIterator[HttpStream]:
        """An answer that comes in pieces. `timeout_ms` bounds each wait, for the first piece and
        between two. What is not read to its end when the context ends is cut. Raises TimeoutError,
        OSError or ValueError."""
        wait_s = timeout_ms / 1_000
        until = asyncio.get_running_loop().time() + wait_s
        origin, call = self._call(request)
        connection = await self._connected(origin, until)
        try:
            connection.send(call)
            await connection.head(until)
            yield HttpStream(connection=connection, wait_s=wait_s)
        finally:
            self._give_back(origin, connection)

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        kept, self._idle = self._idle, {}
        for connections in kept.values():
            for connection in connections:
                connection.abort()
        await asyncio.sleep(0)  # lets the transports notice before the loop ends

    def _call(self, request: HttpRequest) -> tuple[_Origin, bytes]:
        """Whom to, and all that is sent. The head differs between calls only in the length."""
        key = (request.url, *request.headers.items())
        known = self._heads.get(key)
        if known is None:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            known = self._heads[key] = _head(request)
        origin, head = known
        return origin, b"%b%d\r\n\r\n%b" % (head, len(request.body), request.body)

    async def _connected(self, origin: _Origin, until: float) -> Connection:
        loop = asyncio.get_running_loop()
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_open and loop.time() - connection.idle_since < _IDLE_S:
                return connection
            connection.abort()
        async with asyncio.timeout_at(until):
            _, connection = await loop.create_connection(
                Connection, origin.host, origin.port, ssl=self._trust() if origin.secure else None
            )
        return connection

    def _give_back(self, origin: _Origin, connection: Connection) -> None:
        """Keep it for the next call where it is good for one; else close it."""
        if not connection.is_reusable:
            connection.abort()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        idle = self._idle.setdefault(origin, deque())
        idle.append(connection)
        oldest = idle[0]
        if len(idle) > _MOST_IDLE or connection.idle_since - oldest.idle_since > _IDLE_S:
            idle.popleft().abort()

    def _trust(self) -> ssl.SSLContext:
        """The system's own certificates."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _head(request: HttpRequest) -> tuple[_Origin, bytes]:
    """The request's first lines, up to the length. Raises ValueError where they cannot be sent."""
    parts = urlsplit(request.url)
    secure, host = parts.scheme == "https", parts.hostname
    if not host:
        raise ValueError("an address without a host")
    origin = _Origin(host=host, port=parts.port or (443 if secure else 80), secure=secure)
    path = quote(parts.path or "/", safe=_IN_ADDRESSES)
    if parts.query:
        path += f"?{quote(parts.query, safe=_IN_ADDRESSES)}"
    host_header = parts.netloc.rpartition("@")[2]
    headers = {"host": host_header, **_ALWAYS, **request.headers}
    if parts.username and "authorization" not in headers:
        name = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["authorization"] = f"Basic {base64.b64encode(name.encode()).decode()}"
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if any(_BREAKS & set(line) for line in lines):
        raise ValueError("a header of more than one line")
    return origin, "\r\n".join((*lines, "content-length: ")).encode("latin-1")


def _nothing(fault: str, started: float) -> HttpResponse:
    return HttpResponse(status=0, headers={}, body=b"", latency_ms=_since(started), fault=fault)


def _since(started: float) -> float:
    return (perf_counter() - started) * 1_000
