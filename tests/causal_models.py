"""Causal models that nobody trained, with every part away from 0, for tests of whoever serves."""

from collections.abc import Sequence

import numpy as np

from inhouse.core.ids import CausalId, ItemId
from inhouse.core.random import stream
from inhouse.learning.causal.beside import Beside, BesideFacts
from inhouse.learning.causal.serving import CausalShape, CausalWeights, _shapes

SHAPE = CausalShape(dims=6, length=16, blocks=2, heads=2)


def beside(names: Sequence[str], causal_id: str = "causal_1", weight: float = 0.5) -> Beside:
    """Beside the taste model, knowing items of these names; another one for each id."""
    numbers = stream(0, causal_id)
    parts = {
        name: numbers.normal(0, 0.3, size).astype(np.float32)
        for name, size in _shapes(SHAPE, len(names)).items()
    }
    weights = CausalWeights(
        item_ids=tuple(ItemId(name) for name in names),
        shape=SHAPE,
        id_part=parts.pop("id_part"),
        content_map=parts.pop("content_map"),
        encoder=parts,
    )
    facts = BesideFacts(
        causal_id=CausalId(causal_id),
        created_ms=5,
        log_offset=7,
        weight=weight,
        metrics={"hit_rate_both": 0.25},
    )
    return Beside(facts, weights)
