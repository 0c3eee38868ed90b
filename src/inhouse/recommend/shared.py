"""What is trending, found once a second for all who ask."""

from typing import Final

import numpy as np

from inhouse.core.clock import DAY_MS
from inhouse.features.state import LiveState
from inhouse.recommend.types import Floats, Rows

_FOR_MS: Final = 1_000
_POOL: Final = 1_000  # the hottest
_WANTED_WITHIN_MS: Final = 3 * DAY_MS
_BY_ONE_CREATOR: Final = 3  # no page of it is one creator's


class SharedTrending:
    """The hottest items for each region, hottest first; a creator's fourth and later stand behind.

    The score is the heat; of those that stand behind heat / (1 + heat) - 1, which is below 0.

    Nothing about a viewer is in it, and nothing in it is shown unfiltered: what was taken down a
    moment ago may stand here, and the filters of every page remove it.
    """

    def __init__(self) -> None:
        self._of: dict[str | None, tuple[int, Rows, Floats]] = {}

    def first(
        self, state: LiveState, region: str | None, now_ms: int, k: int
    ) -> tuple[Rows, Floats]:
        """The first k and their scores, from a list that is at most a second old."""
        known = self._of.get(region)
        if known is None or not 0 <= now_ms - known[0] < _FOR_MS:
            known = self._of[region] = (now_ms, *_hottest(state, region, now_ms))
        return known[1][:k], known[2][:k]


def _hottest(state: LiveState, region: str | None, now_ms: int) -> tuple[Rows, Floats]:
    table = state.items
    rows = state.shelves.hot.first(_POOL)
    rows = rows[table.heat_ms[rows] > now_ms - _WANTED_WITHIN_MS]
    if region is not None:
        regions = table.region[rows]
        rows = rows[(regions < 0) | (regions == table.regions.find(region))]
    heat = table.heat_at(now_ms, rows)
    order = np.lexsort((rows, -heat))
    rows, heat = rows[order], heat[order]
    many = _nth_of_its_kind(table.creator[rows]) >= _BY_ONE_CREATOR
    scores = np.where(many, heat / (1 + heat) - 1, heat).astype(np.float32)
    order = np.argsort(many, kind="stable")
    return rows[order], scores[order]


def _nth_of_its_kind(kinds: Rows) -> Rows:
    """int32[n]: how many equal ones stand before each."""
    order = np.argsort(kinds, kind="stable")
    ordered = kinds[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    nth = np.empty(len(kinds), dtype=np.int32)
    nth[order] = np.arange(len(kinds)) - np.repeat(starts, lengths)
    return nth
