"""A background role for every community of an installation: one process, one turn after another.

One process, because its libraries take more memory than a small community's state does. A fault in
one community's turn is that community's alone: the others have theirs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from inhouse.app.build import Services
from inhouse.app.hub import LOOK_EVERY_S, Hub, logged_as
from inhouse.core.errors import InhouseError
from inhouse.core.logs import logger

_PAUSE_AFTER_FAULT_S: Final = 2.0
_PAUSE_AFTER_CRASH_S: Final = 10.0


class Duty(Protocol):
    """What a role does for one community."""

    def step(self) -> bool:
        """Do what waits; returns whether there is more to do at once."""

    def close(self) -> None:
        """Keep what must be kept, and let go."""


@dataclass
class _Turn:
    services: Services
    duty: Duty | None = None  # made at its first turn
    not_before_s: float = 0.0


class Rounds:
    """Gives every community its step, in order, again and again."""

    def __init__(self, role: str, hub: Hub[Services], make: Callable[[Services], Duty]) -> None:
        """make: the duty of one community; called anew after a crash."""
        self._hub, self._make = hub, make
        self._turns: dict[str, _Turn] = {}
        self._looked_s = float("-inf")
        self._log = logger(role)

    def step(self) -> bool:
        """One turn for each; returns whether anybody has more to do at once.

        What inhouse raises on purpose is logged and tried again. Anything else costs the community
        whose turn it was its parts, which are made anew; where there is one community alone, it
        ends the process, and the supervisor starts a fresh one.
        """
        if time.monotonic() - self._looked_s >= LOOK_EVERY_S:
            self._look()
        busy = [self._give(turn) for turn in list(self._turns.values())]
        return any(busy)

    def close(self) -> None:
        """Close every duty, then the communities' parts."""
        for turn in self._turns.values():
            self._close(turn)
        self._hub.close()

    def _look(self) -> None:
        for gone in self._hub.look():
            turn = self._turns.pop(gone.settings.community, None)
            if turn is not None:
                self._close(turn)
            gone.close()
        for services in self._hub:
            self._turns.setdefault(services.settings.community, _Turn(services=services))
        self._looked_s = time.monotonic()

    def _give(self, turn: _Turn) -> bool:
        if time.monotonic() < turn.not_before_s:
            return False
        with logged_as(turn.services):
            try:
                if turn.duty is None:
                    turn.duty = self._make(turn.services)
                return turn.duty.step()
            except InhouseError as error:
                self._log.warning("step_failed", kind=type(error).__name__, reason=str(error))
                turn.not_before_s = time.monotonic() + _PAUSE_AFTER_FAULT_S
            except Exception as error:
                if self._hub.alone:
                    raise
                self._log.error("step_crashed", kind=type(error).__name__, exc_info=error)
                turn.services, turn.duty = self._hub.renew(turn.services), None
                turn.not_before_s = time.monotonic() + _PAUSE_AFTER_CRASH_S
        return False

    def _close(self, turn: _Turn) -> None:
        with logged_as(turn.services):
            try:
                if turn.duty is not None:
                    turn.duty.close()
            except InhouseError as error:
                self._log.warning("close_failed", kind=type(error).__name__, reason=str(error))
