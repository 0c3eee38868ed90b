"""A history as small codes: what the taste model reads, in training and in serving alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.features.history import HistoryArrays

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
    keep = (history.items >= 0) & (history.items != leave_out)
    taken = np.flatnonzero(keep)[-length:]
    count = len(taken)
    out = empty_histories(1, length)
    if count:
        out.items[0, -count:] = history.items[taken]
        out.kinds[0, -count:] = history.kinds[taken]
        out.ages[0, -count:] = age_codes(history.ages_ms[taken])
        out.dwells[0, -count:] = dwell_codes(history.values[taken])
    return out


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
