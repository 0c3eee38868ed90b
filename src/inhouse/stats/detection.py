"""Noticing that a rate has gone over its bound, however long it was fine before.

A test that looks at all there ever was is slow to see a change: a good year hides a bad day. An
e-detector is not (Shin, Ramdas & Rinaldo 2024, "E-detectors: a nonparametric framework for
sequential change detection", New England Journal of Statistics in Data Science 2:229, sections 2
and 3): for each observation x in {0, 1} and each of a few alternatives q above the bound b

    e(x) = (q / b)^x ((1 - q) / (1 - b))^(1 - x),    M <- max(M, 1) e(x)

and an alarm where the mean of the M reaches 1 / alpha. As long as the rate, given all that went
before, is at most b, the mean of e(x) is at most 1, so that the expected number of observations to
a false alarm is at least 1 / alpha, whenever one looks and whatever the rate does below b.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from inhouse.core.errors import InputError

ALTERNATIVES: Final = (0.05, 0.15, 0.4, 0.8)  # of the way from the bound to 1
FALSE_EACH: Final = 1_000_000  # observations to a false alarm, on average and at least


@dataclass(frozen=True, kw_only=True, slots=True)
class RateWatch:
    """A rate under watch. Immutable: `after` gives the next."""

    bound: float  # the rate that is still accepted, in (0, 1)
    n: int = 0  # observations
    hits: int = 0  # of which were what is watched for
    logs: tuple[float, ...] = (0.0,) * len(ALTERNATIVES)  # logarithms of the M, by alternative
    alarmed: bool = False  # whether the bound was crossed; stays
    run: int = 0  # latest observations since nothing spoke against the rate; ends with the alarm
    run_hits: int = 0  # of which were hits

    def __post_init__(self) -> None:
        if not 0 < self.bound < 1:
            raise InputError(f"bound is {self.bound}, expected more than 0 and less than 1")

    @property
    def rate(self) -> float | None:
        """Hits among all observations; None without any."""
        return self.hits / self.n if self.n else None

    @property
    def evidence(self) -> float:
        """How far the alarm is, from 0 to 1 and over: logarithm of the mean of the M, in parts of
        the one that raises it."""
        top = max(self.logs)
        mean = sum(math.exp(one - top) for one in self.logs) / len(self.logs)
        return max(0.0, (top + math.log(mean)) / math.log(FALSE_EACH))

    def after(self, observed: Iterable[bool]) -> "RateWatch":
        """With further observations, in their order.

        >>> RateWatch(bound=0.1).after([True] * 12).alarmed
        True
        >>> RateWatch(bound=0.1).after([True, *[False] * 9] * 200).alarmed
        False
        """
        steps = [_steps(self.bound, part) for part in ALTERNATIVES]
        logs, n, hits, alarmed = list(self.logs), self.n, self.hits, self.alarmed
        run, run_hits = self.run, self.run_hits
        limit = math.log(FALSE_EACH * len(ALTERNATIVES))
        for hit in observed:
            n, hits = n + 1, hits + hit
            if not alarmed:
                begun = max(logs) <= 0
                run, run_hits = (1, int(hit)) if begun else (run + 1, run_hits + hit)
            logs = [max(log, 0.0) + step[hit] for log, step in zip(logs, steps, strict=True)]
            # The mean can only have reached the limit where the largest is within reach of it.
            if max(logs) > limit - _LOG_COUNT:
                alarmed = alarmed or sum(map(math.exp, logs)) >= FALSE_EACH * len(logs)
        return RateWatch(
            bound=self.bound,
            n=n,
            hits=hits,
            logs=tuple(logs),
            alarmed=alarmed,
            run=run,
            run_hits=run_hits,
        )


_LOG_COUNT: Final = math.log(len(ALTERNATIVES))


def _steps(bound: float, part: float) -> tuple[float, float]:
    """What an observation adds to the logarithm: a miss, a hit."""
    q = bound + (1 - bound) * part
    return math.log((1 - q) / (1 - bound)), math.log(q / bound)
