"""Diversity: what is like the places above it has to be better to stand there."""

import numpy as np

from inhouse.recommend.arrange.kernels import Merit, Numbers
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates

_SCALE_PAGES = 4  # values are scaled by what this many pages of the best span
_SUNK = -1e6  # stands for -inf, so that arithmetic stays finite


def merit_of(moment: Moment, ranked: Candidates) -> Merit:
    """Maximal marginal relevance over content vectors (Carbonell & Goldstein, SIGIR 1998).

    On each place stands the candidate with the highest

        (1 - d) value' - d max cos(content, content of a place above)

    where value' is the value scaled so that the best is 1 and the one four pages down is 0, and d
    the knob `diversity`.
    """
    d = float(moment.tuning.diversity) if moment.plan.varied else 0.0
    by_rank = -np.arange(len(ranked), dtype=np.float64)  # kept by a plan without arranging
    return Merit(
        worth=(1 - d) * _scaled(ranked, moment.query.n) if moment.plan.arranged else by_rank,
        diversity=d,
        items=ranked.items,
        content=moment.table.content,
    )


def _scaled(ranked: Candidates, n: int) -> Numbers:
    value = ranked.value
    if value is None or not len(value) or not np.isfinite(value[0]):
        return np.full(len(ranked), _SUNK)
    best = value[: _SCALE_PAGES * n]
    low = best[np.isfinite(best)][-1]
    scaled = (value - low) / max(float(value[0] - low), 1e-9)
    return np.asarray(np.maximum(scaled, _SUNK), dtype=np.float64)
