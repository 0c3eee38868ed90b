"""Posts that few have seen yet, so that each gets its chance."""

from typing import Final

import numpy as np

from inhouse.recommend.best import top
from inhouse.recommend.dice import dice_of
from inhouse.recommend.moment import Moment
from inhouse.recommend.posterior import beta_of
from inhouse.recommend.types import Offer, Rows
from inhouse.recommend.worth import seldom_shown

FEW_IMPRESSIONS = 200
_DRAWN = 4  # times the quota: how many of the pool take part
_ROUNDS = 8  # of looking for them
_FEW = 4  # times as many items as take part: all of them are looked at
_SPARE = 1.25  # times as many are looked at as take part: nearly all may where there are many
_NOBODY: Final = np.empty(0, dtype=np.int32)


class ExploreSource:
    """Thompson sampling: each takes one draw from the Beta posterior of its click rate.

    Of an even sample of all items, those that are worthwhile and have fewer than 200 impressions
    take part; the highest draws are offered. A stranger's first pages are not used for this.
    """

    name = "explore"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Nothing where all posts are well known."""
        if moment.is_stranger:
            return None
        random = dice_of(moment.query.seed, "explore source")
        pool = _pool(moment, random, quota * _DRAWN)
        if not len(pool):
            return None
        hits, misses = beta_of(moment.state, pool)
        draws = random.beta(hits, misses).astype(np.float32)
        best = top(draws, quota)
        return Offer(items=pool[best], scores=draws[best])


def _pool(moment: Moment, random: np.random.Generator, most: int) -> Rows:
    """int32[at most `most`], sorted: an even sample of those that may take part.

    Of many items only so many are looked at as it takes to find them, at most ten times `most`.
    """
    posts = moment.table.posts
    count = len(posts)
    if count <= _FEW * most:
        pool = _with(moment, _NOBODY, posts)
    else:
        pool = _NOBODY
        for _ in range(_ROUNDS):
            drawn = random.integers(0, count, int(_SPARE * most), dtype=np.int32)
            pool = _with(moment, pool, posts[drawn] if count < moment.table.count else drawn)
            if len(pool) >= most:
                break
    return np.sort(random.permutation(pool)[:most])


def _with(moment: Moment, pool: Rows, rows: Rows) -> Rows:
    """int32[k], sorted, each once: the pool, and of these rows those that few have seen and nothing
    speaks against."""
    seldom = (moment.table.impressions, FEW_IMPRESSIONS)
    return seldom_shown(pool, rows, moment.verdicts(rows), moment.handed, seldom)
