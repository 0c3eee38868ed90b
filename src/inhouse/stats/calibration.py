"""Does 0.7 mean seven in ten? Measuring it, and two ways to mend it that serialise to arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy
from scipy import special

from inhouse.core.errors import InputError
from inhouse.stats.intervals import wilson
from inhouse.stats.types import Bools, Floats, Interval, NotEnough, finite, same_length

BINS: Final = 15
_TINY: Final = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class ReliabilityBin:
    """What became of the predictions in one range."""

    low: float  # predictions from here
    high: float  # to here
    n: int  # how many
    p_mean: float  # what they said on average
    rate: Interval  # what happened, with its interval


def reliability(
    p: npt.ArrayLike, happened: npt.ArrayLike, bins: int = BINS, *, by_mass: bool = False
) -> tuple[ReliabilityBin, ...]:
    """Predictions against outcomes in bins of equal width; empty bins are left out.

    p: probabilities in [0, 1]. happened: booleans of the same length.
    by_mass: bins that hold equally many, between the quantiles of p, with equal p in one bin. For
    what is rare: in bins of equal width nearly all of it lies in the first.
    The bins' intervals take the rows for independent.
    """
    predicted, outcome = _pairs(p, happened)
    edges = np.linspace(0, 1, bins + 1)
    place = np.minimum((predicted * bins).astype(np.int64), bins - 1)
    if by_mass and len(predicted):
        ordered, last = np.sort(predicted), np.arange(1, bins + 1) * len(predicted) // bins - 1
        edges = np.unique(np.append(ordered[0], ordered[np.maximum(last, 0)]))
        place = np.maximum(np.searchsorted(edges, predicted) - 1, 0)
        edges = np.append(edges, edges[-1])  # all alike are one bin
    found: list[ReliabilityBin] = []
    for index in np.unique(place):
        inside = place == index
        n = int(inside.sum())
        rate = wilson(int(outcome[inside].sum()), n)
        assert isinstance(rate, Interval)  # n is at least 1
        found.append(
            ReliabilityBin(
                low=float(edges[index]),
                high=float(edges[index + 1]),
                n=n,
                p_mean=float(predicted[inside].mean()),
                rate=rate,
            )
        )
    return tuple(found)


def expected_calibration_error(
    p: npt.ArrayLike, happened: npt.ArrayLike, bins: int = BINS, *, by_mass: bool = False
) -> float | NotEnough:
    """ECE = sum over bins of n_b / n * |rate_b - mean p_b| (Naeini et al. 2015; Guo et al. 2017).

    by_mass: as of `reliability`. Never 0 on a sample, however right p is: a bin's rate wavers.

    >>> expected_calibration_error([0.5, 0.5], [True, False])
    0.0
    """
    table = reliability(p, happened, bins, by_mass=by_mass)
    n = sum(row.n for row in table)
    if n == 0:
        return NotEnough(reason="no predictions", have=0, need=1)
    return sum(row.n * abs(row.rate.estimate - row.p_mean) for row in table) / n


def brier(p: npt.ArrayLike, happened: npt.ArrayLike) -> float | NotEnough:
    """Mean squared error of probabilities (Brier 1950)."""
    predicted, outcome = _pairs(p, happened)
    if len(predicted) == 0:
        return NotEnough(reason="no predictions", have=0, need=1)
    return float(((predicted - outcome) ** 2).mean())


def log_losses(p: npt.ArrayLike, happened: npt.ArrayLike) -> Floats:
    """-log of what was said of what happened, nats, for each row; finite, p clipped to 1e-12."""
    predicted, outcome = _pairs(p, happened)
    said = np.where(outcome, predicted, 1 - predicted)
    return np.asarray(-np.log(np.maximum(said, _TINY)), dtype=np.float64)


def entropy(rate: float) -> float:
    """Nats of a coin that shows heads at this rate: the log loss of who knows the rate alone.

    >>> round(entropy(0.5), 4), entropy(0.0)
    (0.6931, 0.0)
    """
    return float(special.entr(rate) + special.entr(1 - rate))


def normalised_entropy(p: npt.ArrayLike, happened: npt.ArrayLike) -> float | NotEnough:
    """Mean log loss over the entropy of the plain rate (He et al. 2014, section 3).

    Below 1 is better than telling everybody the rate; 1 is no better. NotEnough where one outcome
    alone occurs, whose rate has no entropy.

    >>> round(normalised_entropy([0.5, 0.5], [True, False]), 6)
    1.0
    """
    losses, outcome = log_losses(p, happened), np.asarray(happened, dtype=np.bool_)
    lacking = _one_sided(outcome)
    if lacking:
        return lacking
    return float(losses.mean() / entropy(float(outcome.mean())))


@dataclass(frozen=True, kw_only=True, slots=True)
class Platt:
    """p = sigmoid(slope * score + offset)."""

    slope: float  # positive where a higher score means more likely
    offset: float  # in logits

    def apply(self, scores: npt.ArrayLike) -> Floats:
        """Probabilities of raw scores (logits, margins), any shape."""
        raw = np.asarray(scores, dtype=np.float64)
        return np.asarray(special.expit(self.slope * raw + self.offset), dtype=np.float64)

    def to_arrays(self) -> dict[str, Floats]:
        """Plain arrays to be stored."""
        return {"platt": np.array([self.slope, self.offset])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.ArrayLike]) -> "Platt":
        """Inverse of `to_arrays`."""
        slope, offset = (float(x) for x in np.asarray(arrays["platt"], dtype=np.float64))
        return cls(slope=slope, offset=offset)


def fit_platt(scores: npt.ArrayLike, happened: npt.ArrayLike) -> Platt | NotEnough:
    """Platt scaling with his smoothed targets (Platt 1999; Lin, Lin & Weng 2007).

    Minimises the cross-entropy of sigmoid(a s + b) against (N+ + 1)/(N+ + 2) for what happened and
    1/(N- + 2) for what did not, so that separable data keep a finite slope.
    scores: any real numbers. NotEnough unless both outcomes occur and scores differ.
    """
    raw, outcome = finite(scores, "scores"), np.asarray(happened, dtype=np.bool_)
    same_length(raw, outcome, "scores and outcomes")
    lacking = _one_sided(outcome) or _constant(raw)
    if lacking:
        return lacking
    positives = int(outcome.sum())
    targets = np.where(
        outcome, (positives + 1) / (positives + 2), 1 / (len(outcome) - positives + 2)
    )
    centre, scale = float(raw.mean()), float(raw.std())
    standard = (raw - centre) / scale

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = weights[0] * standard + weights[1]
        error = special.expit(logits) - targets
        value = np.logaddexp(0, logits).mean() - (targets * logits).mean()
        return float(value), np.array([(error * standard).mean(), error.mean()])

    fitted = scipy.optimize.minimize(
        loss, np.array([1.0, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-8}
    )
    slope = float(fitted.x[0]) / scale
    return Platt(slope=slope, offset=float(fitted.x[1]) - slope * centre)


@dataclass(frozen=True, kw_only=True, slots=True)
class Isotonic:
    """A rising curve through (score, probability) knots, flat beyond both ends."""

    scores: tuple[float, ...]  # strictly rising
    p: tuple[float, ...]  # never falling, in [0, 1]

    def apply(self, scores: npt.ArrayLike) -> Floats:
        """Probabilities of raw scores by linear interpolation, any shape."""
        raw = np.asarray(scores, dtype=np.float64)
        return np.asarray(np.interp(raw, self.scores, self.p), dtype=np.float64)

    def to_arrays(self) -> dict[str, Floats]:
        """Plain arrays to be stored."""
        return {"isotonic_scores": np.array(self.scores), "isotonic_p": np.array(self.p)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.ArrayLike]) -> "Isotonic":
        """Inverse of `to_arrays`."""
        scores = np.asarray(arrays["isotonic_scores"], dtype=np.float64)
        p = np.asarray(arrays["isotonic_p"], dtype=np.float64)
        return cls(scores=tuple(scores.tolist()), p=tuple(p.tolist()))


def fit_isotonic(scores: npt.ArrayLike, happened: npt.ArrayLike) -> Isotonic | NotEnough:
    """Isotonic regression by pooling adjacent violators (Zadrozny & Elkan 2002).

    Needs more data than Platt (some thousands) and then fits any rising curve. Equal scores get one
    probability. Knots inside a flat stretch are dropped. NotEnough as `fit_platt`.
    """
    raw, outcome = finite(scores, "scores"), np.asarray(happened, dtype=np.bool_)
    same_length(raw, outcome, "scores and outcomes")
    lacking = _one_sided(outcome) or _constant(raw)
    if lacking:
        return lacking
    knots, place, weight = np.unique(raw, return_inverse=True, return_counts=True)
    rate = np.bincount(place, weights=outcome) / weight
    fitted = scipy.optimize.isotonic_regression(rate, weights=weight).x
    bends = np.ones(len(knots), dtype=np.bool_)
    bends[1:-1] = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    p = np.clip(fitted[bends], 0.0, 1.0)
    return Isotonic(scores=tuple(knots[bends].tolist()), p=tuple(p.tolist()))


def logit(p: npt.ArrayLike) -> Floats:
    """Log odds, finite at 0 and 1 (clipped to 1e-12), to feed probabilities to `fit_platt`."""
    clipped = np.clip(np.asarray(p, dtype=np.float64), _TINY, 1 - _TINY)
    return np.asarray(special.logit(clipped), dtype=np.float64)


def _pairs(p: npt.ArrayLike, happened: npt.ArrayLike) -> tuple[Floats, Bools]:
    predicted, outcome = finite(p, "p"), np.asarray(happened, dtype=np.bool_)
    same_length(predicted, outcome, "p and outcomes")
    if len(predicted) and (predicted.min() < 0 or predicted.max() > 1):
        raise InputError(
            f"p runs from {predicted.min():g} to {predicted.max():g}, expected 0 to 1; "
            "apply a sigmoid or a calibrator first"
        )
    return predicted, outcome


def _one_sided(outcome: Bools) -> NotEnough | None:
    positives = int(outcome.sum())
    if positives in (0, len(outcome)):
        return NotEnough(reason="only one outcome occurs", have=len(outcome))
    return None


def _constant(raw: Floats) -> NotEnough | None:
    if raw.min() == raw.max():
        return NotEnough(reason="all scores are equal", have=len(raw))
    return None
