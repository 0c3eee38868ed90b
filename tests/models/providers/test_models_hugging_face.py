"""Checkpoints that others made and this process runs."""

import asyncio
from pathlib import Path

import pytest
import torch
from tests.models.models_checkpoint import checkpoint_at, make_checkpoint
from tests.models.models_vendor import inputs_of
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from inhouse.core.errors import SettingError
from inhouse.models.ledger.prices import Price, price_of
from inhouse.models.providers.hugging_face import Checkpoint, HuggingFaceProvider
from inhouse.models.tasks import TEXT_HARM


def _logits(folder: Path, text: str) -> torch.Tensor:
    tokens = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits: torch.Tensor = model(**tokens([text], return_tensors="pt")).logits[0]
    return logits


def test_labels_become_categories_with_the_models_own_probabilities(tmp_path: Path) -> None:
    """Several labels at once are sigmoids of the logits, whatever else was in the batch."""
    folder = make_checkpoint(tmp_path / "it")

    told = Checkpoint(checkpoint_at(folder)).scores(["rude", "a walk a walk", "cheap pills"])

    for text, scores in zip(["rude", "a walk a walk", "cheap pills"], told, strict=True):
        insult, advert = torch.sigmoid(_logits(folder, text)).tolist()
        assert scores == pytest.approx({"harassment": insult, "spam": advert}, abs=1e-6)


def test_labels_that_exclude_each_other_share_one(tmp_path: Path) -> None:
    """A single-label checkpoint answers by softmax; a label not mapped is not told."""
    folder = make_checkpoint(tmp_path / "it", multi_label=False)

    (told,) = Checkpoint(checkpoint_at(folder, insult="harassment")).scores(["rude"])

    expected = torch.softmax(_logits(folder, "rude"), dim=0)[0].item()
    assert told == pytest.approx({"harassment": expected}, abs=1e-6)


def test_a_long_text_is_read_to_its_end(tmp_path: Path) -> None:
    """Beyond the model's 14 words windows overlap by 4, and the highest of each label counts."""
    checkpoint = Checkpoint(checkpoint_at(make_checkpoint(tmp_path / "it")))
    words = ("a walk " * 7 + "rude cheap " * 5).split()

    (told,) = checkpoint.scores([" ".join(words)])

    windows = checkpoint.scores([" ".join(words[:14]), " ".join(words[10:24])])
    assert told == pytest.approx(
        {c: max(one[c] for one in windows) for c in ("harassment", "spam")}, abs=1e-6
    )


def test_a_label_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message says which labels the checkpoint has."""
    folder = make_checkpoint(tmp_path / "it")

    with pytest.raises(SettingError) as caught:
        Checkpoint(checkpoint_at(folder, rudeness="harassment"))

    assert str(caught.value) == (
        f"the checkpoint {str(folder)!r} has no label 'rudeness'; its labels are advert, insult"
    )


def test_a_checkpoint_that_cannot_be_read_is_an_outcome(tmp_path: Path) -> None:
    """Whoever asks goes on to the next deployment; nothing is raised and nothing is made up."""
    (tmp_path / "empty").mkdir()
    provider = HuggingFaceProvider(checkpoint_at(tmp_path / "empty"))

    (answer,) = asyncio.run(provider.answer(TEXT_HARM, inputs_of("rude"), 1_000))

    assert (answer.outcome, answer.scores) == ("unreachable", None)


def test_weights_that_run_code_when_read_are_refused(tmp_path: Path) -> None:
    """A checkpoint with a pickle and no safetensors is not loaded."""
    folder = make_checkpoint(tmp_path / "it")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")

    with pytest.raises(SettingError, match="cannot load the checkpoint"):
        Checkpoint(checkpoint_at(folder))


def test_running_it_costs_no_vendor_anything(tmp_path: Path) -> None:
    """The bill names the price for what it is."""
    deployment = checkpoint_at(make_checkpoint(tmp_path / "it"))

    (answer,) = asyncio.run(
        HuggingFaceProvider(deployment).answer(TEXT_HARM, inputs_of("rude"), 1_000)
    )

    assert price_of(deployment, answer, 0) == Price(cost_usd=0, version="local")
