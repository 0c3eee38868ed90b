"""What is popular, the same for everybody: the arm that the learned feed has to beat."""

import numpy as np

from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import pick
from inhouse.recommend.types import Offer


class PopularSource:
    """By wanted events, each halved for every 7 days since; among equals the newest first."""

    name = "popular"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Everything there is, where nobody wanted anything yet."""
        table, now_ms = moment.table, moment.query.now_ms
        heat = table.slow_heat_at(now_ms)[: moment.count]
        age_days = np.maximum(now_ms - table.created_ms[: moment.count], 0) / 86_400_000
        tie_break = 1e-4 / (1.0 + age_days)
        return pick(moment, (heat + tie_break).astype(np.float32), quota)
