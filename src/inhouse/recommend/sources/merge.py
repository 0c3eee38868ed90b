"""Many offers, one list of candidates."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.recommend.types import SOURCE_BIT, SOURCE_NAMES, Candidates, Floats, Offer, Rows

Places = NDArray[np.int64]
_NOBODY: Final = np.empty(0, dtype=np.int32)
_NOTHING: Final = np.empty(0, dtype=np.float32)


def merge(offers: Mapping[str, Offer]) -> Candidates:
    """Each item once, in the order of the catalogue, with every source that offered it."""
    given = list(offers.values())
    together = np.concatenate([_NOBODY, *(offer.items for offer in given)])
    scores = np.concatenate([_NOTHING, *(offer.scores for offer in given)])
    facts = [(SOURCE_BIT[name], len(offer.items)) for name, offer in offers.items()]
    items, sources, offered = _entered(
        np.sort(together), together, scores, np.array(facts, dtype=np.int64).reshape(-1, 2)
    )
    causes = np.full(len(items), -1, dtype=np.int32)
    for offer in given:
        if offer.causes is not None:
            causes[items.searchsorted(offer.items)] = offer.causes
    return Candidates(items=items, sources=sources, offered=offered, causes=causes)


@njit(cache=True)
def _entered(
    ordered: Rows, together: Rows, scores: Floats, facts: Places
) -> tuple[Rows, NDArray[np.uint16], Floats]:
    """Each item once, and at its place who offered it and with which score.

    together, scores: of all sources, one behind the other, and the same items in order; facts:
    [sources, 2] the bit of each source and how many items it offers.
    """
    items = np.empty(len(ordered), dtype=np.int32)
    count = 0
    for i in range(len(ordered)):
        if i == 0 or ordered[i] != ordered[i - 1]:
            items[count] = ordered[i]
            count += 1
    items = items[:count]
    sources = np.zeros(count, dtype=np.uint16)
    offered = np.full((count, len(SOURCE_NAMES)), np.nan, dtype=np.float32)
    i = 0
    for which in range(len(facts)):
        bit = facts[which, 0]
        for _ in range(facts[which, 1]):
            place = np.searchsorted(items, together[i])
            sources[place] |= np.uint16(1 << bit)
            offered[place, bit] = scores[i]
            i += 1
    return items, sources, offered
