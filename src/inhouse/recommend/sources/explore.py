"""Posts that few have seen yet, so that each gets its chance."""

import numpy as np

from inhouse.core.random import stream
from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import top
from inhouse.recommend.posterior import beta_of
from inhouse.recommend.types import Offer

FEW_IMPRESSIONS = 200
_DRAWN = 6  # times the quota: how many of the pool take part


class ExploreSource:
    """Thompson sampling: each takes one draw from the Beta posterior of its click rate.

    Of everything worthwhile with fewer than 200 impressions, a uniform sample takes part; the
    highest draws are offered. A stranger's first pages are not used for this.
    """

    name = "explore"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Nothing where all posts are well known."""
        if moment.is_stranger:
            return None
        few = moment.table.impressions[: moment.count] < FEW_IMPRESSIONS
        pool = np.flatnonzero(few & moment.worthwhile).astype(np.int32)
        if not len(pool):
            return None
        random = stream(moment.query.seed, "explore source")
        if len(pool) > quota * _DRAWN:
            pool = np.unique(pool[random.integers(0, len(pool), quota * _DRAWN)])
        hits, misses = beta_of(moment.table, pool, moment.count)
        draws = random.beta(hits, misses).astype(np.float32)
        best = top(draws, quota)
        return Offer(items=pool[best], scores=draws[best])
