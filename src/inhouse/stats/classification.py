"""How well scores tell two classes apart. Items of equal score are one step, without an order."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inhouse.core.errors import InputError
from inhouse.stats.types import Bools, Floats, NotEnough, finite, same_length, weights_of


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatingPoint:
    """What happens when everything scored at `threshold` or above is flagged."""

    threshold: float  # flag where score >= this
    precision: float | None  # share of the flagged that are positive; None where none is flagged
    recall: float  # share of the positive that are flagged
    fpr: float  # share of the negative that are flagged
    flagged: int  # how many are flagged


@dataclass(frozen=True, kw_only=True, slots=True)
class _Curve:
    thresholds: Floats  # distinct scores, falling
    hits: Floats  # positives at or above each, by weight
    misfires: Floats  # negatives at or above each, by weight


class ScoreOrder:
    """Pairs sorted once, to be asked again and again under other weights, as a bootstrap does."""

    def __init__(self, happened: npt.ArrayLike, scores: npt.ArrayLike) -> None:
        outcome, raw = _pairs(happened, scores)
        self._order = np.argsort(-raw, kind="stable")
        self._thresholds = raw[self._order]
        self._hit = outcome[self._order]
        steps = np.flatnonzero(np.diff(self._thresholds))
        self._ends = np.append(steps, len(raw) - 1) if len(raw) else steps

    def auc(self, weights: npt.ArrayLike | None = None) -> float | NotEnough:
        """As `roc_auc`."""
        curve = self.curve(weights)
        if isinstance(curve, NotEnough):
            return curve
        hits, misfires = curve.hits, curve.misfires
        beaten = np.diff(misfires, prepend=0.0) * (hits - np.diff(hits, prepend=0.0) / 2)
        return float(beaten.sum() / (hits[-1] * misfires[-1]))

    def curve(self, weights: npt.ArrayLike | None = None) -> "_Curve | NotEnough":
        """How much is flagged at each distinct score; NotEnough where one class alone counts."""
        shares = weights_of(weights, len(self._order))[self._order]
        hits = np.cumsum(shares * self._hit)[self._ends]
        misfires = np.cumsum(shares)[self._ends] - hits
        if not len(hits) or hits[-1] <= 0 or misfires[-1] <= 0:
            return NotEnough(reason="only one class occurs", have=len(self._order))
        return _Curve(thresholds=self._thresholds[self._ends], hits=hits, misfires=misfires)


def roc_auc(
    happened: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float | NotEnough:
    """Probability that a positive outscores a negative, a tie counting half.

    weights: how often each pair counts, 0 or more; once each by default.

    >>> roc_auc([False, True, True], [0.1, 0.4, 0.1])
    0.75
    """
    return ScoreOrder(happened, scores).auc(weights)


def average_precision(
    happened: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float | NotEnough:
    """Area under the precision-recall curve by steps: sum of (R_n - R_n-1) P_n.

    weights: as of `roc_auc`.
    """
    curve = _curve(happened, scores, weights)
    if isinstance(curve, NotEnough):
        return curve
    flagged = curve.hits + curve.misfires
    precision = np.divide(curve.hits, flagged, out=np.zeros_like(flagged), where=flagged > 0)
    gains = np.diff(curve.hits, prepend=0) / curve.hits[-1]
    return float((gains * precision).sum())


def at_threshold(
    happened: npt.ArrayLike, scores: npt.ArrayLike, threshold: float
) -> OperatingPoint | NotEnough:
    """Precision, recall and false-positive rate of flagging `score >= threshold`."""
    outcome, raw = _pairs(happened, scores)
    lacking = _one_sided(outcome)
    if lacking:
        return lacking
    flagged = raw >= threshold
    hits, n = int((flagged & outcome).sum()), int(flagged.sum())
    positives = int(outcome.sum())
    return OperatingPoint(
        threshold=threshold,
        precision=hits / n if n else None,
        recall=hits / positives,
        fpr=(n - hits) / (len(outcome) - positives),
        flagged=n,
    )


def recall_at_fpr(
    happened: npt.ArrayLike, scores: npt.ArrayLike, most_fpr: float
) -> OperatingPoint | NotEnough:
    """The point of highest recall whose false-positive rate is at most `most_fpr`.

    Where even the top score exceeds it, nothing may be flagged: recall 0, threshold infinite.
    """
    _check_share(most_fpr, "most_fpr")
    curve = _curve(happened, scores)
    if isinstance(curve, NotEnough):
        return curve
    return _best(curve, curve.misfires <= most_fpr * curve.misfires[-1])


def recall_at_precision(
    happened: npt.ArrayLike, scores: npt.ArrayLike, least_precision: float
) -> OperatingPoint | NotEnough:
    """The point of highest recall whose precision is at least `least_precision`."""
    _check_share(least_precision, "least_precision")
    curve = _curve(happened, scores)
    if isinstance(curve, NotEnough):
        return curve
    return _best(curve, curve.hits >= least_precision * (curve.hits + curve.misfires))


def _best(curve: _Curve, within: Bools) -> OperatingPoint:
    """The allowed step of most hits; the strictest of those with as many."""
    steps = np.flatnonzero(within & (curve.hits > 0))
    if len(steps) == 0:
        return OperatingPoint(
            threshold=float("inf"), precision=None, recall=0.0, fpr=0.0, flagged=0
        )
    step = steps[int(np.argmax(curve.hits[steps]))]
    hits, misfires = int(curve.hits[step]), int(curve.misfires[step])
    return OperatingPoint(
        threshold=float(curve.thresholds[step]),
        precision=hits / (hits + misfires),
        recall=hits / int(curve.hits[-1]),
        fpr=misfires / int(curve.misfires[-1]),
        flagged=hits + misfires,
    )


def _curve(
    happened: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> _Curve | NotEnough:
    return ScoreOrder(happened, scores).curve(weights)


def _pairs(happened: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Bools, Floats]:
    outcome, raw = np.asarray(happened, dtype=np.bool_), finite(scores, "scores")
    same_length(outcome, raw, "outcomes and scores")
    return outcome, raw


def _one_sided(outcome: Bools) -> NotEnough | None:
    if outcome.all() or not outcome.any():
        return NotEnough(reason="only one class occurs", have=len(outcome))
    return None


def _check_share(value: float, name: str) -> None:
    if not 0 <= value <= 1:
        raise InputError(f"{name} is {value}, expected 0 to 1")
