"""The newest of the creators that the person follows."""

import numpy as np

from inhouse.recommend.best import top
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Offer


class FollowingSource:
    """Posts by followed creators, newest first."""

    name = "following"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Nothing for somebody who follows nobody."""
        if not moment.person.follows:
            return None
        table = moment.table
        theirs = moment.state.shelves.creators.of(sorted(moment.person.follows))
        theirs = np.sort(theirs[moment.by_creators(theirs, moment.person.follows)])
        created = table.created_ms[theirs]
        age_s = ((moment.query.now_ms - created) / 1_000).astype(np.float32)
        wanted = moment.worthwhile(theirs)
        best = np.concatenate([top(-age_s, quota, wanted), top(-age_s, _MISSES, ~wanted)])
        return Offer(items=theirs[best], scores=-age_s[best])


_MISSES = 12
