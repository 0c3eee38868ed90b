"""From labels to a registered model with its card and its report."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from tests.models.models_texts import harvest

from inhouse.core.clock import FollowingClock
from inhouse.models.harvest.labels import Labels
from inhouse.models.owned.files import load_card
from inhouse.models.owned.fit import fit_text
from inhouse.models.owned.registry import ModelVersion, Registry
from inhouse.models.owned.text import TextClassifier
from inhouse.models.parity.gate import Parity
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.training.train import metrics_of, train_task
from inhouse.models.types import CategoryMetrics
from inhouse.stats.types import NotEnough
from inhouse.store.database import Database

LABELLED = Path(__file__).parents[4] / "shared" / "data" / "moderation" / "labelled.parquet"
CLOCK = FollowingClock(5_000)
SETTINGS = ModelSettings()


def test_a_task_is_trained_judged_and_registered(any_database: Database, tmp_path: Path) -> None:
    """The earlier labels teach, the later ones judge; card, files and report are kept, on both
    databases."""
    Labels(any_database).add(harvest(1_000))
    version = train_task(any_database, TEXT_HARM, tmp_path, CLOCK, SETTINGS)
    assert isinstance(version, ModelVersion)
    card = version.card
    assert (card.trained_on, card.categories, card.created_ms) == (700, ("hate", "spam"), 5_000)
    assert (card.sources, card.terms) == ({"openai/openai/m": 700}, {"t-2026": 700})
    assert card.positives["hate"] + card.negatives["hate"] == 700
    assert (card.positives["violence"], card.negatives["violence"]) == (0, 0)
    for metrics in card.metrics.values():
        assert metrics.auprc is not None
        assert metrics.auprc > 0.98
        assert metrics.positives + metrics.negatives == 300
    assert version.parity is not None
    report = msgspec.json.decode(version.parity, type=Parity)
    assert (report.verdict, report.held_out) == ("pass", 300)
    registry = Registry(any_database, tmp_path)
    assert [version] == registry.versions("text_harm")
    assert card == load_card(tmp_path / version.version)
    assert card.categories == registry.load(version.version).categories


def test_a_term_bank_teaches_a_model_and_does_not_judge_it(
    database: Database, tmp_path: Path
) -> None:
    """A category that a bank alone labelled is learned, with the bank on the card and nothing to
    measure it by."""
    labels = [
        replace(one, scores={"spam": one.scores["spam"]}, source="bank:scams", terms="")
        for one in harvest(400, seed=5)
    ]
    rented = [replace(one, scores={"hate": one.scores["hate"]}) for one in harvest(400, seed=5)]
    Labels(database).add([*labels, *rented])
    version = train_task(database, TEXT_HARM, tmp_path, CLOCK, SETTINGS)
    assert isinstance(version, ModelVersion)
    assert version.card.categories == ("hate", "spam")
    assert version.card.sources == {"bank:scams": 280, "openai/openai/m": 280}
    assert version.card.metrics["spam"].positives == version.card.metrics["spam"].negatives == 0
    assert version.card.metrics["hate"].positives > 0


def test_too_few_labels_are_an_answer(database: Database, tmp_path: Path) -> None:
    """Nothing is trained, nothing registered."""
    Labels(database).add(harvest(50))
    assert train_task(database, TEXT_HARM, tmp_path, CLOCK, SETTINGS) == NotEnough(
        reason="too few labelled texts", have=50, need=300
    )
    assert Registry(database, tmp_path).versions("text_harm") == []


def test_labels_without_harm_teach_nothing(database: Database, tmp_path: Path) -> None:
    """A model needs both sides of at least one category."""
    harmless = [replace(label, scores={"hate": 0.1}) for label in harvest(300)]
    Labels(database).add(harmless)
    assert train_task(database, TEXT_HARM, tmp_path, CLOCK, SETTINGS) == NotEnough(
        reason="no category has enough texts on both sides", have=0, need=5
    )


def test_the_same_labels_give_the_same_version(database: Database, tmp_path: Path) -> None:
    """A version is named by its weights."""
    Labels(database).add(harvest(400))
    first = train_task(database, TEXT_HARM, tmp_path, CLOCK, SETTINGS)
    again = train_task(database, TEXT_HARM, tmp_path, CLOCK, SETTINGS)
    assert isinstance(first, ModelVersion)
    assert first == again
    assert len(Registry(database, tmp_path).versions("text_harm")) == 1


def test_people_correct_the_rented_model(database: Database, tmp_path: Path) -> None:
    """Where they spoke, their word is what is learned."""
    taught = harvest(400)
    wrong = [replace(label, scores={"hate": 0.9, "spam": 0.9}) for label in taught]
    right = [
        replace(
            label,
            scores={name: round(p) * 1.0 for name, p in label.scores.items()},
            source="person:ann",
            terms="own",
        )
        for label in taught
    ]
    Labels(database).add([*wrong, *right])
    version = train_task(database, TEXT_HARM, tmp_path, CLOCK, SETTINGS)
    assert isinstance(version, ModelVersion)
    assert version.card.sources == {"openai/openai/m": 280, "person:ann": 280}
    model = Registry(database, tmp_path).load(version.version)
    harmless, harmful = (one["hate"] for one in model.scores(["a walk", "all zarps stink"]))
    assert (harmless < 0.2, harmful > 0.5) == (True, True)


def test_metrics_of_one_side_alone_are_unknown() -> None:
    """None, not a made-up number."""
    truth = np.array([0.0, 0.0, np.nan])
    assert metrics_of(np.array([0.1, 0.2, 0.9]), truth) == CategoryMetrics(
        positives=0, negatives=2, auprc=None, recall_at_1pct_fpr=None, ece=pytest.approx(0.15)
    )


def test_real_spam_is_learned() -> None:
    """On a public set of text messages, split in two, almost all spam is ranked first."""
    if not LABELLED.exists():
        pytest.skip(f"{LABELLED} is not there; it is not part of the project")
    spam = pl.read_parquet(LABELLED).filter(pl.col("source") == "sms_spam")
    texts = spam["text"].to_list()
    truth = (spam["label"] == "spam").to_numpy().astype(np.float64)[:, None]
    model = fit_text(texts[::2], truth[::2], ("spam",), seed=1)
    assert isinstance(model, TextClassifier)
    metrics = metrics_of(model.probabilities(texts[1::2])[:, 0], truth[1::2, 0])
    assert metrics.auprc is not None
    assert metrics.auprc > 0.97
