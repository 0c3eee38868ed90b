"""Places that an operator's rule has given away."""

import numpy as np

from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates

Pin = tuple[int, int, str]  # place, row, rule


def pins_of(moment: Moment, ranked: Candidates, length: int) -> list[Pin]:
    """The pinned posts among the candidates, by place; until then nobody else may place them.

    Each place takes the first that waits for it or for an earlier one, and where nobody else is
    left, the next. One whose place is beyond the page's end waits for no place and competes like
    all others; two for one place stand one after the other.
    """
    return [
        (place, int(rows[0]), rule.rule_id)
        for place, item, rule in moment.orders.pins
        if place < length and len(rows := np.flatnonzero(ranked.items == item))
    ]
