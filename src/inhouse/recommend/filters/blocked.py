"""Blocks, in both directions."""

import numpy as np

from inhouse.recommend.filters.base import Reasons, when
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Rows


class BlockedFilter:
    """Removes posts by creators the person blocked, and by those who blocked the person."""

    reasons = ("blocked_creator", "blocked_by_creator")

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """The person's own block is named first, where both hold."""
        if not (moment.person.blocked_creators or moment.person.blocked_by):
            return np.zeros(len(items), dtype=np.uint8)
        blocked = moment.by_creators(items, moment.person.blocked_creators)
        blocking = moment.by_creators(items, moment.person.blocked_by)
        return when(blocked, 1) + when(blocking & ~blocked, 2)
