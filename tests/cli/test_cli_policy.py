"""A policy from the command line: watched, tried on the past, put into force, caught up with."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.app.worker import Worker
from inhouse.catalog.types import Item
from inhouse.cli.main import command_line
from inhouse.core.ids import ItemId, UserId

LIVE = """\
policy: ours
categories: {spam: advertising}
rules:
  - rule: spam
    category: spam
    when: {spam: 0.8}
    actions: limit
"""
WATCHED = (
    LIVE
    + """\
  - rule: shouting
    category: spam
    mode: shadow
    when: {links: 1}
    actions: review
"""
)
RAISED = WATCHED.replace("    mode: shadow\n", "")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three posts judged under LIVE."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv("INHOUSE_MODERATION_POLICY", str(tmp_path / "policy.yaml"))
    (tmp_path / "policy.yaml").write_text(LIVE)
    texts = {"a": "buy followers", "b": "see bread.example.com/rye", "c": "rye bread"}
    with open_services() as services:
        services.catalog.put_items(
            [
                Item(item_id=ItemId(name), creator_id=UserId(f"by_{name}"), text=text)
                for name, text in texts.items()
            ]
        )
    call("moderate", "run")
    call("moderate", "rescan")
    return tmp_path


def call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(command_line(words[:1]), words)
    assert result.exit_code == code, result.output
    return result.stdout


def read(*words: str) -> Any:
    return json.loads(call(*words, "--json"))


def test_a_rule_is_watched_then_tried_then_live_then_undone(folder: Path) -> None:
    """The whole way of the guide, with what each command says."""
    assert "has no rule in shadow" in call("moderate", "shadow")
    (folder / "policy.yaml").write_text(WATCHED)
    (watched,) = read("moderate", "shadow")["rules"]
    assert (watched["rule"], watched["matches"], watched["examples"]) == ("shouting", 1, ["b"])
    assert "shouting holds for 1 of 3 posts and would change 1" in call("moderate", "shadow")

    (folder / "next.yaml").write_text(RAISED)
    tried = read("moderate", "backtest", "next.yaml")
    (move,) = tried["moves"]
    assert (move["before"], move["after"], move["items"]) == ("allow", "review", 1)
    told = call("moderate", "backtest", "next.yaml")
    assert "1 of 3 posts would change, of 1 creators" in told
    assert "everywhere 1 / 1" in told
    assert read("moderate", "rescan")["opened"] == 0

    (folder / "policy.yaml").write_text(RAISED)
    done = read("moderate", "rescan")
    assert (done["state"], done["read"], done["changed"], done["opened"]) == ("done", 3, 1, 1)
    assert [case["item_id"] for case in read("review", "queue")] == ["b"]

    (folder / "policy.yaml").write_text(LIVE)
    assert "0 cases opened, 1 withdrawn" in call("moderate", "rescan")
    assert read("review", "queue") == []


def test_the_worker_catches_up_with_a_new_policy_by_itself(folder: Path) -> None:
    """After a restart with another policy file, nobody has to call anything."""
    (folder / "policy.yaml").write_text(RAISED)
    with open_services() as services:
        worker = Worker(services)
        while worker.step():
            pass
        worker.close()
    assert [case["item_id"] for case in read("review", "queue")] == ["b"]


def test_the_breaker_is_seen_by_the_doctor_and_reset_by_a_person(folder: Path) -> None:
    """Two removals an hour are allowed here; the third asks for somebody."""
    text = LIVE.replace("actions: limit", "actions: remove")
    limited = text.replace("policy: ours\n", "policy: ours\nbreaker: {removals_per_hour: 2}\n")
    (folder / "policy.yaml").write_text(limited)
    assert "closed" in call("moderate", "breaker", "show")
    with open_services() as services:
        services.catalog.put_items(
            [
                Item(item_id=ItemId(f"s{n}"), creator_id=UserId("c"), text=f"buy followers {n}")
                for n in range(4)
            ]
        )
    assert read("moderate", "run")["cases"] == 2
    told = "all rules together removed 2 of 6 posts judged within an hour"
    assert told in " ".join(call("moderate", "breaker", "show").split())
    assert told in " ".join(call("doctor", "--json", code=1).split())
    assert "1 closed" in call("moderate", "breaker", "reset", "--reviewer", "ada")
    assert read("moderate", "breaker", "show") == []
    assert [f["ok"] for f in read("doctor") if f["what"] == "circuit breaker"] == [True]


def test_a_faulty_policy_is_told_and_nothing_is_read(folder: Path) -> None:
    """As `inhouse moderate policy` tells it."""
    (folder / "next.yaml").write_text(RAISED.replace("links", "linkz"))
    result = CliRunner().invoke(command_line(["moderate"]), ["moderate", "backtest", "next.yaml"])
    assert result.exit_code != 0
    assert "did you mean `links`?" in str(result.exception)
