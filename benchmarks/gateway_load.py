"""The two ends of the benchmark `gateway`: a vendor that answers at once, and callers.

Both are bare protocols, so that two of them on one core are not what is measured.
"""

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import httptools
import uvloop

BODY: Final = b'{"model":"main","messages":[{"role":"user","content":"Say hello to everybody."}]}'
STREAM: Final = BODY[:-1] + b',"stream":true}'
_ANSWER: Final = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":'
    b'[{"index":0,"message":{"role":"assistant","content":"Hello, everybody."},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":5,'
    b'"total_tokens":17}}'
)
_WHOLE: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\n"
    b"openai-processing-ms: 1\r\nopenai-version: 2020-10-01\r\ncontent-length: %d\r\n\r\n%b"
    % (len(_ANSWER), _ANSWER)
)
_BEGIN: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_PIECE: Final = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini",'
    b'"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
)
_END: Final = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini",'
    b'"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":40,"total_tokens":52}}\n\n'
    b"data: [DONE]\n\n"
)
PIECES: Final = 40
PAUSE_S: Final = 0.05
_WORD: Final = b'"word "'
LATE_S: Final = 0.2  # four words' time: a stream that is so far behind its vendor has stalled


class _Vendor(asyncio.Protocol):
    """Answers at once; a stream comes as forty words, twenty a second."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._streamed = False
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._streamed = self._streamed or b'"stream":true' in body or b'"stream": true' in body

    def on_message_complete(self) -> None:
        if not self._streamed:
            self._transport.write(_WHOLE)
            return
        self._streamed = False
        task = asyncio.ensure_future(self._stream())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        for task in self._tasks:
            task.cancel()

    async def _stream(self) -> None:
        self._transport.write(_BEGIN)
        for _ in range(PIECES):
            self._transport.write(_chunk(_PIECE))
            await asyncio.sleep(PAUSE_S)
        self._transport.write(_chunk(_END) + b"0\r\n\r\n")


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def upstream(port: int) -> None:
    """Be the vendor on that port until killed."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(_Vendor, "127.0.0.1", port)
        await server.serve_forever()

    uvloop.run(run())


class _Caller(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, request: bytes, turns: Iterator[int], took: list[float]) -> None:
        self._request, self._turns, self._took = request, turns, took
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status != 200 and not self.done.done():
            self.done.set_exception(RuntimeError(f"answered {status}"))
            return
        self._took.append(time.perf_counter() - self._started)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("closed by the gateway"))

    def _ask(self) -> None:
        if next(self._turns, None) is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._started = time.perf_counter()
        self._transport.write(self._request)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One stream as it came."""

    asked_s: float  # when it was asked for
    words: Sequence[tuple[float, int]]  # when some came, and how many there were by then
    status: int = 200  # of the answer

    @property
    def whole(self) -> bool:
        """Whether it was answered, with all words."""
        return self.status == 200 and bool(self.words) and self.words[-1][1] >= PIECES

    @property
    def first_s(self) -> float:
        """Until the first word of a whole one, from the question on."""
        return self.words[0][0] - self.asked_s

    @property
    def at_once(self) -> int:
        """The most words that came together: more than one where the way through gathers them."""
        before = [0, *(count for _, count in self.words)]
        return max((b - a for a, b in pairwise(before)), default=0)

    @property
    def stalled(self) -> bool:
        """Whether a wait between words was far longer than the vendor takes for those that came at
        its end. The wait for the first word is told apart, and so are streams that are not whole.
        """
        waits = pairwise(self.words)
        return any(late - early - (b - a) * PAUSE_S > LATE_S for (early, a), (late, b) in waits)


class _Listener(asyncio.Protocol):
    """One stream, and when each of its words came."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.done: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._words: list[tuple[float, int]] = []
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._asked_s = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._rest += body
        fresh = self._rest.count(_WORD)
        if fresh:
            had = self._words[-1][1] if self._words else 0
            self._words.append((time.perf_counter(), had + fresh))
            self._rest = self._rest[self._rest.rindex(_WORD) + len(_WORD) :]

    def on_message_complete(self) -> None:
        if not self.done.done():
            status = self._parser.get_status_code()
            stream = Stream(asked_s=self._asked_s, words=self._words, status=status)
            self.done.set_result(stream)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("closed before the stream's end"))


def request_of(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """A whole request."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n{lines}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def calls(port: int, request: bytes, count: int, callers: int) -> list[float]:
    """So many calls from so many connections; the time of each in seconds."""

    async def run() -> list[float]:
        took: list[float] = []
        turns, loop = iter(range(count)), asyncio.get_running_loop()
        made = [
            (
                await loop.create_connection(
                    lambda: _Caller(request, turns, took), "127.0.0.1", port
                )
            )[1]
            for _ in range(callers)
        ]
        await asyncio.gather(*(caller.done for caller in made))
        return took

    return uvloop.run(run())


def streams_of(port: int, request: bytes, streams: int) -> list[Stream]:
    """So many streams at once."""

    async def run() -> list[Stream]:
        loop = asyncio.get_running_loop()
        made = [
            (await loop.create_connection(lambda: _Listener(request), "127.0.0.1", port))[1]
            for _ in range(streams)
        ]
        return await asyncio.gather(*(listener.done for listener in made))

    return uvloop.run(run())


if __name__ == "__main__":
    upstream(int(sys.argv[1]))
