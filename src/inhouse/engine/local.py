"""Work in processes of this machine."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

from inhouse.core.errors import WorkError
from inhouse.engine.ports import in_order

A = TypeVar("A")
R = TypeVar("R")


class LocalExecutor:
    """A pool of fresh processes (spawned, since a forked one would inherit threads and locks)."""

    def __init__(self, workers: int = 0) -> None:
        count = workers or os.cpu_count() or 1
        self._in_flight = 2 * count
        self._pool = ProcessPoolExecutor(
            count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_leave_interrupts_to_the_parent,
        )

    def map(self, function: Callable[[A], R], items: Iterable[A]) -> Iterator[R]:
        """See `Executor.map`."""
        futures = in_order(lambda item: self.submit(function, item), items, self._in_flight)
        for index, future in enumerate(futures):
            try:
                result = future.result()
            except Exception as error:
                raise WorkError(index, error) from error
            yield result

    def submit(self, function: Callable[[A], R], item: A) -> "Future[R]":
        """See `Executor.submit`."""
        return self._pool.submit(function, item)

    def close(self) -> None:
        """See `Executor.close`."""
        self._pool.shutdown()


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
