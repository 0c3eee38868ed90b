"""The best of many without sorting them all."""

from typing import Final

import numpy as np
from numba import njit

from inhouse.recommend.types import Floats, Mask, Rows

_SAMPLE: Final = 1_024
_FEW: Final = 2_048  # scores: a heap has them sorted before numpy is under way
_NOBODY: Final = np.empty(0, dtype=np.int32)


def top(scores: Floats, k: int, among: Mask | None = None) -> Rows:
    """int32[at most k]: rows of the highest finite scores, best first, ties by row.

    On long arrays a regular sample estimates the k-th score; only what lies above it is looked at
    again, and everything where the estimate was too high. The answer is exact either way.
    """
    if k <= 0 or not len(scores):
        return _NOBODY
    if len(scores) <= _FEW:
        return _heaped(scores, k, among)
    return _sorted(scores, k, among)


def _sorted(scores: Floats, k: int, among: Mask | None) -> Rows:
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


@njit(cache=True)
def _heaped(scores: Floats, k: int, among: Mask | None) -> Rows:
    """A heap of the k best so far, the worst of them at its root (Knuth, 5.2.3)."""
    heap = np.empty(min(k, len(scores)), dtype=np.int32)
    size = 0
    for row in range(len(scores)):
        if size == len(heap) and not scores[row] > scores[heap[0]]:
            continue
        if among is not None:  # noqa: SIM102, compiled away where there is no mask
            if not among[row]:
                continue
        if not np.isfinite(scores[row]):
            continue
        if size < len(heap):
            heap[size] = row
            size += 1
            if size == len(heap):
                for root in range(size // 2 - 1, -1, -1):
                    _sink(scores, heap, root, size)
        else:
            heap[0] = row
            _sink(scores, heap, 0, size)
    if size < len(heap):
        for root in range(size // 2 - 1, -1, -1):
            _sink(scores, heap, root, size)
    for last in range(size - 1, 0, -1):
        heap[0], heap[last] = heap[last], heap[0]
        _sink(scores, heap, 0, last)
    return heap[:size]


@njit(cache=True)
def _sink(scores: Floats, heap: Rows, root: int, size: int) -> None:
    """Let what stands at the root sink below all that are worse."""
    row = heap[root]
    while True:
        child = 2 * root + 1
        if child >= size:
            break
        if child + 1 < size and _is_worse(scores, heap[child + 1], heap[child]):
            child += 1
        if not _is_worse(scores, heap[child], row):
            break
        heap[root] = heap[child]
        root = child
    heap[root] = row


@njit(cache=True)
def _is_worse(scores: Floats, one: int, other: int) -> bool:
    """By score, equals by row."""
    return scores[one] < scores[other] or (scores[one] == scores[other] and one > other)
