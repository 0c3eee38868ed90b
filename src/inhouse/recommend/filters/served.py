"""What the last pages showed."""

import numpy as np

from inhouse.recommend.filters.base import Reasons, when
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Rows


class ServedFilter:
    """Removes what is among the last 500 items served to this person, seen or not."""

    reasons = ("served_lately",)

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """Nothing on surfaces that may repeat."""
        if moment.plan.repeats:
            return np.zeros(len(items), dtype=np.uint8)
        return when(moment.served(items))
