"""How long a thread waits for a server that says nothing.

A server that refuses is known at once. One whose machine stands still, or behind a line that was
cut, says nothing at all, and whoever waits for it waits for ever.
"""

import asyncio
import threading
from typing import Final

SERVING_S: Final = 2.0  # on a thread that serves others meanwhile
WRITING_S: Final = 120.0  # long enough for the largest write, and for others' before it
_own = threading.local()


def wait_at_most(seconds: float) -> None:
    """From now on this thread waits so long for each answer."""
    _own.seconds = seconds


def patience_s() -> float | None:
    """How long the calling thread waits for an answer; None: as long as it takes."""
    own: float | None = getattr(_own, "seconds", None)
    if own is not None:
        return own
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return None
    return SERVING_S
