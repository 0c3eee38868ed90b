"""The causal encoder: what it may read, and that numpy and torch are one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from inhouse.core.errors import SnapshotError
from inhouse.core.ids import ItemId
from inhouse.core.random import stream
from inhouse.learning.causal.encoder import CausalEncoder, Rows
from inhouse.learning.causal.serving import (
    CausalShape,
    CausalWeights,
    ReadRows,
    read_causal,
    write_causal,
)
from inhouse.learning.encoding import AGE_CODES, DWELL_CODES
from inhouse.learning.taste.arrays import KIND_COUNT
from inhouse.learning.taste.model import Dropout

SHAPE = CausalShape(dims=16, length=12, blocks=2, heads=2)
ITEMS = 30


def _encoder() -> CausalEncoder:
    """Every part away from where it starts, so that none goes unnoticed."""
    dice = torch.Generator().manual_seed(0)
    encoder = CausalEncoder(SHAPE, dice)
    with torch.no_grad():
        for part in encoder.parameters():
            part.add_(torch.randn(part.shape, generator=dice) * 0.3)
    return encoder


def _weights(encoder: CausalEncoder) -> CausalWeights:
    numbers = stream(0, "weights")
    return CausalWeights(
        item_ids=tuple(ItemId(str(item)) for item in range(ITEMS)),
        shape=SHAPE,
        id_part=numbers.normal(size=(ITEMS, SHAPE.dims)).astype(np.float32),
        content_map=numbers.normal(size=(64, SHAPE.dims)).astype(np.float32),
        encoder={name: part.detach().numpy() for name, part in encoder.named_parameters()},
    )


def _codes(numbers: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:  # type: ignore[type-arg]
    kinds = (KIND_COUNT, AGE_CODES, DWELL_CODES)
    return np.stack([numbers.integers(0, most, shape) for most in kinds], axis=2).astype(np.uint8)


def _encoded(encoder: CausalEncoder, vectors: np.ndarray, rows: Rows) -> np.ndarray:  # type: ignore[type-arg]
    with torch.no_grad():
        none = Dropout(0.0, stream(0, "none"))
        out: np.ndarray = encoder(torch.from_numpy(vectors), rows, none).numpy()  # type: ignore[type-arg]
    return out


def test_serving_equals_training() -> None:
    """People of every length of history come out the same in numpy and in torch."""
    encoder, numbers = _encoder(), stream(1, "histories")
    weights = _weights(encoder)
    vectors = weights.items(numbers.normal(size=(ITEMS, 64)).astype(np.float32))
    missing = np.arange(13)[:, None] > np.arange(12)  # the last has nothing
    items = np.where(missing, -1, numbers.integers(0, ITEMS, (13, 12)))
    codes = _codes(numbers, items.shape)
    rows = Rows(
        people=torch.from_numpy(np.where(items >= 0, 0, -1)),
        codes=torch.from_numpy(codes.astype(np.int64)),
    )

    people = weights.people(vectors, ReadRows(items=items, codes=codes))

    wanted = _encoded(encoder, vectors[np.maximum(items, 0)], rows)[:, -1]
    np.testing.assert_allclose(people[:-1], wanted[:-1], atol=1e-5)
    np.testing.assert_array_equal(people[-1], np.zeros(SHAPE.dims))


def test_no_place_reads_what_comes_later() -> None:
    """Changing the newest action changes nothing before it."""
    encoder, numbers = _encoder(), stream(2, "histories")
    vectors = numbers.normal(size=(1, 12, SHAPE.dims)).astype(np.float32)
    changed = vectors.copy()
    changed[0, 7] *= -1
    rows = Rows(
        people=torch.zeros((1, 12), dtype=torch.int64),
        codes=torch.zeros((1, 12, 3), dtype=torch.int64),
    )

    before, after = (_encoded(encoder, some, rows)[0] for some in (vectors, changed))

    np.testing.assert_array_equal(before[:7], after[:7])
    assert (np.abs(before[7:] - after[7:]).max(axis=1) > 1e-3).all()


def test_a_stretch_does_not_see_its_neighbours() -> None:
    """Whoever stands beside a person in a row, the person's vectors are the same."""
    encoder, numbers = _encoder(), stream(3, "histories")
    vectors = numbers.normal(size=(1, 12, SHAPE.dims)).astype(np.float32)
    codes = torch.from_numpy(_codes(numbers, (1, 12)).astype(np.int64))
    row = Rows(people=torch.tensor([[0] * 5 + [1] * 4 + [-1] * 3]), codes=codes)
    alone = Rows(people=torch.zeros((1, 4), dtype=torch.int64), codes=codes[:, 5:9])

    together = _encoded(encoder, vectors, row)[0, 5:9]

    np.testing.assert_allclose(together, _encoded(encoder, vectors[:, 5:9], alone)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("near", "blocks.0.near is (12, 3), expected (12, 2); train a new one"),
        ("lost", "blocks.1.read.weight is missing in a model of these sizes; train a new one"),
        ("nan", "norm.bias holds numbers that are not finite; train a new one"),
    ],
)
def test_weights_that_do_not_fit_are_refused(name: str, told: str) -> None:
    """Shapes and finiteness are checked where weights are made."""
    good = _weights(_encoder())
    broken = dict(good.encoder)
    if name == "near":
        broken["blocks.0.near"] = np.zeros((12, 3), dtype=np.float32)
    elif name == "lost":
        del broken["blocks.1.read.weight"]
    else:
        broken["norm.bias"] = np.full(SHAPE.dims, np.nan, dtype=np.float32)

    with pytest.raises(SnapshotError) as refused:
        CausalWeights(
            item_ids=good.item_ids,
            shape=good.shape,
            id_part=good.id_part,
            content_map=good.content_map,
            encoder=broken,
        )

    assert str(refused.value) == told


def test_a_file_holds_everything(tmp_path: Path) -> None:
    """Weights come back as they were written; a torn file is refused."""
    weights, path = _weights(_encoder()), tmp_path / "model.safetensors"
    write_causal(weights, path)

    found = read_causal(path)

    assert (found.item_ids, found.shape) == (weights.item_ids, weights.shape)
    for name, part in weights.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], part)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SnapshotError) as refused:
        read_causal(path)
    assert str(refused.value) == f"cannot read a causal model from {path}; train a new one"


def test_serving_does_not_import_torch() -> None:
    """A server's process never loads the training library."""
    code = "import sys, inhouse.learning.causal.serving; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
