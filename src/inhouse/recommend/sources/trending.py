"""What many want right now: everywhere, on the person's topics, and in their region."""

import numpy as np

from inhouse.core.clock import DAY_MS
from inhouse.recommend.best import top
from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import NEAR_MISSES, pick
from inhouse.recommend.types import Mask, Offer

_WANTED_WITHIN_MS = 3 * DAY_MS  # six half-lives of heat: what is older is below two per cent
_POOL = 1_000  # the hottest, from which each part takes its share


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
        table, now_ms = moment.table, moment.query.now_ms
        rows = moment.state.shelves.hot.first(_POOL)
        rows = rows[table.heat_ms[rows] > now_ms - _WANTED_WITHIN_MS]
        if not len(rows):
            return None
        heat = table.heat_at(now_ms, rows)
        wanted = moment.worthwhile(rows)
        share = quota // 3
        chosen = np.zeros(len(rows), dtype=np.bool_)
        for part in (moment.on_topic(rows, moment.interests), self._region(moment, rows)):
            chosen[top(heat, share, part & wanted & ~chosen)] = True
        chosen[top(heat, quota - int(chosen.sum()), wanted & ~chosen)] = True
        chosen[top(heat, NEAR_MISSES, ~wanted)] = True
        return Offer(items=rows[chosen], scores=heat[chosen])

    def _region(self, moment: Moment, rows: "np.typing.NDArray[np.int32]") -> Mask:
        code = moment.table.regions.find(moment.person.region)
        region: Mask = (moment.table.region[rows] == code) & (code >= 0)
        return region
