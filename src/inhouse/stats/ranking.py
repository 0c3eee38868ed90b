"""How well a ranking finds what people chose, and how it spreads attention.

Ranks count from 1. Ties are held against the ranker: an item tied with others ranks behind all of
them, so a model that scores everything alike gets the worst figure, not a lucky one.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from inhouse.core.errors import InputError
from inhouse.stats.types import Floats, Ints, NotEnough, finite, same_length, weights_of

Key = TypeVar("Key", str, int)


def target_ranks(
    scores: npt.ArrayLike, targets: npt.ArrayLike, allowed: npt.ArrayLike | None = None
) -> Ints:
    """Rank of one target among all items, per row: 1 + how many others score as much or more.

    scores: float[n, items]. targets: int[n], the column of each row's target.
    allowed: bool[n, items], what competes; the target always does. All compete by default.
    Raises InputError where a target's score is not a number; another's NaN ranks before the target.

    >>> target_ranks([[0.1, 0.9, 0.5], [0.3, 0.3, 0.3]], [2, 0]).tolist()
    [2, 3]
    """
    table, columns = np.asarray(scores), np.asarray(targets, dtype=np.int64)
    if table.ndim != 2 or columns.shape != table.shape[:1]:
        raise InputError(f"scores are {table.shape} and targets {columns.shape}, expected n x m, n")
    rows = np.arange(len(table))
    own = table[rows, columns][:, None]
    if np.isnan(own).any():
        raise InputError("a target's score is not a number; mend the model before measuring it")
    ahead = ~(table < own)
    if allowed is not None:
        ahead &= np.asarray(allowed, dtype=np.bool_)
    ahead[rows, columns] = True
    return np.asarray(ahead.sum(axis=1), dtype=np.int64)


def hit_rate(ranks: npt.ArrayLike, k: int) -> float | NotEnough:
    """HR@k: share of rows whose single target ranks k or better (recall@k with one target)."""
    found = _ranks(ranks, k)
    return _mean((found <= k).astype(np.float64))


def ndcg(ranks: npt.ArrayLike, k: int) -> float | NotEnough:
    """NDCG@k with one target a row: mean of 1 / log2(rank + 1) where rank <= k, else 0.

    >>> ndcg([1, 3, 11], k=10)
    0.5
    """
    found = _ranks(ranks, k)
    return _mean(np.where(found <= k, 1 / np.log2(found + 1), 0.0))


def mrr(ranks: npt.ArrayLike) -> float | NotEnough:
    """Mean reciprocal rank."""
    return _mean(1 / _ranks(ranks, 1))


def recall_at(recommended: Sequence[Key], relevant: Iterable[Key], k: int) -> float | None:
    """Share of the relevant found among the first k of a list; None where nothing is relevant."""
    wanted = set(relevant)
    return len(wanted & set(recommended[:k])) / len(wanted) if wanted else None


def ndcg_at(recommended: Sequence[Key], relevant: Iterable[Key], k: int) -> float | None:
    """NDCG@k of a list against a set (binary gains); None where nothing is relevant."""
    wanted = set(relevant)
    if not wanted:
        return None
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gained = sum(discounts[i] for i, item in enumerate(recommended[:k]) if item in wanted)
    return float(gained / discounts[: len(wanted)].sum())


def coverage(lists: Iterable[Iterable[Key]], catalogue_size: int) -> float | NotEnough:
    """Share of the catalogue that appears in at least one list."""
    if catalogue_size < 1:
        return NotEnough(reason="the catalogue is empty", have=0, need=1)
    return len({item for shown in lists for item in shown}) / catalogue_size


def gini(counts: npt.ArrayLike) -> float | NotEnough:
    """Inequality of attention: 0 where all get the same, near 1 where one gets everything.

    G = sum_i (2 i - n - 1) x_i / (n sum x), x rising, i from 1. Include those who got nothing.

    >>> gini([1, 1, 1, 1])
    0.0
    >>> gini([0, 0, 0, 8])
    0.75
    """
    values = np.sort(finite(counts, "counts"))
    n, total = len(values), float(values.sum())
    if n and values[0] < 0:
        raise InputError(f"the smallest count is {values[0]:g}, expected 0 or more")
    if total == 0:
        return NotEnough(reason="nothing was counted", have=0, need=1)
    return float(((2 * np.arange(1, n + 1) - n - 1) * values).sum() / (n * total))


def rank_correlation(
    first: npt.ArrayLike, second: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float | NotEnough:
    """Spearman's rho: the correlation of ranks, rows of equal value sharing their middle rank.

    weights: how often each row counts; once each by default. NotEnough where a column is all alike.

    >>> rank_correlation([1, 2, 3], [10, 40, 900])
    1.0
    """
    one, two = finite(first, "first"), finite(second, "second")
    same_length(one, two, "first and second")
    return place_correlation(places(one), places(two), weights)


def places(values: npt.ArrayLike) -> Ints:
    """Each value's place among the distinct ones, 0 for the lowest."""
    found: Ints = np.unique(finite(values, "values"), return_inverse=True)[1].astype(np.int64)
    return found


def place_correlation(
    first: Ints, second: Ints, weights: npt.ArrayLike | None = None
) -> float | NotEnough:
    """`rank_correlation` of columns whose `places` are known; a bootstrap asks again and again."""
    shares = weights_of(weights, len(first))
    x, y = _middles(first, shares), _middles(second, shares)
    spread = float((shares * x * x).sum() * (shares * y * y).sum()) ** 0.5
    if spread <= 0:
        return NotEnough(reason="a column does not vary", have=len(first))
    return float((shares * x * y).sum() / spread)


def _middles(place: Ints, shares: Floats) -> Floats:
    """The middle rank of each row's value, less their mean: exactly 0 where all are equal."""
    mass = np.bincount(place, shares)
    below = np.cumsum(mass) - mass
    middles: Floats = (below + mass / 2 - mass.sum() / 2)[place]
    return middles


def _ranks(ranks: npt.ArrayLike, k: int) -> Floats:
    found = finite(ranks, "ranks")
    if k < 1 or (len(found) and found.min() < 1):
        raise InputError(f"k is {k} or a rank below 1, expected 1 or more: ranks count from 1")
    return found


def _mean(values: Floats) -> float | NotEnough:
    if len(values) == 0:
        return NotEnough(reason="no rows to average", have=0, need=1)
    return float(values.mean())
