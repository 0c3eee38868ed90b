"""Review from a terminal: queues, many cases at once, known answers, figures."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.catalog.types import Item
from inhouse.cli.main import command_line
from inhouse.core.errors import ConflictError, SettingError
from inhouse.core.ids import ItemId, UserId


@pytest.fixture(autouse=True)
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A data folder of its own with three reported posts; the ids of their cases."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    with open_services() as services:
        services.catalog.put_items(
            [
                Item(item_id=ItemId(f"i{n}"), creator_id=UserId("maker"), text=f"a deal {n}")
                for n in range(3)
            ]
        )
        return [
            str(services.reports.file(f"i{n}", "u", "spam" if n else "hate").case_id)
            for n in range(3)
        ]


def _call(*words: str) -> str:
    result = CliRunner().invoke(command_line(("review",)), ("review", *words))
    assert result.exit_code == 0, result.output
    return result.output


def _json(*words: str) -> Any:
    return json.loads(_call(*words, "--json"))


def test_many_cases_at_once(cases: list[str]) -> None:
    """Preview says what to type next; run decides what was shown; undo takes all of it back."""
    words = ("bulk", "preview", "remove", "--reviewer", "ada", "--category", "spam")
    told = _call(*words, "--text", "A DEAL", "--queue", "spam")
    bulk_id = told.split()[-1]
    assert "2 cases (2 in spam) would get: remove" in told
    assert [case["queue"] for case in _json("queue")].count("spam") == 2
    assert _call("bulk", "run", bulk_id).lstrip() == f"{bulk_id}: 2 of 2 decided\n"
    assert [case["case_id"] for case in _json("queue")] == [cases[0]]
    (listed,) = _json("bulk", "list")
    assert (listed["bulk_id"], listed["state"], listed["standing"]) == (bulk_id, "done", 2)
    assert (
        _call("bulk", "undo", bulk_id, "--reviewer", "ben").lstrip() == f"{bulk_id}: taken back\n"
    )
    assert len(_json("queue", "--creator", "maker")) == 3


def test_a_queue_is_set_up_step_by_step(cases: list[str]) -> None:
    """What is not named stays as it was; what cannot be is refused with its reason."""
    _call("queues", "set", "spam", "--two-person", "--lock-minutes", "5")
    queue = _json("queues", "set", "spam", "--gold-share", "0.1", "--reason", "reported")
    assert queue == {
        "name": "spam",
        "takes": {"categories": [], "signals": [], "languages": [], "reasons": ["reported"]},
        "reviewers": [],
        "two_person": True,
        "gold_share": 0.1,
        "lock_ms": 300_000,
        "place": 100,
    }
    assert _json("queues", "list") == [queue]
    with pytest.raises(SettingError, match="two people or more where two must agree"):
        CliRunner().invoke(
            command_line(("review",)),
            ("review", "queues", "set", "spam", "--reviewer", "ada"),
            catch_exceptions=False,
        )
    _call("queues", "remove", "spam")
    assert _json("queues", "list") == []


def test_two_people_known_answers_and_figures(cases: list[str]) -> None:
    """From the first word to the tables."""
    _call("queues", "set", "spam", "--two-person", "--gold-share", "0.1")
    decide = ("decide", cases[1], "remove", "--category", "spam", "--reviewer")
    assert "remove (waits for second); undo with" in _call(*decide, "ada")
    assert _json(*decide, "ben")["effect"] == "in_force"
    (gold,) = _json("gold", "list")
    assert (gold["item_id"], gold["action"], gold["source"]) == ("i1", "remove", "agreed")
    _call("gold", "remove", gold["gold_id"])
    assert (
        _json("gold", "add", cases[1], "limit", "--category", "spam", "--reviewer", "lee")["source"]
        == "hand"
    )
    quality = _json("quality")
    assert (quality["pairs"][0]["pairs"]["same"], quality["second_looks"]["looks"]) == (1, 1)
    assert "two people who do not know of each other" in _call("quality")
    found = _json("statistics")
    assert found["waiting"] == {"hate": 1, "spam": 1}
    assert len(_call("statistics", "--by-day").splitlines()) > 3


def test_a_case_is_looked_at_and_sent_on(cases: list[str]) -> None:
    """Shown with all around it, remarked on, sent to another queue; asked wrongly it says so."""
    _call("note", cases[0], "who can read this?", "--reviewer", "ada")
    moved = _json("escalate", cases[0], "privacy", "a name in it", "--reviewer", "ada")
    around = json.loads(_call("show", cases[0]))
    assert (moved["queue"], around["item"]["item_id"]) == ("privacy", "i0")
    assert [remark["words"] for remark in around["remarks"]] == [
        "a name in it",
        "who can read this?",
    ]
    assert _json("queue", "--item", "i0")[0]["queue"] == "privacy"
    assert _json("queue", "--older-than-hours", "1") == []
    with pytest.raises(SettingError, match="the queue 'Spam' cannot be set up"):
        CliRunner().invoke(
            command_line(("review",)), ("review", "queues", "set", "Spam"), catch_exceptions=False
        )
    _call("decide", cases[0], "allow", "--reviewer", "ada")
    with pytest.raises(ConflictError, match="is decided already"):
        CliRunner().invoke(
            command_line(("review",)),
            ("review", "decide", cases[0], "allow", "--reviewer", "ben"),
            catch_exceptions=False,
        )
