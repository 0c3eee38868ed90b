"""How far one model flags what another flags, when harm is rare: Cohen's kappa.

    kappa = (p_o - p_e) / (1 - p_e)

p_o is the share of texts on which both say the same, p_e what chance alone would give two models
that flag as often as these do. Plain agreement says nothing here: a model that flags nothing agrees
on 99 posts of 100. Its kappa is 0; full agreement is 1. Above 0.6 counts as substantial agreement
(Landis & Koch 1977, Biometrics 33:159); trained moderators often reach less among themselves.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from scipy import special

from inhouse.models.types import Scores
from inhouse.stats.intervals import z_value
from inhouse.stats.sequential import widening
from inhouse.stats.types import Interval, NotEnough

LEAST_EACH: Final = 20  # texts flagged and let pass by the reference, before anything is said
ANY: Final = "any"  # whether any category was found: the question that matters most
_LEVEL: Final = 0.95
_N_STAR: Final = 1_000  # pairs at which the anytime-valid interval is tightest
_TOO_NEAR: Final = 0.005


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Counts of one category, and what they amount to."""

    category: str  # or `any`
    both: int  # texts the reference and the model in question flag
    missed: int  # flagged by the reference alone
    extra: int  # flagged by the model alone
    neither: int

    @property
    def pairs(self) -> int:
        return self.both + self.missed + self.extra + self.neither

    @property
    def caught(self) -> float | None:
        """Share of the reference's flags that the model flags too; None without any."""
        flags = self.both + self.missed
        return self.both / flags if flags else None

    @property
    def spared(self) -> float | None:
        """Share of what the reference lets pass that the model lets pass; None without any."""
        passes = self.neither + self.extra
        return self.neither / passes if passes else None

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa; None where chance alone explains everything."""
        return _kappa(self.both, self.missed, self.extra, self.neither)

    def interval(self) -> Interval | NotEnough:
        """95% interval of kappa for one look at a fixed sample."""
        return self._around(z_value(_LEVEL))

    def sequence(self) -> Interval | NotEnough:
        """95% interval of kappa that holds however often one looks: as wide in standard errors as
        the asymptotic confidence sequence of stats.sequential."""
        return self._around(widening(max(1, self.pairs), 1 - _LEVEL, _N_STAR))

    def p_above(self, bar: float) -> float | None:
        """Chance of a kappa so far above the bar, were the true one on it; None where `interval`
        says nothing."""
        interval = self.interval()
        if isinstance(interval, NotEnough):
            return None
        return float(special.ndtr((bar - interval.estimate) / self._error()))

    def p_below(self, bar: float) -> float | None:
        """The same of one so far below."""
        above = self.p_above(bar)
        return None if above is None else 1 - above

    def more_needed(self, bar: float) -> int | None:
        """Further pairs of the same kind until `interval` likely leaves the bar; 0 where it has.
        None where no number can be told: nothing flagged yet, or the truth lies on the bar."""
        interval = self.interval()
        if isinstance(interval, NotEnough):
            rarer = min(self.both + self.missed, self.neither + self.extra)
            return math.ceil(self.pairs * (LEAST_EACH - rarer) / rarer) if rarer else None
        if interval.low >= bar or interval.high < bar:
            return 0
        distance = abs(interval.estimate - bar)
        if distance < _TOO_NEAR:
            return None
        half = self._error() * z_value(_LEVEL)
        return max(1, math.ceil(self.pairs * ((half / distance) ** 2 - 1)))

    def _around(self, errors: float) -> Interval | NotEnough:
        """The interval that many standard errors to both sides."""
        rarer = min(self.both + self.missed, self.neither + self.extra)
        kappa = self.kappa
        if rarer < LEAST_EACH or kappa is None:
            return NotEnough(
                reason="the reference has flagged, or let pass, too few texts",
                have=rarer,
                need=LEAST_EACH,
            )
        half = errors * self._error()
        return Interval(
            estimate=kappa, low=max(-1.0, kappa - half), high=min(1.0, kappa + half), level=_LEVEL
        )

    def _error(self) -> float:
        """Large-sample standard error (Fleiss, Cohen & Everitt 1969, Psychological Bulletin
        72:323), with half a text more in each cell, so that perfect agreement keeps a width."""
        cells = [count + 0.5 for count in (self.both, self.missed, self.extra, self.neither)]
        n = sum(cells)
        both, missed, extra, neither = (cell / n for cell in cells)
        reference, model = both + missed, both + extra
        chance = reference * model + (1 - reference) * (1 - model)
        kappa = (both + neither - chance) / (1 - chance)
        same = both * (1 - (reference + model) * (1 - kappa)) ** 2
        same += neither * (1 - (2 - reference - model) * (1 - kappa)) ** 2
        differ = missed * (1 - reference + model) ** 2 + extra * (1 - model + reference) ** 2
        spread = same + differ * (1 - kappa) ** 2 - (kappa - chance * (1 - kappa)) ** 2
        return math.sqrt(max(spread, 0.0) / n) / (1 - chance)


def agreement(category: str, pairs: Iterable[tuple[Scores, Scores]], flag_at: float) -> Agreement:
    """Count one category, or `any`, over pairs of (reference, model in question).

    A pair counts where the reference spoke of the category; a category the model does not know is
    one it never flags. For `any` a pair counts where the reference spoke of anything, and only what
    it spoke of is compared.

    >>> agreement("hate", [({"hate": 0.9}, {"hate": 0.7}), ({"hate": 0.1}, {})], 0.5).kappa
    1.0
    """
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for reference, model in pairs:
        wanted = flagged(category, reference, flag_at)
        if wanted is not None:
            counts[wanted, flagged_too(category, reference, model, flag_at)] += 1
    return Agreement(
        category=category,
        both=counts[True, True],
        missed=counts[True, False],
        extra=counts[False, True],
        neither=counts[False, False],
    )


def flagged(category: str, scores: Scores, flag_at: float) -> bool | None:
    """Whether a category, or `any`, is found; None where the scores do not speak of it."""
    if category == ANY:
        return max(scores.values()) >= flag_at if scores else None
    p = scores.get(category)
    return None if p is None else p >= flag_at


def flagged_too(category: str, reference: Scores, model: Scores, flag_at: float) -> bool:
    """Whether the model finds it, judged by what the reference spoke of."""
    comparable = {name: model[name] for name in reference if name in model}
    return bool(flagged(category, comparable, flag_at))


def _kappa(both: float, missed: float, extra: float, neither: float) -> float | None:
    n = both + missed + extra + neither
    if n == 0:
        return None
    reference, model = (both + missed) / n, (both + extra) / n
    chance = reference * model + (1 - reference) * (1 - model)
    return None if chance >= 1 else ((both + neither) / n - chance) / (1 - chance)
