"""The sliced softmax against autograd."""

import pytest
import torch
from torch import Tensor

from inhouse.learning.causal import softmax as module
from inhouse.learning.causal.softmax import Softmax, mean_loss


def _plain(people: Tensor, items: Tensor, softmax: Softmax) -> Tensor:
    """The formula by autograd, all at once."""
    logits = people @ items.T
    if softmax.correction is not None:
        logits = logits - softmax.correction
    allowed = torch.ones_like(logits, dtype=torch.bool)
    for row, columns in enumerate(softmax.left_out):
        allowed[row, columns[columns >= 0]] = False
    shares = torch.log_softmax(logits.masked_fill(~allowed, float("-inf")), 1)
    return -shares[torch.arange(len(people)), softmax.targets].mean()


@pytest.mark.parametrize("correction", [None, torch.linspace(-2, 0, 30)])
def test_loss_and_gradients_are_those_of_the_formula(
    monkeypatch: pytest.MonkeyPatch, correction: Tensor | None
) -> None:
    """However the positions are sliced, and with items left out and corrected."""
    monkeypatch.setattr(module, "_SLICE", 3)
    dice = torch.Generator().manual_seed(0)
    people = torch.randn(8, 5, generator=dice, requires_grad=True)
    items = torch.randn(30, 5, generator=dice, requires_grad=True)
    targets = torch.randint(0, 10, (8,), generator=dice)
    left_out = torch.cat([torch.randint(10, 30, (8, 4), generator=dice), -torch.ones(8, 1)], 1)
    softmax = Softmax(targets=targets, left_out=left_out.long(), correction=correction)

    wanted = torch.autograd.grad(_plain(people, items, softmax), (people, items))
    loss = mean_loss(people, items, softmax)
    found = torch.autograd.grad(loss, (people, items))

    torch.testing.assert_close(loss, _plain(people, items, softmax))
    torch.testing.assert_close(found, wanted)


def test_a_process_without_positions_adds_nothing() -> None:
    """The last step of an epoch may have fewer rows than there are processes."""
    people = torch.zeros((0, 5), requires_grad=True)
    items = torch.ones((4, 5), requires_grad=True)
    nobody = torch.zeros(0, dtype=torch.int64)

    loss = mean_loss(people, items, Softmax(targets=nobody, left_out=nobody[:, None]))
    loss.backward()  # type: ignore[no-untyped-call]

    assert loss.item() == 0
    assert items.grad is not None
    assert not items.grad.any()


def test_half_precision_stays_close() -> None:
    """bfloat16 products move the gradients by little."""
    dice = torch.Generator().manual_seed(1)
    people = torch.randn(64, 16, generator=dice, requires_grad=True)
    items = torch.randn(100, 16, generator=dice)
    targets = torch.randint(0, 100, (64,), generator=dice)
    nothing = -torch.ones(64, 1, dtype=torch.int64)

    found = [
        torch.autograd.grad(
            mean_loss(people, items, Softmax(targets=targets, left_out=nothing, dtype=dtype)),
            people,
        )[0]
        for dtype in (torch.float32, torch.bfloat16)
    ]

    assert float((found[0] - found[1]).norm() / found[0].norm()) < 0.02
