"""What is remembered of each deployment's health, by whoever asks it."""

from time import monotonic
from typing import Final

from inhouse.models.asking.resilience import Breaker, BreakerPolicy, admit, after
from inhouse.models.types import Outcome

_WELL: Final = Breaker()


class Breakers:
    """One breaker for each deployment; for one loop."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._known: dict[str, Breaker] = {}

    def wait_ms(self, name: str) -> int:
        """Ask leave to ask it: 0 means go, else how long to wait before asking for leave again."""
        breaker = self._known.get(name)
        if breaker is None:  # nothing bad is known of it
            return 0
        self._known[name], wait_ms = admit(self._policy, breaker, _now_ms())
        return wait_ms

    def heard(self, name: str, outcome: Outcome, retry_after_ms: int | None) -> None:
        """A request to it came back."""
        breaker = self._known.get(name, _WELL)
        if breaker is _WELL and outcome == "ok":
            return
        self._known[name] = after(self._policy, breaker, outcome, retry_after_ms, _now_ms())


def _now_ms() -> int:
    return round(monotonic() * 1000)
