"""Compiled inner loops of the table of rows: finding, admitting, expiring, moving.

The index is open addressing with linear probing over a power of two of places: `keys` holds key + 1
or 0 where a place is empty, `slots` the row's slot beside it. Removal shifts back what follows, so
no place is ever lost to a mark of something removed.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Slots = NDArray[np.int32]
Floats = NDArray[np.float32]

_SPREADER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Fibonacci hashing (Knuth, 6.4)
_HIGH = np.uint64(32)


@njit(cache=True)
def _home(key: int, places: int) -> np.int64:
    """Where the search for a key begins."""
    spread = np.uint64(key) * _SPREADER
    return np.int64((spread >> _HIGH) & np.uint64(places - 1))


@njit(cache=True)
def _place(keys: Keys, key: int) -> np.int64:
    """Where the key stands, or the empty place where it would."""
    at = _home(key, len(keys))
    while keys[at] != 0 and keys[at] != key + 1:
        at = (at + 1) & (len(keys) - 1)
    return at


@njit(cache=True)
def find(keys: Keys, slots: Slots, wanted: Keys) -> Slots:
    """int32[n]: the slot of each wanted key, -1 where it has none."""
    found = np.empty(len(wanted), dtype=np.int32)
    for i in range(len(wanted)):
        at = _place(keys, wanted[i])
        found[i] = slots[at] if keys[at] != 0 else -1
    return found


@njit(cache=True)
def insert(keys: Keys, slots: Slots, key: int, slot: int) -> None:
    """Give a key that has none its slot."""
    at = _place(keys, key)
    keys[at] = key + 1
    slots[at] = slot


@njit(cache=True)
def insert_all(keys: Keys, slots: Slots, new: Keys, given: Slots) -> None:
    """Give keys that have none their slots."""
    for i in range(len(new)):
        insert(keys, slots, new[i], given[i])


@njit(cache=True)
def remove_all(keys: Keys, slots: Slots, gone: Keys) -> None:
    """Take keys out; those that are not in are passed over."""
    last = len(keys) - 1
    for i in range(len(gone)):
        hole = _place(keys, gone[i])
        if keys[hole] == 0:
            continue
        at = hole
        while True:
            at = (at + 1) & last
            if keys[at] == 0:
                break
            home = _home(keys[at] - 1, len(keys))
            # What lies between its home and the hole may move back into the hole.
            if ((at - home) & last) >= ((at - hole) & last):
                keys[hole] = keys[at]
                slots[hole] = slots[at]
                hole = at
        keys[hole] = 0


@njit(cache=True)
def heard(sketch: NDArray[np.uint8], key: int, times: int) -> np.int64:
    """How often a key without a row was heard of, these times counted: never too low.

    A count-min sketch of two rows with conservative update (Estan and Varghese, SIGCOMM 2002).
    """
    width = sketch.shape[1]
    one = _home(key, width)
    two = _home(key ^ 0x5BD1E9955BD1E995, width)
    seen = np.int64(min(min(sketch[0, one], sketch[1, two]) + times, 255))
    sketch[0, one] = max(sketch[0, one], seen)
    sketch[1, two] = max(sketch[1, two], seen)
    return seen


@njit(cache=True)
def admitted(sketch: NDArray[np.uint8], keys: Keys, times: Keys, after: int) -> NDArray[np.bool_]:
    """bool[n]: which of the keys were heard of often enough to be given a row."""
    out = np.zeros(len(keys), dtype=np.bool_)
    for i in range(len(keys)):
        out[i] = heard(sketch, keys[i], times[i]) >= after
    return out


@njit(cache=True)
def gather(values: Floats, slots: Slots) -> Floats:
    """float32[n, d]: rows by slot, zeros at -1."""
    out = np.zeros((len(slots), values.shape[1]), dtype=np.float32)
    for i in range(len(slots)):
        if slots[i] >= 0:
            out[i] = values[slots[i]]
    return out


@njit(cache=True, fastmath=True, error_model="numpy")
def adam(
    values: Floats,
    moments: tuple[Floats, Floats, NDArray[np.int32]],
    slots: Slots,
    gradient: Floats,
    pace: tuple[float, float],
) -> None:
    """One step of Adam with decoupled decay for different slots; -1 is passed over.

    moments: mean and mean square of the gradients, and each row's own count of steps.
    pace: learning rate and decay.
    """
    rate, kept = np.float32(pace[0]), np.float32(1 - pace[0] * pace[1])
    b1, b2, tiny, one = np.float32(0.9), np.float32(0.999), np.float32(1e-8), np.float32(1)
    steps = moments[2]
    for i in range(len(slots)):
        row = slots[i]
        if row < 0:
            continue
        steps[row] += 1
        # beta^n as exp(n log beta)
        c1 = rate * np.float32(1 / (1 - np.exp(-0.10536051565782628 * steps[row])))
        c2 = np.float32(1 / np.sqrt(1 - np.exp(-0.0010005003335835344 * steps[row])))
        v, first, second, g = values[row], moments[0][row], moments[1][row], gradient[i]
        for j in range(len(v)):
            m = b1 * first[j] + (one - b1) * g[j]
            s = b2 * second[j] + (one - b2) * g[j] * g[j]
            first[j] = m
            second[j] = s
            v[j] = v[j] * kept - m * c1 / (np.sqrt(s) * c2 + tiny)
