"""Blocks that `inhouse.learning.causal` could be made of, beside the one that it is.

All are called as its own block is, and are told distance the same way, so that what differs is the
block. Sources stand at each; where a paper's block reads time gaps, ours has them in its input.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from inhouse.learning.causal.serving import CausalShape
from inhouse.learning.taste.model import Dropout


def _near(table: Tensor, distance: Tensor) -> Tensor:
    """[H, L, L] of float32[L, H] by distance."""
    return functional.embedding(distance, table).permute(2, 0, 1)


def _heads(x: Tensor, heads: int) -> Tensor:
    """[n, L, d] to [n, H, L, d / H]"""
    n, length, d = x.shape
    return x.view(n, length, heads, d // heads).transpose(1, 2)


def _flat(x: Tensor) -> Tensor:
    """[n, H, L, d / H] to [n, L, d]"""
    n, heads, length, part = x.shape
    return x.transpose(1, 2).reshape(n, length, heads * part)


class PlainBlock(nn.Module):
    """SASRec's: attention and two layers, each added as it is (Kang and McAuley, 2018, III)."""

    def __init__(self, shape: CausalShape) -> None:
        super().__init__()
        d = shape.dims
        self.heads = shape.heads
        self.norm_read = nn.LayerNorm(d)
        self.query_key_value = nn.Linear(d, 3 * d, bias=False)
        self.near = nn.Parameter(torch.zeros(shape.length, shape.heads))
        self.read = nn.Linear(d, d, bias=False)
        self.norm_think = nn.LayerNorm(d)
        self.up = nn.Linear(d, d)
        self.down = nn.Linear(d, d)

    def forward(self, x: Tensor, hidden: Tensor, distance: Tensor, dropout: Dropout) -> Tensor:
        """[n, L, d]. hidden: [n, 1, L, L], added to the logits. distance: int64[L, L]."""
        d = x.shape[2]
        parts = self.query_key_value(self.norm_read(x)).chunk(3, dim=2)
        q, k, v = (_heads(part, self.heads) for part in parts)  # [n, H, L, d / H] each
        logits = (q @ k.transpose(2, 3)) * (d / self.heads) ** -0.5
        logits = logits + _near(self.near, distance) + hidden
        shares = dropout(torch.softmax(logits.float(), 3).to(v.dtype))  # [n, H, L, L]
        x = x + dropout(self.read(_flat(shares @ v)))
        thought = functional.relu(self.up(self.norm_think(x)))
        return x + dropout(self.down(dropout(thought)))


class HstuBlock(nn.Module):
    """HSTU: silu in the place of the softmax, and the gate is all its thinking.

    y = norm(silu(q k' + near) v / reach) * silu(u); x + y W (Zhai et al., ICML 2024, 3.1).
    """

    def __init__(self, shape: CausalShape) -> None:
        super().__init__()
        d = shape.dims
        self.heads = shape.heads
        self.norm_read = nn.LayerNorm(d)
        self.parts = nn.Linear(d, 4 * d, bias=False)
        self.near = nn.Parameter(torch.zeros(shape.length, shape.heads))
        self.norm_found = nn.LayerNorm(d)
        self.out = nn.Linear(d, d)

    def forward(self, x: Tensor, hidden: Tensor, distance: Tensor, dropout: Dropout) -> Tensor:
        """[n, L, d]. hidden: [n, 1, L, L], added to the logits. distance: int64[L, L]."""
        parts = functional.silu(self.parts(self.norm_read(x))).chunk(4, dim=2)
        gate = parts[0]  # [n, L, d]
        q, k, v = (_heads(part, self.heads) for part in parts[1:])  # [n, H, L, d / H] each
        shares = _pointwise(q @ k.transpose(2, 3) + _near(self.near, distance), hidden)
        found = self.norm_found(_flat(shares @ v)) * gate
        return x + dropout(self.out(dropout(found)))


class FuxiBlock(nn.Module):
    """FuXi-alpha: what is alike and where it stands are read apart, then thought over.

    y = norm([silu(q k') v / reach, near v]) * silu(u); x + y W, then a gated unit (Ye et al., WWW
    2025, 4.2 and 4.3). Its third channel, of times, has no times here.
    """

    def __init__(self, shape: CausalShape) -> None:
        super().__init__()
        d, wide = shape.dims, shape.widen * shape.dims
        self.heads = shape.heads
        self.norm_read = nn.LayerNorm(d)
        self.parts = nn.Linear(d, 5 * d, bias=False)
        self.near = nn.Parameter(torch.zeros(shape.length, shape.heads))
        self.norm_found = nn.LayerNorm(2 * d)
        self.out = nn.Linear(2 * d, d)
        self.norm_think = nn.LayerNorm(d)
        self.up = nn.Linear(d, 2 * wide, bias=False)
        self.down = nn.Linear(wide, d, bias=False)

    def forward(self, x: Tensor, hidden: Tensor, distance: Tensor, dropout: Dropout) -> Tensor:
        """[n, L, d]. hidden: [n, 1, L, L], added to the logits. distance: int64[L, L]."""
        d = x.shape[2]
        told = functional.silu(self.parts(self.norm_read(x)))
        gate = told[..., : 2 * d]  # [n, L, 2 d]
        q, k, v = (_heads(part, self.heads) for part in told[..., 2 * d :].chunk(3, dim=2))
        alike = _pointwise(q @ k.transpose(2, 3), hidden) @ v  # [n, H, L, d / H]
        allowed = (hidden == 0).to(v.dtype)
        placed = (_near(self.near, distance).to(v.dtype) * allowed) @ v  # [n, H, L, d / H]
        found = self.norm_found(torch.cat([_flat(alike), _flat(placed)], dim=2)) * gate
        x = x + dropout(self.out(dropout(found)))
        gate, value = self.up(self.norm_think(x)).chunk(2, dim=2)  # [n, L, widen * d] each
        return x + dropout(self.down(dropout(functional.silu(gate) * value)))


def _pointwise(logits: Tensor, hidden: Tensor) -> Tensor:
    """silu of each logit that may be read, divided by how many those are."""
    allowed = (hidden == 0).to(logits.dtype)  # [n, 1, L, L]
    reach = allowed.sum(3, keepdim=True).clamp_min(1)
    return functional.silu(logits) * allowed / reach
