"""A quota of worthwhile items from an order, and what stood in their way."""

from collections.abc import Callable
from typing import Final

import numpy as np

from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Floats, Mask, Offer, Rows

# The k best rows and their scores, best first; fewer than k where there are no more.
Ordered = Callable[[int], tuple[Rows, Floats]]
_SLACK: Final = 64
NEAR_MISSES: Final = 12


def pick(moment: Moment, ordered: Ordered, quota: int) -> Offer:
    """The `quota` best worthwhile items, and the near misses that outrank the last of them.

    Near misses are what the source would have brought if nothing spoke against it: they go through
    the filters like all others, which remove them and log why.
    """
    rows, scores, good = look_through(moment, ordered, quota)
    chosen = np.flatnonzero(good)[:quota]
    end = int(chosen[-1]) if len(chosen) == quota else len(rows)
    missed = np.flatnonzero(~good[:end])[:NEAR_MISSES]
    kept = np.concatenate([chosen, missed])
    return Offer(items=rows[kept], scores=scores[kept])


def look_through(moment: Moment, ordered: Ordered, quota: int) -> tuple[Rows, Floats, Mask]:
    """So much of the order that `quota` worthwhile items are in it, or all of it; and which are."""
    k = 2 * quota + _SLACK
    while True:
        rows, scores = ordered(k)
        good = moment.worthwhile(rows)
        if len(rows) < k or int(np.count_nonzero(good)) >= quota:
            return rows, scores, good
        k *= 4
