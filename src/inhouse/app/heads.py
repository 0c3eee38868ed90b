"""Connections on which a request's head is bounded in size and in time.

The server that inhouse runs in reads a head of any length, for as long as it takes: one client
could fill the memory, or hold a thousand connections open for nothing.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_BYTES: Final = 64 * 1_024
_MOST_S: Final = 20.0  # from a head's first byte, or the connection, to its end


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's own, given as its `http`."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._in_head = True
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        if self._head_bytes > _MOST_BYTES:
            self.send_400_response(f"The request's head is larger than {_MOST_BYTES} bytes.")
        elif self._head_bytes and self._deadline is None:
            self._expect()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(_MOST_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()
