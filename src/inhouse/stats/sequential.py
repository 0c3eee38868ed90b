"""Intervals that stay valid however often one looks, and whenever one stops.

Asymptotic confidence sequences of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
central limit theory and asymptotic confidence sequences" (arXiv 2103.06476; Annals of Statistics
52, 2024): the Gaussian mixture boundary, eq. 9, tuned by their eq. for rho at a chosen size N*.
The difference of two means uses the total size of both arms, as GrowthBook does.
"""

import math
from typing import Final

from inhouse.core.errors import InputError
from inhouse.stats.intervals import without_spread
from inhouse.stats.types import Interval, Moments, NotEnough

N_STAR: Final = 5_000
LEAST_PER_ARM: Final = 100


def asymptotic_cs(
    mean: float, variance: float, n: int, alpha: float = 0.05, n_star: int = N_STAR
) -> Interval | NotEnough:
    """Confidence sequence of a mean after `n` observations.

    With the sample mean m, the sample variance s2 and

        rho  = sqrt((-2 ln alpha + ln(1 - 2 ln alpha)) / N*)
        half = sqrt(s2) * sqrt( 2 (n rho^2 + 1) / (n^2 rho^2) * ln( sqrt(n rho^2 + 1) / alpha ) )

    the intervals m +/- half cover the true mean at all n at once with probability tending to at
    least 1 - alpha.

    Assumes independent observations with more than two finite moments. The guarantee is asymptotic
    in the first look: do not begin to look at a handful of skewed values (see LEAST_PER_ARM).
    mean: sample mean. variance: unbiased sample variance. n: observations, at least 2.
    alpha: chance of ever being wrong, in (0, 0.5]. n_star: size at which the interval is tightest;
    fix it before the first look.
    Returns NotEnough below two observations or without variance.
    Example:

    >>> interval = asymptotic_cs(mean=0.0, variance=1.0, n=5_000)
    >>> round(interval.high / (1.959964 / 5_000**0.5), 2)  # 1.55 times the fixed interval at N*
    1.55
    """
    sample = Moments(n=n, mean=mean, variance=variance)
    lacking = without_spread(sample)
    if lacking:
        return lacking
    half = math.sqrt(variance / n) * widening(n, alpha, n_star)
    return Interval(estimate=mean, low=mean - half, high=mean + half, level=1 - alpha)


def difference_cs(
    control: Moments, treatment: Moments, alpha: float = 0.05, n_star: int = N_STAR
) -> Interval | NotEnough:
    """Confidence sequence of `treatment mean - control mean`.

    half = sqrt(s2_c / n_c + s2_t / n_t) * widening(n_c + n_t). Assumptions as `asymptotic_cs`, the
    arms independent and their shares fixed during the test.
    NotEnough where an arm has under two observations or there is no variance in either.

    >>> same = Moments(n=2_500, mean=1.0, variance=4.0)
    >>> interval = difference_cs(same, same)
    >>> (interval.estimate, round(interval.high, 4))
    (0.0, 0.1717)
    """
    for arm in (control, treatment):
        if arm.n < 2:
            return NotEnough(reason="fewer than two observations in an arm", have=arm.n, need=2)
    squared = control.variance / control.n + treatment.variance / treatment.n
    return _around(treatment.mean - control.mean, squared, control.n + treatment.n, alpha, n_star)


def relative_difference_cs(
    control: Moments, treatment: Moments, alpha: float = 0.05, n_star: int = N_STAR
) -> Interval | NotEnough:
    """Confidence sequence of `treatment mean / control mean - 1` by the delta method.

        se^2 = s2_t / (n_t m_c^2) + m_t^2 s2_c / (n_c m_c^4)

    Assumes further that the control's mean is known to be away from 0: NotEnough where its own
    confidence sequence reaches 0, for then the ratio has no sensible interval.
    """
    for arm in (control, treatment):
        if arm.n < 2:
            return NotEnough(reason="fewer than two observations in an arm", have=arm.n, need=2)
    half = math.sqrt(control.variance / control.n) * widening(control.n, alpha, n_star)
    if abs(control.mean) <= half:
        return NotEnough(reason="the control's mean may be zero", have=control.n)
    squared = treatment.variance / (treatment.n * control.mean**2)
    squared += treatment.mean**2 * control.variance / (control.n * control.mean**4)
    lift = treatment.mean / control.mean - 1
    return _around(lift, squared, control.n + treatment.n, alpha, n_star)


def widening(n: int, alpha: float = 0.05, n_star: int = N_STAR) -> float:
    """Half-width of the confidence sequence in standard errors (the fixed interval has 1.96)."""
    if not 0 < alpha <= 0.5:
        raise InputError(f"alpha is {alpha}, expected more than 0 and at most 0.5, such as 0.05")
    if n < 1 or n_star < 1:
        raise InputError(f"n is {n} and n_star {n_star}, expected 1 or more each")
    scaled = n * (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / n_star  # n rho^2
    return math.sqrt(2 * (scaled + 1) / scaled * math.log(math.sqrt(scaled + 1) / alpha))


def _around(
    estimate: float, squared_error: float, n: int, alpha: float, n_star: int
) -> Interval | NotEnough:
    if squared_error <= 0:
        return NotEnough(reason="no variance in either arm", have=n)
    half = math.sqrt(squared_error) * widening(n, alpha, n_star)
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half, level=1 - alpha)
