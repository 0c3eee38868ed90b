"""The newest posts, first those on the person's topics."""

import numpy as np

from inhouse.features.rows import distinct
from inhouse.features.shelves import NEWEST_KEPT
from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import NEAR_MISSES
from inhouse.recommend.types import Floats, Offer, Rows
from inhouse.recommend.worth import enough, first_on_topic, looked_at, picked

_LOOKED_THROUGH = 20  # times the quota: how far back the topics are looked for
_HANDED = 4  # times as many as are looked at first: more than that nearly nobody needs


class FreshSource:
    """Half of the quota by the person's topics, the rest by time alone."""

    name = "fresh"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """The newest of everything for somebody without topics, and under load."""
        if not len(moment.interests) or not moment.plan.tastes:
            rows = _rest(moment, quota)
            return Offer(items=rows, scores=_scores(moment, rows))
        on_topic = _on_topic(moment, quota // 2, quota * _LOOKED_THROUGH)
        rest = _rest(moment, quota - len(on_topic))
        rows = distinct(np.concatenate([on_topic, rest]))
        return Offer(items=rows, scores=_scores(moment, rows))


def _on_topic(moment: Moment, wanted: int, most: int) -> Rows:
    """int32[at most wanted]: the newest worthwhile ones of `most` that are on the topics."""
    newest = moment.state.shelves.newest.first(most)
    verdicts = moment.verdicts(newest)
    return first_on_topic(newest, verdicts, moment.handed, moment.interests, wanted)


def _rest(moment: Moment, quota: int) -> Rows:
    """The newest by time alone. Much of what was served lately stands among them."""
    first = looked_at(quota, len(moment.served_rows) // 2)
    for most in (_HANDED * first, NEWEST_KEPT):
        newest = moment.state.shelves.newest.first(most)
        verdicts = moment.verdicts(newest)
        kept, good = picked(newest, verdicts, moment.handed, quota, NEAR_MISSES, first)
        if good >= enough(quota) or len(newest) < most:
            break
    return newest[kept]


def _scores(moment: Moment, rows: Rows) -> Floats:
    """float32[n]: seconds since the post, below 0."""
    age_ms = moment.table.created_ms[rows] - moment.query.now_ms
    scores: Floats = (age_ms / 1_000).astype(np.float32)
    return scores
