"""The same model trained anew each night, from nothing, on the clicks of the day before.

What most shops do in the place of learning online. Training stops when the latest tenth of what it
learns from says so, like every batch training here.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from benchmarks.common import console
from benchmarks.online_course import SETTINGS, SHAPE, logged
from benchmarks.rankers import Floats, Question
from inhouse.catalog.types import Item
from inhouse.core.clock import DAY_MS
from inhouse.core.ids import ItemId, UserId
from inhouse.events.types import LoggedEvent
from inhouse.features.history import HistoryArrays
from inhouse.features.outcomes import KIND_CODES
from inhouse.features.state import LiveState
from inhouse.learning.examples.types import NextItems, join_next_items
from inhouse.learning.joining.joiner import Joiner
from inhouse.learning.sequences.flat import Catalogue
from inhouse.learning.taste.arrays import TasteWeights
from inhouse.learning.training.course import training_of
from inhouse.learning.training.train import train_taste

_AT_ONCE: Final = 4_096  # clicks joined together


class Nights:
    """Joins the clicks that are heard, and trains on the latest day of them when asked."""

    def __init__(self, items: int) -> None:
        self.items = items
        self._clicks = 0
        self._new: list[LoggedEvent] = []
        self._kept: list[NextItems] = []
        self._state = LiveState()
        self._state.apply_items([_post(item) for item in range(items)])
        self._joiner = Joiner(self._state, wait_ms=SETTINGS.outcome_wait_ms, length=SHAPE.length)

    def hear(self, user: int, item: int, at_ms: int) -> None:
        """A click whose delay is over."""
        self._clicks += 1
        self._new.append(logged(self._clicks, user, item, at_ms))
        if len(self._new) >= _AT_ONCE:
            self._join()

    def train(self, now_ms: int) -> TasteWeights | None:
        """A model of the latest day, or None where it was too quiet to learn from."""
        self._join()
        examples = join_next_items(self._kept, SHAPE.length)
        examples = examples.take(np.flatnonzero(examples.at_ms >= now_ms - DAY_MS))
        self._kept = [examples]
        if len(examples) < 1_000:
            return None
        catalogue = Catalogue.of_ids(self._state.items.ids)
        training = replace(
            training_of(SETTINGS), shape=SHAPE, dropout=0.3, recent=0, memory=len(examples)
        )
        weights, fit = train_taste(examples, catalogue, training)
        console.print(f"trained on {len(examples):,} clicks of the day, {fit.best_epoch} epochs")
        return weights

    def _join(self) -> None:
        self._kept.append(self._joiner.take(self._new, []).wanted)
        self._new = []


class Nightly:
    """A ranker that serves from the model of the latest night, or for ever of the first."""

    def __init__(self, name: str, nights: Nights) -> None:
        self.name = name
        self.model: TasteWeights | None = None
        self._nights = nights

    def hear(self, user: int, item: int, at_ms: int) -> None:
        """The nights hear it once, for all who serve from them."""

    def scores(self, question: Question) -> Floats:
        """By the model that serves; zeros before there is one."""
        if self.model is None:
            return np.zeros(self._nights.items, dtype=np.float32)
        rows = self.model.id_part
        found: Floats = rows @ self.model.person(rows, _history(question))
        return found


def _history(question: Question) -> HistoryArrays:
    latest = question.history[-SHAPE.length :]
    n = len(latest)
    return HistoryArrays(
        items=np.array([item for item, _ in latest], dtype=np.int32),
        kinds=np.full(n, KIND_CODES["click"], dtype=np.int8),
        ages_ms=np.array([question.at_ms - at_ms for _, at_ms in latest], dtype=np.int64),
        values=np.zeros(n, dtype=np.float32),
        count=n,
    )


def _post(item: int) -> Item:
    return Item(item_id=ItemId(str(item)), creator_id=UserId("publisher"), created_ms=1)
