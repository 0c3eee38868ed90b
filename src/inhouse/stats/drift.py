"""Whether a population looks like the one it is held against: the population stability index.

    PSI = sum over bins of (o - e) ln(o / e)

with the shares e expected and o observed. Below 0.1 counts as no change, above 0.25 as a large one
(Siddiqi 2006, "Credit Risk Scorecards"). Of a few values PSI is large by chance alone: without any
change PSI / (1/n + 1/m) is about chi-square with one degree of freedom less than there are bins
(Yurdakul & Naranjo 2020, Journal of Risk Model Validation 14:4): so much of it is noise.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from inhouse.core.errors import InputError

_BINS: Final = 10
_HALF: Final = 0.5  # added to every count: an empty bin has no logarithm
_CHANCE: Final = 0.001  # of noise beyond what is allowed for


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """Values counted in bins."""

    edges: tuple[float, ...]  # rising; a value on an edge belongs above it
    counts: tuple[int, ...]  # one more than edges

    @property
    def n(self) -> int:
        return sum(self.counts)

    def bin_of(self, value: float) -> int:
        """Which bin a value falls into."""
        return bisect_right(self.edges, value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """How far apart two populations are."""

    psi: float
    noise: float  # what chance alone exceeds once in a thousand times
    n: int  # values observed


def population(values: Sequence[float]) -> Population:
    """Values in up to ten bins of about as many each. Expects at least one value."""
    if not len(values):
        raise InputError("no values; expected at least one to make bins of")
    cuts = np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1])
    edges = tuple(float(edge) for edge in np.unique(cuts))
    empty = Population(edges=edges, counts=(0,) * (len(edges) + 1))
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[empty.bin_of(value)] += 1
    return Population(edges=edges, counts=tuple(counts))


def drift(expected: Population, observed: Sequence[int]) -> Drift:
    """PSI of counts in the same bins.

    >>> before = Population(edges=(0.5,), counts=(500, 500))
    >>> round(drift(before, [500, 500]).psi, 3), round(drift(before, [900, 100]).psi, 2)
    (0.0, 0.88)
    """
    if len(observed) != len(expected.counts):
        raise InputError(f"{len(observed)} bins, expected {len(expected.counts)} as in the other")
    bins = len(observed)
    if bins < 2:
        return Drift(psi=0.0, noise=0.0, n=sum(observed))
    first, second = (
        [(count + _HALF) / (sum(counts) + _HALF * bins) for count in counts]
        for counts in (expected.counts, observed)
    )
    psi = sum((o - e) * math.log(o / e) for e, o in zip(first, second, strict=True))
    spread = 1 / max(1, expected.n) + 1 / max(1, sum(observed))
    noise = float(special.chdtri(bins - 1, _CHANCE)) * spread
    return Drift(psi=psi, noise=noise, n=sum(observed))
