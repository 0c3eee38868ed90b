"""The search through clusters and the steps of making them, compiled.

A search keeps the interpreter to itself: a thread that got it meanwhile would keep it for longer
than the search takes. Making clusters takes seconds and lets it go.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.recommend.types import Floats, Rows

_AT_FIRST: Final = 4  # times as many as are wanted are scored before the first selection
_FAR_MORE: Final = 1.5  # standard deviations above the mean promise
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
    the highest promise on until none promises more than the k-th best that was found. Of the first
    `_AT_FIRST` times k slots the k best are selected at once; from there on a heap keeps them, and
    few of what follows come into it.

    Sums are kept in 32 bits and one factor in 16, for which processors have an instruction of their
    own; left to itself the compiler sums in 64, at a third of the speed.
    """
    starts, codes, scales = members
    query, wide, step = asked
    dims, step32 = len(query), np.float32(step)
    promises = _promises(centres, asked, reach)
    order, later = _first_order(promises)
    left = len(order)
    room = _AT_FIRST * k
    slots, best = np.empty(room + 1, dtype=np.int32), np.empty(room + 1, dtype=np.float32)
    size, worst, scored, is_heap = 0, np.float32(-np.inf), 0, False
    while True:
        if left == 0:
            order, left, later = later, len(later), later[:0]
            _make_heap(promises, order, left)
        if left == 0 or promises[order[0]] < worst:
            break
        c = order[0]
        left -= 1
        order[0] = order[left]
        _sink(promises, order, 0, left)
        base = np.float32(0)
        for j in range(dims):
            base += centres.exact[c, j] * query[j]
        scored += starts[c + 1] - starts[c]
        for slot in range(starts[c], starts[c + 1]):
            total = np.int32(0)
            for j in range(dims):
                total = np.int32(total + np.int32(codes[slot, j]) * wide[j])
            score = base + np.float32(total) * (scales[slot] * step32)
            if is_heap:
                if score > worst:
                    _place(best, slots, 0, k, score, slot)
                    worst = best[0]
                continue
            best[size], slots[size] = score, slot
            size += 1
            if size == room:
                _select(best, slots, size, k)
                best[k] = np.inf
                for root in range(k // 2 - 1, -1, -1):
                    _place(best, slots, root, k, best[root], slots[root])
                size, worst, is_heap = k, best[0], True
    if size > k:
        _select(best, slots, size, k)
    return slots[: min(size, k)], scored


@njit(cache=True)
def _promises(centres: Centres, asked: Query, reach: float) -> Floats:
    """float32[C]: of each cluster the highest dot product that a member may have."""
    _, codes, scales, radii = centres
    query, wide, step = asked
    dims, step32, length = len(query), np.float32(step), np.float32(0)
    for j in range(dims):
        length += query[j] * query[j]
    length = np.float32(reach) * np.sqrt(length)
    promises = np.empty(len(radii), dtype=np.float32)
    for c in range(len(radii)):
        total = np.int32(0)
        for j in range(dims):
            total = np.int32(total + np.int32(codes[c, j]) * wide[j])
        promises[c] = np.float32(total) * (scales[c] * step32) + radii[c] * length
    return promises


@njit(cache=True)
def _first_order(promises: Floats) -> tuple[Rows, Rows]:
    """A heap of the clusters that promise far more than most, and the others.

    A search hardly ever comes to the others, and a heap of all would cost more than the look at
    those that it comes to.
    """
    total, squares = 0.0, 0.0
    for promise in promises:
        total += promise
        squares += promise * promise
    mean = total / len(promises)
    spread = math.sqrt(max(squares / len(promises) - mean * mean, 0.0))
    bar = mean + _FAR_MORE * spread
    order = np.empty(len(promises), dtype=np.int32)
    ahead, behind = 0, len(promises)
    for c in range(len(promises)):
        if promises[c] > bar:
            order[ahead] = c
            ahead += 1
        else:
            behind -= 1
            order[behind] = c
    _make_heap(promises, order, ahead)
    return order[:ahead], order[ahead:]


@njit(cache=True)
def _make_heap(promises: Floats, order: Rows, size: int) -> None:
    """The highest promise comes to stand at the root (Knuth, 5.2.3)."""
    for root in range(size // 2 - 1, -1, -1):
        _sink(promises, order, root, size)


@njit(cache=True)
def _sink(promises: Floats, order: Rows, root: int, size: int) -> None:
    """Let what stands at the root of a heap sink below all that promise more."""
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
def _select(scores: Floats, slots: Rows, size: int, k: int) -> None:
    """Bring the k highest of the first `size` to the first k places (Hoare's FIND)."""
    low, high = 0, size - 1
    while low < high:
        a, b, c = scores[low], scores[(low + high) // 2], scores[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while scores[i] > pivot:
                i += 1
            while scores[j] < pivot:
                j -= 1
            if i <= j:
                scores[i], scores[j] = scores[j], scores[i]
                slots[i], slots[j] = slots[j], slots[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break


@njit(cache=True)
def _place(best: Floats, slots: Rows, root: int, k: int, score: float, slot: int) -> None:
    """Let a score sink from the root of a heap whose worst stands at its root.

    best: [k + 1] or more, of which [k] is inf, so that every node has two children to choose from
    without a branch that a processor could guess wrong.
    """
    child = 2 * root + 1
    while child < k:
        child += best[child + 1] < best[child]
        if best[child] >= score:
            break
        best[root], slots[root] = best[child], slots[child]
        root = child
        child = 2 * root + 1
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
