"""Neighbours of what the person wanted last, or of the item asked for."""

import heapq
from collections.abc import Mapping
from functools import partial
from itertools import accumulate
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.features.machine import fetch_ahead
from inhouse.features.nearness import latest_positives
from inhouse.features.people import Person
from inhouse.features.rows import distinct
from inhouse.features.state import LiveState
from inhouse.recommend.best import top
from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import look_through
from inhouse.recommend.types import Floats, Offer, Rows
from inhouse.recommend.worth import enough, first_of_each, looked_at

_FORESEEN: Final = 2_000  # people: in 2,000 of 100,000 lie six sevenths of the anchors asked for


class SimilarSource:
    """The nearest to each anchor, and which anchor it was.

    Neighbours are looked for in the space of the learned vectors, which say what the same people
    want; a new post lies there by its content. The score is the mean of the cosines of learned
    vectors and of content, of content's alone where there is no model. An anchor never offers
    itself: it was seen, or the request excludes it.
    """

    name = "similar"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Equal shares of the quota for each anchor; nothing without anchors."""
        anchors = moment.anchors
        if not len(anchors):
            return None
        found = _nearest(moment, -(-quota // len(anchors)))
        table, learned = moment.table, moment.taste is not None and moment.taste.learned
        spaces = (table.content, moment.space.vectors) if learned else (table.content,)
        scores, which = nearest_anchor(spaces, found, anchors)
        best = top(scores, quota)
        return Offer(items=found[best], scores=scores[best], causes=anchors[which[best]])


def foreseen(state: LiveState, quota: int) -> Mapping[int, int]:
    """The anchors of those who were here last, and how many neighbours of each will be asked for.

    May be called on a thread beside one that writes: a person caught halfway is passed over.
    """
    people = heapq.nlargest(_FORESEEN, list(state.people.values()), key=lambda each: each.last_ms)
    wanted: dict[int, int] = {}
    for person in people:
        anchors = _anchors(state, person)
        for anchor in anchors:
            k = looked_at(-(-quota // len(anchors)))
            wanted[anchor] = max(k, wanted.get(anchor, 0))
    return wanted


def _anchors(state: LiveState, person: Person) -> list[int]:
    try:
        anchors: list[int] = latest_positives(state.items, person).tolist()
    except (IndexError, ValueError):  # one column of the history is longer than another by now
        return []
    return anchors


def _nearest(moment: Moment, each: int) -> Rows:
    """int32[m], sorted, each once: the nearest worthwhile ones to each anchor, by dot product."""
    k = looked_at(each)
    near = [moment.space.neighbours(anchor, k)[0] for anchor in moment.anchors.tolist()]
    together = np.concatenate(near)
    ends = np.array(list(accumulate(map(len, near))), dtype=np.int64)
    found, counts = first_of_each(together, moment.verdicts(together), moment.handed, ends, each)
    for anchor, those, count in zip(moment.anchors.tolist(), near, counts.tolist(), strict=True):
        if count < enough(each) and len(those) == k:  # there may be more behind them
            neighbours = partial(moment.space.neighbours, anchor)
            more, _, kept = look_through(moment, neighbours, each, 0)
            found = distinct(np.concatenate([found, more[kept]]))
    return found


@njit(cache=True)
def nearest_anchor(
    spaces: tuple[Floats, ...], rows: Rows, anchors: Rows
) -> tuple[Floats, NDArray[np.int64]]:
    """float32[n] and int64[n]: the highest mean cosine of each row to an anchor, and to which.

    spaces: of one length, [items, d] each; the cosine is 0 where either vector is zero.
    """
    cosines = np.zeros((len(rows), len(anchors)), dtype=np.float32)
    for vectors in spaces:
        lengths = np.empty(len(anchors), dtype=np.float32)
        for k in range(len(anchors)):
            lengths[k] = _length(vectors[anchors[k]])
        for i in range(len(rows)):
            fetch_ahead(vectors, rows, i)
            length = _length(vectors[rows[i]])
            for k in range(len(anchors)):
                cosine = _dot(vectors[rows[i]], vectors[anchors[k]]) / (length * lengths[k])
                cosines[i, k] += cosine / np.float32(len(spaces))
    scores, which = np.empty(len(rows), dtype=np.float32), np.empty(len(rows), dtype=np.int64)
    for i in range(len(rows)):
        which[i] = np.argmax(cosines[i])
        scores[i] = cosines[i, which[i]]
    return scores, which


@njit(cache=True)
def _length(vector: Floats) -> np.float32:
    """Never nothing, so that one can divide by it."""
    return max(np.sqrt(_dot(vector, vector)), np.float32(1e-9))


@njit(cache=True, fastmath={"reassoc", "contract"})
def _dot(a: Floats, b: Floats) -> np.float32:
    """The sum of products, in the order that is fastest; the same for the same numbers."""
    total = np.float32(0)
    for j in range(len(a)):
        total += a[j] * b[j]
    return total
