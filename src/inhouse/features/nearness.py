"""How near a post is to what a person wanted lately: the one rule for training and for serving."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.events.types import EVENT_KINDS
from inhouse.features.items import ItemTable
from inhouse.features.outcomes import is_positive
from inhouse.features.people import Person

ANCHORS: Final = 4


def latest_positives(table: ItemTable, person: Person, most: int = ANCHORS) -> NDArray[np.int32]:
    """int32[k <= most]: the different items the person wanted last, newest first."""
    found: list[int] = []
    for action in reversed(person.recent):
        duration_ms = int(table.duration_ms[action.item])
        if action.item not in found and is_positive(
            EVENT_KINDS[action.kind], action.value, duration_ms
        ):
            found.append(action.item)
            if len(found) == most:
                break
    return np.array(found, dtype=np.int32)


def nearness(
    table: ItemTable, anchors: NDArray[np.int32], items: NDArray[np.int32]
) -> NDArray[np.float32]:
    """float32[n] in [-1, 1]: cosine of content to the nearest anchor, 0 where there is none.

    An item that is itself an anchor is compared with the other anchors only, so that in training
    an answer never shows itself.
    """
    if not len(anchors):
        return np.zeros(len(items), dtype=np.float32)
    cosines = table.content[items] @ table.content[anchors].T  # [n, k]
    cosines[items[:, None] == anchors[None, :]] = 0.0
    nearest: NDArray[np.float32] = cosines.max(axis=1)
    return nearest
