"""Creators: never two neighbours by the same one, and none too often."""

import numpy as np
from numpy.typing import NDArray

from inhouse.recommend.arrange.base import CAP, NEIGHBOUR, SPREAD, Allowed
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
        served = [creator for _, creator in moment.person.served]
        self._crowd = _counts(known, served[-_PAGES_BACK * moment.query.n :])
        self._remaining = np.bincount(self._who, minlength=len(known))
        self._left = np.ones(len(ranked), dtype=np.bool_)
        self._length = length
        self._cap = moment.tuning.creator_cap
        last = served[-1] if served else -1
        self._previous = int(np.searchsorted(known, last)) if last in known else -1

    @property
    def left(self) -> Mask:
        """Rows that have no place yet."""
        return self._left

    def allowed(self, place: int) -> Allowed:
        """The strictest rules that leave anybody; what gives way first is the cap."""
        left = self._left
        apart = self._who != self._previous
        uncapped = (self._crowd < self._cap)[self._who]
        keeps = self._keeps_apart(self._length - place - 1)[self._who]
        held = np.where(~apart, NEIGHBOUR, np.where(~uncapped, CAP, SPREAD)).astype(np.uint8)
        strict = left & apart & uncapped & keeps
        if strict.any():
            return Allowed(mask=strict, strict=True, held=held)
        for rule in (apart & keeps, keeps if place == 0 else apart, apart):
            if (left & rule).any():
                return Allowed(mask=left & rule, strict=False, held=held)
        return Allowed(mask=left.copy(), strict=False, held=held)

    def take(self, row: int) -> None:
        """Remember who was placed."""
        who = int(self._who[row])
        self._left[row] = False
        self._remaining[who] -= 1
        self._crowd[who] += 1
        self._previous = who

    def _keeps_apart(self, to_come: int) -> NDArray[np.bool_]:
        """bool[creators]: after whom the places to come can be filled without neighbours."""
        if np.count_nonzero(self._remaining) > to_come:
            return np.ones(len(self._remaining), dtype=np.bool_)
        usable = np.minimum(self._remaining, (to_come + 1) // 2)
        own = np.minimum(self._remaining - 1, to_come // 2)
        fillable: NDArray[np.bool_] = usable.sum() - usable + own >= to_come
        return fillable


def _counts(known: NDArray[np.int32], served: list[int]) -> NDArray[np.int64]:
    """int64[known]: how often each of the known creators (sorted) is among the served."""
    theirs = np.array(served, dtype=np.int32)
    theirs = theirs[np.isin(theirs, known)]
    return np.bincount(np.searchsorted(known, theirs), minlength=len(known))
