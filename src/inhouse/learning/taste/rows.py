"""A bounded table of learned rows with its own optimiser: a step costs what it touches.

Keys are numbers of any size; whoever is given a row takes one of `most` slots. An id is admitted at
once while fewer than half of the slots are taken, and beyond that when it was heard of
`admit_after` times, counted in a sketch. A row whose key was not heard of for `unused_ms` expires;
where no slot is free the longest unused sixteenth of all rows does. Freed slots are taken again. So
memory is bounded by `most`, however many ids pass by (Monolith, arXiv 2209.07663, section 2.2).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inhouse.core.clock import DAY_MS
from inhouse.learning.taste import row_kernels as kernels

_SPREAD: Final = 0.05
_FREED_AT_ONCE: Final = 16  # a full table frees one in so many rows

Keys = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class TableBounds:
    """How large a table may become, and who is let in."""

    most: int = 1_000_000  # rows
    admit_after: int = 2  # times that an id is heard of before it gets a row of a half-full table
    unused_ms: int = 90 * DAY_MS  # a row whose id was not heard of for longer expires


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Keys drawn evenly, with repeats."""

    keys: Keys  # [n]
    expected: float  # how often each key there is was expected among them


def rows_in(size_mb: int, dims: int) -> int:
    """How many rows fit into so many MB with everything that is kept beside them."""
    return max(1_024, (size_mb << 20) // bytes_a_row(dims))


def bytes_a_row(dims: int) -> int:
    """Value, what was published of it, two moments; counts, times, marks; index and sketch."""
    return 4 * 4 * dims + 8 + 4 + 8 + 8 + 4 + 1 + 4 * 12 + 4


class RowTable:
    """Adam with decoupled weight decay, each row counting its own steps.

    Where every row is touched at every step it equals torch's AdamW. A key without a row reads as
    zeros and is never moved. The same calls give the same table.
    """

    def __init__(
        self, dims: int, *, rate: float, decay: float, bounds: TableBounds | None = None
    ) -> None:
        self.bounds = bounds or TableBounds()
        self._dims, self._pace = dims, (rate, decay)
        most = self.bounds.most
        # Zeros of this size take memory only once they are written to.
        self._values, self._published, self._first, self._second = (
            np.zeros((most, dims), dtype=np.float32) for _ in range(4)
        )
        self._steps = np.zeros(most, dtype=np.int32)
        self._key = np.zeros(most, dtype=np.int64)  # [slots] -1 where a slot was freed
        self._wanted = np.zeros(most, dtype=np.int64)  # [slots] how often the key was heard of
        self._used_ms = np.zeros(most, dtype=np.int64)
        self._touched = np.zeros(most, dtype=np.bool_)  # changed since it was published
        self._free = np.zeros(most, dtype=np.int32)  # a stack of freed slots
        self._free_count = 0
        self._top = 0  # slots ever taken
        places = 1 << (2 * most - 1).bit_length()
        self._index = np.zeros(places, dtype=np.int64), np.zeros(places, dtype=np.int32)
        self._sketch = np.zeros((2, places // 2), dtype=np.uint8)
        self._sketched = 0
        self._gone: list[Keys] = []  # expired since the last publication
        self._keys: Keys | None = None

    def __len__(self) -> int:
        return self._top - self._free_count

    @property
    def size_bytes(self) -> int:
        """Bytes of all arrays when every slot was taken."""
        parts = (self._values, self._published, self._first, self._second, self._steps, self._key)
        more = (self._wanted, self._used_ms, self._touched, self._free, self._sketch, *self._index)
        return sum(part.nbytes for part in (*parts, *more))

    def keys(self) -> Keys:
        """int64[rows]: who has a row, rising."""
        if self._keys is None:
            held = self._key[: self._top]
            self._keys = np.sort(held[held >= 0])
        return self._keys

    def has(self, keys: NDArray[np.integer]) -> NDArray[np.bool_]:
        """bool[n]: which of the keys have a row."""
        held: NDArray[np.bool_] = self._find(keys) >= 0
        return held

    def some(self, n: int, numbers: np.random.Generator) -> Sample:
        """Keys drawn evenly from n slots; where a slot is free none comes of it."""
        if not self._top:
            return Sample(keys=np.empty(0, dtype=np.int64), expected=0.0)
        keys = self._key[numbers.integers(0, self._top, n)]
        return Sample(keys=keys[keys >= 0], expected=n / self._top)

    def values_of(self, keys: NDArray[np.integer]) -> Tensor:
        """[n, d], zeros for a key without a row."""
        return torch.from_numpy(kernels.gather(self._values, self._find(keys)))

    def published_of(self, keys: NDArray[np.integer]) -> Tensor:
        """[n, d] as last published, zeros for a key without a row."""
        return torch.from_numpy(kernels.gather(self._published, self._find(keys)))

    def wanted_of(self, keys: NDArray[np.integer]) -> NDArray[np.int64]:
        """int64[n]: how often each key with a row was heard of, 0 without one."""
        slots = self._find(keys)
        return np.where(slots >= 0, self._wanted[slots], 0)

    def hear(
        self, keys: NDArray[np.integer], at_ms: NDArray[np.int64], dice: torch.Generator
    ) -> None:
        """Take note of ids at times; who is admitted by that starts near zero."""
        if not len(keys):
            return
        names, inverse, times = np.unique(
            keys.astype(np.int64), return_inverse=True, return_counts=True
        )
        latest = np.zeros(len(names), dtype=np.int64)
        np.maximum.at(latest, inverse, at_ms)
        slots = self._find(names)
        known = slots >= 0
        self._wanted[slots[known]] += times[known]
        self._used_ms[slots[known]] = np.maximum(self._used_ms[slots[known]], latest[known])
        if known.all():
            return
        rows = np.flatnonzero(~known)[self._let_in(names[~known], times[~known])]
        at_once = max(1, self.bounds.most // _FREED_AT_ONCE)
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            slots = self._take_slots(names[part])
            noise = torch.randn((len(part), self._dims), generator=dice).numpy()
            self._values[slots] = noise * _SPREAD
            self._wanted[slots], self._used_ms[slots] = times[part], latest[part]

    def expire(self, now_ms: int) -> int:
        """Free the rows whose keys were not heard of for long; returns how many."""
        stale = self._used_ms[: self._top] < now_ms - self.bounds.unused_ms
        return self._drop(np.flatnonzero(stale & (self._key[: self._top] >= 0)))

    def update(self, keys: NDArray[np.integer], gradient: Tensor) -> None:
        """One step for different keys: int64[r] and [r, d]."""
        slots = self._find(keys)
        moments = (self._first, self._second, self._steps)
        kernels.adam(self._values, moments, slots, gradient.numpy(), self._pace)
        self._touched[slots[slots >= 0]] = True

    def load(self, keys: Keys, values: Tensor, now_ms: int) -> None:
        """Take over published rows in place of all there were; their optimiser starts anew."""
        self._drop(np.flatnonzero(self._key[: self._top] >= 0))
        self._gone = []
        kept = keys[-self.bounds.most :]
        slots = self._take_slots(kept)
        self._values[slots] = values.numpy()[-self.bounds.most :]
        self._published[slots] = self._values[slots]
        self._touched[slots] = False
        self._wanted[slots], self._used_ms[slots] = 1, now_ms

    def revert(self) -> None:
        """Go back to the published rows, without any other; the optimiser starts anew."""
        self._drop(np.flatnonzero(~self._published[: self._top].any(axis=1)))
        self._values[: self._top] = self._published[: self._top]
        for part in (self._first, self._second, self._steps):
            part[: self._top] = 0
        self._touched[: self._top] = False

    def changed(self) -> tuple[Keys, Tensor]:
        """What differs from what was published: keys, rising, and [n, d]; zeros where expired."""
        touched = self._key[: self._top][self._touched[: self._top]]
        keys = np.unique(np.concatenate([*self._gone, touched[touched >= 0]]))
        return keys, self.values_of(keys)

    def mark_published(self) -> None:
        """Hear that everything changed is published now."""
        slots = np.flatnonzero(self._touched[: self._top])
        self._published[slots] = self._values[slots]
        self._touched[slots] = False
        self._gone = []

    def set_published(self, keys: Keys, rows: NDArray[np.float32]) -> None:
        """Hear that these rows are published and no others; whatever differs has changed."""
        slots = self._find(keys)
        held, top = slots >= 0, self._top
        self._published[:top] = 0
        self._published[slots[held]] = rows[held]
        self._touched[:top] = (self._values[:top] != self._published[:top]).any(axis=1)
        self._touched[:top] &= self._key[:top] >= 0
        self._gone = [keys[~held]]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything, for a checkpoint."""
        top = self._top
        return {
            **{name: getattr(self, f"_{name}")[:top] for name in _BY_SLOT},
            "free": self._free[: self._free_count],
            "sketch": self._sketch,
            "sketched": np.array([self._sketched]),
            "gone": np.concatenate([np.empty(0, np.int64), *self._gone]),
        }

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Be the table whose arrays these are. Raises ValueError where they do not fit."""
        top = len(arrays["key"])
        if top > self.bounds.most or arrays["values"].shape != (top, self._dims):
            raise ValueError(f"{top} rows of {arrays['values'].shape} do not fit into this table")
        for name in _BY_SLOT:
            getattr(self, f"_{name}")[:top] = arrays[name]
        self._top, self._free_count = top, len(arrays["free"])
        self._free[: self._free_count] = arrays["free"]
        self._sketch[:] = arrays["sketch"]
        self._sketched = int(arrays["sketched"][0])
        self._gone = [arrays["gone"]]
        self._keys = None
        for part in self._index:
            part[:] = 0
        held = np.flatnonzero(self._key[:top] >= 0).astype(np.int32)
        kernels.insert_all(*self._index, self._key[held], held)

    def _find(self, keys: NDArray[np.integer]) -> NDArray[np.int32]:
        found: NDArray[np.int32] = kernels.find(*self._index, keys.astype(np.int64))
        return found

    def _let_in(self, keys: Keys, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Indices of the keys to be given a row."""
        if self.bounds.admit_after <= 1 or len(self) + len(keys) <= self.bounds.most // 2:
            return np.arange(len(keys))
        self._sketched += int(times.sum())
        if self._sketched > self._sketch.shape[1]:  # what was heard long ago counts half
            self._sketch >>= 1
            self._sketched //= 2
        let_in = kernels.admitted(self._sketch, keys, times, self.bounds.admit_after)
        return np.flatnonzero(let_in)

    def _take_slots(self, keys: Keys) -> NDArray[np.int32]:
        """A slot for each new key, at most a sixteenth of the table at once when it is full."""
        lacking = len(keys) - self._free_count - (self.bounds.most - self._top)
        if lacking > 0:
            oldest = max(lacking, self._top // _FREED_AT_ONCE)
            self._drop(np.argpartition(self._used_ms[: self._top], oldest - 1)[:oldest])
        reused = min(len(keys), self._free_count)
        self._free_count -= reused
        fresh = np.arange(self._top, self._top + len(keys) - reused, dtype=np.int32)
        slots = np.concatenate([self._free[self._free_count : self._free_count + reused], fresh])
        self._top += len(fresh)
        self._key[slots] = keys
        for part in (self._published, self._first, self._second, self._steps):
            part[slots] = 0
        self._touched[slots] = True
        kernels.insert_all(*self._index, keys, slots)
        self._keys = None
        return slots

    def _drop(self, slots: NDArray[np.int64]) -> int:
        slots = slots[self._key[slots] >= 0]
        gone = self._key[slots]
        kernels.remove_all(*self._index, gone)
        self._gone.append(gone[self._published[slots].any(axis=1)])
        self._key[slots], self._touched[slots] = -1, False
        self._used_ms[slots] = np.iinfo(np.int64).max
        self._free[self._free_count : self._free_count + len(slots)] = slots
        self._free_count += len(slots)
        self._keys = None
        return len(slots)


_BY_SLOT: Final = (
    "values",
    "published",
    "first",
    "second",
    "steps",
    "key",
    "wanted",
    "used_ms",
    "touched",
)
