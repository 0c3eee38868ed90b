"""Creators: never two neighbours by the same one, and none too often."""

import numpy as np
from numpy.typing import NDArray

from inhouse.features.rows import in_sorted
from inhouse.recommend.arrange.base import Allowed
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates, Mask

_PAGES_BACK = 2


class CreatorRule:
    """Says for each place who may stand there.

    Two neighbours are by different creators wherever the candidates allow it at all, also across
    the border to the page before. To keep that promise to the last place, a candidate is passed
    over if the rest could no longer be placed without neighbours: with m places to come after it,
    the creators' remaining posts, each creator counted at most ceil(m/2) times (the one just
    placed floor(m/2) times), must fill m places.

    The cap counts this page and the two pages' worth of places before it; it gives way only where
    nothing else is left.
    """

    def __init__(self, moment: Moment, ranked: Candidates, length: int) -> None:
        creators = moment.table.creator[ranked.items]
        known, self._who = np.unique(creators, return_inverse=True)
        before = moment.person.served.rows(_PAGES_BACK * moment.query.n)
        served = moment.table.creator[before]
        self._crowd = _counts(known, served)
        self._remaining = np.bincount(self._who, minlength=len(known))
        self._left = np.ones(len(ranked), dtype=np.bool_)
        self._cap = moment.tuning.creator_cap
        self._uncapped = (self._crowd < self._cap)[self._who]
        self._length = length
        last = int(served[-1]) if len(served) else -1
        self._previous = int(np.searchsorted(known, last)) if last in known else -1

    @property
    def left(self) -> Mask:
        """Rows that have no place yet."""
        return self._left

    def allowed(self, place: int) -> Allowed:
        """The strictest rules that leave anybody; what gives way first is the cap."""
        left, apart = self._left, self._who != self._previous
        keeps = self._keeps_apart(self._length - place - 1)
        rules = (
            apart & keeps & self._uncapped,
            apart & keeps,
            keeps if place == 0 else apart,  # only the page before can be the trouble there
            apart,
            np.bool_(True),
        )
        masks = (left & rule for rule in rules)
        found = next((i, mask) for i, mask in enumerate(masks) if mask.any())
        return Allowed(mask=found[1], strict=found[0] == 0, apart=apart, uncapped=self._uncapped)

    def take(self, row: int) -> None:
        """Remember who was placed."""
        who = int(self._who[row])
        self._left[row] = False
        self._remaining[who] -= 1
        self._crowd[who] += 1
        if self._crowd[who] == self._cap:
            self._uncapped &= self._who != who
        self._previous = who

    def _keeps_apart(self, to_come: int) -> Mask | np.bool_:
        """bool[rows]: after whom the places to come can be filled without neighbours."""
        if np.count_nonzero(self._remaining) > to_come:
            return np.bool_(True)
        usable = np.minimum(self._remaining, (to_come + 1) // 2)
        own = np.minimum(self._remaining - 1, to_come // 2)
        fillable = usable.sum() - usable + own >= to_come
        mask: Mask = fillable[self._who]
        return mask


def _counts(known: NDArray[np.int32], served: NDArray[np.int32]) -> NDArray[np.int64]:
    """int64[known]: how often each of the known creators (sorted) is among the served."""
    theirs = served[in_sorted(known, served)]
    return np.bincount(np.searchsorted(known, theirs), minlength=len(known))
