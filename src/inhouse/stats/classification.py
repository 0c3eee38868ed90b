"""How well scores tell two classes apart. Items of equal score are one step, without an order."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inhouse.core.errors import InputError
from inhouse.stats.types import Bools, Floats, Ints, NotEnough, finite, same_length


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
    hits: Ints  # positives at or above each
    misfires: Ints  # negatives at or above each


def roc_auc(happened: npt.ArrayLike, scores: npt.ArrayLike) -> float | NotEnough:
    """Probability that a positive outscores a negative, a tie counting half.

    >>> roc_auc([False, True, True], [0.1, 0.4, 0.1])
    0.75
    """
    curve = _curve(happened, scores)
    if isinstance(curve, NotEnough):
        return curve
    recall = np.concatenate(([0.0], curve.hits / curve.hits[-1]))
    fpr = np.concatenate(([0.0], curve.misfires / curve.misfires[-1]))
    return float(np.trapezoid(recall, fpr))


def average_precision(happened: npt.ArrayLike, scores: npt.ArrayLike) -> float | NotEnough:
    """Area under the precision-recall curve by steps: sum of (R_n - R_n-1) P_n."""
    curve = _curve(happened, scores)
    if isinstance(curve, NotEnough):
        return curve
    precision = curve.hits / (curve.hits + curve.misfires)
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


def _curve(happened: npt.ArrayLike, scores: npt.ArrayLike) -> _Curve | NotEnough:
    outcome, raw = _pairs(happened, scores)
    lacking = _one_sided(outcome)
    if lacking:
        return lacking
    order = np.argsort(-raw, kind="stable")
    ordered = raw[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(raw) - 1)
    hits = np.cumsum(outcome[order])[ends].astype(np.int64)
    return _Curve(thresholds=ordered[ends], hits=hits, misfires=(ends + 1 - hits).astype(np.int64))


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
