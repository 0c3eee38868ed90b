"""Sample ratio mismatch: did the arms fill in the shares they were given?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scipy import special

from inhouse.core.errors import InputError
from inhouse.stats.types import NotEnough

ALARM_BELOW: Final = 0.001
# How tightly the anytime test's prior holds the planned shares: the Dirichlet's total weight.
_CONCENTRATION: Final = 10_000.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SrmCheck:
    """Whether the people in the arms fit the planned shares."""

    p_value: float  # chi-square, for one look
    p_anytime: float  # valid however often one looks; more cautious
    counts: tuple[int, ...]  # people found in each arm
    expected: tuple[float, ...]  # people planned for each arm

    @property
    def alarm(self) -> bool:
        """Whether results should not be believed: one-look p below 0.001, the field's level."""
        return self.p_value < ALARM_BELOW


def srm(counts: Sequence[int], weights: Sequence[float]) -> SrmCheck | NotEnough:
    """Chi-square goodness of fit, and a test that may be looked at daily.

    chi2 = sum (n_i - N w_i)^2 / (N w_i) with k - 1 degrees of freedom. The anytime p is the inverse
    Bayes factor of a Dirichlet-multinomial against the planned shares (Lindon & Malek, "Anytime-
    valid inference for multinomial count data", NeurIPS 2022).

    counts: people in each arm. weights: planned shares, in any unit, none negative; an arm of
    weight 0 must be empty, else p is 0.
    NotEnough below two arms of weight or where an arm expects fewer than 5 people (the chi-square
    approximation does not hold there).

    >>> srm([5_000, 5_000], [1, 1]).p_value
    1.0
    >>> srm([4_600, 5_400], [0.5, 0.5]).alarm
    True
    """
    _check(counts, weights)
    total, weight = sum(counts), sum(weights)
    expected = tuple(total * w / weight for w in weights)
    pairs = [(n, e) for n, e in zip(counts, expected, strict=True) if e > 0]
    live = sum(1 for w in weights if w > 0)
    if live < 2:
        return NotEnough(reason="fewer than two arms have a share", have=live, need=2)
    least = min(w for w in weights if w > 0)
    if total * least / weight < 5:
        need = math.ceil(5 * weight / least)
        return NotEnough(reason="an arm expects fewer than 5 people", have=total, need=need)
    if any(n > 0 and w == 0 for n, w in zip(counts, weights, strict=True)):
        return SrmCheck(p_value=0.0, p_anytime=0.0, counts=tuple(counts), expected=expected)
    chi2 = sum((n - e) ** 2 / e for n, e in pairs)
    return SrmCheck(
        p_value=float(special.chdtrc(live - 1, chi2)),
        p_anytime=_anytime_p([n for n, _ in pairs], [e / total for _, e in pairs]),
        counts=tuple(counts),
        expected=expected,
    )


def _anytime_p(counts: Sequence[int], shares: Sequence[float]) -> float:
    """min(1, 1 / BF), BF = Dirichlet(c w) mixture of the counts over the multinomial with w."""
    log_bayes = special.gammaln(_CONCENTRATION) - special.gammaln(_CONCENTRATION + sum(counts))
    for n, share in zip(counts, shares, strict=True):
        prior = _CONCENTRATION * share
        log_bayes += special.gammaln(prior + n) - special.gammaln(prior) - n * math.log(share)
    return min(1.0, math.exp(-min(float(log_bayes), 700.0)))


def _check(counts: Sequence[int], weights: Sequence[float]) -> None:
    if len(counts) != len(weights):
        raise InputError(f"{len(counts)} counts and {len(weights)} weights, expected as many")
    if any(n < 0 for n in counts) or any(w < 0 or not math.isfinite(w) for w in weights):
        raise InputError("a count or weight is negative or not finite, expected 0 or more")
