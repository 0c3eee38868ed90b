"""Functions that the tests hand to executors; in a module of their own, since workers import it."""

import os
import time


def square(number: int) -> int:
    """The plain case."""
    return number * number


def slow_first(number: int) -> int:
    """The first piece takes longest."""
    time.sleep(0.3 if number == 0 else 0.0)
    return number


def refuse_three(number: int) -> int:
    """Fails for one item."""
    if number == 3:
        raise ValueError("three is not allowed")
    return number


def process_id(_: int) -> int:
    """Where the work is done."""
    return os.getpid()


def die(_: int) -> None:
    """As when the system kills a worker for its memory."""
    os.kill(os.getpid(), 9)
