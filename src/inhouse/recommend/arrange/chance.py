"""Exploration: places given by chance, with the exact probability on record."""

import numpy as np

from inhouse.core.random import stream
from inhouse.recommend.arrange.base import Allowed, Choice
from inhouse.recommend.moment import Moment
from inhouse.recommend.posterior import beta_of
from inhouse.recommend.types import SOURCE_BIT, Candidates, Mask

DRAWS = 32
UNIFORM_SHARE = 0.2
_MOST_IN_POOL = 64
_FEW_IMPRESSIONS = 200


class Chance:
    """Fills a fixed share of the places by Thompson sampling mixed with uniform choice.

    For those of the pool that may stand on the place, S = 32 joint draws are made from the Beta
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

    def __init__(self, moment: Moment, ranked: Candidates) -> None:
        explores = moment.plan.explores and not moment.is_stranger
        share = moment.tuning.explore_share if explores else 0.0
        self._places = places(moment.query.n, share)
        self._pool = _pool(moment, ranked) if self._places else np.empty(0, dtype=np.intp)
        self._random = stream(moment.query.seed, "explore places")
        alpha, beta = beta_of(moment.state, ranked.items[self._pool])
        self._draws = self._random.beta(alpha, beta, (DRAWS, len(self._pool)))  # [S, pool]

    def choose(self, place: int, allowed: Allowed) -> Choice | None:
        """None where the place is not for chance, or nobody of the pool may stand there."""
        if place not in self._places or not allowed.strict:
            return None
        members = np.flatnonzero(allowed.mask[self._pool])
        k = len(members)
        if not k:
            return None
        highest = self._draws[:, members].argmax(axis=1)
        q = np.bincount(highest, minlength=k) / DRAWS
        p = (1 - UNIFORM_SHARE) * q + UNIFORM_SHARE / k
        drawn = min(int(np.searchsorted(p.cumsum(), self._random.random(), side="right")), k - 1)
        return Choice(
            row=int(self._pool[members[drawn]]),
            propensity=float(p[drawn]),
            explored=True,
            note=f"explored:{k}",
        )


def places(n: int, share: float) -> frozenset[int]:
    """round(n x share) places, evenly spread: of 20 with share 0.1 the 6th and the 16th."""
    count = round(n * share)
    return frozenset(int((j + 0.5) * n / count) for j in range(count))


def _pool(moment: Moment, ranked: Candidates) -> "np.typing.NDArray[np.intp]":
    offered: Mask = (ranked.sources >> SOURCE_BIT["explore"]) & 1 == 1
    few = (moment.table.impressions[ranked.items] < _FEW_IMPRESSIONS) & ~offered
    rows = np.concatenate([np.flatnonzero(offered), np.flatnonzero(few)])
    return np.sort(rows[:_MOST_IN_POOL])
