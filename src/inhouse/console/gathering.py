"""Facts for pages: gathered in a thread, once for all who look, and kept for some seconds."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from inhouse.core.errors import InhouseError

T = TypeVar("T")
_REST: Final = 9.0  # times as long as gathering took


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered(Generic[T]):
    """Facts, or why there are none."""

    facts: T | None  # None where gathering failed and never worked before
    trouble: str | None = None  # what went wrong the last time


class Latest(Generic[T]):
    """The latest facts of one kind. Safe to use from several threads: one gathers, others wait.

    Facts that take long to gather are kept for longer, so that pages left open cost at most a
    tenth of a core however large the community is.
    """

    def __init__(
        self,
        gather: Callable[[], T],
        keep_s: float,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gather = gather
        self._keep_s = keep_s
        self._now_s = now_s
        self._lock = threading.Lock()
        self._kept: Gathered[T] = Gathered(facts=None)
        self._until_s = 0.0

    @property
    def kept(self) -> Gathered[T]:
        """What was gathered last, without gathering."""
        return self._kept

    def get(self) -> Gathered[T]:
        """Facts no older than `keep_s`; the ones before where the store does not answer."""
        with self._lock:
            began_s = self._now_s()
            if began_s >= self._until_s:
                self._kept = self._fresh()
                ended_s = self._now_s()
                self._until_s = ended_s + max(self._keep_s, _REST * (ended_s - began_s))
            return self._kept

    def _fresh(self) -> Gathered[T]:
        try:
            return Gathered(facts=self._gather())
        except InhouseError as error:
            return Gathered(facts=self._kept.facts, trouble=str(error))
