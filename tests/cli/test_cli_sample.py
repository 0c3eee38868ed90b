"""Prevalence from the command line: drawn, decided, told."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.catalog.types import Item
from inhouse.cli.main import command_line
from inhouse.core.errors import UnknownError
from inhouse.core.ids import ItemId, UserId


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty judged posts, every other one an advert that the shipped term bank knows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    with open_services() as services:
        services.catalog.put_items(
            [
                Item(
                    item_id=ItemId(f"post{place}"),
                    creator_id=UserId(f"by{place}"),
                    text=f"buy followers {place}" if place % 2 else f"rye bread {place}",
                )
                for place in range(40)
            ]
        )
    call("moderate", "run")
    return tmp_path


def call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(command_line(words[:1]), words)
    assert result.exit_code == code, result.output
    return result.output


def read(*words: str) -> Any:
    return json.loads(call(*words, "--json"))


def test_a_sample_is_drawn_and_told_of() -> None:
    """The commands of the guide: drawn, waiting, decided; then the shares are known."""
    with pytest.raises(UnknownError, match="no sample was drawn yet"):
        CliRunner().invoke(
            command_line(["moderate"]), ["moderate", "prevalence"], catch_exceptions=False
        )
    drawn = call("moderate", "sample", "--per-category", "40")
    assert "40 of 40 posts drawn; 40 wait for" in drawn
    waiting = call("moderate", "prevalence")
    assert "40 sampled posts wait in the queue sample" in waiting
    for case in read("review", "queue", "--limit", "100"):
        advert = int(case["item_id"].removeprefix("post")) % 4 == 1
        ruling = ("remove", "--category", "spam") if advert else ("allow",)
        call("review", "decide", case["case_id"], *ruling, "--reviewer", "ada")
    (spam,) = read("moderate", "prevalence")["categories"]
    assert (spam["category"], spam["found"]) == ("spam", 10)
    assert spam["of_posts"] == {"estimate": 0.25, "low": 0.25, "high": 0.25, "level": 0.95}
    assert spam["precision"]["estimate"] == 0.5
    assert spam["recall"]["estimate"] == 1.0
    assert "25.0%" in call("moderate", "prevalence")


def test_a_draw_out_of_range_is_refused() -> None:
    """With the range, before anything is opened."""
    assert "20" in call("moderate", "sample", "--per-category", "3", code=2)
