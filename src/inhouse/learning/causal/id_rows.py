"""The id parts of a batch training: AdamW and a moving average, row by row.

A step costs what it touches. Where every row is touched at every step, it equals torch's AdamW.
The average of a row that was not touched for k steps is caught up at once, its value having stood
still:

    a <- v + beta^k (a - v)
"""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BETA_1: Final = 0.9
_BETA_2: Final = 0.999
_EPSILON: Final = 1e-8


class IdRows:
    """A table of learned rows."""

    def __init__(self, values: Tensor, *, rate: float, decay: float, averaging: float) -> None:
        self.values = values  # [items, d]
        self._rate, self._decay, self._averaging = rate, decay, averaging
        self._first, self._second = torch.zeros_like(values), torch.zeros_like(values)
        self._average = values.clone()
        self._steps = torch.zeros((len(values), 1), device=values.device)  # of each row
        self._seen = torch.zeros((len(values), 1), device=values.device)  # when it was averaged
        self._now = 0  # steps of the table

    def update(self, rows: Tensor, gradient: Tensor) -> None:
        """One step for different rows: int64[r] and [r, d]."""
        old = self.values[rows]
        slept = self._averaging ** (self._now - self._seen[rows])  # [r, 1]
        self._now += 1
        steps = self._steps[rows] + 1  # [r, 1]
        first = self._first[rows].lerp_(gradient, 1 - _BETA_1)  # [r, d]
        second = self._second[rows].lerp_(gradient.square(), 1 - _BETA_2)  # [r, d]
        mean = first / (1 - _BETA_1**steps)
        spread = (second / (1 - _BETA_2**steps)).sqrt_().add_(_EPSILON)
        new = old * (1 - self._rate * self._decay) - self._rate * mean / spread
        average = torch.lerp(old, self._average[rows], slept)
        self._average[rows] = average.lerp_(new, 1 - self._averaging)
        self._seen[rows], self._steps[rows] = float(self._now), steps
        self._first[rows], self._second[rows], self.values[rows] = first, second, new

    def averages(self) -> Tensor:
        """[items, d] the moving average as of now."""
        slept = self._averaging ** (self._now - self._seen)
        return torch.lerp(self.values, self._average, slept)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything, for a checkpoint."""
        found = {name: getattr(self, name).cpu().numpy().copy() for name in _KEPT}
        return {**found, "_now": np.array([self._now])}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Be the table whose arrays these are."""
        for name in _KEPT:
            getattr(self, name).copy_(torch.from_numpy(arrays[name]))
        self._now = int(arrays["_now"][0])


_KEPT: Final = ("values", "_first", "_second", "_average", "_steps", "_seen")
