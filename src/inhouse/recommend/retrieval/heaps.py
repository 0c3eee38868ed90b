"""Compiled: heaps of clusters by what they promise, and the best of many scores."""

import numpy as np
from numba import njit

from inhouse.recommend.types import Floats, Rows


@njit(cache=True)
def make_heap(promises: Floats, order: Rows, size: int) -> None:
    """The highest promise comes to stand at the root (Knuth, 5.2.3)."""
    for root in range(size // 2 - 1, -1, -1):
        sink(promises, order, root, size)


@njit(cache=True)
def sink(promises: Floats, order: Rows, root: int, size: int) -> None:
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
def select(scores: Floats, slots: Rows, size: int, k: int) -> None:
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
def place(
    best: Floats, slots: Rows, root: int, k: int, score: float | np.float32, slot: int
) -> None:
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


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def kth_best(vectors: Floats, rows: Rows, query: Floats, barred: Rows, k: int) -> np.float32:
    """The k-th highest dot product of float32[d] with the vectors of these rows that are not
    barred; -inf where they are fewer. It lets go of the interpreter: a million take 30 ms.

    rows, barred: sorted.
    """
    best, slots = np.full(k + 1, -np.inf, dtype=np.float32), np.empty(k + 1, dtype=np.int32)
    best[k] = np.inf
    for row in rows:
        score = np.float32(0)
        for j in range(len(query)):
            score += vectors[row, j] * query[j]
        if not score > best[0]:
            continue
        at = np.searchsorted(barred, row)
        if at == len(barred) or barred[at] != row:
            place(best, slots, 0, k, score, row)
    found: np.float32 = best[0]
    return found
