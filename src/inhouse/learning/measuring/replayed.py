"""The taste model as it would have been online: for replays beside the baselines."""

from collections import deque
from typing import Final

import numpy as np

from inhouse.core.ids import ItemId
from inhouse.features.content import CONTENT_DIMS
from inhouse.features.history import HistoryArrays
from inhouse.features.outcomes import KIND_CODES
from inhouse.learning.encoding import Histories, encode_history
from inhouse.learning.examples.types import NextItems, join_next_items
from inhouse.learning.taste.arrays import Floats, item_vectors, person_vectors
from inhouse.learning.taste.train import TasteTrainer, TasteTraining
from inhouse.learning.training.course import STEPS, round_size

_EVERY: Final = 2_000


class OnlineTaste:
    """Reads each person's history up to now, and learns in rounds as the learner does."""

    def __init__(self, content: Floats, training: TasteTraining, *, every: int = _EVERY) -> None:
        """content: float32[items, 64], zeros where only the ids are known."""
        self.name = f"taste, a round every {every} events"
        self._content = content
        self._trainer = TasteTrainer(training)
        self._trainer.grow(content)
        self._ids = tuple(ItemId(str(item)) for item in range(len(content)))
        self._length = training.shape.length
        self._every = every
        self._recent: dict[int, deque[tuple[int, int]]] = {}  # person -> item, at_ms
        self._new: list[NextItems] = []
        self._take_over()

    @classmethod
    def without_content(cls, items: int, training: TasteTraining) -> "OnlineTaste":
        """For events of which only the ids of the items are known."""
        return cls(np.zeros((items, CONTENT_DIMS), dtype=np.float32), training)

    def scores(self, user: int, at_ms: int) -> Floats:
        """float32[items]"""
        person = person_vectors(self._weights, self._vectors, self._history(user, at_ms))[0]
        dots: Floats = self._vectors @ person
        return dots

    def learn(self, user: int, item: int, at_ms: int) -> None:
        """Remember one event; hold a round when enough are new."""
        self._new.append(
            NextItems(
                histories=self._history(user, at_ms),
                targets=np.array([item], dtype=np.int32),
                at_ms=np.array([at_ms], dtype=np.int64),
                offsets=np.array([0], dtype=np.int64),
            )
        )
        self._recent.setdefault(user, deque(maxlen=self._length)).append((item, at_ms))
        if len(self._new) >= round_size(len(self._trainer.memory), self._every):
            self._trainer.remember(join_next_items(self._new, self._length))
            self._new = []
            self._trainer.learn(STEPS)
            self._take_over()

    def _take_over(self) -> None:
        self._weights = self._trainer.export(self._ids)
        rows = np.arange(len(self._content), dtype=np.int64)
        self._vectors = item_vectors(self._weights, rows, self._content)

    def _history(self, user: int, at_ms: int) -> Histories:
        recent = self._recent.get(user, ())
        n = len(recent)
        return encode_history(
            HistoryArrays(
                items=np.array([item for item, _ in recent], dtype=np.int32),
                kinds=np.full(n, KIND_CODES["click"], dtype=np.int8),
                ages_ms=np.array([at_ms - then for _, then in recent], dtype=np.int64),
                values=np.zeros(n, dtype=np.float32),
                count=n,
            ),
            self._length,
        )
