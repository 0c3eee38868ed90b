"""What the person has seen."""

import numpy as np

from inhouse.recommend.filters.base import Reasons, when
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Rows


class SeenFilter:
    """Removes items with an impression, or anything stronger, by this person."""

    reasons = ("seen",)

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """Nothing on surfaces that may repeat."""
        if moment.plan.repeats:
            return np.zeros(len(items), dtype=np.uint8)
        return when(moment.seen(items))
