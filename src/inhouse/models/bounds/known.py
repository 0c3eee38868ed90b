"""What lies in the store, changes seldom, and is asked for with every call."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_OLD_S: Final = 2.0  # nothing older is used: so soon a process hears of a change
_AGING_S: Final = 1.0  # from here on it is read anew beside those who use it


class Known(Generic[T]):
    """A value as of at most two seconds ago. For one loop.

    Calls do not wait for it, but for the first and those behind a pause: who finds it aging has it
    read on a thread and goes on with what there is.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        """read: blocking; may raise, and then whoever needs the value hears of it."""
        self._read = read
        self._value: T | None = None
        self._at = -_OLD_S
        self._reading: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """The value. Raises what reading raises, where there is none young enough."""
        age_s = monotonic() - self._at
        if self._value is not None and age_s < _OLD_S:
            if age_s > _AGING_S:
                self._begin()
            return self._value
        return await asyncio.shield(self._begin())

    def _begin(self) -> "asyncio.Task[T]":
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(self._anew())
            self._reading.add_done_callback(_heard)
        return self._reading

    async def _anew(self) -> T:
        at = monotonic()
        value = await asyncio.to_thread(self._read)
        self._value, self._at = value, at
        return value


def _heard(done: "asyncio.Task[T]") -> None:
    """A failure beside everybody is told to whoever needs the value next."""
    if not done.cancelled():
        done.exception()
