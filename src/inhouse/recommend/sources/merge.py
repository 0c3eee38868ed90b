"""Many offers, one list of candidates."""

from collections.abc import Mapping

import numpy as np

from inhouse.recommend.types import SOURCE_BIT, SOURCE_NAMES, Candidates, Offer


def merge(offers: Mapping[str, Offer]) -> Candidates:
    """Each item once, in the order of the catalogue, with every source that offered it."""
    given = [offer.items for offer in offers.values()]
    items = np.unique(np.concatenate(given)) if given else np.empty(0, dtype=np.int32)
    sources = np.zeros(len(items), dtype=np.uint16)
    offered = np.full((len(items), len(SOURCE_NAMES)), np.nan, dtype=np.float32)
    causes = np.full(len(items), -1, dtype=np.int32)
    for name, offer in offers.items():
        places = np.searchsorted(items, offer.items)
        sources[places] |= np.uint16(1 << SOURCE_BIT[name])
        offered[places, SOURCE_BIT[name]] = offer.scores
        if offer.causes is not None:
            causes[places] = offer.causes
    return Candidates(items=items, sources=sources, offered=offered, causes=causes)
