"""Time. Every part asks a `Clock`; none reads the system's time by itself."""

import time
from typing import Final, Protocol

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS


class Clock(Protocol):
    """Milliseconds since 1970-01-01 UTC."""

    def now_ms(self) -> int: ...

    def advance(self, at_ms: int) -> None:
        """Hear of something that happened at `at_ms`; only a following clock cares."""


class SystemClock:
    """The machine's own time."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def advance(self, at_ms: int) -> None:
        """Events do not move the system's time."""


class FollowingClock:
    """The time of the latest event heard of, for replays and simulated communities.

    It never goes back: an event that arrives late leaves it where it is.
    """

    def __init__(self, start_ms: int = 0) -> None:
        self._now_ms = start_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance(self, at_ms: int) -> None:
        self._now_ms = max(self._now_ms, at_ms)


def clock_named(name: str) -> Clock:
    """`system` or `log` (see the setting `clock`)."""
    return SystemClock() if name == "system" else FollowingClock()
