"""Fitting a text classifier: exact, without a learning rate to tune.

For each category c the weights minimise

    1/2 |w_c|^2 + C sum_i s_ic (log(1 + exp(z_ic)) - y_ic z_ic),   z_ic = w_c (g_c x_i) + b_c

over the texts labelled in c (y between 0 and 1; a missing label is no term), by stochastic dual
coordinate ascent (Shalev-Shwartz & Zhang 2013, JMLR 14:567; the scalar step of Yu, Huang & Lin
2011, Machine Learning 85:41, extended to y between 0 and 1). Each visit to a text solves its own
dual variable exactly, for all categories in one pass over its features. The distance to the
optimum about halves with every round over the texts.

g_c is what each column promises (see `promises`): a column that tells the sides apart gets its
weight cheaply, one that does not has to earn it.

Rare categories: s_ic weighs the two sides of a category by their inverse frequency to the power
0.5, with mean 1; the calibration puts the true frequencies back.

Calibration: the texts are cut in three; each third gets margins from a model fitted to the other
two, and a curve is fitted to all of these (see `calibrate`). Where there are labels enough, each
two thirds also teach a network (see `reader_fit`); its margins on the third it was not shown decide
what the reader counts beside the linear part.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.models.owned.calibrate import LEAST_EACH, Curve, fit_curve
from inhouse.models.owned.hashing import (
    COLUMNS,
    Features,
    Rarity,
    featurise,
    rarity_of,
    scaled,
)
from inhouse.models.owned.promises import Traffic, promises_of, traffic_of
from inhouse.models.owned.reader_fit import teach_reader
from inhouse.models.owned.text import (
    Doubles,
    Linear,
    Matrix,
    Reading,
    TextClassifier,
    batches,
    matrix_of,
)
from inhouse.stats.calibration import fit_platt, log_losses
from inhouse.stats.types import NotEnough

_Rows = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int64]]
_FOLDS: Final = 3
_STRENGTH: Final = 3.0  # C of a fit from nothing
_UPDATE_STRENGTH: Final = 1.0  # C of an update: what is known counts for more
_TEMPER: Final = 0.5
_READER_TEXTS: Final = 2_000  # labelled texts before a reader is taught
_READER_EACH: Final = 50  # of them on the rarer side of a category
_MOST_ROUNDS: Final = 12
_SETTLED: Final = 0.01  # mean movement of the dual variables at which a round was the last


@dataclass(frozen=True, kw_only=True, slots=True)
class _Start:
    """Where a fit begins, and what it is drawn to."""

    weights: Matrix  # [COLUMNS, categories]
    biases: Doubles  # [categories]
    strength: float  # C
    promises: Matrix  # [COLUMNS, categories], g
    traffic: Traffic | None = None  # of the place where the model will answer


def fit_text(
    texts: Sequence[str],
    targets: Doubles,
    categories: Sequence[str],
    seed: int,
    traffic: Sequence[str] = (),
) -> TextClassifier | NotEnough:
    """Train from nothing.

    texts: the words. targets: [texts, categories], 0 to 1, NaN where nobody knows. Categories with
    fewer than LEAST_EACH texts on either side (from 0.5 on counts as yes) are left out of the
    model; NotEnough where none remains. traffic: texts as the model will be asked about, which
    need no label; only how many of them hold each column is used.
    """
    if targets.shape != (len(texts), len(categories)):
        raise InputError(
            f"targets have the shape {targets.shape}, expected {(len(texts), len(categories))}"
        )
    sides = [_sides(targets[:, place]) for place in range(len(categories))]
    learned = [place for place, least in enumerate(sides) if least >= LEAST_EACH]
    if not learned:
        best = max(sides, default=0)
        return NotEnough(
            reason="no category has enough texts on both sides", have=best, need=LEAST_EACH
        )
    raw = featurise_all(texts)
    rarity = rarity_of(raw)
    features = scaled(raw, rarity)
    wanted = np.ascontiguousarray(targets[:, learned], dtype=np.float32)
    around = traffic_of(traffic) if traffic else None
    start = _Start(
        weights=np.zeros((COLUMNS, len(learned)), dtype=np.float32),
        biases=np.zeros(len(learned)),
        strength=_STRENGTH,
        promises=promises_of(features, wanted, around),
        traffic=around,
    )
    weights, biases = _fit(features, wanted, start, seed)
    fold_of = stream(seed, "calibration").permutation(len(texts)) % _FOLDS
    apart = _margins_apart(features, wanted, start, fold_of, seed)
    reading = None
    if _can_read(wanted):
        taught = teach_reader(texts, wanted, fold_of, seed, traffic)
        shares = _shares(apart, taught.margins, wanted)
        apart = apart + shares * taught.margins
        reading = Reading(reader=taught.reader, shares=shares) if shares.any() else None
    curves = _curves(apart, wanted)
    kept = [place for place, curve in enumerate(curves) if isinstance(curve, Curve)]
    if not kept:
        return NotEnough(reason="no category could be calibrated", have=len(texts))
    parts = Linear(
        weights=np.ascontiguousarray(weights[:, kept]),
        biases=biases[kept],
        curves=tuple(curve for curve in curves if isinstance(curve, Curve)),
    )
    names = [categories[learned[place]] for place in kept]
    return TextClassifier(names, rarity, parts, reading and reading.only(kept))


def update_text(
    model: TextClassifier, texts: Sequence[str], targets: Doubles, seed: int
) -> TextClassifier:
    """Learn from a few more labels at once, drawn to what the model knows already: the penalty is
    the distance from its weights. The calibration stays; fit anew when there are many labels.

    targets: [texts, model.categories], as `fit_text`.
    """
    if targets.shape != (len(texts), len(model.categories)):
        expected = (len(texts), len(model.categories))
        raise InputError(f"targets have the shape {targets.shape}, expected {expected}")
    if not texts:
        return model
    start = _Start(
        weights=model.weights,
        biases=model.biases,
        strength=_UPDATE_STRENGTH,
        promises=np.ones_like(model.weights),
    )
    wanted = np.ascontiguousarray(targets, dtype=np.float32)
    weights, biases = _fit(featurise_all(texts, model.rarity), wanted, start, seed)
    parts = Linear(weights=weights, biases=biases, curves=model.curves)
    return TextClassifier(model.categories, model.rarity, parts, model.reading)


def featurise_all(texts: Sequence[str], rarity: Rarity | None = None) -> Features:
    """Features of any number of texts, worked out in parts."""
    parts = [featurise(part, rarity) for part in batches(texts)]
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    return Features(
        columns=np.concatenate([part.columns for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


def _sides(target: Doubles | Matrix) -> int:
    """Labels on the rarer side."""
    known = target[~np.isnan(target)]
    yes = int((known >= 0.5).sum())
    return min(yes, len(known) - yes)


def _margins_apart(
    features: Features,
    targets: Matrix,
    start: _Start,
    fold_of: npt.NDArray[np.int64],
    seed: int,
) -> Doubles:
    """Margins of each text from a fit that was not shown its fold."""
    margins = np.full(targets.shape, np.nan)
    table = matrix_of(features)
    for fold in range(_FOLDS):
        held = fold_of == fold
        wanted = np.where(held[:, None], np.float32(np.nan), targets)
        # What a column promises is learned from labels too: not from those held out.
        promises = promises_of(features, wanted, start.traffic)
        apart = replace(start, promises=promises)
        weights, biases = _fit(features, wanted, apart, seed)
        margins[held] = (table @ weights)[held] + biases
    return margins


def _can_read(targets: Matrix) -> bool:
    """Whether there are labels enough that a network learns more than single words."""
    labelled = int((~np.isnan(targets)).any(axis=1).sum())
    return labelled >= _READER_TEXTS and bool(_readable(targets).any())


def _readable(targets: Matrix) -> npt.NDArray[np.bool_]:
    """[categories]: which have texts enough on both sides that a network may speak of them."""
    sides = [_sides(targets[:, place]) for place in range(targets.shape[1])]
    return np.array(sides) >= _READER_EACH


def _shares(linear: Doubles, read: Doubles, targets: Matrix) -> Doubles:
    """[categories]: how much of the reader's margin makes the labels likeliest, 0 where none of it
    does. Both are taken by their spread, and mixed in tenths."""
    shares = np.zeros(targets.shape[1])
    for place in np.flatnonzero(_readable(targets)):
        known = ~np.isnan(targets[:, place])
        happened = targets[known, place] >= 0.5
        one, other = linear[known, place], read[known, place]
        scale = float(one.std()) / max(float(other.std()), 1e-9)
        tried = [scale * tenths / (10 - tenths) for tenths in range(10)]
        losses = [_loss_of(one + share * other, happened) for share in tried]
        shares[place] = tried[int(np.argmin(losses))]
    return shares


def _loss_of(margins: Doubles, happened: npt.NDArray[np.bool_]) -> float:
    platt = fit_platt(margins, happened)
    if isinstance(platt, NotEnough):
        return math.inf
    return float(log_losses(platt.apply(margins), happened).mean())


def _curves(margins: Doubles, targets: Matrix) -> list[Curve | NotEnough]:
    found: list[Curve | NotEnough] = []
    for place in range(targets.shape[1]):
        known = ~np.isnan(targets[:, place])
        found.append(fit_curve(margins[known, place], targets[known, place] >= 0.5))
    return found


def _fit(features: Features, targets: Matrix, start: _Start, seed: int) -> tuple[Matrix, Doubles]:
    """Rounds of dual ascent until nothing moves; texts without any label are passed over."""
    # Where the columns promise much or little, it is the weights of the stretched columns that
    # are sought; what is returned are those of the columns themselves.
    weights, biases = start.weights / start.promises, start.biases.copy()
    duals = np.zeros(targets.shape, dtype=np.float32)
    rows = (features.columns, features.values, features.starts)
    squares = _squares(rows, start.promises)
    sides = _side_weights(targets)
    labelled = np.flatnonzero(~np.isnan(targets).all(axis=1))
    order = stream(seed, "order")
    for _ in range(_MOST_ROUNDS):
        visits = order.permutation(labelled)
        moved = _round(
            (*rows, visits, start.promises, squares),
            (targets, sides, start.strength),
            (duals, weights, biases),
        )
        if moved < _SETTLED * max(1, len(labelled)):
            break
    return weights * start.promises, biases


def _side_weights(targets: Matrix) -> Doubles:
    """[categories, 2]: weight of a no and of a yes, their mean over the labels 1."""
    known = (~np.isnan(targets)).sum(axis=0).astype(np.float64)
    yes = np.nansum(targets, axis=0, dtype=np.float64)
    counts = np.maximum(np.stack([known - yes, yes], axis=1), 0.5)
    raw = (np.maximum(known, 1.0)[:, None] / (2 * counts)) ** _TEMPER
    mean = (raw * counts).sum(axis=1) / counts.sum(axis=1)
    return np.asarray(raw / mean[:, None], dtype=np.float64)


@njit(nogil=True)
def _squares(rows: _Rows, promises: Matrix) -> Doubles:
    """[texts, categories]: squared length of each text's stretched features and its bias."""
    columns, values, starts = rows
    squares = np.ones((len(starts) - 1, promises.shape[1]))
    for row in range(len(starts) - 1):
        for place in range(starts[row], starts[row + 1]):
            for c in range(promises.shape[1]):
                squares[row, c] += (values[place] * promises[columns[place], c]) ** 2
    return squares


@njit(nogil=True)
def _round(
    rows: tuple[
        npt.NDArray[np.int32],
        npt.NDArray[np.float32],
        npt.NDArray[np.int64],
        npt.NDArray[np.int64],
        Matrix,
        Doubles,
    ],
    wanted: tuple[Matrix, Doubles, float],
    state: tuple[Matrix, Matrix, Doubles],
) -> float:
    """One visit to each text. Changes `state` in place; returns how far the duals moved in all."""
    columns, values, starts, visits, promises, squares = rows
    targets, sides, strength = wanted
    duals, weights, biases = state
    categories = weights.shape[1]
    step = np.zeros(categories)
    moved = 0.0
    for row in visits:
        first, last = starts[row], starts[row + 1]
        step[:] = biases
        for place in range(first, last):
            for c in range(categories):
                column = columns[place]
                step[c] += values[place] * promises[column, c] * weights[column, c]
        for c in range(categories):
            y = targets[row, c]
            if np.isnan(y):
                step[c] = 0.0
                continue
            s = sides[c, 0] + (sides[c, 1] - sides[c, 0]) * y
            dual = _dual(step[c], duals[row, c], y, s, squares[row, c] * strength)
            delta = dual - duals[row, c]
            duals[row, c] = dual
            moved += abs(delta)
            step[c] = -strength * delta
            biases[c] += step[c]
        for place in range(first, last):
            for c in range(categories):
                column = columns[place]
                weights[column, c] += step[c] * values[place] * promises[column, c]
    return moved


@njit(nogil=True)
def _dual(z: float, dual: float, y: float, s: float, k: float) -> float:
    """The exact new dual of one text and category: s (sigmoid(u) - y), where the new margin u
    solves u + k s sigmoid(u) = z + k (dual + s y). The left side rises in u: Newton's steps, kept
    inside a shrinking bracket."""
    goal = z + k * (dual + s * y)
    low, high = goal - k * s, goal
    u = min(max(z, low), high)
    for _ in range(60):
        p = 1.0 / (1.0 + np.exp(-u))
        excess = u + k * s * p - goal
        if excess > 0:
            high = u
        else:
            low = u
        following = u - excess / (1.0 + k * s * p * (1.0 - p))
        if not low < following < high:
            following = 0.5 * (low + high)
        change = following - u
        u = following
        if abs(change) < 1e-5:
            break
    return float(s * (1.0 / (1.0 + np.exp(-u)) - y))
