"""The ranking head: one function in torch and numpy, calibrated, and never overflowing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from inhouse.core.errors import SnapshotError
from inhouse.features.candidates import FEATURE_NAMES
from inhouse.learning.examples import Impressions
from inhouse.learning.head import HeadWeights, head_logits, predict
from inhouse.learning.train import train_head
from inhouse.learning.train_head import (
    HeadModel,
    HeadTrainer,
    HeadTraining,
    judge_head,
    judge_rates,
    standardised_anew,
)

Planted = Callable[..., Impressions]
TRAINING = HeadTraining(hidden=8, batch=256)


@pytest.fixture
def trained(planted: Planted) -> HeadWeights:
    """A head that learned the planted rules."""
    trainer = HeadTrainer(TRAINING)
    trainer.remember(planted(4_000))
    trainer.learn(300)
    return trainer.export()


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
