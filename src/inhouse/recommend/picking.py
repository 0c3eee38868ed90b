"""A quota of worthwhile items from an order, and what stood in their way."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Floats, Mask, Offer, Rows

# The k best rows and their scores, best first; fewer than k where there are no more.
Ordered = Callable[[int], tuple[Rows, Floats]]
_SLACK: Final = 32
NEAR_MISSES: Final = 12


def pick(moment: Moment, ordered: Ordered, quota: int, met: int = 0) -> Offer:
    """At most `quota` of the best worthwhile items, and near misses that outrank the last of them.

    Near misses are what the source would have brought if nothing spoke against it: they go through
    the filters like all others, which remove them and log why.
    """
    rows, scores, good = look_through(moment, ordered, quota, met)
    kept = _picked(good, quota, NEAR_MISSES)
    return Offer(items=rows[kept], scores=scores[kept])


@njit(cache=True)
def _picked(good: Mask, quota: int, misses: int) -> NDArray[np.int64]:
    """Places of the first `quota` good ones, and of the first `misses` others above the last."""
    chosen, missed = np.empty(quota + misses, dtype=np.int64), np.empty(misses, dtype=np.int64)
    found, lost = 0, 0
    for place in range(len(good)):
        if found == quota:
            break
        if good[place]:
            chosen[found] = place
            found += 1
        elif lost < misses:
            missed[lost] = place
            lost += 1
    chosen[found : found + lost] = missed[:lost]
    return chosen[: found + lost]


def look_through(
    moment: Moment, ordered: Ordered, quota: int, met: int = 0
) -> tuple[Rows, Floats, Mask]:
    """So much of the order that three quarters of `quota` worthwhile items are in it, or all of it;
    and which are. Usually the whole quota is; to look again for the rest would cost many times what
    it brings."""
    k = looked_at(quota, met)
    while True:
        rows, scores = ordered(k)
        good = moment.worthwhile(rows)
        if len(rows) < k or int(np.count_nonzero(good)) >= enough(quota):
            return rows, scores, good
        k = max(2 * k, looked_at(quota, 2 * (len(rows) - int(np.count_nonzero(good)))))


def looked_at(quota: int, met: int = 0) -> int:
    """How many of an order are asked for first where `quota` of them are to be worthwhile.

    met: how many that are barred are likely to stand among them.
    """
    return quota + quota // 4 + _SLACK + met


def enough(quota: int) -> int:
    """So many are as good as all of them."""
    return quota - quota // 4
