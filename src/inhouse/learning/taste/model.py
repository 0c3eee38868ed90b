"""The taste model in torch, for training. `arrays.py` computes the same with numpy for serving."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inhouse.core.ids import ItemId
from inhouse.features.content import CONTENT_DIMS
from inhouse.learning.encoding import AGE_CODES, DWELL_CODES
from inhouse.learning.taste.arrays import (
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
    """Zeroes a share of the numbers, in 256ths, by bytes of its own generator.

    A seed decides everything, and a byte a number costs a fifth of torch's own draws.
    """

    def __init__(self, share: float, numbers: np.random.Generator) -> None:
        self._below = round(share * 256)
        self._numbers = numbers

    def __call__(self, x: Tensor) -> Tensor:
        if self._below == 0:
            return x
        bytes_ = np.frombuffer(self._numbers.bytes(x.numel()), dtype=np.uint8)
        kept = np.float32(256 / (256 - self._below))
        mask = (bytes_ >= self._below).astype(np.float32) * kept
        return x * torch.from_numpy(mask).view(x.shape)


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
        actions = dropout(functional.embedding(histories.rows, vectors))  # [n, L, d]
        told = (
            functional.embedding(histories.kinds, self.kind.T)
            + functional.embedding(histories.ages, self.age.T)
            + functional.embedding(histories.dwells, self.dwell.T)
        )  # [n, L, H]
        logits = self.place[:, None, :] + told.permute(2, 0, 1)  # [H, n, L]
        gain = functional.embedding(histories.kinds, self.gain.T).permute(2, 0, 1)  # [H, n, L]
        e = torch.exp(logits.clamp(max=HIGHEST_LOGIT)) * histories.there  # [H, n, L]
        shares = e * gain / torch.sqrt(1 + e.sum(2, keepdim=True))
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
