"""HTTP to vendors: one pool of connections, no redirects, answers of bounded size."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import aiohttp

_MOST_BYTES: Final = 8 * 1024 * 1024


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

    status: int
    headers: Mapping[str, str]  # names in lower case
    answer: aiohttp.ClientResponse

    async def whole(self) -> bytes:
        """All of the body, up to the bound on answers."""
        return await _read(self.answer)

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        return self.answer.content.iter_any()


class Transport:
    """Sends requests. Its session belongs to the loop that first used it, until `close`."""

    def __init__(self, connections: int = 64) -> None:
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def post(self, request: HttpRequest, timeout_ms: int) -> HttpResponse:
        """One attempt. Redirects are not followed: they would carry the key elsewhere."""
        started = perf_counter()
        try:
            async with self._open().post(
                request.url,
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_ms / 1000),
            ) as response:
                body = await _read(response)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return HttpResponse(
                    status=response.status,
                    headers=headers,
                    body=body,
                    latency_ms=_since(started),
                )
        except TimeoutError:
            return _nothing("timeout", started)
        except (aiohttp.ClientError, OSError):
            return _nothing("unreachable", started)

    @asynccontextmanager
    async def open(self, request: HttpRequest, timeout_ms: int) -> AsyncIterator[HttpStream]:
        """An answer that comes in pieces. `timeout_ms` bounds each wait, for the first piece and
        between two. Raises TimeoutError, aiohttp.ClientError or OSError."""
        wait_s = timeout_ms / 1000
        async with self._open().post(
            request.url,
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=wait_s, sock_read=wait_s),
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            yield HttpStream(status=response.status, headers=headers, answer=response)

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await asyncio.sleep(0)  # lets the transports notice before the loop ends

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, cut at a bound: a cut body is no JSON and so a bad answer."""
    pieces, size = [], 0
    async for piece in response.content.iter_chunked(64 * 1024):
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_BYTES:
            return b""
    return b"".join(pieces)


def _nothing(fault: str, started: float) -> HttpResponse:
    return HttpResponse(status=0, headers={}, body=b"", latency_ms=_since(started), fault=fault)


def _since(started: float) -> float:
    return (perf_counter() - started) * 1000
