"""A bound on requests that are worked on at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from inhouse.core.errors import BusyError


class Places:
    """So many at a time; who finds none free is told to come back.

    Without it those who wait for a slow model would pile up until memory ends.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """A place while it lasts. Raises BusyError where none is free."""
        self.take()
        try:
            yield
        finally:
            self.give_back()

    def take(self) -> None:
        """A place until it is given back. Raises BusyError where none is free."""
        if self._taken >= self._most:
            raise BusyError(
                f"{self._most} requests are being answered; ask again after the seconds in "
                "`retry-after`"
            )
        self._taken += 1

    def give_back(self) -> None:
        """The place is free again."""
        self._taken -= 1
