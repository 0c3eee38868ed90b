"""The softmax over many items with its gradients, a slice of the positions at a time.

The logits of thousands of positions over a whole catalogue are larger than any cache, and autograd
would keep several copies of them. Here the gradients are computed along with the loss, slice by
slice, and only those of the two factors are kept.
"""

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

_SLICE: Final = 1_024  # positions at once


@dataclass(frozen=True, kw_only=True, slots=True)
class Softmax:
    """Which items compete at each position, and how exactly it is computed."""

    targets: Tensor  # int64[n] column of each position's answer
    left_out: Tensor  # int64[n, p] columns that do not compete there, -1 for none
    correction: Tensor | None = None  # [c] subtracted from the logits: log of draws expected
    dtype: torch.dtype = torch.float32  # of the products: bfloat16 is twice as fast where built in

    def on(self, device: torch.device, dtype: torch.dtype) -> "Softmax":
        """The same on a device, with its way of computing."""
        return Softmax(
            targets=self.targets.to(device),
            left_out=self.left_out.to(device),
            correction=None if self.correction is None else self.correction.to(device),
            dtype=dtype,
        )


class _MeanLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, people: Tensor, items: Tensor, softmax: Softmax) -> Tensor:
        n = max(len(people), 1)
        low_items = items.to(softmax.dtype)
        people_grad, items_grad = torch.empty_like(people), torch.zeros_like(items)
        total = torch.zeros((), dtype=torch.float64)
        for start in range(0, len(people), _SLICE):
            part = slice(start, start + _SLICE)
            low_people = people[part].to(softmax.dtype)
            logits = low_people @ low_items.T  # [s, d] @ [d, c] -> [s, c]
            if softmax.correction is not None:
                logits -= softmax.correction.to(softmax.dtype)
            _leave_out(logits, softmax.left_out[part])
            shares = torch.softmax(logits, 1)  # [s, c]
            answers = softmax.targets[part, None]
            wanted = shares.gather(1, answers).float()  # [s, 1]
            total -= wanted.clamp_min(1e-30).log().double().sum()
            shares.scatter_(1, answers, (wanted - 1).to(softmax.dtype))
            people_grad[part] = (shares @ low_items).float()  # [s, c] @ [c, d] -> [s, d]
            items_grad += shares.T @ low_people  # [c, s] @ [s, d] -> [c, d]
        ctx.save_for_backward(people_grad / n, items_grad / n)
        return (total / n).float()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        people_grad, items_grad = ctx.saved_tensors
        return people_grad * grad, items_grad * grad, None


def mean_loss(people: Tensor, items: Tensor, softmax: Softmax) -> Tensor:
    """Mean of -log p of the answers, p_t = exp(u.v_t) / sum_j exp(u.v_j - correction_j).

    people: float32[n, d], 0 where n is 0. items: float32[c, d]. Differentiable once, in both.
    """
    loss: Tensor = _MeanLoss.apply(people, items, softmax)  # type: ignore[no-untyped-call]
    return loss


def _leave_out(logits: Tensor, columns: Tensor) -> None:
    rows, places = torch.nonzero(columns >= 0, as_tuple=True)
    flat = rows * logits.shape[1] + columns[rows, places]
    logits.view(-1).index_fill_(0, flat, float("-inf"))
