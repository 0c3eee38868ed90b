"""Which of the person's recent actions weighed most for an item."""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.core.clock import DAY_MS
from inhouse.events.types import EVENT_KINDS
from inhouse.features.machine import fetch_ahead
from inhouse.features.outcomes import STRENGTH
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Floats, Rows

_LOOKED_AT: Final = 64
_HALF_LIFE_MS: Final = 14 * DAY_MS
_MOST: Final = 2
_NONE: Final = -1
_STRENGTH: Final = np.array([STRENGTH.get(kind, 0.0) for kind in EVENT_KINDS])
_LEAST_COSINE: Final = 0.2


def reasons_for(moment: Moment, items: Rows, causes: Rows) -> list[tuple[int, ...]]:
    """For each item at most two recent items, the one that led to it first.

    The weight of a recent action is its strength, halved for every 14 days, times the cosine of
    its item and the one explained, in the space of the taste vectors (of content before there is a
    model). Cosines below 0.2 explain nothing.
    """
    recent = moment.person.recent.latest(_LOOKED_AT)
    told = _first(
        items,
        causes,
        (recent.items, recent.kinds, recent.at_ms),
        moment.query.now_ms,
        moment.space.vectors,
    )
    return [
        (first, second) if second != _NONE else (first,) if first != _NONE else ()
        for first, second in told.tolist()
    ]


@njit(cache=True)
def _first(
    items: Rows,
    causes: Rows,
    recent: tuple[Rows, NDArray[np.int8], NDArray[np.int64]],
    now_ms: int,
    vectors: Floats,
) -> Rows:
    """int32[n, 2]: of the cause of each item and the recent ones that weigh most the first two
    different ones; -1 beyond. recent: items, kinds and times of actions."""
    told = np.full((len(items), _MOST), _NONE, dtype=np.int32)
    told[:, 0] = causes
    recents, kinds, at_ms = recent
    rows, weight = np.empty(len(recents), dtype=np.int32), np.empty(len(recents))
    count = 0
    for k in range(len(recents)):
        if _STRENGTH[kinds[k]] > 0:
            age_ms = max(now_ms - at_ms[k], 0)
            rows[count] = recents[k]
            weight[count] = _STRENGTH[kinds[k]] * 2.0 ** (-age_ms / _HALF_LIFE_MS)
            count += 1
    if count == 0:
        return told
    heaviest = _heaviest(items, rows[:count], weight[:count], vectors)
    for i in range(len(items)):
        place = 0 if causes[i] == _NONE else 1
        for row in heaviest[i]:
            if place < _MOST and row != _NONE and (place == 0 or row != told[i, 0]):
                told[i, place] = row
                place += 1
    return told


@njit(cache=True, fastmath={"reassoc", "contract"})
def _heaviest(items: Rows, recent: Rows, weight: NDArray[np.float64], vectors: Floats) -> Rows:
    """int32[n, 3]: for each item the recent ones with the highest weight x cosine above nothing,
    heaviest first, equals by place; -1 beyond. One that is the item itself does not count."""
    told = np.full((len(items), _MOST + 1), _NONE, dtype=np.int32)
    near, lengths = _beside(vectors, recent)
    mine, own = _beside(vectors, items)
    best = np.empty(_MOST + 1)
    for i in range(len(items)):
        best[:] = 0.0
        for k in range(len(recent)):
            if recent[k] == items[i]:
                continue
            total = np.float32(0)
            for j in range(near.shape[1]):
                total += mine[i, j] * near[k, j]
            cosine = total / (own[i] * lengths[k])
            weighed = cosine * weight[k] if cosine >= _LEAST_COSINE else 0.0
            place = len(best)
            while place > 0 and weighed > best[place - 1]:
                place -= 1
            for later in range(len(best) - 1, place, -1):
                best[later], told[i, later] = best[later - 1], told[i, later - 1]
            if place < len(best):
                best[place], told[i, place] = weighed, recent[k]
    return told


@njit(cache=True, fastmath={"reassoc", "contract"})
def _beside(vectors: Floats, rows: Rows) -> tuple[Floats, Floats]:
    """float32[n, d] and float32[n]: the vectors of these rows side by side, and their lengths,
    never nothing, so that one can divide by them."""
    found = np.empty((len(rows), vectors.shape[1]), dtype=np.float32)
    lengths = np.empty(len(rows), dtype=np.float32)
    for i in range(len(rows)):
        fetch_ahead(vectors, rows, i)
        total = np.float32(0)
        for j in range(found.shape[1]):
            found[i, j] = vectors[rows[i], j]
            total += found[i, j] * found[i, j]
        lengths[i] = max(np.sqrt(total), np.float32(1e-9))
    return found, lengths
