"""A policy from the command line: watched, tried on the past, put into force, caught up with."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.app.roles.worker import Worker
from inhouse.catalog.types import Item
from inhouse.cli.main import command_line
from inhouse.core.errors import SettingError
from inhouse.core.ids import ItemId, UserId
from inhouse.store import tables

PATIENCE_S = 60.0
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


def test_the_doctor_tells_of_a_broken_policy_and_what_stays_in_force(folder: Path) -> None:
    """With the fault, and which policy servers keep that run."""
    version = json.loads(call("moderate", "policy", "--json"))["version"]
    (folder / "policy.yaml").write_text(LIVE.replace("limit", "limt"))
    told = {f["what"]: f for f in json.loads(call("doctor", "--json", code=1))}
    detail = told["moderation"]["detail"]
    assert not told["moderation"]["ok"]
    assert "did you mean `limit`?" in detail
    assert detail.endswith(
        f"servers that run keep policy {version}; one that starts now keeps it too"
    )
    with open_services() as services:
        services.database.write(lambda c: c.execute(tables.policies.delete()))
    told = {f["what"]: f for f in json.loads(call("doctor", "--json", code=1))}
    assert told["moderation"]["detail"].endswith("; one that starts now refuses to")


def test_a_command_does_not_go_by_the_rules_of_before(folder: Path) -> None:
    """Whoever is at the command line is shown the fault, and can mend the file."""
    (folder / "policy.yaml").write_text(LIVE.replace("limit", "limt"))
    result = CliRunner().invoke(command_line(["moderate"]), ["moderate", "run"])
    assert isinstance(result.exception, SettingError)
    assert "did you mean `limit`?" in str(result.exception)


def test_a_worker_that_starts_on_a_broken_policy_goes_by_the_last_good_one(folder: Path) -> None:
    """What is posted meanwhile is judged by it, the past is not gone through again, and the mended
    file is taken up without another start."""
    (folder / "policy.yaml").write_text(RAISED.replace("review", "reviwe"))
    with open_services() as services:
        services.starts_anyway = True
        items = [Item(item_id=ItemId("d"), creator_id=UserId("by_d"), text="buy followers")]
        services.catalog.put_items(items)
        worker = Worker(services)
        _steps(worker, 1.0)
        judged = services.verdicts.latest(["d"])[ItemId("d")]
        trouble, version = services.rules_watch.trouble, services.policy.version
        assert services.rescan.running() is None
        assert judged.policy_version == version
        assert "did you mean `review`?" in (trouble or "")
        assert [rule.name for rule in services.policy.rules] == ["spam"]
        (folder / "policy.yaml").write_text(RAISED)
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s and not services.review.queue():
            _steps(worker, 0.1)
        worker.close()
        (case,) = services.review.queue()
        assert (case.item_id, services.rules_watch.trouble) == ("b", None)


def test_the_doctor_says_where_the_worker_has_another_policy(folder: Path) -> None:
    """The file is new, and nobody has taken it up yet."""
    version = json.loads(call("moderate", "policy", "--json"))["version"]
    (folder / "policy.yaml").write_text(RAISED)
    told = {f["what"]: f for f in json.loads(call("doctor", "--json"))}
    assert f"; the worker last took up policy {version}" in told["moderation"]["detail"]


def test_a_rescan_is_stopped_and_begun_again(folder: Path) -> None:
    """Where none is running there is nothing to stop; what is begun anew ends."""
    nothing = CliRunner().invoke(command_line(("moderate",)), ["moderate", "rescan", "--stop"])
    assert "no re-scan is running" in str(nothing.exception)
    with open_services() as services:
        services.rescan.begin(signals=True)
    stopped = json.loads(call("moderate", "rescan", "--stop", "--json"))
    assert (stopped["state"], stopped["read"]) == ("stopped", 0)
    assert json.loads(call("moderate", "rescan", "--json"))["state"] == "done"


def test_a_worker_takes_up_a_changed_policy_without_a_restart(folder: Path) -> None:
    """A broken file changes nothing; a good one brings its re-scan, which opens the cases."""
    with open_services() as services:
        worker = Worker(services)
        _steps(worker, 1.2)
        (folder / "policy.yaml").write_text(RAISED.replace("review", "reviwe"))
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s and services.rules_watch.trouble is None:
            _steps(worker, 0.1)
        assert services.rules_watch.trouble is not None
        assert [rule.name for rule in services.policy.rules] == ["spam"]
        (folder / "policy.yaml").write_text(RAISED)
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s and not services.review.queue():
            _steps(worker, 0.1)
        worker.close()
        (case,) = services.review.queue()
    assert (case.item_id, case.queue) == ("b", "spam")


def _steps(worker: Worker, for_s: float) -> None:
    until_s = time.monotonic() + for_s
    while time.monotonic() < until_s:
        worker.step()
        time.sleep(0.02)
