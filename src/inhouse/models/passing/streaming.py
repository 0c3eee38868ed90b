"""Answers in pieces on their way to a caller."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Protocol

from inhouse.core.errors import VendorError
from inhouse.models.passing.draining import Drains
from inhouse.models.passing.passages import Passage, chat_of
from inhouse.models.ports import Hearing, Watchful
from inhouse.models.providers.azure import spillover_of
from inhouse.models.providers.faults import Opened
from inhouse.models.providers.passing import Event, Events
from inhouse.models.providers.wire import Reading


class Home(Protocol):
    """Whoever sent the call; see `passer.Passer`."""

    drains: Drains

    @property
    def drain_s(self) -> float: ...

    def tell(self, passage: Passage, *, answered: bool) -> None: ...

    def hearing(self, passage: Passage) -> Hearing | None: ...

    def guard_of(self, passage: Passage) -> Watchful: ...

    async def keep(self, passage: Passage, reading: Reading, pieces: int = 0) -> None: ...


class PassedStream:
    """An answer in pieces, of which the first is there."""

    def __init__(
        self, passer: Home, passage: Passage, opened: Opened, stack: AsyncExitStack
    ) -> None:
        self.deployment = passage.deployment.name
        self.standing = None if passage.lease is None else passage.lease.standing
        self._passer, self._passage, self._stack = passer, passage, stack
        self._opened, self._cutter = opened, Events()
        self._events = self._read()
        self._first: Event | None = None
        self._pieces = 0  # that told something else than usage
        self._hearing = passer.hearing(passage)
        # What is kept where nobody reads to the end.
        self._reading = Reading(outcome="aborted", spillover=spillover_of(opened.headers))

    async def begin(self) -> bool:
        """Wait for the first event; False where there is none, or it tells of an error."""
        self._first = await anext(self._events, None)
        if self._first is None or self._first.failed:
            await self._events.aclose()
            return False
        return True

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """What goes to the caller. Raises VendorError where the answer does not come to its end."""
        event: Event | None = self._first
        try:
            while event is not None:
                self._note(event)
                if not event.only_usage or self._passage.call.wants_usage:
                    yield event.raw
                if event.last:
                    self._reading = replace(self._reading, outcome="ok")
                    return
                if event.failed:
                    break
                event = await anext(self._events, None)
        except (TimeoutError, OSError, ValueError):
            event = None
        self._reading = replace(self._reading, outcome="broken")
        if event is None:
            raise VendorError(
                f"the answer of {self.deployment} broke off before its end; ask again"
            )

    async def close(self) -> None:
        """Keep the row and let the vendor go, at once or, where the caller left before the usage
        was told, once it is. To be called once, however it ended."""
        reading = self._reading
        left = reading.outcome == "aborted" and reading.usage is None
        if not (left and self._passer.drain_s > 0 and self._passer.drains.begin(self._drain())):
            await self._end()

    async def _drain(self) -> None:
        """Read on, with nobody to pass it to."""
        try:
            async with asyncio.timeout(self._passer.drain_s):
                for _ in range(2):
                    async for event in self._events:
                        self._note(event)
                        if event.last or event.failed:
                            return
                    self._events = self._read()  # the caller's leaving may have ended the first
        except (TimeoutError, OSError, ValueError):
            pass
        finally:
            await asyncio.shield(asyncio.ensure_future(self._end()))

    async def _end(self) -> None:
        await self._events.aclose()
        if self._reading.outcome == "ok":
            await self._opened.finish()
        await self._stack.aclose()
        if self._reading.outcome != "aborted":
            self._passer.tell(self._passage, answered=self._reading.outcome == "ok")
        await self._passer.keep(self._passage, self._reading, self._pieces)
        if self._hearing is not None and self._reading.outcome == "ok":
            self._hearing.done()

    def _note(self, event: Event) -> None:
        if self._hearing is not None:
            self._hearing.hear(event.raw)
        if event.usage is not None:
            self._reading = replace(self._reading, usage=event.usage)
        self._pieces += not (event.only_usage or event.last or event.failed)

    async def _read(self) -> AsyncGenerator[Event, None]:
        async for piece in self._opened.pieces():
            for event in self._cutter.feed(piece):
                yield event


class JudgedStream(PassedStream):
    """The same, judged before it is passed on (see `Guard.passed`)."""

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        guard = self._passer.guard_of(self._passage)
        async with aclosing(super().pieces()) as pieces:
            async for piece in guard.passed(chat_of(self._passage), pieces):
                yield piece
