"""The loss of the taste model: -log p of the wanted item among those it is compared with."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inhouse.learning.encoding import Histories
from inhouse.learning.examples import NextItems
from inhouse.learning.model import Dropout, HistoryTensors, TasteModel


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """The items that answers are compared with."""

    rows: NDArray[np.int64]  # [c] different items, rising
    correction: Tensor  # [c] subtracted from their logits: log of how often one stands for many


def whole(rows: NDArray[np.int64]) -> Choices:
    """Every one of the items, each standing for itself."""
    return Choices(rows=rows, correction=torch.zeros(len(rows)))


def evenly(rows: NDArray[np.int64], n: int, numbers: np.random.Generator) -> Choices:
    """n of the items drawn evenly without repeats, each standing for len(rows) / n."""
    drawn = np.sort(numbers.choice(rows, n, replace=False))
    return Choices(rows=drawn, correction=torch.full((n,), float(np.log(n / len(rows)))))


class Popular:
    """Draws items from q, half even and half by count^0.75.

    Making one takes the whole table, a draw of n takes n log of it.
    """

    def __init__(self, rows: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """rows: the items, rising; counts: how often each was wanted."""
        self.rows, self._counts = rows, counts
        raised = np.maximum(counts, 1) ** 0.75
        self._q = 0.5 / len(rows) + 0.5 * raised / raised.sum()
        self._below = np.cumsum(self._q)

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """What it was made of."""
        return {"rows": self.rows, "counts": self._counts}

    def draw(self, n: int, numbers: np.random.Generator) -> Choices:
        """n draws with repeats, corrected by log(n q).

        An item drawn k times stands there once, with k times the weight.
        """
        thrown = numbers.random(n) * self._below[-1]
        places = np.searchsorted(self._below, thrown, side="right")
        drawn, repeats = np.unique(np.minimum(places, len(self.rows) - 1), return_counts=True)
        correction = np.log(n * self._q[drawn] / repeats).astype(np.float32)
        return Choices(rows=self.rows[drawn], correction=torch.from_numpy(correction))


def rows_needed(choices: Choices, examples: NextItems) -> NDArray[np.int64]:
    """The different items whose vectors a batch needs, rising: int64[r]."""
    histories = examples.histories.items
    answered = examples.targets.astype(np.int64)
    acted_on = histories[histories >= 0].astype(np.int64)
    return np.unique(np.concatenate([choices.rows, answered, acted_on]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Vectors:
    """Item vectors of the rows a batch needs."""

    rows: NDArray[np.int64]  # [r] different items, rising
    values: Tensor  # [r, d]

    def places(self, items: NDArray[np.integer]) -> Tensor:
        """Where items stand in `values`, int64 of the same shape; 0 for padding."""
        return torch.from_numpy(np.searchsorted(self.rows, np.maximum(items, self.rows[0])))


def losses(
    model: TasteModel, vectors: Vectors, examples: NextItems, choices: Choices, dropout: Dropout
) -> Tensor:
    """[n] -log p of each answer."""
    people = dropout(
        model.people(vectors.values, history_tensors(vectors, examples.histories), dropout)
    )  # [n, d]
    answers = (people * vectors.values[vectors.places(examples.targets)]).sum(1)  # [n]
    others = people @ vectors.values[vectors.places(choices.rows)].T  # [n, d] @ [d, c] -> [n, c]
    return cross_entropy(answers, others - choices.correction, choices, examples)


def cross_entropy(answers: Tensor, others: Tensor, choices: Choices, examples: NextItems) -> Tensor:
    """[n] from the answers' logits [n] and everything else's [n, c].

    The answer itself and what the person had touched before do not count among the others.
    """
    others = others.masked_fill(_left_out(choices, examples), float("-inf"))
    return torch.logsumexp(torch.cat([answers[:, None], others], dim=1), dim=1) - answers


def _left_out(choices: Choices, examples: NextItems) -> Tensor:
    """bool[n, c]"""
    c = len(choices.rows)
    touched = np.concatenate([examples.histories.items, examples.targets[:, None]], axis=1)
    places = np.minimum(np.searchsorted(choices.rows, touched), c - 1)  # [n, L + 1]
    places = np.where(choices.rows[places] == touched, places, c)
    mask = torch.zeros((len(examples), c + 1), dtype=torch.bool)
    return mask.scatter_(1, torch.from_numpy(places), True)[:, :c]


def history_tensors(vectors: Vectors, histories: Histories) -> HistoryTensors:
    """Histories for torch, their rows being places in `vectors`."""
    return HistoryTensors(
        rows=vectors.places(histories.items),
        there=torch.from_numpy(histories.items >= 0),
        kinds=torch.from_numpy(histories.kinds.astype(np.int64)),
        ages=torch.from_numpy(histories.ages.astype(np.int64)),
        dwells=torch.from_numpy(histories.dwells.astype(np.int64)),
    )
