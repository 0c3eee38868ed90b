"""The compiled inner loop of the taste model: where people lie, by what they did."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8]


@njit(cache=True)
def people_of(
    weights: tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats],
    highest: float,
    vectors: Floats,
    items: NDArray[np.int32],
    codes: tuple[Codes, Codes, Codes],
) -> Floats:
    """float32[n, d]: the formula at the top of `arrays.py` for n people.

    weights: place, kind, age, dwell, gain, mix and start of `TasteWeights`; highest: of the log of
    one action's weight; vectors: [items, d]; items: [n, L], those below 0 or without a vector are
    passed over; codes: [n, L] each, kinds, ages and dwells.
    """
    place, kind, age, dwell, gain, mix, start = weights
    kinds, ages, dwells = codes
    n, length, d = items.shape[0], items.shape[1], vectors.shape[1]
    out = np.empty((n, d), dtype=np.float32)
    pooled = np.empty(d, dtype=np.float32)
    most = np.float32(highest)
    for person in range(n):
        out[person] = start
        for h in range(len(place)):
            pooled[:] = 0
            total = np.float32(0)
            for i in range(length):
                item, k = items[person, i], kinds[person, i]
                if item < 0 or item >= len(vectors):
                    continue
                logit = place[h, i] + kind[h, k] + age[h, ages[person, i]]
                e = np.exp(min(logit + dwell[h, dwells[person, i]], most))
                total += e
                share = e * gain[h, k]
                for j in range(d):
                    pooled[j] += share * vectors[item, j]
            scale = np.float32(1) / np.sqrt(np.float32(1) + total)
            for i in range(d):
                share = pooled[i] * scale
                for j in range(d):
                    out[person, j] += share * mix[h, i, j]
    return out
