"""The newest posts, first those on the person's topics."""

import numpy as np

from inhouse.features.rows import distinct
from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import pick
from inhouse.recommend.types import Floats, Offer, Rows

_LOOKED_THROUGH = 20  # times the quota: how far back the topics are looked for
_AT_ONCE = 8  # times as many as are wanted


class FreshSource:
    """Half of the quota by the person's topics, the rest by time alone."""

    name = "fresh"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """The newest of everything for somebody without topics, and under load."""
        if not len(moment.interests) or not moment.plan.tastes:
            return _rest(moment, quota)
        on_topic = _on_topic(moment, quota // 2, quota * _LOOKED_THROUGH)
        rest = _rest(moment, quota - len(on_topic))
        rows = distinct(np.concatenate([on_topic, rest.items]))
        return Offer(items=rows, scores=_scores(moment, rows))


def _on_topic(moment: Moment, wanted: int, most: int) -> Rows:
    """int32[at most wanted]: the newest worthwhile ones of `most` that are on the topics.

    They are looked at in parts, since the first part nearly always holds enough.
    """
    newest = moment.state.shelves.newest.first(most)
    found = np.empty(0, dtype=np.int32)
    at_once = _AT_ONCE * max(1, wanted)
    for start in range(0, len(newest), at_once):
        part = newest[start : start + at_once]
        part = part[moment.on_topic(part, moment.interests)]
        found = np.concatenate([found, part[moment.worthwhile(part)]])
        if len(found) >= wanted:
            break
    return found[:wanted]


def _rest(moment: Moment, quota: int) -> Offer:
    """The newest by time alone. Much of what was served lately stands among them."""
    return pick(moment, lambda k: _newest(moment, k), quota, len(moment.served_rows) // 2)


def _newest(moment: Moment, k: int) -> tuple[Rows, Floats]:
    rows = moment.state.shelves.newest.first(k)
    return rows, _scores(moment, rows)


def _scores(moment: Moment, rows: Rows) -> Floats:
    """float32[n]: seconds since the post, below 0."""
    age_ms = moment.table.created_ms[rows] - moment.query.now_ms
    scores: Floats = (age_ms / 1_000).astype(np.float32)
    return scores
