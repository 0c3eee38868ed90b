"""Beta posteriors."""

import numpy as np
import pytest
from scipy.stats import norm

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.stats.posteriors import BetaPosterior, p_better


def test_updates_add_up() -> None:
    """Two updates are one update with the sum."""
    twice = BetaPosterior().updated(successes=2, n=5).updated(successes=1, n=3)
    assert twice == BetaPosterior().updated(successes=3, n=8)
    assert BetaPosterior(alpha=4.0, beta=6.0) == twice


def test_interval_and_tail_agree() -> None:
    """The upper end of a 90% interval leaves 5% above."""
    posterior = BetaPosterior(alpha=4, beta=16)
    assert pytest.approx(0.05) == posterior.p_above(posterior.interval(0.9).high)


def test_p_better_agrees_with_draws_and_is_complementary() -> None:
    """The quadrature matches two million draws, and the two sides sum to 1."""
    first, second = BetaPosterior(alpha=30, beta=970), BetaPosterior(alpha=20, beta=980)
    random = stream(8, "draws")
    drawn = (first.sample(random, 2_000_000) > second.sample(random, 2_000_000)).mean()
    assert pytest.approx(float(drawn), abs=0.002) == p_better(first, second)
    assert pytest.approx(1.0) == p_better(first, second) + p_better(second, first)


def test_p_better_copes_with_very_narrow_posteriors() -> None:
    """With ten million trials a side it is the normal probability of the difference."""
    first = BetaPosterior(alpha=1_000_100, beta=9_000_000)
    second = BetaPosterior(alpha=1_000_000, beta=9_000_000)
    z = (first.mean - second.mean) / np.sqrt(2 * 0.1 * 0.9 / 1e7)
    assert pytest.approx(float(norm.cdf(z)), abs=1e-3) == p_better(first, second)


def test_parameters_must_be_positive() -> None:
    """A Beta without weight on a side does not exist."""
    with pytest.raises(InputError, match="alpha is 0 and beta 1"):
        BetaPosterior(alpha=0, beta=1)
