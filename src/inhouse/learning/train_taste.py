"""Training of the taste model: rehearsed mini-batches, all of the softmax or a corrected sample.

Up to `FULL_SOFTMAX` wanted items the loss is the whole softmax. Beyond, K negatives are drawn for
each batch from q, half even and half by count^0.75, and the sum over all is estimated:

    loss = -u.v_t + log(exp(u.v_t) + sum_j exp(u.v_j - log(K q_j)))

(log-Q correction: Bengio and Senecal, 2008; Yi et al., RecSys 2019). Both leave out what the person
had already touched, since the feed never offers it again. An item's id part exists from the day it
was first wanted: before that it is no negative either, so a new item is judged by content alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inhouse.core.ids import ItemId
from inhouse.core.random import stream
from inhouse.features.content import CONTENT_DIMS
from inhouse.learning.examples import Judgement, NextItems
from inhouse.learning.memory import NextItemMemory
from inhouse.learning.model import Dropout, TasteModel
from inhouse.learning.taste import Floats, TasteShape, TasteWeights
from inhouse.learning.train_loss import (
    Choices,
    Vectors,
    by_popularity,
    cross_entropy,
    evenly,
    losses,
    rows_needed,
    whole,
)
from inhouse.learning.train_rows import RowTable

FULL_SOFTMAX: Final = 10_000  # wanted items up to which every one is scored
_JUDGES: Final = 5_000  # items that an answer is compared with when it is judged
_JUDGED_AT_ONCE: Final = 512


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
        self._table = RowTable(training.shape.dims, rate=training.rate, decay=training.decay)
        self._optimiser = _optimiser(self._model, training)
        self._content = torch.zeros((0, CONTENT_DIMS))
        self._counts = np.zeros(0, dtype=np.int64)  # [items] how often each was wanted

    def grow(self, content: Floats) -> None:
        """Hear of all items there are: float32[count, 64], in the order of the item table.

        The array is not copied, so it must not be written to but by a further call.
        """
        self._content = torch.from_numpy(content)
        more = len(content) - len(self._counts)
        self._counts = np.concatenate([self._counts, np.zeros(more, dtype=np.int64)])
        self._table.grow(len(content))

    def remember(self, examples: NextItems) -> None:
        """Take examples into the memory; their items become choices."""
        self.memory.add(examples)
        np.add.at(self._counts, examples.targets, 1)
        wanted = np.unique(examples.targets)
        self._table.activate(wanted[~self._table.active[wanted]], self._dice)

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

    def judge(self, examples: NextItems, weights: TasteWeights | None = None) -> Judgement:
        """Loss on examples, by this model or by `weights` whose rows are the table's first.

        Both are compared with the same items, so their losses may be compared.
        """
        model, ids = self._model, self._table.values
        if weights is not None:
            model = TasteModel(weights.shape, torch.Generator())
            model.load(weights)
            ids = torch.zeros((len(self._counts), weights.shape.dims))
            ids[: len(weights.id_part)] = torch.from_numpy(weights.id_part)
        choices = self._judges()
        return _judgement(examples, lambda part: self._foreseen(model, ids, part, choices))

    def judge_popularity(self, examples: NextItems) -> Judgement:
        """The loss of the simplest model: everybody wants each item as often as it was wanted."""
        choices = self._judges()
        logits = torch.from_numpy(np.log1p(self._counts).astype(np.float32))

        def foreseen(part: NextItems) -> Tensor:
            others = (logits[choices.rows] - choices.correction).expand(len(part), -1)
            return cross_entropy(logits[part.targets.astype(np.int64)], others, choices, part)

        return _judgement(examples, foreseen)

    def export(self, item_ids: tuple[ItemId, ...]) -> TasteWeights:
        """What was learned so far; `item_ids` names the rows of the table in order."""
        return self._model.export(item_ids, self._table.values)

    def resume(self, weights: TasteWeights) -> None:
        """Go on from weights whose rows are the table's first; the optimisers start anew."""
        self._model.load(weights)
        self._table.load(torch.from_numpy(weights.id_part))
        self._optimiser = _optimiser(self._model, self.training)

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
        leaf = self._table.values[rows].requires_grad_()  # [r, d]
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
            self._table.update(torch.from_numpy(rows), leaf.grad)
        return float(loss.detach())

    @torch.no_grad()
    def _foreseen(
        self, model: TasteModel, ids: Tensor, examples: NextItems, choices: Choices
    ) -> Tensor:
        """[n] loss of each example without any dropout."""
        rows = rows_needed(choices, examples)
        values = model.items(ids[rows], self._content[rows])
        dropout = Dropout(0.0, self._masks)
        return losses(model, Vectors(rows=rows, values=values), examples, choices, dropout)

    def _choices(self) -> Choices:
        rows = np.flatnonzero(self._table.active)
        if len(rows) <= FULL_SOFTMAX:
            return whole(rows)
        return by_popularity(rows, self._counts, self.training.negatives, self._numbers)

    def _judges(self) -> Choices:
        rows = np.flatnonzero(self._table.active)
        if len(rows) <= _JUDGES:
            return whole(rows)
        return evenly(rows, _JUDGES, stream(self.training.seed, "taste", "judges", len(rows)))


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
