"""A quota of worthwhile items from an order, and what stood in their way."""

from collections.abc import Callable
from typing import Final

from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Floats, Offer, Rows
from inhouse.recommend.worth import Places, picked

# The k best rows and their scores, best first; fewer than k where there are no more.
Ordered = Callable[[int], tuple[Rows, Floats]]
_SLACK: Final = 32
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
    and the places of the first `quota` of them and of `misses` others. Usually the whole quota is;
    to look again for the rest would cost many times what it brings."""
    k = looked_at(quota, met)
    while True:
        rows, scores = ordered(k)
        kept, good = picked(rows, moment.verdicts(rows), moment.handed, quota, misses)
        if len(rows) < k or good >= enough(quota):
            return rows, scores, kept
        k = max(2 * k, looked_at(quota, 2 * (len(rows) - good)))


def looked_at(quota: int, met: int = 0) -> int:
    """How many of an order are asked for first where `quota` of them are to be worthwhile.

    met: how many that are barred are likely to stand among them.
    """
    return quota + quota // 4 + _SLACK + met


def enough(quota: int) -> int:
    """So many are as good as all of them."""
    return quota - quota // 4
