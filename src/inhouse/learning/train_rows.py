"""A table of learned rows with its own optimiser: a step costs what it touches, not the table."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BETA_1: Final = 0.9
_BETA_2: Final = 0.999
_EPSILON: Final = 1e-8
_SPREAD: Final = 0.05


class RowTable:
    """Adam with decoupled weight decay, each row counting its own steps.

    Where every row is touched at every step it equals torch's AdamW. Rows that are not active stay
    at zero and are never moved.
    """

    def __init__(self, dims: int, *, rate: float, decay: float) -> None:
        self._rate, self._decay = rate, decay
        self._count = 0
        self._values, self._first, self._second = (torch.zeros((0, dims)) for _ in range(3))
        self._steps = torch.zeros((0, 1))
        self.active: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)

    @property
    def values(self) -> Tensor:
        """[count, d]"""
        return self._values[: self._count]

    def grow(self, count: int) -> None:
        """Have at least so many rows, new ones inactive and zero."""
        if count > len(self._values):
            more = max(count, 2 * len(self._values)) - len(self._values)
            self._values = _longer(self._values, more)
            self._first = _longer(self._first, more)
            self._second = _longer(self._second, more)
            self._steps = _longer(self._steps, more)
        self.active = np.concatenate([self.active, np.zeros(count - self._count, dtype=np.bool_)])
        self._count = count

    def activate(self, rows: NDArray[np.integer], generator: torch.Generator) -> None:
        """Let rows be learned from now on; they start near zero."""
        self.active[rows] = True
        start = torch.randn((len(rows), self._values.shape[1]), generator=generator)
        self._values[torch.from_numpy(rows.astype(np.int64))] = start * _SPREAD

    def load(self, values: Tensor) -> None:
        """Take over trained rows, the table's first; rows of zeros are inactive."""
        self._values[: len(values)] = values
        self.active[: len(values)] = (values != 0).any(1).numpy()
        for state in (self._first, self._second, self._steps):
            state.zero_()

    def update(self, rows: Tensor, gradient: Tensor) -> None:
        """One step for different rows: int64[r] and [r, d]."""
        learned = torch.from_numpy(self.active)[rows]
        rows, gradient = rows[learned], gradient[learned]
        steps = self._steps[rows] + 1  # [r, 1]
        first = _BETA_1 * self._first[rows] + (1 - _BETA_1) * gradient  # [r, d]
        second = _BETA_2 * self._second[rows] + (1 - _BETA_2) * gradient**2  # [r, d]
        self._steps[rows], self._first[rows], self._second[rows] = steps, first, second
        mean = first / (1 - _BETA_1**steps)
        spread = torch.sqrt(second / (1 - _BETA_2**steps)) + _EPSILON
        shrunk = self._values[rows] * (1 - self._rate * self._decay)
        self._values[rows] = shrunk - self._rate * mean / spread


def _longer(part: Tensor, more: int) -> Tensor:
    return torch.cat([part, torch.zeros((more, part.shape[1]))])
