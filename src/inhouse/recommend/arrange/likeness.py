"""Diversity: what is like the places above it has to be better to stand there."""

import numpy as np

from inhouse.recommend.arrange.base import Allowed, Choice
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates

_SCALE_PAGES = 4  # values are scaled by what this many pages of the best span
_SUNK = -1e6  # stands for -inf, so that arithmetic stays finite


class Likeness:
    """Maximal marginal relevance over content vectors (Carbonell & Goldstein, SIGIR 1998).

    On each place stands the candidate with the highest

        (1 - d) value' - d max cos(content, content of a place above)

    where value' is the value scaled so that the best is 1 and the one four pages down is 0, and d
    the knob `diversity`.
    """

    def __init__(self, moment: Moment, ranked: Candidates) -> None:
        d = moment.tuning.diversity if moment.plan.varied else 0.0
        self._d = d
        self._worth = (1 - d) * _scaled(ranked, moment.query.n)
        self._content = moment.table.content[ranked.items] if d else None
        self._nearest = np.zeros(len(ranked), dtype=np.float64)

    def choose(self, allowed: Allowed) -> Choice:
        """The best of the allowed; equals by rank."""
        marginal = self._worth - self._d * self._nearest
        return Choice(row=int(np.where(allowed.mask, marginal, -np.inf).argmax()))

    def take(self, row: int) -> None:
        """From now on likeness to this one counts."""
        if self._content is not None:
            np.maximum(self._nearest, self._content @ self._content[row], out=self._nearest)


def _scaled(ranked: Candidates, n: int) -> "np.typing.NDArray[np.float64]":
    value = ranked.value
    if value is None or not len(value) or not np.isfinite(value[0]):
        return np.full(len(ranked), _SUNK)
    best = value[: _SCALE_PAGES * n]
    low = best[np.isfinite(best)][-1]
    scaled = (value - low) / max(float(value[0] - low), 1e-9)
    return np.asarray(np.maximum(scaled, _SUNK), dtype=np.float64)
