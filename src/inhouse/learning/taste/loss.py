"""The loss of the taste model: -log p of the wanted item among those it is compared with."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inhouse.learning.encoding import Histories
from inhouse.learning.examples.types import NextItems
from inhouse.learning.taste.competitors import Choices
from inhouse.learning.taste.model import Dropout, HistoryTensors, TasteModel


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
