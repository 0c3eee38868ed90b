"""Which of the person's recent actions weighed most for an item."""

from collections.abc import Sequence
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
_LEAST_COSINE: Final = 0.2


def reasons_for(moment: Moment, items: Rows, causes: Rows) -> list[tuple[int, ...]]:
    """For each item at most two recent items, the one that led to it first.

    The weight of a recent action is its strength, halved for every 14 days, times the cosine of
    its item and the one explained, in the space of the taste vectors (of content before there is a
    model). Cosines below 0.2 explain nothing.
    """
    wanted = [a for a in list(moment.person.recent)[-_LOOKED_AT:] if _strength(a.kind) > 0]
    if not wanted or not len(items):
        return [() if cause < 0 else (int(cause),) for cause in causes]
    rows = np.array([action.item for action in wanted], dtype=np.int32)
    ages = np.array([max(0, moment.query.now_ms - action.at_ms) for action in wanted])
    strength = np.array([_strength(action.kind) for action in wanted])
    weight = strength * np.exp2(-ages / _HALF_LIFE_MS)  # [k]
    space = moment.table.content if moment.taste is None else moment.taste.items
    cosines = unit(space[items]) @ unit(space[rows]).T  # [n, k]
    cosines[items[:, None] == rows[None, :]] = 0.0
    weighed = np.where(cosines >= _LEAST_COSINE, cosines * weight, 0.0)
    return [
        _heaviest(row_weights, rows, int(cause))
        for row_weights, cause in zip(weighed, causes, strict=True)
    ]


def _heaviest(weights: "np.typing.NDArray[np.float64]", rows: Rows, cause: int) -> tuple[int, ...]:
    found = [] if cause < 0 else [cause]
    by_weight: Sequence[int] = np.argsort(-weights, kind="stable").tolist()
    for place in by_weight:
        if len(found) == _MOST or weights[place] <= 0:
            break
        if int(rows[place]) not in found:
            found.append(int(rows[place]))
    return tuple(found)


def _strength(kind: int) -> float:
    return STRENGTH.get(EVENT_KINDS[kind], 0.0)
