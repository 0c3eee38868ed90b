"""What a sum of coming values will be, from a short history."""

import math
from typing import Final

import numpy.typing as npt
from scipy import special

from inhouse.core.errors import InputError
from inhouse.stats.types import Interval, NotEnough, checked_level, finite, moments

LEAST: Final = 8  # values; with fewer the spread of their steps is anybody's guess


def drift_sum(values: npt.ArrayLike, ahead: int, level: float = 0.95) -> Interval | NotEnough:
    """The sum of the next `ahead` values of a series that goes on as it went.

    The random walk with drift (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd
    ed., 5.2 and 5.5): each value is the one before, plus a step of mean b, estimated by the mean
    of the steps seen. Summed up over h = 1..H the expected value is H y + b H(H+1)/2, and its error
    has the variance s^2 (sum of (H-h+1)^2 + (H(H+1)/2)^2 / n), with n steps of variance s^2;
    Student's t with n - 1 degrees of freedom. Assumes independent steps of one variance: where
    values merely vary about a level the interval is wider than needed.

    >>> found = drift_sum([1, 2, 4, 4, 6, 7, 7, 9], ahead=2)
    >>> round(found.estimate, 3), round(found.low, 1), round(found.high, 1)
    (21.429, 15.9, 26.9)
    """
    series = finite(values, "values")
    if ahead < 1:
        raise InputError(f"ahead: got {ahead}, expected 1 or more")
    if len(series) < LEAST:
        return NotEnough(reason="too short a history", have=len(series), need=LEAST)
    steps = moments(series[1:] - series[:-1])
    whole = ahead * (ahead + 1) / 2
    estimate = ahead * float(series[-1]) + steps.mean * whole
    squares = ahead * (ahead + 1) * (2 * ahead + 1) / 6
    spread = math.sqrt(steps.variance * (squares + whole**2 / steps.n))
    half = float(special.stdtrit(steps.n - 1, 0.5 + checked_level(level) / 2)) * spread
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half, level=level)
