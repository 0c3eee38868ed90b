"""A larger model for the uncertain few: what a twentieth of its cost buys.

The larger model is simulated from the labels: it says what they say for 95 texts of 100, chosen by
chance, and the opposite for the others. The owned model learns from a third of the texts; on the
second third the band is chosen: of those that hold at most 5% of the texts, by a bound that as many
texts again are unlikely to pass, the one of the best AUPRC, and by learn-then-test
(`models.cascade.bands`); the last third is judged once.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Report
from benchmarks.moderation_models import owned
from benchmarks.moderation_sets import SHARED, pooled
from inhouse.core.random import stream
from inhouse.models.cascade.bands import Certified, Goal, Pairs, learn_bands
from inhouse.models.types import Band
from inhouse.stats.classification import average_precision
from inhouse.stats.intervals import clopper_pearson
from inhouse.stats.types import Interval

_AGREES: Final = 0.95
_BUDGET: Final = 0.05
_EDGES: Final = 240  # quantiles tried as ends of a band, .4% of the texts apart
# Two-sided, for the share within a band: above it the true one lies once in a hundred times. The
# share of as many texts again varies as well, so that it is past that bound once in twenty.
_SURE: Final = 0.98


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    """Texts of one part and category, and what everybody says of them."""

    p: NDArray[np.float64]  # the owned model
    teacher: NDArray[np.float64]  # the larger model: 0.95 or 0.05
    truth: NDArray[np.bool_]

    def cascade(self, band: Band) -> NDArray[np.float64]:
        """The owned model's probability, the larger one's within the band."""
        return np.where(self.inside(band), self.teacher, self.p)

    def share(self, band: Band) -> float:
        return float(self.inside(band).mean())

    def most(self, band: Band) -> float:
        """The share that as many texts again are unlikely to pass."""
        inside = self.inside(band)
        found = clopper_pearson(int(inside.sum()), len(inside), _SURE)
        return found.high if isinstance(found, Interval) else 1.0

    def inside(self, band: Band) -> NDArray[np.bool_]:
        """Which texts the larger model is asked about."""
        return (self.p >= band.low) & (self.p < band.high)


def cascade(quick: bool) -> Report:
    """A row for each model and category."""
    report = Report("cascade", ("category", "model", "AUPRC", "asked again", "promised"))
    if not SHARED.exists():
        raise SystemExit(f"{SHARED} is not there")
    whole = pooled()
    order = stream(1, "cascade").permutation(len(whole.texts))[: 5_700 if quick else None]
    train, choose, held = (whole.part(part) for part in np.array_split(order, 3))
    score = owned(train)
    scores = [score(part.texts) for part in (choose, held)]
    for place, category in enumerate(whole.categories):
        first, last = (
            _judged(part.targets[:, place], p[:, place], seed)
            for seed, (part, p) in enumerate(zip((choose, held), scores, strict=True))
        )
        band = _best_band(first)
        goal = Goal(precision=0.7, recall=0.7, sure=0.9)
        found = learn_bands(
            {category: Pairs(p=first.p, rented=first.teacher > 0.5, truth=first.truth)}, goal
        )[category]
        rows: list[tuple[str, NDArray[np.float64], float, str]] = [
            ("owned alone", last.p, 0.0, ""),
            ("larger alone", last.teacher, 1.0, ""),
            ("cascade, 5% at most", last.cascade(band), last.share(band), ""),
        ]
        if isinstance(found, Certified):
            said = last.cascade(found.band) >= 0.5
            hits = (said & last.truth).sum()
            kept = f"precision {hits / said.sum():.3f}, recall {hits / last.truth.sum():.3f}"
            promise = f"0.7 and 0.7; here {kept}"
            told = last.cascade(found.band)
            rows.append(("learn then test", told, last.share(found.band), promise))
        for name, told, again, promise in rows:
            report.add(
                **{"category": category, "model": name, "asked again": again},
                **{"AUPRC": average_precision(last.truth, told), "promised": promise},
            )
    return report


def _judged(target: NDArray[np.float64], p: NDArray[np.float64], seed: int) -> _Judged:
    known = ~np.isnan(target)
    truth = target[known] >= 0.5
    agrees = stream(seed, "larger model").random(len(truth)) < _AGREES
    teacher = np.where(truth == agrees, _AGREES, 1 - _AGREES)
    return _Judged(p=p[known], teacher=teacher, truth=truth)


def _best_band(told: _Judged) -> Band:
    edges = np.unique(np.quantile(told.p, np.linspace(0, 1, _EDGES + 1)))
    width = max(1, int(_BUDGET * len(edges)))
    bands = [
        Band(low=float(low), high=float(high))
        for step in range(1, width + 1)
        for low, high in zip(edges, edges[step:], strict=False)
    ]
    allowed = [band for band in bands if told.most(band) <= _BUDGET]

    def quality(band: Band) -> float:
        found = average_precision(told.truth, told.cascade(band))
        return found if isinstance(found, float) else 0.0

    return max(allowed, key=quality)
