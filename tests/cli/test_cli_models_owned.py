"""Owned models from a terminal: terms, cards, taking weights out, data sets."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.models.models_texts import harvest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.cli.main import command_line
from inhouse.core.errors import ConflictError, InputError
from inhouse.models.harvest import Labels
from inhouse.models.types import Label


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, and no settings file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    return tmp_path


def _call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(command_line(words[:1]), words)
    assert result.exit_code == code, result.output
    return result.output


def _json(*words: str) -> Any:
    return json.loads(_call(*words, "--json"))


def _refused(*words: str) -> BaseException:
    result = CliRunner().invoke(command_line(words[:1]), words)
    assert result.exception is not None
    return result.exception


def _keep(labels: list[Label]) -> None:
    with open_services() as services:
        Labels(services.database).add(labels)


def _decided(count: int) -> list[Label]:
    """The same made-up posts as people decided on them."""
    return [
        replace(
            one,
            ref=f"p{one.ref}",
            scores={name: round(p) * 1.0 for name, p in one.scores.items()},
            source="person:ann",
            terms="own",
        )
        for one in harvest(count, seed=3)
    ]


def test_weights_leave_once_a_bound_teacher_is_left_out(folder: Path) -> None:
    """Trained with OpenAI's answers a model may not leave, and the refusal says how many labels of
    whom and what to do; done so, it leaves with its papers; both stand in the audit chain."""
    _keep([replace(one, terms="openai-2026-01-01") for one in harvest(300)] + _decided(400))
    bound = _json("models", "train", "text_harm")["version"]
    error = _refused("models", "export", bound, "--to", "out", "--by", "ann")
    card = _call("models", "card", bound)
    free = _json("models", "train", "text_harm", "--without", "openai")
    words = _call("models", "export", free["version"], "--to", "out", "--by", "ann")
    audit = _json("moderate", "audit", "--what", "export")

    assert isinstance(error, ConflictError)
    assert "of openai/openai/m) came under openai-2026-01-01: OpenAI Services" in str(error)
    assert "`inhouse models train text_harm --without openai-2026-01-01`" in str(error)
    assert "To be given to others: not allowed." in card
    assert "| openai/openai/m |" in card
    assert "no legal advice" in card
    assert set(free["card"]["terms"]) == {"own"}
    assert "is in out: README.md, card.json, data.json, model.safetensors" in " ".join(
        words.split()
    )
    data = json.loads((folder / "out" / "data.json").read_bytes())
    assert data["train"] == free["card"]["trained_on"]
    assert "zarps" not in (folder / "out" / "README.md").read_text()
    assert [row["details"]["outcome"] for row in audit] == ["refused", "exported"]


def test_terms_that_forbid_a_model_are_told_when_it_is_trained() -> None:
    """The training goes on, for whether a model competes is for people to judge; it is said."""
    _keep([replace(one, terms="anthropic-2025-06-17") for one in harvest(400)])
    told = _call("models", "train", "text_harm")

    assert "these terms may forbid such a model: 280 labels (280 of openai/openai/m) came" in (
        " ".join(told.split())
    )


def test_terms_are_listed_and_wrong_ones_refused() -> None:
    """Every entry with what it allows; a name nobody knows is an error with a hint."""
    listed = {row["name"]: row for row in _json("models", "terms")}
    error = _refused("models", "train", "text_harm", "--without", "opanai")

    assert listed["openai-2026-01-01"]["trains"] == "classifiers"
    assert listed["unknown"]["leaves"] is False
    assert isinstance(error, InputError)
    assert "did you mean `openai`?" in str(error)
