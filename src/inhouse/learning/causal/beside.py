"""A causal model that stands beside the taste model: further numbers of the same vectors.

    v_j = [taste v_j ; causal v_j]        u = [taste u ; w causal u] / (1 + w)

One dot product is then their weighted mean, and whoever compares vectors need not know of it. A
score still says how much likelier than others an item is to be wanted, in nats, as that of either
model alone does: on that scale the formula before a head counts, and the head's feature.

Of the history that the taste model reads, the causal one reads the different items that were
wanted, as places of a sequence, and the time between each and the one before: so it was trained.
Where it knows nothing it adds 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import CausalId, ItemId, new_id
from inhouse.features.history import HistoryArrays
from inhouse.features.items import ItemTable
from inhouse.features.outcomes import are_positive
from inhouse.learning.causal.serving import CausalWeights, ReadRows
from inhouse.learning.sequences.flat import timed_codes

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class BesideFacts:
    """What a causal model for the feed says of itself."""

    causal_id: CausalId  # sorts by time of publication
    created_ms: int  # by the clock of who trained it
    log_offset: int  # trained on events up to here
    weight: float  # w, of its part of a score
    metrics: dict[str, float] = field(default_factory=dict)  # by which it passed its gate


class Beside:
    """A causal model to serve from, and how much it counts."""

    def __init__(self, facts: BesideFacts, weights: CausalWeights) -> None:
        self.facts = facts
        self.weights = weights
        self._rows = {item_id: row for row, item_id in enumerate(weights.item_ids)}

    @property
    def causal_id(self) -> CausalId:
        """By which snapshots name it."""
        return self.facts.causal_id

    @property
    def dims(self) -> int:
        """How many numbers it adds to a vector."""
        return self.weights.shape.dims

    def placed(self, names: Sequence[ItemId], content: Floats) -> Floats:
        """float32[n, dims]: where items lie; one that it does not know, by content: [n, 64]."""
        vectors: Floats = content @ self.weights.content_map  # [n, 64] @ [64, d] -> [n, d]
        rows = np.array([self._rows.get(name, -1) for name in names], dtype=np.int64)
        known = rows >= 0
        vectors[known] += self.weights.id_part[rows[known]]
        return vectors

    def joined(self, own: Floats, further: Floats) -> Floats:
        """float32[own and dims]: a person's vector of those by both models."""
        share = 1 / (1 + self.facts.weight)
        found: Floats = np.concatenate(
            [np.float32(share) * own, np.float32(self.facts.weight * share) * further]
        )
        return found

    def person(self, vectors: Floats, history: HistoryArrays, items: ItemTable | None) -> Floats:
        """float32[dims]. vectors: float32[items, dims] of the first rows of `items`; what was done
        with others is passed over."""
        if items is None:
            return np.zeros(self.dims, dtype=np.float32)
        read = read_wanted(history, items, len(vectors))
        length = self.weights.shape.length
        latest = ReadRows(items=read.items[:, -length:], codes=read.codes[:, -length:])
        found: Floats = self.weights.people(vectors, latest)[0]
        return found


def read_wanted(history: HistoryArrays, items: ItemTable, known: int) -> ReadRows:
    """The different items of a history that were wanted, as they first were, oldest first, of the
    first `known` rows of the table.

    Gaps are as `timed_codes` has them in training, but for a post that somebody came back to: a
    history tells of the last time and not of the first.
    """
    places = np.flatnonzero((history.items >= 0) & (history.items < known))
    rows = history.items[places]
    wanted = are_positive(history.kinds[places], history.values[places], items.duration_ms[rows])
    places = places[wanted]
    _, first = np.unique(history.items[places], return_index=True)
    places = places[np.sort(first)]
    starts = np.array([0, len(places)], dtype=np.int64)
    codes = timed_codes(-history.ages_ms[places], starts)
    return ReadRows(items=history.items[places].astype(np.int64)[None], codes=codes[None])


def new_causal_id() -> CausalId:
    """Sorts after every earlier one of this machine."""
    return CausalId(new_id("causal"))
