"""The best of many without sorting them all."""

from typing import Final

import numpy as np

from inhouse.recommend.types import Floats, Mask, Rows

_SAMPLE: Final = 1_024


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
