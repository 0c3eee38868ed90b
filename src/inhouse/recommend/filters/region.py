"""Posts meant for other regions."""

import numpy as np

from inhouse.recommend.filters.base import Reasons, when
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Rows


class RegionFilter:
    """Removes posts with a region that is not the person's.

    A post without a region is for everybody; a person without one sees all regions.
    """

    reasons = ("other_region",)

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """Nothing where a person asked for the creator, or on `latest`."""
        if moment.person.region is None or not moment.plan.regional:
            return np.zeros(len(items), dtype=np.uint8)
        mine = moment.table.regions.find(moment.person.region)
        regions = moment.table.region[items]
        return when((regions >= 0) & (regions != mine))
