"""The owned classifier: it learns, says why, keeps, and is the optimum it claims to be."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression
from tests.models.models_texts import CATEGORIES, posts, register, small_model

from inhouse.core.errors import InputError, SnapshotError
from inhouse.core.random import stream
from inhouse.models.owned import fit
from inhouse.models.owned.calibrate import LEAST_EACH
from inhouse.models.owned.files import load_text_model, weights_of
from inhouse.models.owned.fit import featurise_all, fit_text, update_text
from inhouse.models.owned.hashing import rarity_of, scaled
from inhouse.models.owned.promises import promises_of
from inhouse.models.owned.registry import Registry
from inhouse.models.owned.text import TextClassifier, matrix_of
from inhouse.stats.calibration import expected_calibration_error
from inhouse.stats.classification import average_precision
from inhouse.stats.types import NotEnough
from inhouse.store.database import Database


@pytest.fixture(scope="module")
def model() -> TextClassifier:
    return small_model()


def test_it_learns_what_makes_a_post_harmful(model: TextClassifier) -> None:
    """On posts it never saw, harmful ones score above all others, in each category."""
    texts, truth = posts(400, seed=9)
    p = model.probabilities(texts)
    found = [average_precision(truth[:, c] > 0, p[:, c]) for c in range(2)]
    assert model.categories == CATEGORIES
    assert min(found) > 0.99  # type: ignore[type-var]


def test_probabilities_are_calibrated(model: TextClassifier) -> None:
    """What it calls likely happens about as often as it says."""
    texts, truth = posts(1_000, seed=10)
    p = model.probabilities(texts)
    error = expected_calibration_error(p[:, 0], truth[:, 0] > 0)
    assert isinstance(error, float)
    assert error < 0.03


def test_missing_labels_teach_nothing(model: TextClassifier) -> None:
    """Texts labelled in one category alone leave the other category's answer as it was."""
    texts, truth = posts(400)
    more, _ = posts(200, seed=3)
    targets = np.concatenate([truth, np.full((200, 2), np.nan)])
    targets[400:, 0] = 0.0
    both = fit_text(texts + more, targets, CATEGORIES, seed=1)
    assert isinstance(both, TextClassifier)
    unseen, wanted = posts(200, seed=11)
    p = both.probabilities(unseen)
    assert average_precision(wanted[:, 1] > 0, p[:, 1]) > 0.99  # type: ignore[operator]


def test_a_category_without_labels_is_not_learned() -> None:
    """It is absent from the answer, which means unknown, not harmless."""
    texts, truth = posts(200)
    truth[:, 1] = np.nan
    model = fit_text(texts, truth, CATEGORIES, seed=1)
    assert isinstance(model, TextClassifier)
    assert model.categories == ("hate",)
    assert {"hate"} == set(model.scores(["a walk"])[0])


def test_nothing_to_learn_is_an_answer() -> None:
    """Too few texts on one side give NotEnough with the numbers."""
    answer = fit_text(["a", "b"], np.array([[1.0], [0.0]]), ("hate",), seed=1)
    assert answer == NotEnough(
        reason="no category has enough texts on both sides", have=1, need=LEAST_EACH
    )


def test_the_same_labels_give_the_same_bytes() -> None:
    """Training has no hidden chance."""
    assert hashlib.sha256(weights_of(small_model())).digest() == (
        hashlib.sha256(weights_of(small_model())).digest()
    )


def test_dual_ascent_finds_the_optimum_of_the_stated_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given rounds enough, its margins are those of scikit-learn's solution of the problem."""
    monkeypatch.setattr(fit, "_MOST_ROUNDS", 200)
    monkeypatch.setattr(fit, "_SETTLED", 0.0)
    texts, truth = posts(300, seed=5)
    raw = featurise_all(texts)
    features = scaled(raw, rarity_of(raw))
    targets = truth[:, :1].astype(np.float32)
    start = fit._Start(
        weights=np.zeros((fit.COLUMNS, 1), dtype=np.float32),
        biases=np.zeros(1),
        strength=2.0,
        promises=promises_of(features, targets),
    )
    weights, biases = fit._fit(features, targets, start, seed=1)
    sides = fit._side_weights(targets)[0]
    stretched = matrix_of(features).multiply(start.promises[:, 0]).tocsr()
    theirs = LogisticRegression(
        C=2.0, solver="liblinear", class_weight={0: sides[0], 1: sides[1]}, tol=1e-8
    ).fit(stretched, truth[:, 0] > 0)
    ours = matrix_of(features) @ weights[:, 0] + biases[0]
    np.testing.assert_allclose(ours, theirs.decision_function(stretched), atol=1e-3)


def test_sides_are_weighed_by_how_rare_they_are() -> None:
    """By the root of the inverse frequency, and 1 on average over the labels."""
    targets = np.array([[1.0]] * 10 + [[0.0]] * 90 + [[np.nan]] * 50, dtype=np.float32)
    ((no, yes),) = fit._side_weights(targets)
    assert pytest.approx(3.0) == yes / no
    assert pytest.approx(100.0) == 90 * no + 10 * yes


def test_what_cannot_be_learned_stays_uncertain() -> None:
    """Labels by the toss of a coin give probabilities near a half, not the memory of the texts."""
    texts, _ = posts(400, seed=21)
    luck = stream(3, "coin").random(400) < 0.5
    model = fit_text(texts, luck[:, None].astype(np.float64), ("hate",), seed=1)
    assert isinstance(model, TextClassifier)
    p = model.probabilities(posts(200, seed=22)[0])
    assert ((p > 0.2) & (p < 0.8)).all()


def test_an_explanation_adds_up_to_the_probability(model: TextClassifier) -> None:
    """Base and the words' parts are the logit, whatever the text looks like."""
    for text in (
        "All ZARPS stink, says the river",
        "caf\u00e9 \ufb01ne cheap pillz!",
        "a",
        " x  y ",
        "zarps zarps walk zarps walk",
    ):
        for place, category in enumerate(CATEGORIES):
            told = model.explain(text, category)
            curve = model.curves[place]
            logit = told.base + sum(part.weight for part in told.parts)
            p = curve.floor + (curve.ceiling - curve.floor) * special.expit(logit)
            margin = float(model.margins([text])[0, place])
            assert pytest.approx(curve.slope * margin + curve.offset, abs=1e-4) == logit
            assert pytest.approx(float(p)) == told.p
            assert pytest.approx(float(model.probabilities([text])[0, place]), abs=1e-5) == told.p


def test_an_explanation_points_at_the_words(model: TextClassifier) -> None:
    """The strongest part is the harmful word, where it stands in the original."""
    text = "Summer walk: cheap PILLZ now"
    strongest = model.explain(text, "spam").parts[0]
    assert text[strongest.start : strongest.end] == strongest.word
    assert strongest.word in ("cheap", "PILLZ", "now")
    assert strongest.weight > 0


def test_a_category_it_does_not_know_cannot_be_explained(model: TextClassifier) -> None:
    """The message names those it knows."""
    with pytest.raises(InputError) as caught:
        model.explain("text", "violence")
    assert str(caught.value) == "this model has not learned 'violence'; it knows hate, spam"


def test_an_update_learns_and_remembers(model: TextClassifier) -> None:
    """A few new labels teach a new phrase and leave the old ones standing."""
    new = [f"brand new glorp phrase {word}" for word in ("here", "there", "again", "today")]
    before = model.probabilities(new)[:, 0].mean()
    targets = np.full((4, 2), np.nan)
    targets[:, 0] = 1.0
    updated = update_text(model, new, targets, seed=1)
    texts, truth = posts(300, seed=12)
    p = updated.probabilities(texts)
    assert updated.probabilities(["yet another glorp phrase"])[0, 0] > before
    assert average_precision(truth[:, 0] > 0, p[:, 0]) > 0.99  # type: ignore[operator]
    assert np.array_equal(updated.weights[:, 1], model.weights[:, 1])


def test_no_text_gives_no_row(model: TextClassifier) -> None:
    """Scoring nothing is allowed."""
    assert model.probabilities([]).shape == (0, 2)
    assert model.scores([]) == []


def test_a_model_comes_back_from_disk_as_it_was(
    model: TextClassifier, database: Database, tmp_path: Path
) -> None:
    """Saved and loaded, it scores the same to the last bit."""
    registry = Registry(database, tmp_path)
    register(registry, model, "v1")
    texts, _ = posts(50, seed=13)
    assert np.array_equal(model.probabilities(texts), registry.load("v1").probabilities(texts))


def test_a_torn_file_is_refused(model: TextClassifier, database: Database, tmp_path: Path) -> None:
    """The checksum of the card is checked before anything is read."""
    register(Registry(database, tmp_path), model, "v1")
    path = tmp_path / "v1" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(SnapshotError, match=r"has the checksum .*; train the task again"):
        load_text_model(tmp_path / "v1")


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    """A version without files says which file is missing."""
    with pytest.raises(SnapshotError, match=r"cannot read .*card.json: No such file or directory"):
        load_text_model(tmp_path / "v9")
