"""What other processes wrote, as of a moment ago."""

import time
from collections.abc import Callable

from inhouse.core.errors import StoreError


class Looking:
    """Reads something of the store again when it is asked for and the last look is too long ago.

    While the store refuses, what was read last holds, and it is asked again as often as ever.
    """

    def __init__(self, read: Callable[[], None], every_s: float) -> None:
        """read: takes in what there is now. every_s: so old may be what is gone by."""
        self._read = read
        self._every_s = every_s
        self._looked_s = -every_s
        self._heard = False

    def keep_up(self) -> None:
        """Look where it is time. Raises StoreError where nothing was ever read."""
        if time.monotonic() - self._looked_s < self._every_s:
            return
        try:
            self.look()
        except StoreError:
            if not self._heard:
                raise
            self._looked_s = time.monotonic()

    def look(self) -> None:
        """Look now. Raises StoreError."""
        self._read()
        self._looked_s, self._heard = time.monotonic(), True
