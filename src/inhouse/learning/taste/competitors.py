"""Which items an answer is compared with, and how much each of them stands for.

Up to a number of rows all compete. Beyond it those still do that are wanted by what is remembered,
and an even sample stands for the rest, which nobody asks for any more; where even the wanted ones
are too many, n are drawn, half by how often they are wanted and half evenly. With e_j how often
item j is expected among the draws and k_j how often it came, the sum over all is estimated without
bias by

    sum_j (k_j / e_j) exp(u.v_j) = sum_j exp(u.v_j - log(e_j / k_j))

(log-Q correction: Bengio and Senecal, 2008; Yi et al., RecSys 2019).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inhouse.learning.examples.memory import NextItemMemory
from inhouse.learning.taste.rows import RowTable, Sample

Keys = NDArray[np.int64]

_SAMPLED: Final = 4  # beside the wanted ones, one in so many of the draws


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """The items that answers are compared with."""

    rows: Keys  # [c] different items, rising
    correction: Tensor  # [c] subtracted from their logits: log of how little one stands for


class Competitors:
    """Draws from the items that have rows."""

    def __init__(self, table: RowTable, memory: NextItemMemory) -> None:
        self._table, self._memory = table, memory

    def choose(self, whole_up_to: int, n: int, numbers: np.random.Generator) -> Choices:
        """All of them, all that are wanted with a sample of the others, or n draws."""
        if len(self._table) <= whole_up_to:
            return whole(self._table.keys())
        wanted = self._memory.wanted()
        if len(wanted) <= whole_up_to:
            others = self._table.some(n // _SAMPLED, numbers)
            return beside(wanted[self._table.has(wanted)], others)
        return mixed(self._memory, self._table, n, numbers)


def whole(rows: Keys) -> Choices:
    """Every one of the items, each standing for itself."""
    return Choices(rows=rows, correction=torch.zeros(len(rows)))


def beside(wanted: Keys, others: Sample) -> Choices:
    """The wanted ones, rising, each for itself, and others, who stand for all that are not."""
    drawn, repeats = np.unique(others.keys, return_counts=True)
    rest = ~np.isin(drawn, wanted)
    stand_for = np.log(others.expected / repeats[rest])
    return _sorted(
        np.concatenate([wanted, drawn[rest]]),
        np.concatenate([np.zeros(len(wanted)), stand_for]),
    )


def mixed(memory: NextItemMemory, table: RowTable, n: int, numbers: np.random.Generator) -> Choices:
    """n draws, half by how often something is wanted, half evenly."""
    late = memory.targets(numbers.integers(0, len(memory), n // 2))
    even = table.some(n - n // 2, numbers)
    drawn, repeats = np.unique(np.concatenate([late, even.keys]), return_counts=True)
    has_row = table.has(drawn)
    drawn, repeats = drawn[has_row], repeats[has_row]
    expected = even.expected + n // 2 * memory.times_wanted(drawn) / len(memory)
    return Choices(rows=drawn, correction=_tensor(np.log(expected / repeats)))


def _sorted(rows: Keys, correction: NDArray[np.float64]) -> Choices:
    order = np.argsort(rows)
    return Choices(rows=rows[order], correction=_tensor(correction[order]))


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
