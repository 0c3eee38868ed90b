"""A head for each category on vectors of texts: exact logistic regression, calibrated.

For each category the weights minimise the cross-entropy of its labels (from 0 to 1, missing ones
are no term) plus |w|^2 / (2 C), on columns of mean 0 and deviation 1. Three fits that were each not
shown a third of the texts say which C is best and give the margins that the curve is fitted to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy
from scipy import special

from inhouse.core.random import stream
from inhouse.models.owned.calibrate import LEAST_EACH, Curve, fit_curve
from inhouse.models.owned.text import Doubles
from inhouse.stats.types import NotEnough

Matrix = npt.NDArray[np.float32]
_FOLDS: Final = 3
_STRENGTHS: Final = (0.01, 0.1, 1.0, 10.0)  # C
_FLAT: Final = 1e-6  # deviation below which a column tells nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What turns a vector into probabilities."""

    categories: tuple[str, ...]
    weights: Doubles  # [width, categories]
    biases: Doubles  # [categories]
    curves: tuple[Curve, ...]  # one for each category

    def margins(self, vectors: Matrix) -> Doubles:
        """[texts, categories] of vectors [texts, width]."""
        return np.asarray(vectors.astype(np.float64) @ self.weights + self.biases)

    def probabilities(self, vectors: Matrix) -> Doubles:
        """Calibrated, [texts, categories]."""
        margins = self.margins(vectors)
        columns = [curve.apply(margins[:, place]) for place, curve in enumerate(self.curves)]
        return np.stack(columns, axis=1)


def fit_head(
    vectors: Matrix, targets: Doubles, categories: Sequence[str], seed: int
) -> Head | NotEnough:
    """vectors: [texts, width]. targets: [texts, categories], 0 to 1, NaN where nobody knows.

    Categories with fewer than LEAST_EACH texts on either side are left out; NotEnough where none
    remains.
    """
    folds = stream(seed, "head").permutation(len(vectors)) % _FOLDS
    found: list[tuple[str, Doubles, float, Curve]] = []
    best = 0
    for place, category in enumerate(categories):
        target = targets[:, place]
        known = ~np.isnan(target)
        yes = int((target[known] >= 0.5).sum())
        sides = min(yes, int(known.sum()) - yes)
        best = max(best, sides)
        if sides < LEAST_EACH:
            continue
        weights, bias, curve = _fit(vectors[known].astype(np.float64), target[known], folds[known])
        if isinstance(curve, Curve):
            found.append((category, weights, bias, curve))
    if not found:
        return NotEnough(
            reason="no category has enough texts on both sides", have=best, need=LEAST_EACH
        )
    names, weights_of, biases, curves = zip(*found, strict=True)
    return Head(
        categories=tuple(names),
        weights=np.stack(weights_of, axis=1),
        biases=np.array(biases),
        curves=tuple(curves),
    )


def _fit(
    vectors: Doubles, target: Doubles, folds: npt.NDArray[np.int64]
) -> tuple[Doubles, float, Curve | NotEnough]:
    apart = [_margins_apart(vectors, target, folds, strength) for strength in _STRENGTHS]
    losses = [_loss(margins, target) for margins in apart]
    chosen = int(np.argmin(losses))
    weights, bias = _logistic(vectors, target, _STRENGTHS[chosen])
    return weights, bias, fit_curve(apart[chosen], target >= 0.5)


def _margins_apart(
    vectors: Doubles, target: Doubles, folds: npt.NDArray[np.int64], strength: float
) -> Doubles:
    margins = np.zeros(len(target))
    for fold in range(_FOLDS):
        held = folds == fold
        weights, bias = _logistic(vectors[~held], target[~held], strength)
        margins[held] = vectors[held] @ weights + bias
    return margins


def _logistic(vectors: Doubles, target: Doubles, strength: float) -> tuple[Doubles, float]:
    """Weights and bias for vectors as they are; fitted on standardised ones."""
    mean, deviation = vectors.mean(axis=0), vectors.std(axis=0)
    scale = np.where(deviation > _FLAT, 1.0 / np.maximum(deviation, _FLAT), 0.0)
    standard = (vectors - mean) * scale

    def loss(values: Doubles) -> tuple[float, Doubles]:
        weights, bias = values[:-1], values[-1]
        margins = standard @ weights + bias
        errors = special.expit(margins) - target
        value = (np.logaddexp(0, margins) - target * margins).sum()
        gradient = np.append(standard.T @ errors + weights / strength, errors.sum())
        return float(value + weights @ weights / (2 * strength)), gradient

    start = np.zeros(vectors.shape[1] + 1)
    found = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x
    weights = found[:-1] * scale
    return weights, float(found[-1] - mean @ weights)


def _loss(margins: Doubles, target: Doubles) -> float:
    return float((np.logaddexp(0, margins) - target * margins).mean())
