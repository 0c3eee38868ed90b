"""What many want right now: everywhere, on the person's topics, and in their region."""

from typing import Final

import numpy as np
from numba import njit

from inhouse.core.clock import DAY_MS
from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import NEAR_MISSES, pick
from inhouse.recommend.types import Mask, Offer, Rows

_WANTED_WITHIN_MS = 3 * DAY_MS  # six half-lives of heat: what is older is below two per cent
_POOL = 1_000  # the hottest, from which each part takes its share
_AT_FIRST = 4  # times the quota: so many of them nearly always hold it
_NONE: Final = np.empty(0, dtype=np.bool_)


class TrendingSource:
    """The hottest by decayed wanted events: a third everywhere, by topic and by region each.

    A part that has nothing to go by leaves its share to the hottest everywhere. Under load it is
    the list that all share (`shared.py`).
    """

    name = "trending"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Nothing where nobody wanted anything lately."""
        if moment.plan.shared:
            offer = pick(moment, moment.shared_trending, quota)
            return offer if len(offer.items) else None
        rows, full = self._chosen(moment, quota, min(_AT_FIRST * quota, _POOL))
        if not full:
            rows, _ = self._chosen(moment, quota, _POOL)
        if not len(rows):
            return None
        return Offer(items=rows, scores=moment.table.heat_at(moment.query.now_ms, rows))

    def _chosen(self, moment: Moment, quota: int, looked_at: int) -> tuple[Rows, bool]:
        """int32[k], sorted: what the first of the hottest give; and whether more give no other."""
        table, now_ms = moment.table, moment.query.now_ms
        hottest = moment.state.shelves.hot.first(looked_at)
        rows = hottest[table.heat_ms[hottest] > now_ms - _WANTED_WITHIN_MS]
        topical = moment.on_topic(rows, moment.interests) if len(moment.interests) else _NONE
        chosen, full = _shares(
            moment.worthwhile(rows), topical, self._of_region(moment, rows), quota, NEAR_MISSES
        )
        return np.sort(rows[chosen]), full or len(hottest) < looked_at

    def _of_region(self, moment: Moment, rows: Rows) -> Mask:
        """bool[n], or empty where the person's region is none of the posts'."""
        code = moment.table.regions.find(moment.person.region)
        if code < 0:
            return _NONE
        mask: Mask = moment.table.region[rows] == code
        return mask


@njit(cache=True)
def _shares(
    good: Mask, topical: Mask, regional: Mask, quota: int, misses: int
) -> tuple[Mask, bool]:
    """bool[n] of rows in order of heat: first the parts' thirds of the quota, then the hottest of
    the others, and the hottest that are no good; and whether every part found its share."""
    chosen, full, left = np.zeros(len(good), dtype=np.bool_), True, quota
    for part in (topical, regional):
        if len(part):
            got = _take(chosen, good & part, quota // 3)
            full, left = full and got == quota // 3, left - got
    full = _take(chosen, good, left) == left and full
    _take(chosen, ~good, misses)
    return chosen, full


@njit(cache=True)
def _take(chosen: Mask, fit: Mask, most: int) -> int:
    """Choose the first `most` that fit and are not chosen yet; how many there were."""
    taken = 0
    for row in range(len(fit)):
        if taken == most:
            break
        if fit[row] and not chosen[row]:
            chosen[row] = True
            taken += 1
    return taken
