"""What the person's page before left over."""

import numpy as np

from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Offer


class ReserveSource:
    """The reserve as it was ranked then, best first.

    All of it is offered and none is judged here: what was seen, muted or taken down since is
    removed by the filters, and the page says so. The score is the place in the reserve, below 0.
    """

    name = "reserve"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Nothing where no reserve is remembered."""
        if moment.reserve is None:
            return None
        rows = moment.reserve.rows(moment.table)
        if not len(rows):
            return None
        return Offer(items=rows, scores=-np.arange(len(rows), dtype=np.float32))
