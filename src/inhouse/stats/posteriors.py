"""Beta posteriors of rates, for exploration and for small counts."""

from dataclasses import dataclass

import numpy as np
import scipy
from scipy import special

from inhouse.core.errors import InputError
from inhouse.stats.intervals import checked_counts
from inhouse.stats.types import Floats, Interval, checked_level


@dataclass(frozen=True, kw_only=True, slots=True)
class BetaPosterior:
    """What is believed of a rate: Beta(alpha, beta). Uniform before anything is seen.

    >>> BetaPosterior().updated(successes=3, n=4).mean
    0.6666666666666666
    """

    alpha: float = 1.0  # successes seen, plus the prior's
    beta: float = 1.0  # failures seen, plus the prior's

    def __post_init__(self) -> None:
        if not (self.alpha > 0 and self.beta > 0):
            raise InputError(
                f"alpha is {self.alpha} and beta {self.beta}, expected more than 0 each"
            )

    @property
    def mean(self) -> float:
        """Expected rate."""
        return self.alpha / (self.alpha + self.beta)

    def updated(self, *, successes: int, n: int) -> "BetaPosterior":
        """After `n` more trials of which `successes` succeeded."""
        checked_counts(successes, n)
        return BetaPosterior(alpha=self.alpha + successes, beta=self.beta + n - successes)

    def interval(self, level: float = 0.95) -> Interval:
        """Central credible interval."""
        tail = (1 - checked_level(level)) / 2
        low, high = special.betaincinv(self.alpha, self.beta, (tail, 1 - tail))
        return Interval(estimate=self.mean, low=float(low), high=float(high), level=level)

    def p_above(self, rate: float) -> float:
        """Probability that the true rate is above `rate`."""
        return float(special.betaincc(self.alpha, self.beta, min(max(rate, 0.0), 1.0)))

    def sample(self, random: np.random.Generator, size: int) -> Floats:
        """Thompson draws."""
        return random.beta(self.alpha, self.beta, size)


def p_better(first: BetaPosterior, second: BetaPosterior) -> float:
    """Probability that the first rate exceeds the second, by quadrature.

    P(X > Y) = integral over (0, 1) of f_X(x) F_Y(x) dx, taken over quantiles of X, where the
    integrand is F_Y(F_X^-1(u)): bounded and smooth however narrow X is.

    >>> round(p_better(BetaPosterior(alpha=3), BetaPosterior(alpha=3)), 6)
    0.5
    """

    def won(u: float) -> float:
        x = special.betaincinv(first.alpha, first.beta, u)
        return float(special.betainc(second.alpha, second.beta, x))

    value, _ = scipy.integrate.quad(won, 0.0, 1.0, limit=200)
    return min(1.0, max(0.0, float(value)))
