"""inhouse models parity: the report as JSON, as a page and on the screen; and asking for what it
lacks."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.catalog.types import Item, User
from inhouse.cli.main import command_line
from inhouse.core.clock import DAY_MS
from inhouse.core.ids import ItemId, UserId
from inhouse.core.random import stream
from inhouse.models.harvest.labels import Labels
from inhouse.models.types import Label

_HOSTILE = '<script>alert("x")</script> \u202e garden walk'
_PLAIN = ("garden", "bread", "river", "walk", "light", "photo", "table", "music", "train", "paper")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Posts in two languages, labelled by a rented model, and a model trained on them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    random, items, labels = stream(1, "parity posts"), [], []
    for number in range(900):
        is_spam = number % 4 == 0
        words = [str(word) for word in random.choice(_PLAIN, 6)]
        text = " ".join([*words, "cheap pillz now"] if is_spam else words)
        if number == 899:  # the rented model errs
            is_spam, text = True, _HOSTILE
        creator = UserId("new" if number % 2 else "old")
        items.append(
            Item(
                item_id=ItemId(f"i{number}"),
                creator_id=creator,
                text=text,
                language="de" if number % 3 == 0 else "en",
                created_ms=400 * DAY_MS + number,
            )
        )
        labels.append(
            Label(
                task="text_harm",
                ref=f"i{number}",
                text=text,
                scores={"spam": 0.95 if is_spam else 0.02},
                source="openai/openai/gpt",
                terms="",
                at_ms=400 * DAY_MS + number,
            )
        )
    with open_services() as services:
        services.catalog.put_users(
            [
                User(user_id=UserId("old"), created_ms=1),
                User(user_id=UserId("new"), created_ms=399 * DAY_MS),
            ]
        )
        services.catalog.put_items(items)
        Labels(services.database).add(labels)
    _call("models", "train", "text_harm")
    return tmp_path


def _call(*words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(command_line(words[:1]), words)
    assert result.exit_code == code, result.output
    return result.output


def test_a_report_of_slices_cases_and_a_signed_margin(folder: Path) -> None:
    """What the catalog knows becomes slices, what nobody judged is shown, words only where asked
    for and never as markup, and the gate reads the answer."""
    _call("models", "margin", "text_harm", "0.04", "--by", "Ann")
    report = json.loads(_call("models", "parity", "text_harm", "--json"))
    assert (report["margin"], report["signed"]["signed_by"]) == (0.04, "Ann")
    named = {(one["fact"], one["value"]) for one in report["slices"]}
    assert {
        ("category", "spam"),
        ("language", "de"),
        ("language", "en"),
        ("creator age", "under a week"),
        ("creator age", "a year or more"),
    } == named
    (case,) = report["cases"]
    assert (case["ref"], case["people"], case["text"]) == ("i899", None, None)
    with open_services() as services:
        kept = services.registry.versions("text_harm")[0].parity
    # Three of ten of 900, without the one that is nearly the same as an earlier one.
    assert (json.loads(kept or "")["held_out"], report["overall"]["held_out"]) == (269, 269)
    page = folder / "report.html"
    told = _call("models", "parity", "text_harm", "--html", str(page))
    assert "margin 0.04, signed by Ann; 269 texts held out, of which people judged 0" in told
    assert "garden" not in page.read_text("utf-8")
    _call("models", "parity", "text_harm", "--html", str(page), "--with-texts")
    shown = page.read_text("utf-8")
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in shown
    assert "<script" not in shown
    assert "http" not in shown
    assert "prefers-color-scheme" in shown


def test_people_are_asked_about_the_differences() -> None:
    """A case for the post on which both models differ, once."""
    told = _call("models", "ask", "text_harm", "--differences")
    assert told.startswith("1 of 1 posts asked about for text_harm-")
    told = _call("models", "ask", "text_harm", "--differences")
    assert told.startswith("0 of 1 posts asked about for")


def test_a_file_that_cannot_be_written_is_said(folder: Path) -> None:
    """With what to do, and no traceback."""
    result = CliRunner().invoke(
        command_line(["models"]),
        ["models", "parity", "text_harm", "--html", str(folder / "none" / "x.html")],
    )
    assert "cannot write" in str(result.exception)
