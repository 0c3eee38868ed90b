"""Near-duplicates: texts that say the same in nearly the same letters.

Two texts are near-duplicates where of all runs of five characters that either has, in normal form
(`owned.hashing`), at least `ALIKE` stand in both (Jaccard 1912). Who may be alike is found by
min-hashing in bands (Broder 1997, SEQUENCES 21; Leskovec, Rajaraman & Ullman, Mining of Massive
Datasets, 3.4): 16 bands of 4 of 64 minima, so of pairs that are alike by 0.7, 0.8 and 0.9 it misses
1.2, 0.02 and less than 0.001 in a hundred. What many texts of a collection have in common, as those
written into one template have, says nothing about who is alike and does not count.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from inhouse.core.random import stream
from inhouse.models.owned.hashing import hashed_spans, is_break, normalise

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Minima = npt.NDArray[np.uint32]

ALIKE: Final = 0.7  # share of runs in common from which on two texts are near-duplicates
_RUN: Final = 5  # characters
_BANDS: Final = 16
_ROWS: Final = 4  # minima of a band
_COMMON: Final = 0.1  # of the texts; a run that stands in more of them is a template's
_LEAST_TEXTS: Final = 100  # from which on something can be called common
_BATCH_CHARS: Final = 400_000
_BATCH_RUNS: Final = 50_000
_BATCH_PAIRS: Final = 100_000
_HALF: Final = np.uint64(32)
_LOW: Final = np.uint64(0xFFFF_FFFF)


def groups_of(texts: Sequence[str]) -> Ints:
    """For each text the place of the first text of its group; alone, its own place.

    Groups are what near-duplicates link, so two of a group may differ more than any two neighbours
    of the chain between them. The same texts in the same order give the same groups.

    >>> groups_of(["Buy now, cheap!", "a walk in the park", "buy  NOW, cheap!!"]).tolist()
    [0, 1, 0]
    """
    if not texts:
        return np.zeros(0, dtype=np.int64)
    runs = _without_common(_runs_of(texts), len(texts))
    pairs = _alike(runs, _candidates(_minima_of(runs)))
    ones = np.ones(len(pairs), dtype=np.int8)
    links = sparse.coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(texts), len(texts)))
    _, names = connected_components(links, directed=False)
    _, first = np.unique(names, return_index=True)
    return np.asarray(first[names], dtype=np.int64)


class Recent:
    """Remembers the latest texts, to know one that is nearly the same again."""

    def __init__(self, most: int, alike: float) -> None:
        """most: texts remembered. alike: estimated share of runs in common, in (0, 1]."""
        self._most, self._alike = most, alike
        self._minima: dict[int, Minima] = {}
        self._by_band: dict[tuple[int, int], int] = {}
        self._order: deque[tuple[int, list[tuple[int, int]]]] = deque()
        self._number = 0

    def is_new(self, text: str) -> bool:
        """Whether none of the latest is nearly the same; a new one is remembered."""
        minima = _minima_of(_runs_of([text]))[0]
        keys = [(band, int(key)) for band, key in enumerate(_band_keys(minima[None, :])[:, 0])]
        for number in {self._by_band[key] for key in keys if key in self._by_band}:
            if np.mean(self._minima[number] == minima) >= self._alike:
                return False
        self._remember(minima, keys)
        return True

    def _remember(self, minima: Minima, keys: list[tuple[int, int]]) -> None:
        self._number += 1
        self._minima[self._number] = minima
        self._by_band.update(dict.fromkeys(keys, self._number))
        self._order.append((self._number, keys))
        if len(self._order) > self._most:
            old, its_keys = self._order.popleft()
            del self._minima[old]
            for key in its_keys:
                if self._by_band.get(key) == old:
                    del self._by_band[key]


class _Runs:
    """The different runs of each text: `hashes[starts[i]:starts[i + 1]]`, never empty."""

    def __init__(self, rows: Ints, hashes: Hashes, count: int) -> None:
        self.rows, self.hashes = rows, hashes
        self.starts = np.searchsorted(rows, np.arange(count + 1)).astype(np.int64)


def _runs_of(texts: Sequence[str]) -> _Runs:
    keys = [_keys_of(texts[first:last], first) for first, last in _batches(texts)]
    whole = np.concatenate(keys)
    return _Runs((whole >> _HALF).astype(np.int64), whole & _LOW, len(texts))


def _batches(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    first, chars = 0, 0
    for place, text in enumerate(texts):
        chars += len(text) + 1
        if chars > _BATCH_CHARS or place == len(texts) - 1:
            yield first, place + 1
            first, chars = place + 1, 0


def _keys_of(texts: Sequence[str], first_row: int) -> Hashes:
    """Row and hash of every run, sorted, none twice. A text that is shorter than a run is one."""
    points = normalise([text.strip() for text in texts]).points
    breaks = np.flatnonzero(is_break(points))
    begin, end = breaks[:-1] + 1, breaks[1:]
    counts = np.maximum(1, end - begin - _RUN + 1)
    rows = np.repeat(np.arange(len(texts)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = begin[rows] + within
    last = np.minimum(first + _RUN, end[rows])
    hashes = hashed_spans(points, first, last) >> _HALF
    return np.unique(((rows + first_row).astype(np.uint64) << _HALF) | hashes)


def _without_common(runs: _Runs, count: int) -> _Runs:
    if count < _LEAST_TEXTS:
        return runs
    _, place, found = np.unique(runs.hashes, return_inverse=True, return_counts=True)
    telling = found[place] <= _COMMON * count
    left = np.add.reduceat(telling, runs.starts[:-1])
    keep = telling | (left[runs.rows] == 0)  # what is template alone stays as it is
    return _Runs(runs.rows[keep], runs.hashes[keep], count)


def _minima_of(runs: _Runs) -> Minima:
    """[texts, 64]: of each of 64 random orders of all runs, the first that the text has."""
    odd, offset = _ORDERS
    starts = runs.starts
    found = np.empty((len(starts) - 1, _BANDS * _ROWS), dtype=np.uint32)
    first = 0
    while first < len(found):
        last = int(np.searchsorted(starts, starts[first] + _BATCH_RUNS, side="right")) - 1
        last = min(max(last, first + 1), len(found))
        hashes = runs.hashes[starts[first] : starts[last]]
        mixed = (odd[:, None] * hashes + offset[:, None]) >> _HALF
        least = np.minimum.reduceat(mixed, starts[first:last] - starts[first], axis=1)
        found[first:last] = least.T.astype(np.uint32)
        first = last
    return found


def _orders() -> tuple[Hashes, Hashes]:
    """Multiply-shift hashing (Dietzfelbinger 1996) of 32 bits."""
    random = stream(5, "near")
    odd, offset = random.integers(0, 1 << 64, size=(2, _BANDS * _ROWS), dtype=np.uint64)
    return odd | np.uint64(1), offset


_ORDERS: Final = _orders()


def _band_keys(minima: Minima) -> Hashes:
    """[bands, texts]: what two texts have in common where a whole band is the same."""
    weights = _ORDERS[0][:_ROWS]
    bands = minima.reshape(len(minima), _BANDS, _ROWS).astype(np.uint64)
    return np.asarray((bands * weights).sum(axis=2, dtype=np.uint64).T)


def _candidates(minima: Minima) -> Ints:
    """[pairs, 2]: who shares a band with whom. Of many that do, each is held against the first of
    them and the one before."""
    found = []
    for keys in _band_keys(minima):
        order = np.argsort(keys, kind="stable").astype(np.int64)
        same = keys[order][1:] == keys[order][:-1]
        begins = np.concatenate([[True], ~same])
        leaders = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))]
        found.append(np.stack([order[:-1][same], order[1:][same]], axis=1))
        found.append(np.stack([leaders[1:][same], order[1:][same]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _alike(runs: _Runs, pairs: Ints) -> Ints:
    """The pairs that are near-duplicates."""
    names, columns = np.unique(runs.hashes, return_inverse=True)
    counts = np.diff(runs.starts)
    shape = (len(counts), len(names))
    has = sparse.csr_array((np.ones(len(columns), dtype=np.int32), columns, runs.starts), shape)
    kept = []
    for start in range(0, len(pairs), _BATCH_PAIRS):
        some = pairs[start : start + _BATCH_PAIRS]
        both = np.asarray(has[some[:, 0]].multiply(has[some[:, 1]]).sum(axis=1)).ravel()
        either = counts[some[:, 0]] + counts[some[:, 1]] - both
        kept.append(some[both >= ALIKE * either])
    return np.concatenate(kept) if kept else np.zeros((0, 2), dtype=np.int64)
