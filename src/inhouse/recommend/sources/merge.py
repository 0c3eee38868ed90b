"""Many offers, one list of candidates."""

from collections.abc import Mapping

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.features.rows import distinct
from inhouse.recommend.types import SOURCE_BIT, SOURCE_NAMES, Candidates, Floats, Offer


def merge(offers: Mapping[str, Offer]) -> Candidates:
    """Each item once, in the order of the catalogue, with every source that offered it."""
    given = [offer.items for offer in offers.values()]
    items = distinct(np.concatenate(given)) if given else np.empty(0, dtype=np.int32)
    sources = np.zeros(len(items), dtype=np.uint16)
    offered = np.full((len(items), len(SOURCE_NAMES)), np.nan, dtype=np.float32)
    causes = np.full(len(items), -1, dtype=np.int32)
    candidates = Candidates(items=items, sources=sources, offered=offered, causes=causes)
    for name, offer in offers.items():
        places = items.searchsorted(offer.items)
        _enter(sources, offered, places, offer.scores, SOURCE_BIT[name])
        if offer.causes is not None:
            causes[places] = offer.causes
    return candidates


@njit(cache=True)
def _enter(
    sources: NDArray[np.uint16],
    offered: Floats,
    places: NDArray[np.int64],
    scores: Floats,
    bit: int,
) -> None:
    """Write one source's scores down at the places of its items."""
    for i in range(len(places)):
        sources[places[i]] |= np.uint16(1 << bit)
        offered[places[i], bit] = scores[i]
