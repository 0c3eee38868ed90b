"""The search through clusters and the steps of making them, compiled.

A search keeps the interpreter to itself: a thread that got it meanwhile would keep it for longer
than the search takes. Making clusters takes seconds and lets it go.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.recommend.types import Floats, Rows

Small = NDArray[np.int8]
Wide = NDArray[np.int16]
Starts = NDArray[np.int64]


class Centres(NamedTuple):
    """The clusters as a search chooses among them."""

    exact: Floats  # [C, d]
    codes: Small  # [C, d] code * scale is about the centre
    scales: Floats  # [C]
    radii: Floats  # [C] root of the mean square of its members' distance


class Members(NamedTuple):
    """The vectors by slot: code * scale is about the vector less its cluster's centre."""

    starts: Starts  # [C + 1] cluster c lies in slots starts[c] to starts[c + 1]
    codes: Small  # [slots, d]
    scales: Floats  # [slots]


class Query(NamedTuple):
    """What is looked for."""

    vector: Floats  # [d]
    wide: Wide  # [d] wide * step is about the vector
    step: float


@njit(cache=True)
def search(
    centres: Centres, members: Members, asked: Query, k: int, reach: float
) -> tuple[Rows, int]:
    """int32[at most k]: slots of the best by small integers, in no order; and how many were scored.

    A cluster promises centre . query + reach * radius * |query|. Clusters are looked through from
    the highest promise on until none promises more than the k-th best that was found.

    Sums are kept in 32 bits and one factor in 16, for which processors have an instruction of their
    own; left to itself the compiler sums in 64, at a third of the speed.
    """
    exact, centre_codes, centre_scales, radii = centres
    starts, codes, scales = members
    query, wide, step = asked
    dims, count = len(query), len(radii)
    step32, length = np.float32(step), np.float32(0)
    for j in range(dims):
        length += query[j] * query[j]
    length = np.float32(reach) * np.sqrt(length)
    promises, order = np.empty(count, dtype=np.float32), np.empty(count, dtype=np.int32)
    for c in range(count):
        total = np.int32(0)
        for j in range(dims):
            total = np.int32(total + np.int32(centre_codes[c, j]) * wide[j])
        promises[c] = np.float32(total) * (centre_scales[c] * step32) + radii[c] * length
        order[c] = c
    for root in range(count // 2 - 1, -1, -1):
        _sink(promises, order, root, count)
    slots, best = np.full(k, -1, dtype=np.int32), np.full(k, -np.inf, dtype=np.float32)
    left, scored = count, 0
    while left > 0 and promises[order[0]] >= best[0]:
        c = order[0]
        left -= 1
        order[0] = order[left]
        _sink(promises, order, 0, left)
        base = np.float32(0)
        for j in range(dims):
            base += exact[c, j] * query[j]
        for slot in range(starts[c], starts[c + 1]):
            total = np.int32(0)
            for j in range(dims):
                total = np.int32(total + np.int32(codes[slot, j]) * wide[j])
            score = base + np.float32(total) * (scales[slot] * step32)
            if score > best[0]:
                _replace_worst(best, slots, score, slot)
        scored += starts[c + 1] - starts[c]
    return slots[slots >= 0], scored


@njit(cache=True)
def _sink(promises: Floats, order: Rows, root: int, size: int) -> None:
    """Let what stands at the root of a heap sink below all that promise more (Knuth, 5.2.3)."""
    one = order[root]
    while True:
        child = 2 * root + 1
        if child >= size:
            break
        if child + 1 < size and promises[order[child + 1]] > promises[order[child]]:
            child += 1
        if promises[order[child]] <= promises[one]:
            break
        order[root] = order[child]
        root = child
    order[root] = one


@njit(cache=True)
def _replace_worst(best: Floats, slots: Rows, score: float, slot: int) -> None:
    """Put a better one in the place of the worst, which stands at the root of the heap."""
    root = 0
    while True:
        child = 2 * root + 1
        if child >= len(best):
            break
        if child + 1 < len(best) and best[child + 1] < best[child]:
            child += 1
        if best[child] >= score:
            break
        best[root], slots[root] = best[child], slots[child]
        root = child
    best[root], slots[root] = score, slot


@njit(cache=True, fastmath={"reassoc", "contract"})
def products(vectors: Floats, rows: Rows, query: Floats) -> Floats:
    """float32[n]: the dot product of each of these rows with the query, without copying them."""
    scores = np.empty(len(rows), dtype=np.float32)
    for i in range(len(rows)):
        total = np.float32(0)
        for j in range(len(query)):
            total += vectors[rows[i], j] * query[j]
        scores[i] = total
    return scores


@njit(nogil=True, cache=True)
def means(vectors: Floats, rows: Rows, nearest: Rows, centres: Floats) -> Floats:
    """float32[C, d]: the mean of each centre's members, the centre itself where it has none.

    rows: [n] of the vectors that count; nearest: [n] the centre of each.
    """
    sums, sizes = np.zeros(centres.shape), np.zeros(len(centres))
    dims = len(vectors[0])
    for i in range(len(rows)):
        sizes[nearest[i]] += 1
        for j in range(dims):
            sums[nearest[i], j] += vectors[rows[i], j]
    found = centres.copy()
    for c in range(len(sums)):
        if sizes[c]:
            for j in range(dims):
                found[c, j] = np.float32(sums[c, j] / sizes[c])
    return found


@njit(nogil=True, cache=True)
def distances(vectors: Floats, rows: Rows, nearest: Rows, centres: Floats) -> Floats:
    """float32[n]: how far each of these rows lies from its centre."""
    found = np.empty(len(rows), dtype=np.float32)
    for i in range(len(rows)):
        total = np.float32(0)
        for j in range(centres.shape[1]):
            off = vectors[rows[i], j] - centres[nearest[i], j]
            total += off * off
        found[i] = np.sqrt(total)
    return found
