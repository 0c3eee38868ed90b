"""The pieces of training: rows like Adam's, a sampled softmax that estimates the whole one."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId
from inhouse.learning.examples.memory import ImpressionMemory, NextItemMemory, Ring
from inhouse.learning.examples.types import Impressions, NextItems, no_impressions
from inhouse.learning.head.train import HeadTraining
from inhouse.learning.taste.arrays import TasteShape
from inhouse.learning.taste.competitors import whole
from inhouse.learning.taste.loss import cross_entropy
from inhouse.learning.taste.train import TasteTrainer, TasteTraining
from inhouse.learning.training.train import Catalogue, train_head, train_taste

Make = Callable[..., NextItems]
Planted = Callable[..., Impressions]
QUICK = TasteTraining(shape=TasteShape(dims=8), batch=128, dropout=0.2)


def _example(history: list[int], target: int) -> NextItems:
    trainer_memory = NextItemMemory(8, 4)
    assert len(trainer_memory) == 0
    empty = trainer_memory.latest(0)
    assert len(empty) == 0
    items = np.array([history], dtype=np.int32)
    codes = np.zeros_like(items, dtype=np.uint8)
    return NextItems(
        histories=type(empty.histories)(items=items, kinds=codes, ages=codes, dwells=codes),
        targets=np.array([target], dtype=np.int32),
        at_ms=np.zeros(1, dtype=np.int64),
        offsets=np.zeros(1, dtype=np.int64),
    )


def test_the_loss_leaves_out_what_was_touched() -> None:
    """-log p is over the answer and the untouched: item 3 and 1 of five, 0, 2 and 4 being known."""
    logits = torch.tensor([[5.0, 1.0, 7.0, 2.0, 9.0]])
    example = _example([-1, 0, 2, 4], 3)

    loss = cross_entropy(logits[:, 3], logits, whole(np.arange(5)), example)

    expected = np.log(np.exp(2.0) + np.exp(1.0)) - 2.0
    assert float(loss[0]) == pytest.approx(expected, abs=1e-5)


def test_a_sampled_softmax_learns_the_checkerboard_too(
    checkerboard: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a sample of 16 of 40 items the model still comes near the best loss, log 14."""
    monkeypatch.setattr("inhouse.learning.taste.train.FULL_SOFTMAX", 10)
    trainer = TasteTrainer(replace(QUICK, negatives=16))
    trainer.grow(np.zeros((40, 64), dtype=np.float32))
    trainer.remember(checkerboard(2_000))
    trainer.learn(200)

    assert trainer.judge(checkerboard(300, seed=4)).loss < np.log(14) + 0.3


@given(st.lists(st.integers(0, 7), max_size=12), st.integers(1, 20))
def test_a_ring_is_the_tail_of_all_that_was_added(sizes: list[int], most: int) -> None:
    """Whatever the batches, the ring holds the latest `most` rows in order."""
    ring = Ring({"x": np.zeros((0, 2), dtype=np.int64)}, most)
    added: list[int] = []
    for size in sizes:
        batch = np.arange(len(added), len(added) + size)
        ring.add({"x": np.stack([batch, -batch], axis=1)})
        added.extend(batch.tolist())

    held = ring.at(np.arange(len(ring)))["x"]

    assert held[:, 0].tolist() == added[-most:]
    assert held[:, 1].tolist() == [-x for x in added[-most:]]


def test_memory_gives_back_whole_examples(planted: Planted) -> None:
    """What is remembered comes back column for column."""
    examples = planted(50)
    memory = ImpressionMemory(30)
    memory.add(no_impressions())
    memory.add(examples)

    for name, part in memory.all().arrays().items():
        np.testing.assert_array_equal(part, examples.slice(20, 50).arrays()[name])


def test_training_stops_when_the_latest_slice_says_so(checkerboard: Make) -> None:
    """The kept weights are the best on the latest tenth, and later epochs brought nothing."""
    catalogue = Catalogue(
        item_ids=tuple(ItemId(f"i{k}") for k in range(40)),
        content=np.zeros((40, 64), dtype=np.float32),
    )
    told: list[tuple[str, int, int]] = []

    weights, fit = train_taste(
        checkerboard(1_000), catalogue, QUICK, progress=lambda *step: told.append(step)
    )

    assert fit.losses[fit.best_epoch] == min(fit.losses)
    assert (fit.learned, fit.judged) == (900, 100)
    assert fit.losses[fit.best_epoch] < np.log(14) + 0.3
    assert told[0][:2] == ("taste", 1)
    assert weights.item_ids == catalogue.item_ids


def test_training_may_start_from_earlier_weights(checkerboard: Make) -> None:
    """A warm start stands where the earlier training ended, over a larger catalogue too."""
    small = Catalogue(
        item_ids=tuple(ItemId(f"i{k}") for k in range(40)),
        content=np.zeros((40, 64), dtype=np.float32),
    )
    large = Catalogue(
        item_ids=(*small.item_ids, ItemId("new")), content=np.zeros((41, 64), dtype=np.float32)
    )
    weights, fit = train_taste(checkerboard(1_000), small, QUICK)

    _, again = train_taste(checkerboard(1_000), large, QUICK, start=weights)

    assert again.losses[0] == pytest.approx(fit.losses[fit.best_epoch], abs=0.02)


def test_too_few_examples_are_refused(planted: Planted) -> None:
    """Below fifty there is no slice to stop by."""
    with pytest.raises(InputError) as error:
        train_head(planted(49), HeadTraining())
    assert str(error.value) == "49 examples are too few to train on, expected at least 50"
