"""The ranking head: one function in torch and numpy, calibrated, and never overflowing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inhouse.core.errors import SnapshotError
from inhouse.features.candidates import FEATURE_NAMES
from inhouse.learning.examples.types import Impressions
from inhouse.learning.head.arrays import HeadWeights, head_logits, length_codes, predict
from inhouse.learning.head.train import (
    HeadModel,
    HeadTrainer,
    HeadTraining,
    judge_head,
    judge_rates,
    standardised_anew,
    stretch_of,
)
from inhouse.learning.training.train import train_head

Planted = Callable[..., Impressions]
TRAINING = HeadTraining(hidden=8, batch=256)


@pytest.fixture
def trained(planted: Planted) -> HeadWeights:
    """A head that learned the planted rules."""
    trainer = HeadTrainer(TRAINING)
    trainer.remember(planted(4_000))
    trainer.learn(300)
    return trainer.export()


def _of_lengths(numbers: np.random.Generator, n: int) -> tuple[Impressions, NDArray[np.bool_]]:
    """Clips of 10 s and films of 200 s, of which a tenth is watched, and twice that if liked."""
    features = np.zeros((n, len(FEATURE_NAMES)), dtype=np.float32)
    long, liked = numbers.random(n) < 0.5, numbers.random(n) < 0.5
    seconds = np.where(long, 200.0, 10.0)
    features[:, FEATURE_NAMES.index("duration_log")] = np.log1p(seconds)
    features[:, FEATURE_NAMES.index("taste")] = liked
    dwell_ms = 100 * seconds * np.where(liked, 2.0, 1.0) * numbers.gamma(5, 0.2, n)
    nobody = np.zeros(n, dtype=np.bool_)
    return Impressions(
        features=features,
        clicked=liked,
        liked=nobody,
        hidden=nobody,
        dwell_ms=dwell_ms.astype(np.float32),
        propensity=np.ones(n, dtype=np.float32),
        position=np.zeros(n, dtype=np.int32),
        at_ms=np.arange(n, dtype=np.int64),
    ), long


def test_length_is_no_merit() -> None:
    """Dwell as if all were equally long tells what is liked, not what is long."""
    numbers = np.random.default_rng(5)
    trainer = HeadTrainer(HeadTraining(hidden=8, batch=256, rate=1e-2))
    trainer.remember(_of_lengths(numbers, 4_000)[0])
    trainer.learn(600)
    unseen, long = _of_lengths(numbers, 2_000)

    told = predict(trainer.export(), unseen.features)

    def mean(values: NDArray[np.float32], *which: NDArray[np.bool_]) -> float:
        return float(values[np.logical_and.reduce(which)].mean())

    liked = unseen.clicked
    for same in (liked, ~liked):
        assert mean(told.dwell_ms, long, same) > 10 * mean(told.dwell_ms, ~long, same)
        evened = mean(told.dwell_even_ms, long, same) / mean(told.dwell_even_ms, ~long, same)
        assert evened == pytest.approx(1, abs=0.35)
    assert mean(told.dwell_even_ms, liked) > 1.6 * mean(told.dwell_even_ms, ~liked)
    assert float(told.dwell_even_ms.mean()) == pytest.approx(float(told.dwell_ms.mean()), rel=0.1)


def test_a_length_nobody_met_is_not_corrected() -> None:
    """Nor is anything before there are impressions."""
    numbers = np.random.default_rng(5)
    known, _ = _of_lengths(numbers, 1_000)

    stretch = stretch_of(known)

    met = np.unique(length_codes(known.features))
    assert met.tolist() == [4, 8]
    assert np.delete(stretch, met).tolist() == [1.0] * (len(stretch) - 2)
    assert stretch_of(known.slice(0, 0)).tolist() == [1.0] * len(stretch)


def test_a_head_from_before_there_was_a_correction_makes_none(trained: HeadWeights) -> None:
    """Its file has no such array; what is expected then counts as it is."""
    unseen, _ = _of_lengths(np.random.default_rng(5), 100)
    arrays = trained.arrays()
    del arrays["stretch"]

    told = predict(HeadWeights(**arrays), unseen.features)

    assert told.dwell_even_ms.tolist() == told.dwell_ms.tolist()


def test_torch_and_numpy_give_the_same_logits(trained: HeadWeights, planted: Planted) -> None:
    """What is trained in torch is served by numpy: equal to a hundred-thousandth."""
    features = planted(100, seed=2).features

    with torch.no_grad():
        z = HeadModel(trained).logits(torch.from_numpy(features)).numpy()

    np.testing.assert_allclose(head_logits(trained, features), z, atol=1e-5)


def test_a_planted_rule_is_learned(trained: HeadWeights, planted: Planted) -> None:
    """The head beats the rates by far, and its probabilities have the right mean."""
    unseen = planted(4_000, seed=7)

    told = predict(trained, unseen.features)

    judged = judge_head(trained, unseen)
    assert judged.n == 4_000
    assert judged.loss < judge_rates(planted(4_000), unseen).loss - 0.15
    assert float(told.p_click.mean()) == pytest.approx(unseen.clicked.mean(), abs=0.03)
    assert float(told.dwell_ms.mean()) == pytest.approx(unseen.dwell_ms.mean(), rel=0.1)
    assert np.corrcoef(told.p_click, unseen.features[:, 0])[0, 1] > 0.9


def test_a_head_starts_from_the_rates(planted: Planted) -> None:
    """Before the first step everyone is told the averages of what is remembered."""
    examples = planted(1_000)
    trainer = HeadTrainer(TRAINING)
    trainer.remember(examples)
    trainer.start(None)

    told = predict(trainer.export(), examples.features[:5])

    assert told.p_click.tolist() == pytest.approx([examples.clicked.mean()] * 5, abs=1e-5)
    assert told.dwell_ms.tolist() == pytest.approx([examples.dwell_ms.mean()] * 5, rel=1e-4)


def test_restandardising_changes_no_answer(trained: HeadWeights, planted: Planted) -> None:
    """Over another mean and spread the head is the same function."""
    features = planted(200, seed=3).features
    moved = standardised_anew(trained, features * np.float32(1.3) + np.float32(0.4))

    np.testing.assert_allclose(
        head_logits(moved, features), head_logits(trained, features), atol=1e-4
    )


def test_a_feature_that_never_varied_has_no_say(planted: Planted) -> None:
    """A column constant in training moves no answer afterwards, since it could teach nothing."""
    examples = planted(1_000)
    examples.features[:, 5] = 0
    trainer = HeadTrainer(TRAINING)
    trainer.remember(examples)
    trainer.learn(50)
    asked = examples.features[:10].copy()
    asked[:, 5] = 3

    np.testing.assert_array_equal(
        head_logits(trainer.export(), asked),
        head_logits(trainer.export(), examples.features[:10]),
    )


def test_extreme_features_give_probabilities(trained: HeadWeights) -> None:
    """Whatever comes in, what comes out is a probability and a time of at most five minutes."""
    wild = np.full((2, len(FEATURE_NAMES)), 1e30, dtype=np.float32)
    wild[1] *= -1

    told = predict(trained, wild)

    for p in (told.p_click, told.p_like, told.p_hide):
        assert ((p >= 0) & (p <= 1)).all()
    assert (told.dwell_ms <= 300_001).all()


def test_the_same_seed_gives_the_same_head(planted: Planted) -> None:
    """Training is deterministic to the bit on one thread."""
    first, second = (train_head(planted(300), TRAINING)[0].arrays() for _ in range(2))

    assert {name: part.tobytes() for name, part in first.items()} == {
        name: part.tobytes() for name, part in second.items()
    }


def test_a_head_of_other_features_is_refused(trained: HeadWeights) -> None:
    """The fault names the array, what it is and what was expected."""
    with pytest.raises(SnapshotError) as error:
        replace(trained, mean=np.zeros(3, dtype=np.float32))
    assert str(error.value) == (
        f"mean is (3,), expected ({len(FEATURE_NAMES)},); train a new snapshot"
    )
