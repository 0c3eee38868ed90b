"""What operators keep out."""

import numpy as np

from inhouse.recommend.filters.base import Reasons, when
from inhouse.recommend.moment import Moment
from inhouse.recommend.rules.orders import named_by
from inhouse.recommend.types import Rows


class OperatorFilter:
    """Removes posts, creators and topics that a rule blocks on this surface, here and now."""

    reasons = ("operator_blocked",)

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """Nothing where no rule blocks anything."""
        if not moment.orders.blocks:
            return np.zeros(len(items), dtype=np.uint8)
        return when(named_by(moment.table, moment.orders.blocks, items))
