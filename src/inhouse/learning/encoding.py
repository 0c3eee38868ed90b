"""A history as small codes: what the taste model reads, in training and in serving alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.features.history import HistoryArrays

Rows = NDArray[np.int32]
Times = NDArray[np.int64]
Floats = NDArray[np.float32]
Codes = NDArray[np.uint8]
AGE_CODES: Final = 28  # floor(log2(seconds + 1)): 0 for under a second, 27 for over 4 years
DWELL_CODES: Final = 14  # 0 for none, then 1 + floor(log2(seconds + 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Histories:
    """The latest actions of n people, newest last, left-padded to one length L."""

    items: NDArray[np.int32]  # [n, L] index in the item table, -1 where padded
    kinds: NDArray[np.uint8]  # [n, L] code of the action, 0 where padded
    ages: NDArray[np.uint8]  # [n, L] below AGE_CODES, of the time before the request
    dwells: NDArray[np.uint8]  # [n, L] below DWELL_CODES, of the dwell or watch time

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: NDArray[np.int64]) -> "Histories":
        """Some of them, in the order given."""
        return Histories(
            items=self.items[rows],
            kinds=self.kinds[rows],
            ages=self.ages[rows],
            dwells=self.dwells[rows],
        )


def encode_history(history: HistoryArrays, length: int, leave_out: int = -1) -> Histories:
    """One person's history, n = 1, cut or padded on the left to `length`.

    leave_out: an item that is treated as if the person had never touched it; in training the
    answer itself, whose first weak signs (a short look) may precede the one that makes it wanted.
    """
    items, kinds, ages, dwells = _encoded(
        history.items, history.kinds, history.ages_ms, history.values, length, leave_out
    )
    return Histories(items=items, kinds=kinds, ages=ages, dwells=dwells)


@njit(cache=True)
def _encoded(
    items: Rows,
    kinds: NDArray[np.int8],
    ages_ms: Times,
    values: Floats,
    length: int,
    leave_out: int,
) -> tuple[Rows, Codes, Codes, Codes]:
    """The columns of one person's `Histories`; see `encode_history`."""
    out, did = np.full((1, length), -1, dtype=np.int32), np.zeros((1, length), dtype=np.uint8)
    ages, dwells = np.zeros((1, length), dtype=np.uint8), np.zeros((1, length), dtype=np.uint8)
    place = length
    for i in range(len(items) - 1, -1, -1):
        if place == 0:
            break
        if items[i] < 0 or items[i] == leave_out:
            continue
        place -= 1
        out[0, place], did[0, place] = items[i], kinds[i]
        ages[0, place] = min(_power(max(ages_ms[i], 0) / 1_000 + 1), AGE_CODES - 1)
        if values[i] > 0:
            long = _power(values[i] / np.float32(1_000) + np.float32(1))
            dwells[0, place] = min(1 + long, DWELL_CODES - 1)
    return out, did, ages, dwells


@njit(cache=True)
def _power(number: float) -> int:
    """floor(log2(number)), exactly."""
    return math.frexp(number)[1] - 1


def age_codes(ages_ms: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Which power of two of seconds an age falls into."""
    powers = np.floor(np.log2(np.maximum(ages_ms, 0) / 1_000 + 1))
    return np.minimum(powers, AGE_CODES - 1).astype(np.uint8)


def dwell_codes(values_ms: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0 where nothing was measured, else which power of two of seconds."""
    powers = 1 + np.floor(np.log2(np.maximum(values_ms, 0) / 1_000 + 1))
    return np.where(values_ms > 0, np.minimum(powers, DWELL_CODES - 1), 0).astype(np.uint8)


def empty_histories(n: int, length: int) -> Histories:
    """n people who did nothing yet; arrays to be filled in place."""
    return Histories(
        items=np.full((n, length), -1, dtype=np.int32),
        kinds=np.zeros((n, length), dtype=np.uint8),
        ages=np.zeros((n, length), dtype=np.uint8),
        dwells=np.zeros((n, length), dtype=np.uint8),
    )


def stack(parts: Sequence[Histories], length: int) -> Histories:
    """All of them one below the other; none gives an empty one."""
    if not parts:
        return empty_histories(0, length)
    return Histories(
        items=np.concatenate([part.items for part in parts]),
        kinds=np.concatenate([part.kinds for part in parts]),
        ages=np.concatenate([part.ages for part in parts]),
        dwells=np.concatenate([part.dwells for part in parts]),
    )
