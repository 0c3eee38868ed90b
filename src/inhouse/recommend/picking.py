"""A quota of worthwhile items from an order, and what stood in their way."""

from collections.abc import Callable
from typing import Final

from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Floats, Offer, Rows
from inhouse.recommend.worth import Places, enough, looked_at, picked

# The k best rows and their scores, best first; fewer than k where there are no more.
Ordered = Callable[[int], tuple[Rows, Floats]]
NEAR_MISSES: Final = 12


def pick(moment: Moment, ordered: Ordered, quota: int, met: int = 0) -> Offer:
    """At most `quota` of the best worthwhile items, and near misses that outrank the last of them.

    Near misses are what the source would have brought if nothing spoke against it: they go through
    the filters like all others, which remove them and log why.
    """
    rows, scores, kept = look_through(moment, ordered, quota, NEAR_MISSES, met)
    return Offer(items=rows[kept], scores=scores[kept])


def look_through(
    moment: Moment, ordered: Ordered, quota: int, misses: int, met: int = 0
) -> tuple[Rows, Floats, Places]:
    """So much of the order that three quarters of `quota` worthwhile items are in it, or all of it;
    and the places of the first `quota` of them and of `misses` others. Usually the whole quota
    is."""
    k = looked_at(quota, met)
    while True:
        rows, scores = ordered(k)
        verdicts = moment.verdicts(rows)
        kept, good = picked(rows, verdicts, moment.handed, quota, misses, len(rows))
        if len(rows) < k or good >= enough(quota):
            return rows, scores, kept
        k = max(2 * k, looked_at(quota, 2 * (len(rows) - good)))
