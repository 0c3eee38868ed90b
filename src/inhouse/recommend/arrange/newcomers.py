"""A place for creators whom few have met yet."""

import numpy as np

from inhouse.features.items import ItemTable
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates, Mask, Rows

NEW_BELOW_IMPRESSIONS = 300
_PLACE = 0.45  # of the page's length
_LEAST_PAGE = 5
_BESIDE = 32  # posts that came just before, and as many just after


def newcomers_of(moment: Moment, ranked: Candidates) -> tuple[Mask, int]:
    """bool[n], whose turn it is; and their place.

    A creator with fewer than 300 impressions in all is new. One place goes to the best post by one
    of them that has been shown less than those that came just before and after it: the place makes
    up for what the order by value, which knows nothing of them, holds back, and favours nobody
    beyond that.
    It is not given where such a post stands above already, and only on pages of at least five
    places; -1 where there is no such place.
    """
    n = moment.query.n
    turn: Mask = (
        moment.state.shelves.creators.shown(moment.table.creator[ranked.items])
        < NEW_BELOW_IMPRESSIONS
    )
    new = np.flatnonzero(turn)
    turn[new] = _lags(moment.table, ranked.items[new])
    return turn, int(n * _PLACE) if moment.plan.explores and n >= _LEAST_PAGE else -1


def _lags(table: ItemTable, rows: Rows) -> Mask:
    """bool[n]: shown less than the posts beside it in the table were on average.

    Those came about when it did. As many before as after count, for the earlier have had more time.
    """
    reach = np.minimum(np.minimum(rows, table.count - 1 - rows), _BESIDE)
    gaps = np.arange(-_BESIDE, _BESIDE + 1)
    beside = np.abs(gaps)[None, :] <= reach[:, None]
    others = np.clip(rows[:, None] + gaps[None, :], 0, table.count - 1)
    shown = np.where(beside, table.impressions[others], 0)
    lags: Mask = table.impressions[rows] * beside.sum(axis=1) < shown.sum(axis=1)
    return lags
