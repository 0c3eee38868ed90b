"""Vendors that are cut off on purpose: the one place where calls are made to fail.

Every request to a vendor goes over a `Line`. While a `Switch` says that the vendor is cut off, the
line answers in its stead, and nothing is sent:

refused      no connection
slow         no answer within the time there is
429          too many requests, come back in five seconds
wrong        200, but a page of HTML: not what was asked for
mid-stream   the connection is cut behind the first piece of a stream, and within other answers

Models that this machine runs are no vendor's to cut off, whoever made them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, Literal, get_args

from inhouse.core.clock import SystemClock
from inhouse.models.providers.transport import HttpRequest, HttpResponse, HttpStream, Transport
from inhouse.models.types import INHOUSE, LOCAL, Answer, Deployment, Layer, TaskInput

Fault = Literal["refused", "slow", "429", "wrong", "mid-stream"]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
_CLOCK: Final = SystemClock()  # a drill is real, whatever time the community lives in
_WRONG: Final = b"<!doctype html><title>Welcome</title>"
_FULL: Final = b'{"error":{"message":"too many requests","code":"rate_limit_exceeded"}}'
_RETRY: Final[Mapping[str, str]] = {"retry-after": "5"}
# Begins an answer without a word that nobody said.
_FIRST_PIECE: Final = (
    b'data: {"id":"cut","object":"chat.completion.chunk","created":0,"model":"",'
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """A vendor that is cut off."""

    vendor: str  # its name in that layer
    layer: Layer  # whether those it runs are meant, or those it made
    fault: Fault
    until_ms: int | None = None  # by the system's time; None until somebody says otherwise

    def hits(self, deployment: Deployment) -> bool:
        """Whether a deployment is among those that cannot be reached."""
        if deployment.host in (INHOUSE, LOCAL):
            return False
        return self.vendor == (deployment.host if self.layer == "host" else deployment.owner)

    def is_on(self) -> bool:
        """Whether its time is not up yet."""
        return self.until_ms is None or _CLOCK.now_ms() < self.until_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """A call that came to its end, answered or not."""

    task: str  # or the service, where it was passed on
    inputs: Sequence[TaskInput]  # that were to be judged; none where it was passed on
    answers: Mapping[str, Answer]  # by ref
    asked: int  # inputs, or 1
    answered: int  # of them
    tried: tuple[Deployment, ...]  # whoever was sent a request, in turn, retries too
    failed: tuple[Deployment, ...]  # of them, those whose answer could not be used
    latency_ms: float  # of the whole call


@dataclass(kw_only=True)
class Switch:
    """What is cut off in this process at the moment: nothing, unless somebody sets a cut."""

    cut: Cut | None = None
    listens: bool = field(default=False, init=False)  # whether it wants to hear of calls

    def fault_of(self, deployment: Deployment) -> Fault | None:
        """How a request to it fails; None where it goes through."""
        cut = self.cut
        return cut.fault if cut is not None and cut.hits(deployment) and cut.is_on() else None

    def is_stale(self) -> bool:
        """Whether `look` is to be called before the next request."""
        return False

    async def look(self) -> None:
        """Find out what is cut off now."""

    def hear(self, heard: Heard) -> None:
        """Be told of a call; only where it `listens`."""

    async def close(self) -> None:
        """Let go of whatever it holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CutStream:
    """What is there of an answer that was cut, instead of an `HttpStream`."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    breaks: bool  # behind the body, instead of ending

    async def whole(self) -> bytes:
        """The body, as far as it came."""
        return self.body

    async def finish(self) -> None:
        """As `HttpStream.finish`: no connection waits to be used again."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """The one piece that there is."""
        yield self.body
        if self.breaks:
            raise ConnectionError("cut off")


Opened = HttpStream | CutStream


class Line:
    """A transport to one deployment that a switch may cut."""

    def __init__(self, transport: Transport, deployment: Deployment, switch: Switch) -> None:
        self._transport = transport
        self._deployment = deployment
        self._switch = switch

    def post(self, request: HttpRequest, timeout_ms: int) -> Awaitable[HttpResponse]:
        """As `Transport.post`."""
        fault = self._switch.fault_of(self._deployment)
        if fault is None:
            return self._transport.post(request, timeout_ms)
        return _failed_post(fault, timeout_ms)

    def open(self, request: HttpRequest, timeout_ms: int) -> AbstractAsyncContextManager[Opened]:
        """As `Transport.open`."""
        fault = self._switch.fault_of(self._deployment)
        if fault is None:
            return self._transport.open(request, timeout_ms)
        return _failed_stream(fault, timeout_ms)

    async def close(self) -> None:
        await self._transport.close()


async def _failed_post(fault: Fault, timeout_ms: int) -> HttpResponse:
    started = perf_counter()
    if fault == "slow":
        await asyncio.sleep(timeout_ms / 1000)
    status, headers, body = _answer(fault)
    return HttpResponse(
        status=status,
        headers=headers,
        body=body,
        latency_ms=(perf_counter() - started) * 1000,
        fault="" if status else "timeout" if fault == "slow" else "unreachable",
    )


def _answer(fault: Fault) -> tuple[int, Mapping[str, str], bytes]:
    if fault == "429":
        return 429, _RETRY, _FULL
    return (200, {}, _WRONG) if fault == "wrong" else (0, {}, b"")


@asynccontextmanager
async def _failed_stream(fault: Fault, timeout_ms: int) -> AsyncIterator[Opened]:
    if fault == "slow":
        await asyncio.sleep(timeout_ms / 1000)
        raise TimeoutError
    if fault == "refused":
        raise ConnectionRefusedError
    status, headers, body = _answer(fault)
    if fault == "mid-stream":
        status, body = 200, _FIRST_PIECE
    yield CutStream(status=status, headers=headers, body=body, breaks=fault == "mid-stream")
