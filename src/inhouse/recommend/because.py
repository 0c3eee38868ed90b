"""Which of the person's recent actions weighed most for an item."""

from typing import Final

import numpy as np

from inhouse.core.clock import DAY_MS
from inhouse.events.types import EVENT_KINDS
from inhouse.features.outcomes import STRENGTH
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Rows
from inhouse.recommend.vectors import unit

_LOOKED_AT: Final = 64
_HALF_LIFE_MS: Final = 14 * DAY_MS
_MOST: Final = 2
_NONE: Final = -1
_STRENGTH: Final = np.array([STRENGTH.get(kind, 0.0) for kind in EVENT_KINDS])
_LEAST_COSINE: Final = 0.2


def reasons_for(moment: Moment, items: Rows, causes: Rows) -> list[tuple[int, ...]]:
    """For each item at most two recent items, the one that led to it first.

    The weight of a recent action is its strength, halved for every 14 days, times the cosine of
    its item and the one explained, in the space of the taste vectors (of content before there is a
    model). Cosines below 0.2 explain nothing.
    """
    recent = moment.person.recent.latest(_LOOKED_AT)
    wanted = _STRENGTH[recent.kinds] > 0
    if not wanted.any() or not len(items):
        return [() if cause < 0 else (int(cause),) for cause in causes]
    rows = recent.items[wanted]
    ages = np.maximum(moment.query.now_ms - recent.at_ms[wanted], 0)
    weight = _STRENGTH[recent.kinds[wanted]] * np.exp2(-ages / _HALF_LIFE_MS)  # [k]
    vectors = moment.space.vectors
    cosines = unit(vectors[items]) @ unit(vectors[rows]).T  # [n, k]
    cosines[items[:, None] == rows[None, :]] = 0.0
    weighed = np.where(cosines >= _LEAST_COSINE, cosines * weight, 0.0)
    heaviest = np.argsort(-weighed, axis=1, kind="stable")[:, : _MOST + 1]  # [n, 3]
    weights = np.take_along_axis(weighed, heaviest, axis=1)
    told = np.where(weights > 0, rows[heaviest], _NONE)
    return [
        _first([cause, *others])
        for cause, others in zip(causes.tolist(), told.tolist(), strict=True)
    ]


def _first(rows: list[int]) -> tuple[int, ...]:
    """The first two different ones of those that are rows."""
    return tuple(row for row in dict.fromkeys(rows) if row != _NONE)[:_MOST]
