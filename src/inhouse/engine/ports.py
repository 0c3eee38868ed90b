"""What an executor is: work goes in, results come out in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Protocol, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Executor(Protocol):
    """Runs plain functions elsewhere: in processes of this machine or on a Ray cluster.

    Functions, items and results travel between processes, so they are importable or plain data.
    """

    def map(self, function: Callable[[A], R], items: Iterable[A]) -> Iterator[R]:
        """The results in the order of the items, each as soon as it and those before it are there.

        Items are taken only a bounded number ahead of the results that were fetched, so `items` may
        be endless. Raises WorkError for the first item that failed, with its index.
        """

    def submit(self, function: Callable[[A], R], item: A) -> "Future[R]":
        """One piece of work; its future raises what the function raised."""

    def close(self) -> None:
        """Let what was submitted finish, then release the workers. May be called twice."""


def in_order(
    start: Callable[[A], "Future[R]"], items: Iterable[A], in_flight: int
) -> Iterator["Future[R]"]:
    """Start work for `items`, at most `in_flight` pieces ahead, and yield the futures in order."""
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(start(item))
            if len(waiting) >= in_flight:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for future in waiting:
            future.cancel()
