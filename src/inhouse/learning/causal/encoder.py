"""The causal encoder in torch: every place of a sequence foresees the next item from those so far.

Blocks of attention and a gated linear unit, each read through a norm and let into the stream by a
learned gate (LiGR: Borisyuk et al., arXiv 2502.03417; eSASRec: Tikhonovich et al., RecSys 2025).
Where an action stands is told by a learned bias of each head and distance (T5: Raffel et al., JMLR
2020, 2.1), so that a person's stretch may stand anywhere in a row. `serving.py` computes the
same with numpy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from inhouse.learning.causal.serving import CausalShape
from inhouse.learning.encoding import AGE_CODES, DWELL_CODES
from inhouse.learning.taste.arrays import KIND_COUNT
from inhouse.learning.taste.model import Dropout

_UNSEEN: Final = -1e4  # added to the logit of what must not be read
_SPREAD: Final = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Rows of L places; what stands there beside its item."""

    people: Tensor  # int64[n, L] number of the stretch in its row, -1 where padded
    codes: Tensor  # int64[n, L, 3] kind of the action, gap since the one before, dwell

    def on(self, device: torch.device) -> "Rows":
        """The same on a device."""
        return Rows(people=self.people.to(device), codes=self.codes.to(device))


class CausalBlock(nn.Module):
    """Attention, then a gated linear unit: x + gate(x) * f(norm(x)) for each."""

    def __init__(self, shape: CausalShape) -> None:
        super().__init__()
        d, wide = shape.dims, shape.widen * shape.dims
        self.heads = shape.heads
        self.norm_read = nn.LayerNorm(d)
        self.query_key_value = nn.Linear(d, 3 * d, bias=False)
        self.near = nn.Parameter(torch.zeros(shape.length, shape.heads))  # by distance
        self.read = nn.Linear(d, d, bias=False)
        self.gate_read = nn.Linear(d, d)
        self.norm_think = nn.LayerNorm(d)
        self.up = nn.Linear(d, 2 * wide)
        self.down = nn.Linear(wide, d)
        self.gate_think = nn.Linear(d, d)

    def forward(self, x: Tensor, hidden: Tensor, distance: Tensor, dropout: Dropout) -> Tensor:
        """[n, L, d]. hidden: [n, 1, L, L], added to the logits. distance: int64[L, L]."""
        n, length, d = x.shape
        h = self.norm_read(x)
        q, k, v = self.query_key_value(h).view(n, length, 3, self.heads, -1).unbind(2)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))  # [n, H, L, d / H]
        near = functional.embedding(distance, self.near).permute(2, 0, 1)  # [H, L, L]
        logits = (q @ k.transpose(2, 3)) * (d / self.heads) ** -0.5 + near + hidden
        shares = dropout(torch.softmax(logits.float(), 3).to(v.dtype))  # [n, H, L, L]
        read = (shares @ v).transpose(1, 2).reshape(n, length, d)  # [n, L, d]
        x = x + dropout(self.read(read)) * torch.sigmoid(self.gate_read(h))
        h = self.norm_think(x)
        gate, value = self.up(h).chunk(2, dim=2)  # [n, L, widen * d] each
        thought = self.down(dropout(functional.silu(gate) * value))  # [n, L, d]
        return x + dropout(thought) * torch.sigmoid(self.gate_think(h))


Block = Callable[[CausalShape], nn.Module]  # what reads and thinks, called as `CausalBlock` is


class CausalEncoder(nn.Module):
    """From item vectors and codes to what is wanted next, at every place."""

    distance: Tensor
    later: Tensor

    def __init__(
        self, shape: CausalShape, generator: torch.Generator, block: Block = CausalBlock
    ) -> None:
        """block: another than ours is for comparison, `serving.py` knows ours alone."""
        super().__init__()
        d = shape.dims
        self.kind = nn.Parameter(torch.zeros(KIND_COUNT, d))
        self.gap = nn.Parameter(torch.zeros(AGE_CODES, d))
        self.dwell = nn.Parameter(torch.zeros(DWELL_CODES, d))
        self.blocks = nn.ModuleList(block(shape) for _ in range(shape.blocks))
        self.norm = nn.LayerNorm(d)
        back = torch.arange(shape.length)
        self.register_buffer("distance", (back[:, None] - back).clamp(min=0), persistent=False)
        self.register_buffer("later", back > back[:, None], persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=_SPREAD, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, items: Tensor, rows: Rows, dropout: Dropout) -> Tensor:
        """[n, L, d] of item vectors [n, L, d]: who stands there wants items along this vector."""
        length = items.shape[1]
        kinds, gaps, dwells = rows.codes.unbind(2)  # [n, L] each
        told = (
            functional.embedding(kinds, self.kind)
            + functional.embedding(gaps, self.gap)
            + functional.embedding(dwells, self.dwell)
        )  # [n, L, d]
        x = dropout(items + told)
        others = rows.people[:, :, None] != rows.people[:, None, :]  # [n, L, L]
        hidden = (others | self.later[:length, :length]).to(x.dtype) * _UNSEEN
        distance = self.distance[:length, :length]
        for block in self.blocks:
            x = block(x, hidden[:, None], distance, dropout)
        out: Tensor = self.norm(x)
        return out
