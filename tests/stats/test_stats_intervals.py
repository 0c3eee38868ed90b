"""Fixed-horizon intervals against published figures and laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.stats.intervals import (
    bootstrap,
    bootstrap_clusters,
    mean_interval,
    welch_difference,
    wilson,
)
from inhouse.stats.types import Interval, Moments, NotEnough, finite, moments


@given(n=st.integers(1, 10_000), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_wilson_holds_its_estimate_within_zero_and_one(n: int, share: float, level: float) -> None:
    """The interval contains the observed rate and never leaves the range of a rate."""
    interval = wilson(round(share * n), n, level)
    assert isinstance(interval, Interval)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


def test_wilson_has_the_published_value() -> None:
    """Newcombe 1998 (one sample): 81 of 263 gives 0.2553 to 0.3662."""
    interval = wilson(81, 263)
    assert isinstance(interval, Interval)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)


def test_wilson_of_nothing_is_not_enough() -> None:
    """No trials give no rate."""
    assert NotEnough(reason="no trials", have=0, need=1) == wilson(0, 0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    """More successes than trials is a mistake of the caller."""
    with pytest.raises(InputError, match=f"{successes} successes of {n}, expected 0 to n"):
        wilson(successes, n)


def test_a_level_outside_zero_to_one_is_refused() -> None:
    """A percentage given as the level is named as such a mistake."""
    with pytest.raises(InputError, match="level is 95, expected more than 0 and less than 1"):
        wilson(1, 2, level=95)


def test_mean_interval_is_students() -> None:
    """Four values by hand: mean 2.5, t(3) = 3.182446, s = 1.290994."""
    interval = mean_interval([1.0, 2.0, 3.0, 4.0])
    assert isinstance(interval, Interval)
    half = 3.182446 * 1.290994 / 2
    assert (2.5, pytest.approx(2.5 - half, abs=1e-5)) == (interval.estimate, interval.low)
    assert pytest.approx(2.5 + half, abs=1e-5) == interval.high


def test_a_sample_without_spread_has_no_interval() -> None:
    """Equal values are not a certainty but an absence of information."""
    expected = NotEnough(reason="no variance: all values are equal", have=3)
    assert expected == mean_interval([2.0, 2.0, 2.0])
    assert NotEnough(reason="fewer than two observations", have=1, need=2) == mean_interval([2.0])


def test_welch_agrees_with_scipy() -> None:
    """Unequal sizes and spreads give the interval of the reference implementation."""
    first, second = stream(4, "a").normal(0, 1, 12), stream(4, "b").normal(1, 5, 30)
    interval = welch_difference(moments(first), moments(second))
    assert isinstance(interval, Interval)
    reference = ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert (pytest.approx(reference.low), pytest.approx(reference.high)) == (
        interval.low,
        interval.high,
    )
    assert pytest.approx(second.mean() - first.mean()) == interval.estimate


def test_welch_covers_the_truth_as_often_as_it_says() -> None:
    """In 2,000 pairs of samples of unequal size and spread the 95% interval covers 93 to 97%."""
    random = stream(5, "welch")
    covered = 0
    for _ in range(2_000):
        first = moments(random.normal(1.0, 1.0, 20))
        second = moments(random.normal(3.0, 4.0, 60))
        interval = welch_difference(first, second)
        assert isinstance(interval, Interval)
        covered += interval.low <= 2.0 <= interval.high
    assert 0.93 <= covered / 2_000 <= 0.97


def test_welch_without_variance_says_so() -> None:
    """Two constant arms cannot be compared, whatever their means."""
    still = Moments(n=10, mean=1.0, variance=0.0)
    other = Moments(n=10, mean=2.0, variance=0.0)
    assert NotEnough(reason="no variance in either arm", have=20) == welch_difference(still, other)


def test_bootstrap_repeats_with_its_seed() -> None:
    """The same seed gives the same interval, another seed another."""
    values = stream(1, "values").exponential(size=200)
    first = bootstrap(values, lambda rows: float(np.median(rows)), seed=1)
    assert first == bootstrap(values, lambda rows: float(np.median(rows)), seed=1)
    assert first != bootstrap(values, lambda rows: float(np.median(rows)), seed=2)


def test_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    """For a mean the percentile interval is close to mean +/- 1.96 standard errors."""
    values = stream(2, "values").normal(10, 2, 1_000)
    interval = bootstrap(values, lambda rows: float(rows.mean()), seed=3, draws=2_000)
    assert isinstance(interval, Interval)
    half = 1.96 * values.std(ddof=1) / math.sqrt(1_000)
    assert pytest.approx(half, rel=0.1) == (interval.high - interval.low) / 2


def test_bootstrap_keeps_rows_whole() -> None:
    """Columns of one row are resampled together, so a ratio of equal columns is always 1."""
    rows = np.column_stack((np.arange(1.0, 9.0), np.arange(1.0, 9.0)))
    found = bootstrap(rows, lambda r: float(r[:, 0].sum() / r[:, 1].sum()), seed=1)
    assert NotEnough(reason="no variance between resamples", have=8) == found


def test_values_that_are_not_finite_are_named() -> None:
    """NaN never travels through a statistic unnoticed."""
    with pytest.raises(InputError, match="values holds 1 values that are not finite"):
        moments([1.0, float("nan")])
    with pytest.raises(InputError, match="scores has 2 dimensions, expected 1"):
        finite([[1.0]], "scores")


def test_people_are_drawn_whole() -> None:
    """Rows that repeat one another make no interval narrower, unlike independent ones."""
    values = np.repeat(np.arange(20.0), 50)

    def mean(weights: np.ndarray) -> float:  # type: ignore[type-arg]
        return float(weights @ values / weights.sum())

    whole = bootstrap_clusters(np.repeat(np.arange(20), 50), mean, 0)
    apart = bootstrap_clusters(np.arange(1_000), mean, 0)

    assert isinstance(whole, Interval)
    assert isinstance(apart, Interval)
    assert whole.estimate == apart.estimate == 9.5
    assert whole.high - whole.low > 5 * (apart.high - apart.low)


def test_clusters_that_cannot_answer_are_not_enough() -> None:
    """One person alone; nobody who differs; and a figure that hangs on one person."""
    hit = np.array([1.0, 0.0, 0.0])

    def ratio(weights: np.ndarray) -> float | NotEnough:  # type: ignore[type-arg]
        happened = float(weights @ hit)
        return weights.sum() / happened if happened else NotEnough(reason="it never happened")

    alone = bootstrap_clusters([4, 4, 4], ratio, 0)
    alike = bootstrap_clusters([0, 1, 2], lambda weights: 1.0, 0)
    one_only = bootstrap_clusters([0, 1, 2], ratio, 0)

    assert alone == NotEnough(reason="fewer than two people or groups", have=1, need=2)
    assert alike == NotEnough(reason="no variance between resamples", have=3)
    assert one_only == NotEnough(
        reason="too few people or groups to resample: it never happened", have=3
    )
