"""Confidence sequences: published widths, laws, and A/A tests looked at a hundred times."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.stats.sequential import (
    asymptotic_cs,
    difference_cs,
    relative_difference_cs,
    widening,
)
from inhouse.stats.types import Interval, Moments, NotEnough


@pytest.mark.parametrize(("n", "times"), [(1_000, 1.72), (5_000, 1.55), (50_000, 1.65)])
def test_widening_has_the_published_figures(n: int, times: float) -> None:
    """At N* = 5,000 the sequence is 1.55 times as wide as the fixed interval."""
    assert times == round(widening(n) / 1.959964, 2)


@given(n=st.integers(2, 10**7), variance=st.floats(1e-6, 1e6), mean=st.floats(-1e6, 1e6))
def test_a_sequence_is_wider_than_the_fixed_interval(n: int, variance: float, mean: float) -> None:
    """Looking often always costs width, and the estimate lies in the middle."""
    interval = asymptotic_cs(mean, variance, n)
    assert isinstance(interval, Interval)
    half = (interval.high - interval.low) / 2
    assert half >= 1.96 * math.sqrt(variance / n) * (1 - 1e-6) - 1e-9 * abs(mean)
    assert mean == interval.estimate


def test_a_mean_without_spread_is_not_enough() -> None:
    """Neither one value nor a constant gives a sequence."""
    assert NotEnough(reason="fewer than two observations", have=1, need=2) == asymptotic_cs(1, 1, 1)
    expected = NotEnough(reason="no variance: all values are equal", have=50)
    assert expected == asymptotic_cs(1, 0, 50)


def test_difference_is_treatment_minus_control() -> None:
    """The sign of the difference is the treatment's gain."""
    control = Moments(n=50_000, mean=1.0, variance=1.0)
    treatment = Moments(n=50_000, mean=1.1, variance=1.0)
    interval = difference_cs(control, treatment)
    assert isinstance(interval, Interval)
    assert pytest.approx(0.1) == interval.estimate
    assert interval.excludes_zero


def test_relative_difference_agrees_with_a_simulation() -> None:
    """The delta method's standard error is within 5% of that of 4,000 simulated lifts."""
    random = stream(3, "lift")
    control = random.normal(10, 3, (4_000, 400)).mean(axis=1)
    treatment = random.normal(12, 4, (4_000, 400)).mean(axis=1)
    simulated = (treatment / control - 1).std()
    interval = relative_difference_cs(
        Moments(n=400, mean=10, variance=9), Moments(n=400, mean=12, variance=16)
    )
    assert isinstance(interval, Interval)
    assert pytest.approx(0.2) == interval.estimate
    assert pytest.approx(simulated, rel=0.05) == (interval.high - 0.2) / widening(800)


def test_relative_to_a_control_that_may_be_zero_is_not_enough() -> None:
    """A lift over nothing is not a number."""
    expected = NotEnough(reason="the control's mean may be zero", have=100)
    control = Moments(n=100, mean=0.1, variance=1.0)
    assert expected == relative_difference_cs(control, Moments(n=100, mean=1.0, variance=1.0))


def test_alpha_out_of_range_is_refused() -> None:
    """A level given as alpha is refused by name."""
    with pytest.raises(InputError, match=r"alpha is 0.95, expected more than 0 and at most 0.5"):
        widening(10, alpha=0.95)


def ever_wrong(users: int, looks: int, tests: int, seed: int) -> tuple[float, float]:
    """Share of A/A tests that the naive rule and the sequence call at one look or another."""
    random = stream(seed, "a/a")
    at = np.linspace(users // looks, users, looks).astype(int) // 2
    naive = sequence = 0
    for _ in range(tests):
        arms = random.exponential(1.0, (2, users // 2))  # skewed, as watch time is
        total, squares = np.cumsum(arms, axis=1), np.cumsum(arms**2, axis=1)
        mean = total[:, at - 1] / at
        variance = (squares[:, at - 1] - at * mean**2) / (at - 1)
        z = np.abs(mean[1] - mean[0]) / np.sqrt(variance.sum(axis=0) / at)
        naive += bool((z > 1.959964).any())
        sequence += bool((z > [widening(2 * int(n)) for n in at]).any())
    return naive / tests, sequence / tests


def test_peeking_does_not_fool_the_sequence() -> None:
    """Of 400 A/A tests of 20,000 people with 100 looks the naive rule calls over 30%, ours 5%."""
    naive, sequence = ever_wrong(users=20_000, looks=100, tests=400, seed=11)
    assert naive > 0.30
    assert sequence <= 0.05


def test_the_sequence_finds_a_real_difference() -> None:
    """A lift of a tenth of a standard deviation is found among 20,000 people nearly always."""
    random = stream(12, "a/b")
    found = 0
    for _ in range(100):
        control, treatment = random.normal(0, 1, 10_000), random.normal(0.1, 1, 10_000)
        interval = difference_cs(
            Moments(n=10_000, mean=control.mean(), variance=control.var(ddof=1)),
            Moments(n=10_000, mean=treatment.mean(), variance=treatment.var(ddof=1)),
        )
        found += isinstance(interval, Interval) and interval.excludes_zero
    assert found >= 99
