"""How good a post may be, given how few have seen it."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.features.state import LiveState
from inhouse.recommend.types import Rows

PRIOR_IMPRESSIONS = 20.0
_LEAST_RATE, _MOST_RATE = 0.01, 0.5
Numbers = NDArray[np.float64]


def beta_of(state: LiveState, rows: Rows) -> tuple[Numbers, Numbers]:
    """The Beta posterior of each item's rate of wanted impressions, as (alpha, beta), each [n].

    alpha = 20 r + wanted, beta = 20 (1 - r) + not wanted, where r is the community's own rate
    (clicks and likes per impression, held between 0.01 and 0.5): twenty imagined impressions at
    the community's rate, so that a post nobody saw is uncertain, not bad.
    """
    table, shown = state.items, state.shelves.impressions
    rate = min(max(state.shelves.wanted / shown, _LEAST_RATE), _MOST_RATE) if shown else 0.1
    return _posterior(rows, table.impressions, table.clicks, table.likes, rate)


@njit(cache=True)
def _posterior(
    rows: Rows, impressions: Numbers, clicks: Numbers, likes: Numbers, rate: float
) -> tuple[Numbers, Numbers]:
    alpha, beta = np.empty(len(rows)), np.empty(len(rows))
    for i in range(len(rows)):
        shown = impressions[rows[i]]
        wanted = min(clicks[rows[i]] + likes[rows[i]], shown)
        alpha[i] = PRIOR_IMPRESSIONS * rate + wanted
        beta[i] = PRIOR_IMPRESSIONS * (1.0 - rate) + shown - wanted
    return alpha, beta
