"""A place for creators whom few have met yet."""

from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates, Mask

NEW_BELOW_IMPRESSIONS = 300
_PLACE = 0.45  # of the page's length
_LEAST_PAGE = 5


def newcomers_of(moment: Moment, ranked: Candidates) -> tuple[Mask, int]:
    """bool[n], who is by a creator with fewer than 300 impressions in all; and their place.

    One place goes to the best of them, where none stands above already, and only on pages of at
    least five places; -1 where there is no such place.
    """
    n = moment.query.n
    shown = moment.state.shelves.creators.shown(moment.table.creator[ranked.items])
    is_new: Mask = shown < NEW_BELOW_IMPRESSIONS
    return is_new, int(n * _PLACE) if moment.plan.explores and n >= _LEAST_PAGE else -1
