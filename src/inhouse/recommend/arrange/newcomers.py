"""A place for creators whom few have met yet."""

import numpy as np

from inhouse.recommend.arrange.base import Allowed, Choice
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates

NEW_BELOW_IMPRESSIONS = 300
_PLACE = 0.45  # of the page's length
_LEAST_PAGE = 5


class NewcomerPlace:
    """One place for the best post by a creator with fewer than 300 impressions in all.

    Only where none stands above already, and only on pages of at least five places.
    """

    def __init__(self, moment: Moment, ranked: Candidates) -> None:
        n = moment.query.n
        self._place = int(n * _PLACE) if moment.plan.explores and n >= _LEAST_PAGE else -1
        shown = moment.state.shelves.creators.shown(moment.table.creator[ranked.items])
        self._new = shown < NEW_BELOW_IMPRESSIONS
        self._met = False

    def choose(self, place: int, allowed: Allowed) -> Choice | None:
        """None where the place is another, one was placed above, or there is none."""
        if place != self._place or self._met or not allowed.strict:
            return None
        rows = np.flatnonzero(allowed.mask & self._new)
        return Choice(row=int(rows[0]), note="new_creator") if len(rows) else None

    def take(self, row: int) -> None:
        """Remember whether a newcomer has a place."""
        self._met = self._met or bool(self._new[row])
