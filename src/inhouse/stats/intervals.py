"""Intervals for one look at a size chosen beforehand. To look often, see `sequential`."""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.stats.types import (
    Floats,
    Interval,
    Moments,
    NotEnough,
    checked_level,
    finite,
    moments,
)

_WEEK: Final = 7  # days


def wilson(successes: int, n: int, level: float = 0.95) -> Interval | NotEnough:
    """Wilson's score interval of a proportion (Wilson 1927, JASA 22:209).

    Never leaves [0, 1] and stays sensible at 0 or n successes, where the normal interval collapses.

    successes: 0 to n. n: trials. Returns NotEnough where n is 0.

    >>> interval = wilson(0, 10)
    >>> (interval.low, round(interval.high, 4))
    (0.0, 0.2775)
    """
    checked_counts(successes, n)
    if n == 0:
        return NotEnough(reason="no trials", have=0, need=1)
    z = z_value(level)
    p, shrink = successes / n, 1 + z * z / n
    middle = (p + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return Interval(estimate=p, low=low, high=high, level=level)


def clopper_pearson(successes: float, n: float, level: float = 0.95) -> Interval | NotEnough:
    """The exact interval of a proportion (Clopper & Pearson 1934, Biometrika 26:404).

    It never covers less often than `level` says, however rare the thing is.

    Both counts may be fractions, as effective counts of a sample with weights are (Korn & Graubard
    1998, Survey Methodology 24:193). Returns NotEnough where n is 0.

    >>> round(clopper_pearson(0, 10).high, 4)
    0.3085
    """
    checked_counts(successes, n)
    if n == 0:
        return NotEnough(reason="no trials", have=0, need=1)
    tail, failures = (1 - checked_level(level)) / 2, n - successes
    low = float(special.betaincinv(successes, failures + 1, tail)) if successes else 0.0
    high = float(special.betaincinv(successes + 1, failures, 1 - tail)) if failures else 1.0
    return Interval(estimate=successes / n, low=low, high=high, level=level)


def mean_interval(values: npt.ArrayLike, level: float = 0.95) -> Interval | NotEnough:
    """Student's t interval of a mean.

    Assumes independent values of finite variance. NotEnough below two values, and where all are
    equal: a sample without variance says nothing of the spread it came from.
    """
    sample = moments(values)
    lacking = without_spread(sample)
    if lacking:
        return lacking
    t = float(special.stdtrit(sample.n - 1, 0.5 + checked_level(level) / 2))
    half = t * math.sqrt(sample.variance / sample.n)
    return Interval(
        estimate=sample.mean, low=sample.mean - half, high=sample.mean + half, level=level
    )


def welch_difference(
    control: Moments, treatment: Moments, level: float = 0.95
) -> Interval | NotEnough:
    """Interval of `treatment mean - control mean`, variances not assumed equal.

    Welch's t with the Welch-Satterthwaite degrees of freedom (Welch 1947, Biometrika 34:28).
    Valid for one look. NotEnough where an arm has under two values or neither has variance.
    """
    few = _too_few(control) or _too_few(treatment)
    if few:
        return few
    parts = (control.variance / control.n, treatment.variance / treatment.n)
    squared = sum(parts)
    if squared <= 0:
        return NotEnough(reason="no variance in either arm", have=control.n + treatment.n)
    freedom = squared**2 / (parts[0] ** 2 / (control.n - 1) + parts[1] ** 2 / (treatment.n - 1))
    half = float(special.stdtrit(freedom, 0.5 + checked_level(level) / 2)) * math.sqrt(squared)
    estimate = treatment.mean - control.mean
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half, level=level)


def bootstrap(
    values: npt.ArrayLike,
    statistic: Callable[[Floats], float],
    seed: int,
    level: float = 0.95,
    draws: int = 1_000,
) -> Interval | NotEnough:
    """Percentile bootstrap interval of any statistic (Efron & Tibshirani 1993, ch. 13).

    values: resampled along axis 0, so a row that holds several columns stays whole.
    statistic: rows -> number; must be defined on every resample.
    The same seed gives the same interval. NotEnough below two rows or where no draw differs.
    """
    rows = np.asarray(values, dtype=np.float64)
    if len(rows) < 2:
        return NotEnough(reason="fewer than two observations", have=len(rows), need=2)
    random = stream(seed, "bootstrap")
    drawn = np.array(
        [statistic(rows[random.integers(len(rows), size=len(rows))]) for _ in range(draws)]
    )
    if not np.isfinite(drawn).all():
        raise InputError("the statistic is not finite on some resamples; guard it against that")
    tail = (1 - checked_level(level)) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    if low == high:
        return NotEnough(reason="no variance between resamples", have=len(rows))
    return Interval(estimate=float(statistic(rows)), low=float(low), high=float(high), level=level)


def bootstrap_clusters(
    clusters: npt.ArrayLike,
    statistic: Callable[[Floats], float | NotEnough],
    seed: int,
    level: float = 0.95,
    draws: int = 1_000,
) -> Interval | NotEnough:
    """Percentile bootstrap that draws whole clusters: rows of one person are alike.

    clusters: whose each row is. statistic: weights, how often each row counts in a draw -> number,
    or NotEnough. The estimate is that of equal weights. The same seed gives the same interval.
    NotEnough below two clusters, where no draw differs, and where a draw has no answer: then what
    the statistic needs occurs in too few clusters.
    """
    names, cluster = np.unique(np.asarray(clusters), return_inverse=True)
    if len(names) < 2:
        return NotEnough(reason="fewer than two people or groups", have=len(names), need=2)
    estimate = statistic(np.ones(len(cluster)))
    if isinstance(estimate, NotEnough):
        return estimate
    random, drawn = stream(seed, "bootstrap"), np.empty(draws)
    for draw in range(draws):
        counts = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))
        found = statistic(counts.astype(np.float64)[cluster])
        if isinstance(found, NotEnough):
            return NotEnough(
                reason=f"too few people or groups to resample: {found.reason}", have=len(names)
            )
        drawn[draw] = found
    tail = (1 - checked_level(level)) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    if low == high:
        return NotEnough(reason="no variance between resamples", have=len(names))
    return Interval(estimate=estimate, low=float(low), high=float(high), level=level)


def ratio_interval(
    above: npt.ArrayLike, below: npt.ArrayLike, level: float = 0.95
) -> Interval | NotEnough:
    """The ratio of two sums over the same days, such as money for an answer.

    The ratio estimator (Cochran, Sampling Techniques, 3rd ed., 6.3): r = sum(y) / sum(x), its
    variance that of y - r x, divided by the count and the squared mean of x; Student's t. Assumes
    independent days. NotEnough below a week of days with anything below the line.

    >>> ratio_interval([1.0] * 7, [2.0] * 7)
    Interval(estimate=0.5, low=0.5, high=0.5, level=0.95)
    """
    y, x = finite(above, "above"), finite(below, "below")
    if len(y) != len(x):
        raise InputError(f"below: got {len(x)} values, expected {len(y)}, as many as above")
    y, x = y[x > 0], x[x > 0]
    if len(x) < _WEEK:
        return NotEnough(reason="too few days with answers", have=len(x), need=_WEEK)
    r = float(y.sum() / x.sum())
    rest = moments(y - r * x)
    t = float(special.stdtrit(rest.n - 1, 0.5 + checked_level(level) / 2))
    half = t * math.sqrt(rest.variance / rest.n) / float(x.mean())
    return Interval(estimate=r, low=r - half, high=r + half, level=level)


def z_value(level: float) -> float:
    """The two-sided normal quantile, 1.96 for 0.95."""
    return float(special.ndtri(0.5 + checked_level(level) / 2))


def without_spread(sample: Moments) -> NotEnough | None:
    """Why a sample's mean has no interval, or None where it has one."""
    few = _too_few(sample)
    if few:
        return few
    if sample.variance <= 0:
        return NotEnough(reason="no variance: all values are equal", have=sample.n)
    return None


def _too_few(sample: Moments) -> NotEnough | None:
    if sample.n < 2:
        return NotEnough(reason="fewer than two observations", have=sample.n, need=2)
    return None


def checked_counts(successes: float, n: float) -> None:
    """Raises InputError where `successes` of `n` cannot be."""
    if not 0 <= successes <= n:
        raise InputError(f"{successes} successes of {n}, expected 0 to n; check what was counted")
