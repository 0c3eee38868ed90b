"""A place for creators whom few have met yet."""

from inhouse.recommend.arrange.kernels import Newcomers
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates

NEW_BELOW_IMPRESSIONS = 300
_PLACE = 0.45  # of the page's length
_LEAST_PAGE = 5


def newcomers_of(moment: Moment, ranked: Candidates) -> Newcomers:
    """Whose turn it is, and their place.

    A creator with fewer than 300 impressions in all is new. One place goes to the best post by one
    of them that has been shown less than those that came just before and after it (`lags`): the
    place makes up for what the order by value, which knows nothing of them, holds back, and favours
    nobody beyond that.
    It is not given where such a post stands above already, and only on pages of at least five
    places; -1 where there is no such place.
    """
    n, table = moment.query.n, moment.table
    shown = moment.state.shelves.creators.shown(table.creator[ranked.items])
    return Newcomers(
        unknown=shown < NEW_BELOW_IMPRESSIONS,
        place=int(n * _PLACE) if moment.plan.explores and n >= _LEAST_PAGE else -1,
        items=ranked.items,
        shown=table.impressions,
        items_there=table.count,
    )
