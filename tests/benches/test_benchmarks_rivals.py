"""What stands beside our causal model: it may not cheat, and is what its paper says."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from benchmarks.blocks import RIVALS
from benchmarks.rival_losses import gbce
from torch import nn

from inhouse.learning.causal.encoder import CausalEncoder, Rows
from inhouse.learning.causal.serving import CausalShape
from inhouse.learning.causal.softmax import Softmax
from inhouse.learning.taste.model import Dropout

SHAPE = CausalShape(dims=8, length=6, blocks=2, heads=2)
BLOCKS = {name: parts.block for name, parts in RIVALS.items()}
WHOLE = Dropout(0.0, np.random.default_rng(0))


@pytest.fixture
def vectors() -> torch.Tensor:
    """Two rows of six places."""
    return torch.randn((2, 6, 8), generator=torch.Generator().manual_seed(1))


def _encoder(block: Callable[[CausalShape], nn.Module]) -> CausalEncoder:
    dice = torch.Generator().manual_seed(2)
    encoder = CausalEncoder(SHAPE, dice, block)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=dice))
    return encoder.eval()


@pytest.mark.parametrize("name", BLOCKS)
def test_no_place_reads_what_comes_later_or_is_anothers(name: str, vectors: torch.Tensor) -> None:
    """A change at a place changes nothing before it, nor a neighbour's stretch in the same row."""
    encoder = _encoder(BLOCKS[name])
    people = torch.tensor([[0, 0, 0, 1, 1, 1], [-1, -1, 0, 0, 0, 0]])
    rows = Rows(people=people, codes=torch.zeros((2, 6, 3), dtype=torch.int64))
    other = vectors.clone()
    other[0, 1, 0] += 1
    other[1, 4, 0] += 1

    with torch.no_grad():
        before, after = encoder(vectors, rows, WHOLE), encoder(other, rows, WHOLE)

    moved = (before - after).abs().amax(2) > 1e-6
    assert moved[0].tolist() == [False, True, True, False, False, False]
    assert moved[1, 2:].tolist() == [False, False, True, True]


def test_gbce_is_its_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place by itself, with what it had and its own answer left out of the negatives."""
    drawn = torch.tensor([[0, 2, 3] * 85 + [1], [4, 4, 1] * 85 + [0]])
    monkeypatch.setattr(torch, "randint", lambda *_: drawn)
    dice = torch.Generator().manual_seed(3)
    people, items = torch.randn((2, 8), generator=dice), torch.randn((5, 8), generator=dice)
    softmax = Softmax(
        targets=torch.tensor([2, 0]), left_out=torch.tensor([[3, -1], [-1, -1]]), correction=None
    )

    found = float(gbce(people, items, softmax))

    alpha = 256 / 4
    beta = alpha * (0.75 * (1 - 1 / alpha) + 1 / alpha)
    total = 0.0
    for row, (answer, had) in enumerate([(2, {3}), (0, set())]):
        logits = (items @ people[row]).double()
        total -= beta * float(torch.log(torch.sigmoid(logits[answer])))
        for column in drawn[row].tolist():
            if column != answer and column not in had:
                total -= float(torch.log(1 - torch.sigmoid(logits[column])))
    assert found == pytest.approx(total / 2, rel=1e-4)
