"""The taste model: one function in torch and numpy, and it learns what there is to learn."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from inhouse.core.errors import SnapshotError
from inhouse.core.ids import ItemId
from inhouse.core.random import stream
from inhouse.events.types import LEARNED_KINDS
from inhouse.learning.encoding import AGE_CODES, DWELL_CODES, Histories
from inhouse.learning.examples.types import NextItems
from inhouse.learning.taste.arrays import (
    HIGHEST_LOGIT,
    TasteShape,
    TasteWeights,
    aligned,
    item_vectors,
    person_vectors,
)
from inhouse.learning.taste.loss import Vectors, history_tensors
from inhouse.learning.taste.model import Dropout, TasteModel
from inhouse.learning.taste.train import TasteTrainer, TasteTraining

ITEMS = 40
IDS = tuple(ItemId(f"i{k}") for k in range(ITEMS))
NO_CONTENT = np.zeros((ITEMS, 64), dtype=np.float32)
QUICK = TasteTraining(shape=TasteShape(dims=16), batch=128, dropout=0.2)
Make = Callable[..., NextItems]


def _trained(examples: NextItems, steps: int, content: np.ndarray = NO_CONTENT) -> TasteTrainer:
    trainer = TasteTrainer(QUICK)
    trainer.grow(content)
    trainer.remember(examples)
    trainer.learn(steps)
    return trainer


def _scores(weights: TasteWeights, examples: NextItems) -> np.ndarray:
    vectors = item_vectors(weights, np.arange(ITEMS), NO_CONTENT)
    return person_vectors(weights, vectors, examples.histories) @ vectors.T


def test_torch_and_numpy_give_the_same_vectors(checkerboard: Make) -> None:
    """What is trained in torch is served by numpy: equal to a millionth, content part included."""
    content = stream(3, "content").normal(size=(ITEMS, 64)).astype(np.float32)
    weights = _trained(checkerboard(200), 10, content).export(IDS)
    asked = checkerboard(20, seed=5)
    model = TasteModel(weights.shape, torch.Generator())
    model.load(weights)
    rows = np.arange(ITEMS, dtype=np.int64)

    with torch.no_grad():
        items = model.items(torch.from_numpy(weights.id_part), torch.from_numpy(content))
        tensors = history_tensors(Vectors(rows=rows, values=items), asked.histories)
        people = model.people(items, tensors, Dropout(0.0, stream(0, "none")))

    served = item_vectors(weights, rows, content)
    np.testing.assert_allclose(served, items.numpy(), atol=1e-6)
    np.testing.assert_allclose(
        person_vectors(weights, served, asked.histories), people.numpy(), atol=1e-5
    )


def test_the_compiled_vectors_are_those_of_the_formula() -> None:
    """Every person's, padded places and items without a vector passed over, by plain numpy."""
    dice = stream(4, "people")
    n, length, h, d, kinds = 30, 12, 3, 8, len(LEARNED_KINDS)

    def normal(*shape: int) -> np.ndarray:
        return dice.normal(size=shape).astype(np.float32)

    weights = TasteWeights(
        item_ids=(),
        id_part=normal(0, d),
        content_map=normal(64, d),
        place=normal(h, length),
        kind=9 * normal(h, kinds),  # some beyond the highest weight
        age=normal(h, AGE_CODES),
        dwell=normal(h, DWELL_CODES),
        gain=normal(h, kinds),
        mix=normal(h, d, d),
        start=normal(d),
    )
    vectors = normal(ITEMS, d)
    histories = Histories(
        items=dice.integers(-5, ITEMS + 5, (n, length)).astype(np.int32),
        kinds=dice.integers(0, kinds, (n, length)).astype(np.uint8),
        ages=dice.integers(0, AGE_CODES, (n, length)).astype(np.uint8),
        dwells=dice.integers(0, DWELL_CODES, (n, length)).astype(np.uint8),
    )
    histories.items[0] = -1  # did nothing

    there = (histories.items >= 0) & (histories.items < ITEMS)
    logits = (
        weights.place[:, None, :]
        + weights.kind[:, histories.kinds]
        + weights.age[:, histories.ages]
        + weights.dwell[:, histories.dwells]
    )
    e = np.exp(np.minimum(logits, HIGHEST_LOGIT)) * there
    shares = e * weights.gain[:, histories.kinds] / np.sqrt(1 + e.sum(axis=2, keepdims=True))
    pooled = np.einsum("hnl,nld->hnd", shares, vectors[np.where(there, histories.items, 0)])
    expected = np.matmul(pooled, weights.mix).sum(axis=0) + weights.start

    people = person_vectors(weights, vectors, histories)

    assert people.dtype == np.float32
    np.testing.assert_allclose(people, expected, rtol=1e-3, atol=1e-3)
    assert people[0].tolist() == weights.start.tolist()


def test_the_checkerboard_is_learned(checkerboard: Make) -> None:
    """After a little training every item of a person's colour outscores every other."""
    weights = _trained(checkerboard(2_000), 120).export(IDS)
    asked = checkerboard(50, seed=9)

    scores = _scores(weights, asked)

    colour = asked.targets % 2
    own = np.array([row[c::2].min() for row, c in zip(scores, colour, strict=True)])
    other = np.array([row[1 - c :: 2].max() for row, c in zip(scores, colour, strict=True)])
    assert (own > other).mean() > 0.95


def test_judging_beats_popularity_where_there_is_something_to_know(checkerboard: Make) -> None:
    """The learned loss comes near log 14, the colour's untouched items; popularity knows half."""
    trainer = _trained(checkerboard(2_000), 120)
    unseen = checkerboard(300, seed=4)

    assert trainer.judge(unseen).loss < np.log(14) + 0.2
    assert trainer.judge_popularity(unseen).loss > np.log(33)


def test_exported_weights_are_judged_as_the_model_itself(checkerboard: Make) -> None:
    """Judging the trainer and judging what it exports is the same number."""
    trainer = _trained(checkerboard(300), 10)
    unseen = checkerboard(64, seed=4)

    assert trainer.judge(unseen, trainer.export(IDS)).loss == trainer.judge(unseen).loss


def test_the_same_seed_gives_the_same_weights(checkerboard: Make) -> None:
    """Training is deterministic to the bit on one thread."""
    first, second = (_trained(checkerboard(300), 8).export(IDS).arrays() for _ in range(2))

    assert {name: part.tobytes() for name, part in first.items()} == {
        name: part.tobytes() for name, part in second.items()
    }


def test_a_new_item_has_its_place_by_content(checkerboard: Make) -> None:
    """An item nobody wanted, alike in content to one colour, scores with that colour."""
    colours = stream(1, "colours").normal(size=(2, 64)).astype(np.float32)
    colours /= np.linalg.norm(colours, axis=1, keepdims=True)
    content = np.concatenate([colours[np.arange(ITEMS) % 2], colours])
    trainer = _trained(checkerboard(2_000), 120, content)
    weights = trainer.export((*IDS, ItemId("new0"), ItemId("new1")))
    asked = checkerboard(40, seed=9)

    vectors = item_vectors(weights, np.append(np.arange(ITEMS), [-1, -1]), content)
    scores = person_vectors(weights, vectors, asked.histories) @ vectors.T

    right = scores[np.arange(40), ITEMS + asked.targets % 2]
    wrong = scores[np.arange(40), ITEMS + 1 - asked.targets % 2]
    assert (right > wrong).mean() > 0.95


def test_an_item_never_wanted_keeps_an_empty_id_part(checkerboard: Make) -> None:
    """Training moves no row of an item that nobody wanted, so it is no negative."""
    examples = checkerboard(300, items=20)

    weights = _trained(examples, 10).export(IDS)

    assert not weights.id_part[20:].any()
    assert weights.id_part[:20].any(axis=1).all()


def test_aligned_weights_follow_the_ids(checkerboard: Make) -> None:
    """Rows move with their ids; an unknown id gets zeros."""
    weights = _trained(checkerboard(100), 2).export(IDS)

    moved = aligned(weights, [ItemId("stranger"), IDS[7], IDS[3]])

    assert moved.item_ids == ("stranger", "i7", "i3")
    np.testing.assert_array_equal(moved.id_part[1:], weights.id_part[[7, 3]])
    assert not moved.id_part[0].any()


def test_resuming_restores_the_model(checkerboard: Make) -> None:
    """A fresh trainer that resumes from weights judges as the old one did."""
    trainer = _trained(checkerboard(300), 10)
    unseen = checkerboard(64, seed=4)
    fresh = TasteTrainer(QUICK)
    fresh.grow(NO_CONTENT)
    fresh.resume(trainer.export(IDS))
    fresh.remember(checkerboard(300))

    assert fresh.judge(unseen).loss == pytest.approx(trainer.judge(unseen).loss, abs=1e-6)


def test_a_hide_pushes_away(checkerboard: Make) -> None:
    """At the start a hidden item lowers its like where a wanted one raises it."""
    gains = TasteTrainer(QUICK).export(()).gain

    assert set(np.unique(gains)) == {-1.0, 1.0}
    assert (gains < 0).sum(axis=1).tolist() == [2, 2, 2, 2]


def test_actions_on_unknown_items_are_passed_over(checkerboard: Make) -> None:
    """A history that names items beyond the vectors is read without them."""
    weights = _trained(checkerboard(100), 2).export(IDS)
    vectors = item_vectors(weights, np.arange(ITEMS), NO_CONTENT)
    asked = checkerboard(3)
    longer = replace(asked.histories, items=asked.histories.items.copy())
    longer.items[:, 0] = ITEMS + 5

    np.testing.assert_array_equal(
        person_vectors(weights, vectors, longer),
        person_vectors(weights, vectors, asked.histories),
    )


def test_learning_without_memory_is_refused() -> None:
    """There is nothing to draw from before something is remembered."""
    with pytest.raises(ValueError) as error:
        TasteTrainer(QUICK).learn(1)
    assert str(error.value) == "nothing is remembered; call `remember` before `learn`"


def test_weights_of_a_wrong_shape_are_refused(checkerboard: Make) -> None:
    """The fault names the array, what it is and what was expected."""
    weights = _trained(checkerboard(100), 1).export(IDS)

    with pytest.raises(SnapshotError) as error:
        replace(weights, start=np.zeros(3, dtype=np.float32))
    assert str(error.value) == "start is (3,), expected (16,); train a new snapshot"


def test_weights_that_are_not_finite_are_refused(checkerboard: Make) -> None:
    """A model that burst is no model."""
    weights = _trained(checkerboard(100), 1).export(IDS)

    with pytest.raises(SnapshotError) as error:
        replace(weights, start=np.full(16, np.nan, dtype=np.float32))
    assert str(error.value) == "start holds numbers that are not finite; train a new one"
