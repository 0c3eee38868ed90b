"""Losses that the causal model could be taught by, beside the softmax that it is taught by.

Each is called as `inhouse.learning.causal.softmax.mean_loss` is: people [n, d], items [c, d] that
compete, and which column answers. What a person had does not compete here either.
"""

import torch
from torch import Tensor
from torch.nn import functional

from inhouse.learning.causal.softmax import Softmax

_NEGATIVES = 256
_TEMPERED = 0.75  # t: how far the overconfidence of sampling is taken back
_AT_ONCE = 1_024


def gbce(people: Tensor, items: Tensor, softmax: Softmax) -> Tensor:
    """Generalised binary cross-entropy with 256 even negatives for each answer.

    -(beta log s(u.v_t) + sum_j log(1 - s(u.v_j)))
    beta = a (t (1 - 1 / a) + 1 / a),  a = K / (c - 1)

    (Petrov and Macdonald, gSASRec, RecSys 2023, 4.2 and 5.1.) Randomness is torch's own.
    """
    count = len(items)
    alpha = _NEGATIVES / (count - 1)
    beta = alpha * (_TEMPERED * (1 - 1 / alpha) + 1 / alpha)
    drawn = torch.randint(0, count, (len(people), _NEGATIVES))
    total = people.new_zeros(())
    for start in range(0, len(people), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        # One product with all, then picking, costs less than picking 256 vectors for each place.
        logits = people[part] @ items.T  # [s, c]
        logits = _without(logits, softmax.left_out[part])
        total = total + _gbce_of(logits, softmax.targets[part], drawn[part], beta)
    return total / max(len(people), 1)


def _without(logits: Tensor, columns: Tensor) -> Tensor:
    """[s, c] with no chance for some columns of each row, -1 for none."""
    rows, places = torch.nonzero(columns >= 0, as_tuple=True)
    flat = rows * logits.shape[1] + columns[rows, places]
    return logits.reshape(-1).index_fill(0, flat, float("-inf")).view_as(logits)


def _gbce_of(logits: Tensor, answers: Tensor, drawn: Tensor, beta: float) -> Tensor:
    wanted = logits.gather(1, answers[:, None])[:, 0]  # [s]
    others = logits.gather(1, drawn)  # [s, K]
    others = others.masked_fill(drawn == answers[:, None], float("-inf"))
    return -(beta * functional.logsigmoid(wanted).sum() + functional.logsigmoid(-others).sum())
