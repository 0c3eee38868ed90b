"""What is popular, the same for everybody: the arm that the learned feed has to beat."""

import numpy as np

from inhouse.core.clock import DAY_MS
from inhouse.recommend.best import top
from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import pick
from inhouse.recommend.types import Floats, Offer, Rows


class PopularSource:
    """By wanted events, each halved for every 7 days since; among equals the newest first."""

    name = "popular"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Everything there is, where nobody wanted anything yet."""
        return pick(moment, lambda k: _most_popular(moment, k), quota)


def _most_popular(moment: Moment, k: int) -> tuple[Rows, Floats]:
    """Those with heat, then the newest of the others."""
    table, now_ms, shelves = moment.table, moment.query.now_ms, moment.state.shelves
    hot = shelves.popular.first(k)
    newest = shelves.newest.first(k)
    rows = np.concatenate([hot, newest[~np.isin(newest, hot)]])
    age_days = np.maximum(now_ms - table.created_ms[rows], 0) / DAY_MS
    scores = (table.slow_heat_at(now_ms, rows) + 1e-4 / (1.0 + age_days)).astype(np.float32)
    best = top(scores, k)
    return rows[best], scores[best]
