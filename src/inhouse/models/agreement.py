"""How far one model flags what another flags, when harm is rare.

Plain agreement says nothing there: a model that flags nothing agrees on 99 of 100 posts. Balanced
agreement is the mean of two shares: of what the reference flags, how much is flagged too; of what
it lets pass, how much passes too.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from inhouse.models.types import Scores
from inhouse.stats.intervals import wilson
from inhouse.stats.sequential import widening
from inhouse.stats.types import Interval, NotEnough

LEAST_EACH: Final = 20  # flagged and passed by the reference, before anything is said
ANY: Final = "any"  # whether any category was found: the question that matters most
_N_STAR: Final = 500  # pairs at which the anytime-valid interval is tightest
_LEVEL: Final = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Counts of one category, and what they amount to."""

    category: str  # or `any`
    flagged: int  # texts the reference flags
    flagged_too: int  # of these, flagged by the model in question
    passed: int  # texts the reference lets pass
    passed_too: int  # of these, let pass too

    @property
    def pairs(self) -> int:
        return self.flagged + self.passed

    @property
    def caught(self) -> float | None:
        """Share of the reference's flags; None where it flags nothing."""
        return self.flagged_too / self.flagged if self.flagged else None

    @property
    def spared(self) -> float | None:
        """Share of the reference's passes; None where it lets nothing pass."""
        return self.passed_too / self.passed if self.passed else None

    @property
    def balanced(self) -> float | None:
        """Mean of both shares; None where one is missing."""
        if self.caught is None or self.spared is None:
            return None
        return (self.caught + self.spared) / 2

    def interval(self) -> Interval | NotEnough:
        """95% interval of `balanced` for one look at a fixed sample: Wilson's interval of each
        share, combined by MOVER (Zou & Donner 2008, Statistics in Medicine 27:1693)."""
        lacking = self._lacking()
        if lacking:
            return lacking
        first, second = (
            wilson(self.flagged_too, self.flagged, _LEVEL),
            wilson(self.passed_too, self.passed, _LEVEL),
        )
        assert isinstance(first, Interval)
        assert isinstance(second, Interval)
        middle = (first.estimate + second.estimate) / 2
        below = math.hypot(first.estimate - first.low, second.estimate - second.low) / 2
        above = math.hypot(first.high - first.estimate, second.high - second.estimate) / 2
        return _interval(middle, below, above)

    def sequence(self) -> Interval | NotEnough:
        """95% interval of `balanced` that holds however often one looks: the asymptotic confidence
        sequence of stats.sequential, each share's variance taken with one success and one failure
        more (so that perfect agreement keeps a width)."""
        lacking = self._lacking()
        if lacking:
            return lacking
        squared = _variance(self.flagged_too, self.flagged) / self.flagged
        squared += _variance(self.passed_too, self.passed) / self.passed
        half = math.sqrt(squared) / 2 * widening(self.pairs, 1 - _LEVEL, _N_STAR)
        middle = (self.flagged_too / self.flagged + self.passed_too / self.passed) / 2
        return _interval(middle, half, half)

    def more_needed(self, bar: float, interval: Interval | NotEnough) -> int | None:
        """Further pairs of the same kind until the interval likely leaves the bar; 0 where it has.
        None where no number can be told: nothing flagged yet, or the truth lies on the bar."""
        if isinstance(interval, NotEnough):
            rarer = min(self.flagged, self.passed)
            missing = LEAST_EACH - rarer
            return math.ceil(self.pairs * missing / rarer) if rarer else None
        if interval.low >= bar or interval.high < bar:
            return 0
        distance = abs(interval.estimate - bar)
        if distance < _TOO_NEAR:
            return None
        above = interval.estimate >= bar
        half = interval.estimate - interval.low if above else interval.high - interval.estimate
        return max(1, math.ceil(self.pairs * ((half / distance) ** 2 - 1)))

    def _lacking(self) -> NotEnough | None:
        rarer = min(self.flagged, self.passed)
        if rarer >= LEAST_EACH:
            return None
        kind = "flagged" if self.flagged < self.passed else "passed"
        return NotEnough(
            reason=f"the reference has {kind} too few texts", have=rarer, need=LEAST_EACH
        )


_TOO_NEAR: Final = 0.002


def agreement(category: str, pairs: Iterable[tuple[Scores, Scores]], flag_at: float) -> Agreement:
    """Count one category, or `any`, over pairs of (reference, model in question).

    A pair counts where the reference spoke of the category; a category the model does not know is
    one it never flags. For `any` a pair counts where the reference spoke of anything, and only what
    it spoke of is compared.

    >>> agreement("hate", [({"hate": 0.9}, {"hate": 0.7}), ({"hate": 0.1}, {})], 0.5).balanced
    1.0
    """
    counts = [[0, 0], [0, 0]]
    for reference, other in pairs:
        wanted = flagged(category, reference, flag_at)
        if wanted is None:
            continue
        comparable = {name: other[name] for name in reference if name in other}
        got = bool(flagged(category, comparable, flag_at))
        counts[wanted][0] += 1
        counts[wanted][1] += wanted == got
    return Agreement(
        category=category,
        flagged=counts[1][0],
        flagged_too=counts[1][1],
        passed=counts[0][0],
        passed_too=counts[0][1],
    )


def agreements(
    categories: Sequence[str], pairs: Sequence[tuple[Scores, Scores]], flag_at: float
) -> dict[str, Agreement]:
    """`agreement` for `any` and each category."""
    return {name: agreement(name, pairs, flag_at) for name in (ANY, *categories)}


def flagged(category: str, scores: Scores, flag_at: float) -> bool | None:
    """Whether a category, or `any`, is found; None where the scores do not speak of it."""
    if category == ANY:
        return max(scores.values()) >= flag_at if scores else None
    p = scores.get(category)
    return None if p is None else p >= flag_at


def _variance(successes: int, n: int) -> float:
    p = (successes + 1) / (n + 2)
    return p * (1 - p)


def _interval(middle: float, below: float, above: float) -> Interval:
    return Interval(
        estimate=middle, low=max(0.0, middle - below), high=min(1.0, middle + above), level=_LEVEL
    )
