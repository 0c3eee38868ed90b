"""Creators: never two neighbours by the same one, and none too often."""

import math

import numpy as np

from inhouse.recommend.arrange.kernels import Creators, numbered
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates

_PAGES_BACK = 2


def creators_of(moment: Moment, ranked: Candidates) -> Creators:
    """What the rule about creators needs to know.

    Two neighbours are by different creators wherever the candidates allow it at all, also across
    the border to the page before. To keep that promise to the last place, a candidate is passed
    over if the rest could no longer be placed without neighbours: with m places to come after it,
    the creators' remaining posts, each creator counted at most ceil(m/2) times (the one just
    placed floor(m/2) times), must fill m places.

    The cap counts this page and the two pages' worth of places before it; it gives way only where
    nothing else is left. It is the knob `creator_cap`, and where few creators have anything to show
    as many times an even share of those places: three posts in sixty places would give a person who
    has met twenty creators all of them alike, whatever they care for.
    """
    before = moment.person.served.rows(_PAGES_BACK * moment.query.n)
    creator = moment.table.creator
    who, remaining, crowd, previous = numbered(creator[ranked.items], creator[before])
    return Creators(who, remaining, crowd, previous, _cap(moment, len(remaining)))


def _cap(moment: Moment, creators: int) -> int:
    even_share = (1 + _PAGES_BACK) * moment.query.n / max(creators, 1)
    return math.ceil(moment.tuning.creator_cap * max(1.0, even_share))


def each_its_own(count: int) -> Creators:
    """For plans without the rule: as if every post had a creator of its own."""
    return Creators(
        who=np.arange(count),
        remaining=np.ones(count, dtype=np.int64),
        crowd=np.zeros(count, dtype=np.int64),
        previous=-1,
        cap=1,
    )
