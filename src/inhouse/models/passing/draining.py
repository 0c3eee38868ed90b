"""Answers whose caller has left, read on for what the vendor says at their end: the usage.

A vendor charges for what it made before it noticed that nobody listens, and tells how much that was
only to whoever stays. So an answer is read on for a while; then the vendor is let go, and the cost
of the attempt is an estimate. Both bounds are small: so many answers, so long each.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

MOST: Final = 256  # answers at once; beyond them vendors are let go at once


class Drains:
    """The answers that are being read on. One loop at a time."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, reading: Coroutine[Any, Any, None]) -> bool:
        """Read on in the background; False, and nothing is done, where too many are. `reading` is
        cancelled by `close`, and has to keep its row then too."""
        if len(self._tasks) >= self._most:
            reading.close()
            return False
        task = asyncio.ensure_future(reading)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def close(self) -> None:
        """Let all vendors go; their rows are kept."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
