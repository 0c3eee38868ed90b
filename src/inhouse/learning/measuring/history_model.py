"""What a model of histories is to whoever serves or measures it: two encoders, one geometry.

An item lies at v_j = id_j + content_j C, a person at u, and the score is u . v_j, whichever encoder
reads the history: the pooled one of `taste/arrays.py`, which learns online, or the causal one of
`causal/serving.py`, which is trained in batch. docs/decisions/0010 says which wins when.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import ItemId
from inhouse.features.content import CONTENT_DIMS
from inhouse.features.history import HistoryArrays
from inhouse.features.outcomes import KIND_CODES
from inhouse.learning.sequences.flat import Sequences
from inhouse.learning.sequences.holdout import Scores

Floats = NDArray[np.float32]


class HistoryModel(Protocol):
    """Where items and people lie."""

    @property
    def item_ids(self) -> tuple[ItemId, ...]:
        """Whose id parts it learned, in order."""

    def items(self, content: Floats) -> Floats:
        """float32[rows, d] of the items it knows; content: float32[rows, 64]."""

    def person(self, vectors: Floats, history: HistoryArrays) -> Floats:
        """float32[d] of one person; vectors: float32[items, d], that the history counts in."""

    def arrays(self) -> dict[str, Floats]:
        """Everything learned by name, for a file."""


def scores_of(model: HistoryModel, content: Floats | None = None) -> Scores:
    """Scores of every item for plain sequences, one person after the other as a server does it."""
    count = len(model.item_ids)
    vectors = model.items(
        np.zeros((count, CONTENT_DIMS), np.float32) if content is None else content
    )

    def scores(histories: Sequences) -> Floats:
        people = [
            model.person(vectors, plain_history(histories.of(row))) for row in range(len(histories))
        ]
        table: Floats = np.stack(people) @ vectors.T  # [n, d] @ [d, items] -> [n, items]
        return table

    return scores


def plain_history(items: NDArray[np.int64]) -> HistoryArrays:
    """A history of which only the items are known: clicks without times, newest last."""
    n = len(items)
    return HistoryArrays(
        items=items.astype(np.int32),
        kinds=np.full(n, KIND_CODES["click"], dtype=np.int8),
        ages_ms=np.zeros(n, dtype=np.int64),
        values=np.zeros(n, dtype=np.float32),
        count=n,
    )
