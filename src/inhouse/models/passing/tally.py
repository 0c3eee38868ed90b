"""Counts of calls that were passed on, for whoever watches. Adding costs less than a microsecond;
a metrics library's own counters would cost as much as the rest of keeping a row."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from inhouse.models.types import Attempt

# Upper ends in milliseconds; what is slower is in the last.
EDGES_MS: Final = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000)


@dataclass(kw_only=True, slots=True)
class Latency:
    """How long attempts took."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(EDGES_MS) + 1))
    sum_ms: float = 0.0

    def add(self, ms: float) -> None:
        """One more."""
        self.counts[bisect_left(EDGES_MS, ms)] += 1
        self.sum_ms += ms


@dataclass(kw_only=True, slots=True)
class Tally:
    """One community's, since the process began."""

    attempts: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # see `attempt`
    latency: dict[str, Latency] = field(default_factory=dict)  # by deployment, of those answered
    cached: Counter[str] = field(default_factory=Counter)  # answers from memory, by deployment
    limited: int = 0  # calls refused for a rate limit
    spent: int = 0  # calls refused for a budget

    def attempt(self, row: Attempt) -> None:
        """By service, deployment and outcome; one answered in time also by how long it took."""
        self.attempts[row.task, row.deployment, row.outcome] += 1
        if row.outcome == "ok":
            latency = self.latency.get(row.deployment)
            if latency is None:
                latency = self.latency[row.deployment] = Latency()
            latency.add(row.latency_ms)


def together(tallies: Iterable[Tally]) -> Tally:
    """All communities' in one."""
    whole = Tally()
    for one in tallies:
        whole.attempts.update(one.attempts)
        whole.cached.update(one.cached)
        whole.limited += one.limited
        whole.spent += one.spent
        for name, latency in one.latency.items():
            held = whole.latency.setdefault(name, Latency())
            held.counts = [a + b for a, b in zip(held.counts, latency.counts, strict=True)]
            held.sum_ms += latency.sum_ms
    return whole
