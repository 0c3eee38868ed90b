"""The scan over small integers, compiled when it is first called."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def scan(
    codes: NDArray[np.int8],
    scales: NDArray[np.float32],
    ranges: NDArray[np.int64],
    query: NDArray[np.int8],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Score ranges of slots: slots and scores[i] = scales[slot] * sum_j codes[slot, j] query[j].

    codes: [slots, d], scales: [slots], ranges: [k, 2] from and up to, query: [d].

    The sum is kept in 32 bits and one factor in 16, for which processors have an instruction of
    their own; left to itself the compiler sums in 64, at a third of the speed.
    """
    wide = query.astype(np.int16)
    size = 0
    for k in range(len(ranges)):
        size += ranges[k, 1] - ranges[k, 0]
    slots = np.empty(size, dtype=np.int32)
    scores = np.empty(size, dtype=np.float32)
    found = 0
    for k in range(len(ranges)):
        for slot in range(ranges[k, 0], ranges[k, 1]):
            total = np.int32(0)
            for j in range(codes.shape[1]):
                total = np.int32(total + np.int32(codes[slot, j]) * wide[j])
            slots[found] = slot
            scores[found] = scales[slot] * np.float32(total)
            found += 1
    return slots, scores
