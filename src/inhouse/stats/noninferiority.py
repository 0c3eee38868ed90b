"""Is the new at most a margin worse than the old? Yes, no, or how many more labels it takes."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import scipy
from scipy import special

from inhouse.core.errors import InputError
from inhouse.stats.intervals import checked_counts, wilson, z_value
from inhouse.stats.types import Interval, checked_level, same_length

Verdict = Literal["non_inferior", "inferior", "not_enough"]
# Chance that the planned number of labels settles the question, if the rates stay as they look.
_POWER: Final = 0.8
_MOST_PLANNED: Final = 10**9
_EDGE: Final = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class NonInferiority:
    """The answer, with what it rests on."""

    verdict: Verdict  # non_inferior, inferior, or not_enough
    margin: float  # the loss that would still be accepted, as a difference of rates
    n: int  # labels the new one has (pairs, where paired)
    difference: Interval | None  # new rate - old rate; None where there is no label at all
    more_needed: int | None  # further labels for 80% power; 0 once settled, None where unknowable
    # Chance of a difference so far above -margin, were it that, and of one so far below: one-sided,
    # of the test that the interval inverts. None without labels, and where it is not computed.
    p_non_inferior: float | None = None
    p_inferior: float | None = None


def paired(
    new_right: npt.ArrayLike, old_right: npt.ArrayLike, margin: float, level: float = 0.95
) -> NonInferiority:
    """Compare two deciders on the same labelled inputs.

    Tango's score interval of the difference of paired proportions (Tango 1998, Statistics in
    Medicine 17:891): the set of d for which |T(d)| <= z, with b inputs only the new one gets right,
    c only the old one, and q(d) the restricted maximum-likelihood share of the latter,

        T(d) = (b - c - n d) / sqrt(n (2 q(d) + d (1 - d)))

    `non_inferior` where the interval lies above -margin, `inferior` where it lies below it.
    Valid for one look; holds also where the two never disagree.

    new_right, old_right: booleans per input, in the same order. margin: in (0, 1).

    >>> import numpy as np
    >>> right = np.ones(400, dtype=bool)
    >>> paired(right, right, margin=0.02).verdict
    'non_inferior'
    """
    new, old = np.asarray(new_right, dtype=np.bool_), np.asarray(old_right, dtype=np.bool_)
    same_length(new, old, "the new and the old answers")
    gained, lost = int((new & ~old).sum()), int((old & ~new).sum())
    return paired_counts(gained, lost, len(new), margin, level)


def paired_counts(
    gained: int, lost: int, n: int, margin: float, level: float = 0.95
) -> NonInferiority:
    """As `paired`, from counts: `gained` only the new one gets right, `lost` only the old one."""
    _check_margin(margin)
    checked_counts(gained + lost, n)
    difference = _tango(gained, lost, n, level) if n else None
    # Planning adds half an observation to each cell (Agresti & Min 2005): never a zero variance.
    smooth = n + 2
    estimate = (gained - lost) / smooth
    variance = (gained + lost + 1) / smooth - estimate**2
    answer = _answer(difference, n, margin, _wanted(estimate, variance, margin, level))
    if not n:
        return answer
    z = _tango_statistic(gained, lost, n, -margin)
    return replace(
        answer,
        p_non_inferior=float(special.ndtr(-z)),
        p_inferior=float(special.ndtr(z)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """Successes among trials."""

    successes: int  # 0 to n
    n: int  # trials


def unpaired(new: Count, old: Count, margin: float, level: float = 0.95) -> NonInferiority:
    """Compare two deciders on different inputs of the same kind.

    Newcombe's hybrid score interval (Newcombe 1998, Statistics in Medicine 17:873, method 10):

        low  = d - sqrt((p1 - l1)^2 + (u2 - p2)^2),  high = d + sqrt((u1 - p1)^2 + (p2 - l2)^2)

    with each rate's Wilson limits l, u. `more_needed` counts labels for each of the two.

    >>> unpaired(Count(successes=56, n=70), Count(successes=48, n=80), 0.05).verdict
    'non_inferior'
    """
    _check_margin(margin)
    first, second = (wilson(count.successes, count.n, level) for count in (new, old))
    difference = None
    if isinstance(first, Interval) and isinstance(second, Interval):
        difference = _newcombe(first, second)
    rates = [(count.successes + 1) / (count.n + 2) for count in (new, old)]
    variance = sum(rate * (1 - rate) for rate in rates)
    wanted = _wanted(rates[0] - rates[1], variance, margin, level)
    return _answer(difference, min(new.n, old.n), margin, wanted)


def _answer(
    difference: Interval | None, n: int, margin: float, wanted: int | None
) -> NonInferiority:
    verdict: Verdict = "not_enough"
    if difference is not None and difference.low > -margin:
        verdict = "non_inferior"
    elif difference is not None and difference.high < -margin:
        verdict = "inferior"
    more = 0 if verdict != "not_enough" else None
    if more is None and wanted is not None:
        more = max(1, wanted - n)
    return NonInferiority(
        verdict=verdict, margin=margin, n=n, difference=difference, more_needed=more
    )


def _wanted(estimate: float, variance: float, margin: float, level: float) -> int | None:
    """Labels in all that settle it with 80% power: variance ((z + z_power) / (d + margin))^2."""
    distance = abs(estimate + margin)
    reach = z_value(level) + float(special.ndtri(_POWER))
    if distance * math.sqrt(_MOST_PLANNED) <= reach * math.sqrt(variance):
        return None  # the rates look to lie on the margin itself
    return math.ceil(variance * (reach / distance) ** 2)


def _newcombe(first: Interval, second: Interval) -> Interval:
    estimate = first.estimate - second.estimate
    below = math.hypot(first.estimate - first.low, second.high - second.estimate)
    above = math.hypot(first.high - first.estimate, second.estimate - second.low)
    return Interval(
        estimate=estimate,
        low=max(-1.0, estimate - below),
        high=min(1.0, estimate + above),
        level=first.level,
    )


def _tango(gained: int, lost: int, n: int, level: float) -> Interval:
    estimate, z = (gained - lost) / n, z_value(checked_level(level))

    def statistic(delta: float) -> float:
        return _tango_statistic(gained, lost, n, delta)

    low = _root(lambda delta: statistic(delta) - z, -1 + _EDGE, estimate - _EDGE)
    high = _root(lambda delta: statistic(delta) + z, estimate + _EDGE, 1 - _EDGE)
    return Interval(
        estimate=estimate,
        low=-1.0 if low is None else low,
        high=1.0 if high is None else high,
        level=level,
    )


def _tango_statistic(gained: int, lost: int, n: int, delta: float) -> float:
    """T(delta) of `paired`."""
    middle = (2 * n - gained + lost) * delta - gained - lost
    root = math.sqrt(max(0.0, middle**2 + 8 * n * lost * delta * (1 - delta)))
    share = (root - middle) / (4 * n)
    spread = n * (2 * share + delta * (1 - delta))
    return (gained - lost - n * delta) / math.sqrt(max(spread, 1e-300))


def _root(function: Callable[[float], float], start: float, end: float) -> float | None:
    """Where a falling function crosses zero, None where it does not within the range."""
    if start >= end or function(start) < 0 or function(end) > 0:
        return None
    return float(scipy.optimize.brentq(function, start, end, xtol=1e-12))


def _check_margin(margin: float) -> None:
    if not 0 < margin < 1:
        raise InputError(f"margin is {margin}, expected more than 0 and less than 1, such as 0.02")
