"""The person's own posts."""

import numpy as np

from inhouse.recommend.filters.base import Reasons, when
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Rows


class OwnPostFilter:
    """Removes posts by the person whose feed it is."""

    reasons = ("own_post",)

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """By the creator's id."""
        me = moment.table.creators.find(moment.person.user_id)
        if me < 0:
            return np.zeros(len(items), dtype=np.uint8)
        return when(moment.table.creator[items] == me)
