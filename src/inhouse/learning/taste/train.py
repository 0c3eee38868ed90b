"""Training of the taste model: rehearsed mini-batches, all of the softmax or a corrected sample.

Up to `FULL_SOFTMAX` wanted items the loss is the whole softmax. Beyond, `competitors.py` says who
competes and how much each stands for. What the person had already touched is left out, since the
feed never offers it again. An item's id part exists from the day it was first wanted: before that
it is no negative either, so a new item is judged by content alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inhouse.core.ids import ItemId
from inhouse.core.random import stream
from inhouse.features.content import CONTENT_DIMS
from inhouse.learning.examples.memory import NextItemMemory
from inhouse.learning.examples.types import Judgement, NextItems
from inhouse.learning.taste.arrays import Floats, TasteShape, TasteWeights
from inhouse.learning.taste.competitors import Choices, Competitors
from inhouse.learning.taste.loss import Vectors, cross_entropy, losses, rows_needed
from inhouse.learning.taste.model import Dropout, TasteModel
from inhouse.learning.taste.rows import RowTable, TableBounds
from inhouse.learning.train_state import (
    below,
    module_arrays,
    numbers_array,
    restore_module,
    restore_numbers,
    under,
)

FULL_SOFTMAX: Final = 10_000  # wanted items up to which every one is scored
_JUDGES: Final = 5_000  # items that an answer is compared with when it is judged
_JUDGED_AT_ONCE: Final = 512
_SWEPT_EVERY: Final = 65_536  # examples between two looks for rows that expired


@dataclass(frozen=True, kw_only=True, slots=True)
class TasteTraining:
    """How the taste model is trained."""

    shape: TasteShape = field(default_factory=TasteShape)  # sizes of the model
    batch: int = 512  # examples a step
    rate: float = 3e-3  # Adam's learning rate
    decay: float = 1e-4  # decoupled weight decay of id parts, content map and mix
    dropout: float = 0.7  # of action vectors and of person vectors
    forget_id: float = 0.1  # share of items whose id part is left out of a step
    negatives: int = 2_048  # drawn a step where the softmax is sampled
    recent: int = 4_000  # half of each batch is drawn from so many latest examples; 0 for none
    memory: int = 200_000  # latest examples kept
    table: TableBounds = field(default_factory=TableBounds)  # of id parts
    threads: int = 1  # of torch
    seed: int = 0  # of everything random


class TasteTrainer:
    """A taste model that goes on learning. The same seed and calls give the same weights."""

    def __init__(self, training: TasteTraining) -> None:
        torch.set_num_threads(training.threads)
        self.training = training
        self.memory = NextItemMemory(training.memory, training.shape.length)
        self._numbers = stream(training.seed, "taste", "batches")
        self._masks = stream(training.seed, "taste", "dropout")
        self._dice = torch.Generator().manual_seed(training.seed)
        self._model = TasteModel(training.shape, self._dice)
        self._table = RowTable(
            training.shape.dims, rate=training.rate, decay=training.decay, bounds=training.table
        )
        self._competitors = Competitors(self._table, self.memory)
        self._optimiser = _optimiser(self._model, training)
        self._content = torch.zeros((0, CONTENT_DIMS))
        self._heard = 0  # examples in all

    def grow(self, content: Floats) -> None:
        """Hear of all items there are: float32[count, 64], in the order of the item table.

        The array is not copied, so it must not be written to but by a further call.
        """
        self._content = torch.from_numpy(content)

    def remember(self, examples: NextItems) -> None:
        """Take examples into the memory; their items become choices as the table admits them."""
        self.memory.add(examples)
        self._table.hear(examples.targets, examples.at_ms, self._dice)
        before, self._heard = self._heard, self._heard + len(examples)
        if before // _SWEPT_EVERY < self._heard // _SWEPT_EVERY:
            self._table.expire(int(examples.at_ms[-1]))

    def learn(self, steps: int, progress: Callable[[int], None] = lambda step: None) -> float:
        """Do so many steps over what is remembered; returns the mean training loss.

        Raises ValueError where nothing is remembered.
        """
        if not len(self.memory):
            raise ValueError("nothing is remembered; call `remember` before `learn`")
        total = 0.0
        for step in range(steps):
            total += self._step(self.memory.draw(self._picked()))
            progress(step + 1)
        return total / max(steps, 1)

    def learn_latest(self, n: int) -> float:
        """One step over the newest n examples and no others; returns its loss."""
        return self._step(self.memory.latest(n))

    def judge(self, examples: NextItems, weights: TasteWeights | None = None) -> Judgement:
        """Loss on examples, by this model or by `weights` with a row for each item in order.

        All that are judged at one time are compared with the same items, so that their losses may
        be compared.
        """
        if weights is None:
            return self._judged(examples, self._model, self._table.values_of)
        ids = torch.from_numpy(weights.id_part)

        def rows_of(rows: NDArray[np.int64]) -> Tensor:
            known = torch.from_numpy(rows < len(ids))
            return ids[torch.from_numpy(np.minimum(rows, len(ids) - 1))] * known[:, None]

        return self._judged(examples, _model_of(weights), rows_of)

    def judge_published(self, examples: NextItems, dense: TasteWeights) -> Judgement:
        """Loss of what serves: the dense part of published weights over the rows published."""
        return self._judged(examples, _model_of(dense), self._table.published_of)

    def judge_delta(self, examples: NextItems, dense: TasteWeights) -> Judgement:
        """Loss of what would serve if the rows were published as they are now."""
        return self._judged(examples, _model_of(dense), self._table.values_of)

    def judge_popularity(self, examples: NextItems) -> Judgement:
        """The loss of the simplest model: everybody wants each item as often as it was wanted."""
        choices = self._judges()

        def logits(rows: NDArray[np.integer]) -> Tensor:
            return torch.from_numpy(np.log1p(self._table.wanted_of(rows)).astype(np.float32))

        def foreseen(part: NextItems) -> Tensor:
            others = (logits(choices.rows) - choices.correction).expand(len(part), -1)
            return cross_entropy(logits(part.targets), others, choices, part)

        return _judgement(examples, foreseen)

    def export(self, item_ids: tuple[ItemId, ...]) -> TasteWeights:
        """What was learned so far, a row for each item; `item_ids` names all of them in order."""
        every = np.arange(len(item_ids), dtype=np.int64)
        return self._model.export(item_ids, self._table.values_of(every))

    def export_rows(self, item_ids: Sequence[ItemId]) -> TasteWeights:
        """The same with rows for those items alone that have one in the table."""
        keys = self._table.keys()
        names = tuple(item_ids[key] for key in keys.tolist())
        return self._model.export(names, self._table.values_of(keys))

    def changed(self, item_ids: Sequence[ItemId]) -> tuple[tuple[ItemId, ...], Floats]:
        """Names and float32[n, d] of the rows that differ from what was published."""
        keys, values = self._table.changed()
        return tuple(item_ids[key] for key in keys.tolist()), values.numpy()

    def mark_published(self) -> None:
        """Hear that all rows are published as they are now."""
        self._table.mark_published()

    def set_published(self, items: NDArray[np.int64], rows: Floats) -> None:
        """Hear what was published by another: int64[n] and float32[n, d]."""
        self._table.set_published(items, rows)

    def resume(self, weights: TasteWeights, now_ms: int = 0) -> None:
        """Go on from published weights with a row for each item in order; optimisers start anew.

        Rows of zeros stand for items without a row.
        """
        self._model.load(weights)
        keys = np.flatnonzero(weights.id_part.any(axis=1))
        self._table.load(keys, torch.from_numpy(weights.id_part[keys]), now_ms)
        self._optimiser = _optimiser(self._model, self.training)

    def revert(self, dense: TasteWeights) -> None:
        """Go back to what was published; the optimisers start anew, what was seen is remembered."""
        self._model.load(dense)
        self._table.revert()
        self._optimiser = _optimiser(self._model, self.training)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that learning goes on from, for a checkpoint."""
        return {
            **under("model", module_arrays(self._model, self._optimiser)),
            **under("table", self._table.arrays()),
            **under("memory", self.memory.latest(len(self.memory)).arrays()),
            "numbers": numbers_array(self._numbers),
            "masks": numbers_array(self._masks),
            "dice": self._dice.get_state().numpy(),
            "heard": np.array([self._heard]),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Be the trainer whose arrays these are; call it before anything else is remembered.

        Raises ValueError, KeyError or RuntimeError where they are of another shape.
        """
        restore_module(self._model, self._optimiser, below("model", arrays))
        self._table.restore(below("table", arrays))
        self.memory.add(NextItems.of(below("memory", arrays)))
        restore_numbers(self._numbers, arrays["numbers"])
        restore_numbers(self._masks, arrays["masks"])
        self._dice.set_state(torch.from_numpy(arrays["dice"].copy()))
        self._heard = int(arrays["heard"][0])

    def _picked(self) -> NDArray[np.int64]:
        """Indices into the memory: half from the latest, half from all."""
        size, batch, recent = len(self.memory), self.training.batch, self.training.recent
        if recent == 0:
            return self._numbers.integers(0, size, batch)
        late = self._numbers.integers(max(0, size - recent), size, batch // 2)
        return np.concatenate([late, self._numbers.integers(0, size, batch - batch // 2)])

    def _step(self, examples: NextItems) -> float:
        choices = self._choices()
        rows = rows_needed(choices, examples)
        leaf = self._table.values_of(rows).requires_grad_()  # [r, d]
        kept = torch.empty(len(rows), 1).bernoulli_(
            1 - self.training.forget_id, generator=self._dice
        )
        values = self._model.items(leaf * kept, self._content[rows])  # [r, d]
        dropout = Dropout(self.training.dropout, self._masks)
        loss = losses(
            self._model, Vectors(rows=rows, values=values), examples, choices, dropout
        ).mean()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        if leaf.grad is not None:
            self._table.update(rows, leaf.grad)
        return float(loss.detach())

    def _judged(
        self,
        examples: NextItems,
        model: TasteModel,
        ids: Callable[[NDArray[np.int64]], Tensor],
    ) -> Judgement:
        choices = self._judges()
        return _judgement(examples, lambda part: self._foreseen(model, ids, part, choices))

    @torch.no_grad()
    def _foreseen(
        self,
        model: TasteModel,
        ids: Callable[[NDArray[np.int64]], Tensor],
        examples: NextItems,
        choices: Choices,
    ) -> Tensor:
        """[n] loss of each example without any dropout."""
        rows = rows_needed(choices, examples)
        values = model.items(ids(rows), self._content[rows])
        dropout = Dropout(0.0, self._masks)
        return losses(model, Vectors(rows=rows, values=values), examples, choices, dropout)

    def _choices(self) -> Choices:
        return self._competitors.choose(FULL_SOFTMAX, self.training.negatives, self._numbers)

    def _judges(self) -> Choices:
        """The same for all that are judged before anything else is remembered."""
        numbers = stream(self.training.seed, "taste", "judges", self._heard)
        return self._competitors.choose(_JUDGES, _JUDGES, numbers)


def _model_of(weights: TasteWeights) -> TasteModel:
    model = TasteModel(weights.shape, torch.Generator())
    model.load(weights)
    return model


def _optimiser(model: TasteModel, training: TasteTraining) -> torch.optim.Optimizer:
    shrunk = [model.content_map, model.mix]
    named = {id(parameter) for parameter in shrunk}
    free = [parameter for parameter in model.parameters() if id(parameter) not in named]
    return torch.optim.AdamW(
        [
            {"params": shrunk, "weight_decay": training.decay},
            {"params": free, "weight_decay": 0.0},
        ],
        lr=training.rate,
    )


def _judgement(examples: NextItems, foreseen: Callable[[NextItems], Tensor]) -> Judgement:
    total = 0.0
    for start in range(0, len(examples), _JUDGED_AT_ONCE):
        total += float(foreseen(examples.slice(start, start + _JUDGED_AT_ONCE)).double().sum())
    return Judgement(loss=total / max(len(examples), 1), n=len(examples))
