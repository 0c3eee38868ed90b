"""Exploration: places given by chance, with the exact probability on record."""

from functools import lru_cache

import msgspec
import numpy as np

from inhouse.recommend.arrange.kernels import UNIFORM_SHARE, Numbers, Places, pool_of
from inhouse.recommend.dice import dice_of
from inhouse.recommend.moment import Moment
from inhouse.recommend.posterior import beta_of
from inhouse.recommend.types import Candidates, Mask

__all__ = ["DRAWS", "UNIFORM_SHARE", "Lottery", "lottery_of", "places"]

DRAWS = 16
_MOST_IN_POOL = 64


class Lottery(msgspec.Struct, frozen=True, kw_only=True):
    """Who may be drawn for which places, and everything random about it."""

    pool: Places  # [pool] rows
    draws: Numbers  # [S, pool] joint draws from the posteriors of their click rates
    by_chance: Mask  # [n] which places
    uniforms: Numbers  # [places by chance] one number in [0, 1) for each


def lottery_of(moment: Moment, ranked: Candidates) -> Lottery:
    """A fixed share of the places is filled by Thompson sampling mixed with uniform choice.

    For those of the pool that may stand on the place, S = 16 joint draws are made from the Beta
    posteriors of their click rates; q(i) is the share of draws in which i is highest. The place is
    then drawn from

        p(i) = (1 - 0.2) q(i) + 0.2 / k        k: how many may stand there

    and p of the one drawn is logged. The posterior draws are part of the logged context (they come
    from the page's seed), so p is the exact probability of the choice given the candidates and the
    places above, never below 0.2 / k; inverse-propensity estimates stay unbiased, since they are so
    for every outcome of the posterior draws. All other places have propensity 1.

    The pool: candidates that the explore source offered, then others with fewer than 200
    impressions, by value, at most 64. All of them have passed moderation and every other filter.
    """
    explores = moment.plan.explores and not moment.is_stranger
    given = places(moment.query.n, moment.tuning.explore_share if explores else 0.0)
    by_chance = np.zeros(moment.query.n, dtype=np.bool_)
    if not given:
        none = np.empty(0, dtype=np.int64)
        return Lottery(pool=none, draws=np.empty((0, 0)), by_chance=by_chance, uniforms=np.empty(0))
    by_chance[list(given)] = True
    pool = pool_of(ranked.items, ranked.sources, moment.table.impressions, _MOST_IN_POOL)
    random = dice_of(moment.query.seed, "explore places")
    alpha, beta = beta_of(moment.state, ranked.items[pool])
    draws = random.beta(alpha, beta, (DRAWS, len(pool)))
    return Lottery(pool=pool, draws=draws, by_chance=by_chance, uniforms=random.random(len(given)))


@lru_cache(maxsize=1_024)
def places(n: int, share: float) -> frozenset[int]:
    """round(n x share) places, evenly spread: of 20 with share 0.1 the 6th and the 16th."""
    count = round(n * share)
    return frozenset(int((j + 0.5) * n / count) for j in range(count))
