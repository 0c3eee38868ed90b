"""`inhouse train --causal`: what a person reads, what a program reads, and with which exit code."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.catalog.types import Item
from inhouse.cli.main import command_line
from inhouse.core.errors import InputError
from inhouse.core.ids import CausalId, EventId, ItemId, UserId
from inhouse.core.random import stream
from inhouse.events.types import Event
from inhouse.learning.causal.fit import SequenceFit
from inhouse.learning.causal.serving import CausalShape
from inhouse.learning.causal.steps import SequenceTraining
from inhouse.learning.causal_run.gate import Answered, Comparison
from inhouse.learning.causal_run.train import CausalReport
from inhouse.learning.sequences.flat import Sequences
from inhouse.learning.sequences.holdout import Difference
from inhouse.learning.taste.arrays import TasteShape
from inhouse.learning.taste.train import TasteTraining
from inhouse.stats.types import Interval, NotEnough

START_MS = 1_700_000_000_000
REPORT = CausalReport(
    log_offset=12_000,
    wants=9_000,
    people=700,
    items=1_500,
    fit=SequenceFit(losses=(2.0, 1.0), judged=(0.1, 0.2), best_epoch=2, parameters=10),
    comparison=Comparison(
        weight=0.5,
        asked=350,
        alone=Answered(hit_rate=0.2, ndcg=0.1),
        both=Answered(hit_rate=0.25, ndcg=0.12),
        gain=Difference(
            rival="taste model alone",
            hit_rate=Interval(estimate=0.05, low=0.01, high=0.09, level=0.95),
            ndcg=NotEnough(reason="no variance between resamples"),
        ),
        passed=True,
    ),
    published=CausalId("causal_7"),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, and models that learn in a moment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv("INHOUSE_LEARNING_TABLE_MB", "1")

    def small(sequences: Sequences, items: int, seed: int) -> SequenceTraining:
        shape = CausalShape(dims=16, blocks=1)
        return SequenceTraining(shape=shape, batch=512, dropout=0.1, seed=seed)

    monkeypatch.setattr("inhouse.learning.causal_run.train.training_for", small)
    taste = partial(TasteTraining, shape=TasteShape(dims=8, length=16), batch=128)
    monkeypatch.setattr("inhouse.learning.training.course.TasteTraining", taste)
    return tmp_path


def _call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(command_line(["train"]), ["train", *words])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def _wanted_by_chance() -> None:
    """A hundred people who clicked eleven of sixty posts each, one after the other."""
    dice = stream(6, "clicks")
    with open_services() as services:
        services.catalog.put_items(
            [
                Item(item_id=ItemId(f"i{k}"), creator_id=UserId("c"), created_ms=START_MS)
                for k in range(60)
            ]
        )
        chosen = [dice.permutation(60)[:11] for _ in range(100)]
        events = [
            Event(
                event_id=EventId(f"e{place}-{person}"),
                kind="click",
                user_id=UserId(f"u{person}"),
                item_id=ItemId(f"i{items[place]}"),
                at_ms=START_MS + 1_000 * (100 * place + person),
            )
            for place in range(11)
            for person, items in enumerate(chosen)
        ]
        services.log.submit(events).result()


def test_what_does_not_help_is_told_and_not_published(folder: Path) -> None:
    """Exit code 0 and the figures: nothing went wrong, there was nothing to be had."""
    _wanted_by_chance()

    told: dict[str, Any] = json.loads(_call("--causal", "--json"))
    said = _call("--causal")

    assert (told["wants"], told["people"], told["items"]) == (1_100, 100, 60)
    assert (told["published"], told["comparison"]["passed"]) == (None, False)
    assert told["comparison"]["asked"] == 50
    assert "100 people wanted posts 1,100 times, of 60;" in said
    assert said.endswith("nothing published: the sum is not better for certain")
    assert not (folder / "data" / "snapshots" / "causal").exists()
    assert list((folder / "data" / "causal").iterdir()) == []


def test_what_helps_is_told_with_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """And who takes it up."""
    monkeypatch.setattr("inhouse.cli.train.train_causal", lambda *_: REPORT)

    assert _call("--causal") == (
        "700 people wanted posts 9,000 times, of 1,500; 2 epochs on the first nine tenths, the best"
        " was 2 of 350 people, what they wanted next was among the best ten for 0.2000 by the taste"
        " model alone, for 0.2500 with the causal one (weight 0.5): +0.0500, in all likelihood"
        " +0.0100 to +0.0900 trained on everything and published causal_7; a running learner"
        " serves with it within seconds, else run `inhouse train`"
    )


def test_a_difference_that_is_not_known_is_not_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason stands in its place."""
    gain = replace(REPORT.comparison.gain, hit_rate=NotEnough(reason="all answers are alike"))
    compared = replace(REPORT.comparison, gain=gain, passed=False)
    report = replace(REPORT, comparison=compared, published=None)
    monkeypatch.setattr("inhouse.cli.train.train_causal", lambda *_: report)

    assert "unknown: all answers are alike nothing published" in _call("--causal")


def test_too_little_and_two_sources_are_refused() -> None:
    """By their numbers, and with what to do instead."""
    with pytest.raises(InputError) as few:
        CliRunner().invoke(command_line(["train"]), ["train", "--causal"], catch_exceptions=False)
    with pytest.raises(InputError) as two:
        CliRunner().invoke(
            command_line(["train"]),
            ["train", "--causal", "--sequences", "some.txt"],
            catch_exceptions=False,
        )

    assert str(few.value) == (
        "people wanted posts 0 times, expected 1,000 or more; import behaviour, or wait until more"
        " is known"
    )
    assert str(two.value) == ("--causal learns from the log and --sequences from a file; give one")
