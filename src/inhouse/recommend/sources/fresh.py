"""The newest posts, first those on the person's topics."""

import numpy as np

from inhouse.recommend.moment import Moment, topic_mask
from inhouse.recommend.picking import pick, top
from inhouse.recommend.types import Offer

_LOOKED_THROUGH = 20  # times the quota: how far back the topics are looked for


class FreshSource:
    """Half of the quota by the person's topics, the rest by time alone."""

    name = "fresh"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """The newest of everything for somebody without topics."""
        table, now_ms = moment.table, moment.query.now_ms
        # Seconds as float32 keep the order of posts to the second for half a year.
        scores = ((table.created_ms[: moment.count] - now_ms) / 1_000).astype(np.float32)
        if not len(moment.interests):
            return pick(moment, scores, quota)
        newest = top(scores, quota * _LOOKED_THROUGH, moment.worthwhile)
        on_topic = newest[topic_mask(table, newest, moment.interests)][: quota // 2]
        rest = pick(moment, scores, quota - len(on_topic))
        rows = np.union1d(on_topic, rest.items)
        return Offer(items=rows, scores=scores[rows])
