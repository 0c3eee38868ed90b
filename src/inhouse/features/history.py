"""A person's recent actions as arrays: the one path for training and for serving."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.features.people import Person

Rows = NDArray[np.int32]
Kinds = NDArray[np.int8]
Times = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryArrays:
    """The latest `count` actions, newest last, left-padded to a fixed length L."""

    items: NDArray[np.int32]  # [L] index in the item table, -1 where padded
    kinds: NDArray[np.int8]  # [L] code of the action, -1 where padded
    ages_ms: NDArray[np.int64]  # [L] before the request, at least 0
    values: NDArray[np.float32]  # [L] dwell or watch in ms
    count: int  # how many places are filled


def history_arrays(person: Person, now_ms: int, length: int = 64) -> HistoryArrays:
    """The person's last `length` actions as of `now_ms`."""
    recent = person.recent.latest(length)
    items, kinds, ages_ms, values = _padded(
        recent.items, recent.kinds, recent.at_ms, recent.values, now_ms, length
    )
    return HistoryArrays(
        items=items, kinds=kinds, ages_ms=ages_ms, values=values, count=len(recent)
    )


@njit(cache=True)
def _padded(
    items: Rows, kinds: Kinds, at_ms: Times, values: Floats, now_ms: int, length: int
) -> tuple[Rows, Kinds, Times, Floats]:
    """The columns of `HistoryArrays` from those of at most `length` actions."""
    out, did = np.full(length, -1, dtype=np.int32), np.full(length, -1, dtype=np.int8)
    ages_ms, told = np.zeros(length, dtype=np.int64), np.zeros(length, dtype=np.float32)
    for i in range(len(items)):
        place = length - len(items) + i
        out[place], did[place], told[place] = items[i], kinds[i], values[i]
        ages_ms[place] = max(now_ms - at_ms[i], 0)
    return out, did, ages_ms, told
