"""Owned models from a terminal: terms, cards, taking weights out, data sets."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.models.models_texts import harvest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.cli.main import command_line
from inhouse.core.errors import ConflictError, InputError
from inhouse.models.harvest.conversations import Message
from inhouse.models.harvest.labels import Labels
from inhouse.models.harvest.pairs import Pair, add_pairs
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


def test_a_data_set_is_shown_and_written(folder: Path) -> None:
    """Counts by stratum add up, files hold a row for each text with its side, and training learns
    from the same."""
    _keep([replace(one, at_ms=n) for n, one in enumerate(harvest(330) + _decided(70))])
    facts = _json("models", "data", "text_harm")
    told = _call("models", "data", "text_harm", "--to", "set.parquet")
    _call("models", "data", "text_harm", "--to", "set.jsonl")
    few = _json("models", "data", "text_harm", "--most", "50")
    trained = _json("models", "train", "text_harm")["card"]["data"]

    table = pl.read_parquet("set.parquet")
    assert table.columns[:7] == ["side", "ref", "text", "at_ms", "language", "sources", "terms"]
    assert table["side"].value_counts().sort("side").rows() == [
        (side, facts[side]) for side in ("test", "train", "validation")
    ]
    lines = [json.loads(line) for line in Path("set.jsonl").read_text().splitlines()]
    assert lines == table.to_dicts()
    assert sum(row["train"] for row in facts["strata"]) == facts["train"]
    assert {row["source"] for row in facts["strata"]} == {"person", "openai/openai/m"}
    assert "not erased there" in " ".join(told.split())
    assert few["train"] + few["validation"] + few["test"] + few["seen_before"] == 50
    assert (trained["train"], trained["sha256"]) == (facts["train"], facts["sha256"])


def test_pairs_are_a_data_set_too(folder: Path) -> None:
    """Of a task that calls named: without whoever asked, and without terms that are left out."""

    def pair(place: int, terms: str) -> Pair:
        asked = Message(role="user", content=f"Give a title for: {place} {'tea' * place} please")
        return Pair(
            task="titles",
            messages=(asked,),
            answer=f"Number {place}",
            person="u1",
            ref=None,
            call_id=f"c{place}",
            key_id="k",
            deployment="d",
            source="h/o/m",
            terms=terms,
            at_ms=place,
        )

    with open_services() as services:
        pairs = [pair(place, "gemini-2025-05-20" if place == 3 else "mit") for place in range(20)]
        services.database.write(lambda connection: add_pairs(connection, pairs))
    (folder / "inhouse.toml").write_text('[models]\nwithout_terms = "gemini"\n')
    facts = _json("models", "data", "titles", "--to", "titles.jsonl")
    lines = [json.loads(line) for line in Path("titles.jsonl").read_text().splitlines()]

    assert [teacher["terms"] for teacher in facts["teachers"]] == ["mit"]
    assert len(lines) == facts["train"] + facts["validation"] + facts["test"]
    assert len(lines) + facts["copies"] + facts["seen_before"] == 19
    assert lines[0] == {
        "side": "train",
        "messages": [{"role": "user", "content": "Give a title for: 0  please"}],
        "answer": "Number 0",
        "at_ms": 0,
        "language": "unknown",
        "source": "h/o/m",
        "terms": "mit",
        "call_id": "c0",
    }


def test_what_is_no_data_set(folder: Path) -> None:
    """A task nobody has named, and a file of another kind."""
    assert "known are text_harm" in str(_refused("models", "data", "titles"))
    assert "ends in .parquet or .jsonl" in str(
        _refused("models", "data", "text_harm", "--to", "x.csv")
    )
    assert _json("models", "data", "text_harm")["train"] == 0
