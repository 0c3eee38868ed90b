"""What operators' rules bring."""

import numpy as np

from inhouse.recommend.moment import Moment
from inhouse.recommend.rules.orders import brought
from inhouse.recommend.types import Offer

_BROUGHT_EACH = 20  # newest posts of a boosted creator or topic


class OrderedSource:
    """Pinned posts, and the newest of what is boosted. They pass the filters like all others."""

    name = "ordered"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Nothing where no rule applies. It has no number of its own: nan decides no order."""
        if not (moment.orders.pins or moment.orders.boosts):
            return None
        parts = [np.array([row for _, row, _ in moment.orders.pins], dtype=np.int32)]
        for rule in moment.orders.boosts:
            if rule.factor > 1:
                found = brought(moment.state, rule)
                parts.append(found[moment.worthwhile(found)][:_BROUGHT_EACH])
        rows = np.unique(np.concatenate(parts))[:quota]
        return Offer(items=rows, scores=np.full(len(rows), np.nan, dtype=np.float32))
