"""How near a post is to what a person wanted lately: the one rule for training and for serving."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.features.candidate_kernels import nearest_of
from inhouse.features.items import ItemTable
from inhouse.features.outcomes import last_wanted
from inhouse.features.people import Person

ANCHORS: Final = 4


def latest_positives(table: ItemTable, person: Person, most: int = ANCHORS) -> NDArray[np.int32]:
    """int32[k <= most]: the different items the person wanted last, newest first.

    Raises ValueError where another thread is just writing to the history.
    """
    recent = person.recent.latest()
    if not len(recent.items) == len(recent.kinds) == len(recent.values):
        raise ValueError("a history is being written to")
    return last_wanted(recent.items, recent.kinds, recent.values, table.duration_ms, most)


def nearness(
    table: ItemTable, anchors: NDArray[np.int32], items: NDArray[np.int32]
) -> NDArray[np.float32]:
    """float32[n] in [-1, 1]: cosine of content to the nearest anchor, 0 where there is none.

    An item that is itself an anchor is compared with the other anchors only, so that in training
    an answer never shows itself.
    """
    return nearest_of(items, anchors, table.content)
