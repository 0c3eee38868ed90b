"""What many want right now: everywhere, on the person's topics, and in their region."""

from inhouse.core.clock import DAY_MS
from inhouse.features.machine import plain
from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import NEAR_MISSES, pick
from inhouse.recommend.types import Offer, Rows
from inhouse.recommend.worth import Parts, trending_shares

_WANTED_WITHIN_MS = 3 * DAY_MS  # six half-lives of heat: what is older is below two per cent
_POOL = 1_000  # the hottest, from which each part takes its share
_AT_FIRST = 4  # times the quota: so many of them nearly always hold it


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
        hottest = moment.state.shelves.hot.first(looked_at)
        table, verdicts = moment.table, moment.verdicts(hottest)
        parts = Parts(
            topics=moment.interests,
            region=table.regions.find(moment.person.region),
            heat_ms=table.heat_ms,
            since_ms=moment.query.now_ms - _WANTED_WITHIN_MS,
            quota=quota,
        )
        chosen, full = trending_shares(hottest, verdicts, moment.handed, plain(parts), NEAR_MISSES)
        return chosen, full or len(hottest) < looked_at
