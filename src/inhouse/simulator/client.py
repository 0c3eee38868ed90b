"""The server as seen by the simulator: a few calls over HTTP that survive its restarts."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from inhouse.core.errors import AccessError, InhouseError, InputError, UnknownError
from inhouse.core.logs import logger
from inhouse.core.random import stream

FIRST_WAIT_S: Final = 0.1  # before the first retry; doubled each time
LONGEST_WAIT_S: Final = 4.0
REQUEST_TIMEOUT_S: Final = 60.0
BATCH_ROWS: Final = 500  # users or items in one request
TRANSIENT: Final = frozenset((408, 429, 500, 502, 503, 504))

Row = Mapping[str, object]
T = TypeVar("T")
_LOG: Final = logger("simulator")


class StoppedError(InhouseError):
    """The simulator was told to stop while the server did not answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedPlace:
    """One place of a served page."""

    item_id: str
    label: str | None = None  # warn or age_gate


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedPage:
    """A served page, as far as the simulator reads it."""

    page_id: str
    at_ms: int  # by the server's clock
    items: list[FeedPlace]
    arms: dict[str, str] = field(default_factory=dict)  # experiment -> arm


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counts:
    """What the server says of a batch."""

    rejected: list[Any] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Nothing:
    """An answer that is not looked at."""


class Api:
    """Use as `async with`. Every call retries until it succeeds, is refused, or time is up."""

    def __init__(self, *, url: str, key: str, stop: asyncio.Event, retry_s: float) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._stop = stop
        self._retry_s = retry_s
        self._jitter = stream(0, "back-off")
        self._decoders: dict[type, msgspec.json.Decoder[Any]] = {}
        self._session: aiohttp.ClientSession | None = None
        self.rejected = 0  # rows the server did not take, so far

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._key}", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def wait_until_ready(self) -> None:
        """Return once the server answers its readiness check."""
        await self._call("GET", "/readyz", None, _Nothing)

    async def put_users(self, rows: Sequence[Row]) -> None:
        """Create or overwrite people."""
        await self._put("users", rows)

    async def put_items(self, rows: Sequence[Row]) -> None:
        """Create or overwrite posts."""
        await self._put("items", rows)

    async def knows_item(self, item_id: str) -> bool:
        """Whether the server has the post."""
        try:
            await self._call("GET", f"/v1/items/{item_id}", None, _Nothing)
        except UnknownError:
            return False
        return True

    async def send_events(self, rows: Sequence[Row]) -> None:
        """Append events; sent again after a failure, they count once by their ids."""
        counts = await self._call("POST", "/v1/events", {"events": rows}, _Counts)
        self._note_rejected("events", counts)

    async def report(self, row: Row) -> None:
        """Report a post as harmful."""
        await self._call("POST", "/v1/reports", row, _Nothing)

    async def feed(self, user_id: str, n: int) -> FeedPage:
        """A page of the person's feed."""
        return await self._call("GET", f"/v1/feed/{user_id}?n={n}&detail=false", None, FeedPage)

    async def _put(self, name: str, rows: Sequence[Row]) -> None:
        for first in range(0, len(rows), BATCH_ROWS):
            body = {name: rows[first : first + BATCH_ROWS]}
            self._note_rejected(name, await self._call("POST", f"/v1/{name}", body, _Counts))

    def _note_rejected(self, name: str, counts: _Counts) -> None:
        if counts.rejected:
            self.rejected += len(counts.rejected)
            _LOG.warning("rows_rejected", kind=name, count=len(counts.rejected))

    async def _call(
        self, method: str, path: str, body: Mapping[str, object] | None, kind: type[T]
    ) -> T:
        data = None if body is None else msgspec.json.encode(body)
        give_up_at = time.monotonic() + self._retry_s
        wait_s = FIRST_WAIT_S
        while True:
            problem = await self._attempt(method, path, data)
            if isinstance(problem, bytes):
                return self._decoded(problem, kind)
            if time.monotonic() > give_up_at:
                raise InhouseError(
                    f"{method} {self._url}{path.partition('?')[0]} failed for {self._retry_s:g} s "
                    f"({problem}); start the server or give another --api"
                )
            await self._pause(wait_s * float(self._jitter.uniform(0.5, 1.0)))
            wait_s = min(2.0 * wait_s, LONGEST_WAIT_S)

    async def _attempt(self, method: str, path: str, data: bytes | None) -> bytes | str:
        """The answer's body, or what went wrong where a retry may help."""
        if self._session is None:
            raise InhouseError("the client is closed; use it as `async with`")
        headers = {} if data is None else {"Content-Type": "application/json"}
        try:
            async with self._session.request(
                method, URL(self._url + path, encoded=True), data=data, headers=headers
            ) as response:
                content = await response.read()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
            return type(error).__name__
        if response.status < 300:
            return content
        if response.status in TRANSIENT:
            return f"HTTP {response.status}"
        message = f"{method} {path.partition('?')[0]} was refused: HTTP {response.status}"
        if response.status in (401, 403):
            raise AccessError(f"{message}; give --key one with all scopes it needs")
        if response.status == 404:
            raise UnknownError(message)
        raise InputError(f"{message}: {content[:300].decode('utf-8', 'replace')}")

    async def _pause(self, seconds: float) -> None:
        if self._stop.is_set():
            raise StoppedError("stopped while the server did not answer")
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
        raise StoppedError("stopped while the server did not answer")

    def _decoded(self, content: bytes, kind: type[T]) -> T:
        decoder = self._decoders.setdefault(kind, msgspec.json.Decoder(kind))
        try:
            answer: T = decoder.decode(content or b"{}")
        except msgspec.DecodeError as error:
            raise InhouseError(f"the server's answer is not what was agreed: {error}") from error
        return answer
