"""Pages are made one after another, in the order in which they were asked for."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inhouse.app.feeds.shedding import Shedder
from inhouse.recommend.levels import Level


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """Leave to make one page."""

    level: Level  # how much to leave out of it
    waited_s: float  # since the request arrived


class Turns:
    """The queue for the one thread that makes pages.

    Without it requests would wait unseen: all that arrive while a page is made would have theirs
    made before the loop reads the next socket. Between two turns the loop reads sockets and
    answers others, so an arrival is noticed within about one page's time, and its wait is known.
    """

    def __init__(self, shedder: Shedder) -> None:
        self.shedder = shedder
        self._lock = asyncio.Lock()  # whoever waits longest is next
        self._waiting = 0

    def retry_after_s(self) -> int | None:
        """Hear of an arrival; seconds after which to ask again where it would wait too long.

        That is where nothing is left to leave out and the wait would be longer than people wait.
        """
        self.shedder.arrived()
        if not self.shedder.is_hopeless(self._waiting):
            return None
        return math.ceil(self.shedder.wait_s(self._waiting))

    @asynccontextmanager
    async def next(self, arrived_s: float) -> AsyncIterator[Turn]:
        """Wait for a turn; the next one begins when the loop has gone round after the block.

        arrived_s: by `time.perf_counter`.
        """
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        try:
            waited_s = time.perf_counter() - arrived_s
            yield Turn(level=self.shedder.turn(waited_s), waited_s=waited_s)
        finally:
            # Not at once: whoever is next in this round of the loop would not wait for a new one.
            asyncio.get_running_loop().call_soon(self._lock.release)
