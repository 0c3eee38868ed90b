"""A database server that is away: nobody waits to find that out again."""

import threading
from collections.abc import Callable
from typing import Final

from inhouse.core.errors import StoreError

_ASK_EVERY_S: Final = 0.5


class Away:
    """Refuses at once what would be asked of a server that is away, until a thread that goes on
    asking has an answer. Thread-safe.

    Whoever asks a server that says nothing waits for seconds. A process that serves feeds from
    memory asks many times a second, and would do nothing else.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        """ask: returns where the server answers, raises StoreError where it does not."""
        self._ask = ask
        self._why = ""  # empty: it is here, as far as is known
        self._gate = threading.Lock()
        self._asking: threading.Thread | None = None
        self._ended = threading.Event()

    def check(self) -> None:
        """Raises StoreError while it is away."""
        if self._why:
            raise StoreError(self._why)

    def hear(self, why: str, *, sure: bool) -> None:
        """Of an answer that did not come. sure: the server did not take a new connection either;
        else it may only have dropped one, and is asked first."""
        with self._gate:
            if sure:
                self._why = self._why or why
            if self._asking is None and not self._ended.is_set():
                self._asking = threading.Thread(
                    target=self._go_on_asking, name="store-away", daemon=True
                )
                self._asking.start()

    def end(self) -> None:
        """Ask no more."""
        self._ended.set()

    def _go_on_asking(self) -> None:
        while True:
            try:
                self._ask()
            except Exception as error:  # noqa: BLE001 - else it would stay away for ever
                self._why = self._why or str(error) or type(error).__name__
            else:
                break
            if self._ended.wait(_ASK_EVERY_S):
                break
        with self._gate:
            self._why, self._asking = "", None
