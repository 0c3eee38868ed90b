"""One connection to a vendor: HTTP/1.1, one answer at a time, read as it comes.

The parser is `httptools`, the one that the server reads its own requests with. What is here is what
a client of a few vendors needs and no more: no redirects, no proxies, no cookies, no compression
(none is asked for). A general client takes longer for a call than all the rest of it.
"""

import asyncio
import contextlib
from typing import Final, cast

import httptools

_MOST_HEADER_BYTES: Final = 64 * 1024
_MOST_BUFFERED: Final = 256 * 1024  # of a stream that is not read; then the vendor waits
_INTERIM: Final = 200  # answers with a status below it come before the real one
_SWITCHED: Final = 101


class Connection(asyncio.Protocol):
    """A connection and the answer that comes on it. Made by `loop.create_connection`."""

    def __init__(self) -> None:
        self.status = 0  # of the present answer, once its headers are there
        self.headers: dict[str, str] = {}  # names in lower case
        self.idle_since = 0.0  # on the loop's clock, while nobody uses it
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._size = 0  # bytes in the pieces
        self._head_bytes = 0  # that came before the headers were complete
        self._header_bytes = 0  # of those that are complete
        self._begun = self._ended = True  # nothing is awaited
        self._fault: Exception | None = None
        self._keep = False  # whether the vendor takes another call on it
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._ended:  # nobody asked: whatever it is, it belongs to no answer of ours
            self.abort()
            return
        if not self._begun:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, ValueError) as error:
            self._fail(ValueError(f"the answer is no HTTP: {error}"))
            return
        if not self._begun and self._head_bytes > _MOST_HEADER_BYTES:
            self._fail(ValueError(f"headers of more than {_MOST_HEADER_BYTES} bytes"))
        elif self._size > _MOST_BUFFERED and not (self._paused or self._ended):
            self._pause()
        self._wake()

    def eof_received(self) -> bool:
        return False  # closes; `connection_lost` tells what that means

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport, self._keep = None, False
        if self._ended:
            return
        if exc is None and self._begun and self._ends_with_connection():
            self._ended = True
            self._wake()
        else:
            self._fail(exc or ConnectionError("closed before the answer's end"))

    # What the parser calls

    def on_message_begin(self) -> None:
        if self._ended:  # a second answer to one call
            raise ValueError("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + 4  # the colon and the end of the line
        if self._header_bytes > _MOST_HEADER_BYTES:
            raise ValueError("too many headers")
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status == _SWITCHED:
            raise ValueError("another protocol")
        if self.status >= _INTERIM:
            self._begun = True

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        if not self._begun:
            self.headers = {}
            return
        self._ended = True
        self._keep = self._parser.should_keep_alive()

    # What whoever calls the vendor calls

    @property
    def is_open(self) -> bool:
        """Whether another call may be sent on it."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_reusable(self) -> bool:
        """Whether the answer came to its end and the connection is good for another call."""
        good = self._keep and self._ended and self._fault is None
        return good and not self._paused and self.is_open

    def send(self, call: bytes) -> None:
        """Begin a call. The connection must be open and its last answer read to the end."""
        assert self._transport is not None
        self.status, self.headers, self._pieces, self._size = 0, {}, [], 0
        self._head_bytes = self._header_bytes = 0
        self._begun = self._ended = self._keep = False
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(call)

    async def whole(self, most_bytes: int, until: float) -> bytes:
        """The body; nothing where it is longer than `most_bytes`. Raises as `piece` does."""
        pieces, size = [], 0
        while (piece := await self.piece(until)) is not None:
            size += len(piece)
            if size > most_bytes:
                self.abort()
                return b""
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def head(self, until: float) -> None:
        """Wait for status and headers. Raises as `piece` does."""
        while not self._begun:
            await self._wait(until)

    async def piece(self, until: float) -> bytes | None:
        """What has come of the body since; None at its end. until: on the loop's clock.

        Raises TimeoutError, OSError where the connection breaks, ValueError where it is no HTTP.
        Whoever is cancelled while waiting loses nothing: the answer may be read on.
        """
        while not (self._begun and self._pieces):
            if self._ended and self._fault is None:
                return None
            await self._wait(until)
        found = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces, self._size = [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return found

    async def finish(self, until: float) -> None:
        """Read what is left, where it is known to be no more than the end."""
        with contextlib.suppress(OSError, ValueError):
            while await self.piece(until) is not None:
                pass

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._keep = False
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self, until: float) -> None:
        if self._fault is not None:
            raise self._fault
        self._waiter = waiter = self._loop.create_future()
        timer = self._loop.call_at(until, self._expire)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        """Where headers, a piece, the end or a fault is there."""
        waiter = self._waiter
        if waiter is not None and not waiter.done() and (self._begun or self._fault is not None):
            waiter.set_result(None)

    def _expire(self) -> None:
        self._fail(TimeoutError("no answer in time"))

    def _fail(self, fault: Exception) -> None:
        self._fault, self._ended = self._fault or fault, True
        self.abort()
        self._wake()

    def _pause(self) -> None:
        if self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _ends_with_connection(self) -> bool:
        """Whether nothing but the connection's end could tell the body's."""
        return not ("content-length" in self.headers or "transfer-encoding" in self.headers)
