"""How much of something there is, from a random sample drawn more densely where it is likely.

The population is cut into strata (of posts: by what a model thinks of them), and from each a simple
random sample is looked at. Whoever is drawn with a probability known beforehand can be counted for
all the others like them, however wrong the model is; a model that is right makes the interval
narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inhouse.core.errors import InputError
from inhouse.stats.intervals import clopper_pearson
from inhouse.stats.types import Interval, NotEnough, checked_level, same_length, weights_of

# So much of a stratum's presumed spread is assumed where a model sees none: models are wrong.
_LEAST_SPREAD: Final = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Stratum:
    """A part of the population, and what was found in a random sample of it."""

    mass: float  # how much of the whole it is: posts, or their views
    size: int  # members of the population in it
    sampled: int  # members looked at
    p_found: float  # share of the sample's mass that belongs; 0 where none was looked at
    n_effective: float  # an equally weighted sample that says as much; `sampled` without weights


def stratum_of(
    size: int,
    found: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    mass: float | None = None,
) -> Stratum:
    """A stratum from its sample.

    size: members of the population. found: whether each sampled one belongs, in any order.
    weights: what each sampled one counts, such as its views; then `mass` is the sum over the whole
    stratum, sampled or not. The share is the ratio of weights (Hajek 1971), and the sample counts
    as many as (sum of weights)^2 / sum of squared weights (Kish 1965, section 11.7).

    >>> stratum_of(100, [True, False]).p_found
    0.5
    """
    outcome = np.asarray(found, dtype=np.bool_)
    each = weights_of(weights, len(outcome))
    same_length(outcome, each, "outcomes and weights")
    if len(outcome) > size:
        raise InputError(f"{len(outcome)} sampled of {size}, expected at most as many as there are")
    if (weights is None) != (mass is None):
        raise InputError("weights come with the mass of the whole stratum, and it with them")
    heavy = float(each.sum())
    return Stratum(
        mass=float(size if mass is None else mass),
        size=size,
        sampled=len(outcome),
        p_found=float(each @ outcome) / heavy if heavy else 0.0,
        n_effective=heavy**2 / float(each @ each) if heavy else 0.0,
    )


def share(strata: Sequence[Stratum], level: float = 0.95) -> Interval | NotEnough:
    """The share of the population's mass that belongs; its interval holds where that is rare.

        p = sum of W_h p_h        W_h = mass_h / mass
        low = p - sqrt(sum of W_h^2 (p_h - l_h)^2)
        high = p + sqrt(sum of W_h^2 (u_h - p_h)^2)

    with each stratum's exact interval (l_h, u_h): the variance is recovered at the ends of the
    intervals and not at p_h, where a stratum in which nothing was found would seem to be known for
    certain (MOVER: Zou & Donner 2008, Statistics in Medicine 27:1693; Newcombe 1998). Drawn without
    replacement, n of N say as much as n (N - 1) / (N - n) of a population without end.

    Assumes simple random samples within strata, drawn apart. NotEnough where a stratum that has
    mass was not looked at.
    """
    total = _total(strata, level)
    if isinstance(total, NotEnough):
        return total
    whole = sum(stratum.mass for stratum in strata)
    low, high = max(0.0, total.low / whole), min(1.0, total.high / whole)
    return Interval(estimate=min(1.0, total.estimate / whole), low=low, high=high, level=level)


def share_within(
    inside: Sequence[Stratum], outside: Sequence[Stratum], level: float = 0.95
) -> Interval | NotEnough:
    """Of all that belongs, the share that lies inside: a model's recall, where the strata inside
    hold what it flags. (Its precision is `share` of the strata inside.)

    With a and b the masses that belong inside and outside, each with its interval, the ratio of the
    smaller to the larger has the ends of Donner & Zou (2012, Stat. Methods Med. Res. 21:347), and
    a / (a + b) follows from it. NotEnough where nothing was found at all, or as in `share`.
    """
    parts = [_total(strata, level) if strata else _NOTHING for strata in (inside, outside)]
    for part in parts:
        if isinstance(part, NotEnough):
            return part
    found, missed = (part for part in parts if isinstance(part, Interval))
    if found.estimate + missed.estimate == 0:
        looked = sum(stratum.sampled for stratum in (*inside, *outside))
        return NotEnough(reason="none that belongs was found", have=looked)
    if missed.estimate <= found.estimate:
        low, high = _ratio(missed, found)
        ends = 1 / (1 + high), 1 / (1 + low)
    else:
        low, high = _ratio(found, missed)
        ends = low / (1 + low), high / (1 + high)
    estimate = found.estimate / (found.estimate + missed.estimate)
    return Interval(estimate=estimate, low=ends[0], high=ends[1], level=level)


def allocate(sizes: Sequence[int], p_means: Sequence[float], n: int) -> list[int]:
    """How many of n to draw from each stratum; never more than it has.

    Half of them evenly, so that a model that is wrong is found out; the others where they narrow
    the interval most, in proportion to size and presumed spread sqrt(p (1 - p)) (Neyman 1934, JRSS
    97:558).

    sizes: members. p_means: in [0, 1], what a model presumes of each stratum.

    >>> allocate([9_000, 1_000], [0.01, 0.5], 100)
    [58, 42]
    """
    have = np.asarray(sizes, dtype=np.int64)
    presumed = np.asarray(p_means, dtype=np.float64)
    wanted = have * np.maximum(np.sqrt(presumed * (1 - presumed)), _LEAST_SPREAD)
    filled = have > 0
    drawn = np.zeros(len(have), dtype=np.int64)
    drawn[filled] = np.minimum(have[filled], n // (2 * max(1, int(filled.sum()))))
    while (left := min(n, int(have.sum())) - int(drawn.sum())) > 0:
        open_now = drawn < have
        ideal = left * wanted * open_now / float((wanted * open_now).sum())
        more = np.minimum(np.floor(ideal).astype(np.int64), have - drawn)
        if not more.any():
            # Less than one each: the largest fractions get one, the first of equals.
            more[np.argsort(-np.where(open_now, ideal, -1.0), kind="stable")[:left]] = 1
            more *= open_now
        drawn += more
    return [int(count) for count in drawn]


_NOTHING: Final = Interval(estimate=0.0, low=0.0, high=0.0, level=0.95)


def _total(strata: Sequence[Stratum], level: float) -> Interval | NotEnough:
    """The mass that belongs, with its interval."""
    checked_level(level)
    heavy = [stratum for stratum in strata if stratum.mass > 0]
    if not heavy:
        return NotEnough(reason="the population is empty", have=0, need=1)
    estimate = below = above = 0.0
    for stratum in heavy:
        if stratum.n_effective <= 0:
            return NotEnough(
                reason=f"none of {stratum.size:,} in a part of the population was looked at",
                have=sum(each.sampled for each in heavy),
            )
        p = stratum.p_found
        estimate += stratum.mass * p
        if stratum.sampled == stratum.size:
            continue  # all of it is known
        n = stratum.n_effective * (stratum.size - 1) / (stratum.size - stratum.sampled)
        known = clopper_pearson(p * n, n, level)
        assert isinstance(known, Interval)  # n is above 0
        below += (stratum.mass * (p - known.low)) ** 2
        above += (stratum.mass * (known.high - p)) ** 2
    return Interval(
        estimate=estimate,
        low=max(0.0, estimate - math.sqrt(below)),
        high=estimate + math.sqrt(above),
        level=level,
    )


def _ratio(upper: Interval, lower: Interval) -> tuple[float, float]:
    """Ends of upper / lower, whose estimate is above 0; infinite where `lower` may be nothing."""
    product = upper.estimate * lower.estimate
    least = upper.low * (2 * upper.estimate - upper.low)
    most = upper.high * (2 * upper.estimate - upper.high)
    wide = lower.high * (2 * lower.estimate - lower.high)
    narrow = lower.low * (2 * lower.estimate - lower.low)
    low = 0.0
    if least > 0:  # the form of the root without a difference of what is nearly equal
        low = least / (product + math.sqrt(max(0.0, product**2 - least * wide)))
    if narrow <= 0:
        return low, math.inf
    return low, (product + math.sqrt(max(0.0, product**2 - most * narrow))) / narrow
