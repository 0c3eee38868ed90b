"""The best of many without sorting them all."""

from typing import Final

import numpy as np

from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Floats, Mask, Offer, Rows

_SAMPLE: Final = 1_024
NEAR_MISSES: Final = 12


def top(scores: Floats, k: int, among: Mask | None = None) -> Rows:
    """int32[at most k]: rows of the highest finite scores, best first, ties by row.

    On long arrays a regular sample estimates the k-th score; only what lies above it is looked at
    again, and everything where the estimate was too high. The answer is exact either way.
    """
    if k <= 0 or not len(scores):
        return np.empty(0, dtype=np.int32)
    above = (scores > _floor(scores, k)) & (scores < np.inf)
    rows = np.flatnonzero(above if among is None else above & among)
    if len(rows) < k:
        finite = np.isfinite(scores)
        rows = np.flatnonzero(finite if among is None else finite & among)
    found = scores[rows]
    if len(rows) > k:
        # Everything as good as the k-th, so that ties are broken by row and not by chance.
        kept = found >= np.partition(found, len(rows) - k)[len(rows) - k]
        rows, found = rows[kept], found[kept]
    order = np.argsort(-found, kind="stable")[:k]
    return rows[order].astype(np.int32)


def _floor(scores: Floats, k: int) -> float:
    """A score that somewhat more than k rows should exceed; -inf where sampling is not worth it."""
    n = len(scores)
    if n < 2 * _SAMPLE or k * 4 > n:
        return -np.inf
    sample = scores[:: n // _SAMPLE]
    rank = min(len(sample), int(len(sample) * k / n * 2) + 16)
    return float(np.partition(sample, len(sample) - rank)[len(sample) - rank])


def pick(moment: Moment, scores: Floats, quota: int) -> Offer:
    """The `quota` best worthwhile items, and the near misses that outrank the last of them.

    Near misses are what the source would have brought if nothing spoke against it: they go through
    the filters like all others, which remove them and log why. `scores` has an entry per item of
    the catalogue; what is not finite is never offered.
    """
    best = top(scores, quota, moment.worthwhile)
    rows = np.concatenate([best, _missed(scores, best, quota, moment.worthwhile)])
    return Offer(items=rows, scores=scores[rows])


def _missed(scores: Floats, best: Rows, quota: int, worthwhile: Mask) -> Rows:
    last = scores[best[-1]] if len(best) == quota else -np.inf
    rows = np.flatnonzero((scores > last) & ~worthwhile)
    return rows[top(scores[rows], NEAR_MISSES)].astype(np.int32)
