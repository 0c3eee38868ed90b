"""The taste model in torch, for training. `taste.py` computes the same with numpy for serving."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from inhouse.core.ids import ItemId
from inhouse.features.content import CONTENT_DIMS
from inhouse.learning.encoding import AGE_CODES, DWELL_CODES
from inhouse.learning.taste import (
    HIGHEST_LOGIT,
    KIND_COUNT,
    TasteShape,
    TasteWeights,
    start_gain,
)

_START_SPREAD = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryTensors:
    """`Histories` for torch; `rows` are places in the item vectors beside them."""

    rows: Tensor  # int64[n, L], any valid row where padded
    there: Tensor  # bool[n, L], false where padded
    kinds: Tensor  # int64[n, L]
    ages: Tensor  # int64[n, L]
    dwells: Tensor  # int64[n, L]


class Dropout:
    """Zeroes a share of the numbers with its own randomness, so that a seed decides everything.

    One random byte a number, so the share is held to 1/256: four times as fast as `bernoulli_`,
    which would be a third of all training.
    """

    def __init__(self, share: float, generator: torch.Generator) -> None:
        self._kept = round(256 * (1 - share))  # of the 256 values of a byte
        self._generator = generator

    def __call__(self, x: Tensor) -> Tensor:
        if self._kept == 256:
            return x
        drawn = torch.empty(x.shape, dtype=torch.uint8).random_(0, 256, generator=self._generator)
        return x * (drawn < self._kept) * (256 / self._kept)


class TasteModel(nn.Module):
    """The dense part; id parts live in a table of rows beside it, updated row by row."""

    def __init__(self, shape: TasteShape, generator: torch.Generator) -> None:
        super().__init__()
        h, d = shape.weightings, shape.dims
        self.content_map = nn.Parameter(
            torch.randn(CONTENT_DIMS, d, generator=generator) * _START_SPREAD
        )
        self.place = nn.Parameter(_start_places(shape))
        self.kind = nn.Parameter(torch.zeros(h, KIND_COUNT))
        self.age = nn.Parameter(torch.zeros(h, AGE_CODES))
        self.dwell = nn.Parameter(torch.zeros(h, DWELL_CODES))
        self.gain = nn.Parameter(torch.from_numpy(start_gain(h)))
        self.mix = nn.Parameter(torch.randn(h, d, d, generator=generator) / (h * d) ** 0.5)
        self.start = nn.Parameter(torch.zeros(d))

    def items(self, id_part: Tensor, content: Tensor) -> Tensor:
        """[n, d] from id parts [n, d] and content [n, 64]."""
        return id_part + content @ self.content_map

    def people(self, vectors: Tensor, histories: HistoryTensors, dropout: Dropout) -> Tensor:
        """[n, d] from item vectors [m, d] and histories whose rows index them."""
        actions = dropout(vectors[histories.rows])  # [n, L, d]
        logits = (
            self.place[:, None, :]
            + self.kind[:, histories.kinds]
            + self.age[:, histories.ages]
            + self.dwell[:, histories.dwells]
        )  # [H, n, L]
        e = torch.exp(logits.clamp(max=HIGHEST_LOGIT)) * histories.there  # [H, n, L]
        shares = e * self.gain[:, histories.kinds] / torch.sqrt(1 + e.sum(2, keepdim=True))
        pooled = torch.einsum("hnl,nld->hnd", shares, actions)  # [H, n, d]
        mixed = torch.matmul(pooled, self.mix).sum(0)  # [H, n, d] @ [H, d, d] -> [n, d]
        return mixed + self.start

    def load(self, weights: TasteWeights) -> None:
        """Take over the dense part of trained weights."""
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(torch.from_numpy(getattr(weights, name)))

    def export(self, item_ids: tuple[ItemId, ...], id_part: Tensor) -> TasteWeights:
        """Everything learned, as arrays of their own."""
        dense = {
            name: parameter.detach().numpy().astype(np.float32, copy=True)
            for name, parameter in self.named_parameters()
        }
        rows = id_part.detach().numpy().astype(np.float32, copy=True)
        return TasteWeights(item_ids=item_ids, id_part=rows, **dense)


def _start_places(shape: TasteShape) -> Tensor:
    """[H, L]: each weighting forgets more slowly than the one before, the last not at all."""
    back = torch.arange(shape.length - 1, -1, -1, dtype=torch.float32)  # [L], 0 for the newest
    rates = [0.7 * 0.3**h for h in range(shape.weightings - 1)] + [0.0]
    return torch.stack([-rate * back for rate in rates])
