"""A person's recent actions as arrays: the one path for training and for serving."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inhouse.features.people import Person


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
    count = len(recent)
    items = np.full(length, -1, dtype=np.int32)
    kinds = np.full(length, -1, dtype=np.int8)
    ages_ms = np.zeros(length, dtype=np.int64)
    values = np.zeros(length, dtype=np.float32)
    if count:
        items[-count:] = recent.items
        kinds[-count:] = recent.kinds
        ages_ms[-count:] = np.maximum(now_ms - recent.at_ms, 0)
        values[-count:] = recent.values
    return HistoryArrays(items=items, kinds=kinds, ages_ms=ages_ms, values=values, count=count)
