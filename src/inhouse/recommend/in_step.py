"""Several pieces of work made in step: the first stage of all, then the second stage of all, …

What a stage reads and runs is in the processor's cache when it comes to the next request, where one
request after another finds it driven out by all the other stages in between. (Larus and Parkes,
"Using Cohort Scheduling to Enhance Server Performance", USENIX 2002, section 2.)
"""

from collections.abc import Generator, Sequence
from typing import TypeVar

T = TypeVar("T")
Staged = Generator[None, None, T]  # stops between its stages; returns what it has made


def in_step(works: Sequence[Staged[T]]) -> list[T | Exception]:
    """What each returns, in their order, or what it raises, which is not its neighbours' fault.

    >>> def counted(to: int) -> Staged[int]:
    ...     for _ in range(to):
    ...         yield
    ...     return to
    >>> in_step([counted(3), counted(1)])
    [3, 1]
    """
    found: dict[int, T | Exception] = {}
    going = list(enumerate(works))
    while going:
        going = [(place, work) for place, work in going if not _over(place, work, found)]
    return [found[place] for place in range(len(works))]


def _over(place: int, work: Staged[T], found: dict[int, T | Exception]) -> bool:
    """Do one stage; whether it was the last."""
    try:
        next(work)
    except StopIteration as last:
        found[place] = last.value
        return True
    except Exception as error:  # noqa: BLE001 - handed to whoever asked for this one
        found[place] = error
        return True
    return False
