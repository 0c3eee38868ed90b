"""The newest posts, first those on the person's topics."""

from typing import Final

import numpy as np

from inhouse.features.rows import distinct
from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import NEAR_MISSES, look_through
from inhouse.recommend.types import Floats, Offer, Rows
from inhouse.recommend.worth import first_on_topic

_LOOKED_THROUGH = 20  # times the quota: how far back the topics are looked for
_AT_ONCE = 8  # times as many as are wanted
_NOBODY: Final = np.empty(0, dtype=np.int32)
_NO_SCORES: Final = np.empty(0, dtype=np.float32)  # of those looked through; the chosen get theirs


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
    """int32[at most wanted]: the newest worthwhile ones of `most` that are on the topics.

    They are looked at in parts, since the first part nearly always holds enough.
    """
    newest = moment.state.shelves.newest.first(most)
    parts: list[Rows] = []
    left, at_once = wanted, _AT_ONCE * max(1, wanted)
    for start in range(0, len(newest), at_once):
        part = newest[start : start + at_once]
        found = first_on_topic(part, moment.verdicts(part), moment.handed, moment.interests, left)
        parts.append(found)
        left -= len(found)
        if left <= 0:
            break
    return parts[0] if len(parts) == 1 else np.concatenate([_NOBODY, *parts])


def _rest(moment: Moment, quota: int) -> Rows:
    """The newest by time alone. Much of what was served lately stands among them."""
    rows, _, kept = look_through(
        moment,
        lambda k: (moment.state.shelves.newest.first(k), _NO_SCORES),
        quota,
        NEAR_MISSES,
        len(moment.served_rows) // 2,
    )
    return rows[kept]


def _scores(moment: Moment, rows: Rows) -> Floats:
    """float32[n]: seconds since the post, below 0."""
    age_ms = moment.table.created_ms[rows] - moment.query.now_ms
    scores: Floats = (age_ms / 1_000).astype(np.float32)
    return scores
