"""/v1/policy: the past under another policy, and rules that only watch."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.keys import SCOPES
from inhouse.app.settings import Settings
from inhouse.core.errors import SettingError, StoreError
from inhouse.moderation.judging.breaker import BreakerEvent, append_events
from inhouse.moderation.tools import Tools
from inhouse.store import tables

OURS = """\
policy: ours
categories: {spam: advertising, hate: attacks}
rules:
  - rule: spam_watched
    category: spam
    mode: shadow
    when: {spam: 0.5}
    actions: remove
  - rule: spam
    category: spam
    when: {spam: 0.8}
    actions: limit
  - rule: flood
    category: spam
    when: {creator_posts_1h: 3, not: {kind: video}}
    actions: warn
  - rule: complained
    category: spam
    when: {trusted_reports: 2}
    actions: age_gate
"""
PATIENCE_S = 60.0
TEXTS = {"a": "buy followers now", "b": "rye bread", "c": "buy followers, b u y followers"}


@pytest.fixture
def ours(services: Services) -> None:
    """The policy OURS in force, before anything is built on it."""
    path = services.settings.folder / "ours.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(OURS)
    moderation = replace(services.settings.moderation, policy=str(path))
    services.settings = replace(services.settings, moderation=moderation)


@pytest.fixture
def judged(ours: None, client: TestClient, judge: Callable[[], None]) -> TestClient:
    """A community with two adverts and a loaf."""
    items = [
        {"item_id": name, "creator_id": f"by_{name}", "text": text, "created_ms": 1_000_000}
        for name, text in TEXTS.items()
    ]
    assert client.post("/v1/items", json={"items": items}).status_code == 200
    judge()
    return client


def test_a_policy_is_tried_on_the_past(judged: TestClient) -> None:
    """The answer says what would change, for whom, and nothing is decided."""
    removing = OURS.replace("actions: limit", "actions: remove")
    answer = judged.post("/v1/policy/backtest", json={"policy": removing})
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    told = [(m["before"], m["after"], m["items"], m["examples"]) for m in report["moves"]]
    assert (report["items"], report["changed"], report["creators"]) == (3, 2, 2)
    assert told == [("limit", "remove", 2, ["a", "c"])]
    verdict = judged.get("/v1/verdicts/a", params={"surface": "feed"}).json()
    assert (verdict["action"], verdict["decided_by"]) == ("limit", "rule:spam")


def test_every_fault_of_a_policy_is_answered(judged: TestClient) -> None:
    """With line, caret and hint, as on the command line; garbage is a fault and no crash."""
    faulty = OURS.replace("spam: 0.8", "spma: 0.8").replace("limit", "limt")
    answer = judged.post("/v1/policy/backtest", json={"policy": faulty})
    assert answer.status_code == 400
    message = answer.json()["error"]["message"]
    assert message.startswith("2 faults in the policy\n\npolicy:11:12: unknown category or signal")
    assert "= did you mean `spam`?" in message
    for garbage in ("", "🍞", "\u202eabc", "a: *b", "[" * 300, "- " * 5_000, "x: &a [*a]", "\x00"):
        answer = judged.post("/v1/policy/backtest", json={"policy": garbage})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    for body in ({}, {"policy": 3}, {"policy": ["a"]}):
        assert judged.post("/v1/policy/backtest", json=body).status_code == 400


def test_watched_rules_say_what_they_would_have_done(judged: TestClient) -> None:
    """Matches, what would change, and people's word on them."""
    report = judged.get("/v1/policy/shadow", params={"days": 1}).json()
    (rule,) = report["rules"]
    assert (report["items"], rule["rule"], rule["matches"], rule["would_change"]) == (
        3,
        "spam_watched",
        2,
        2,
    )
    assert [(m["before"], m["after"], m["items"]) for m in rule["moves"]] == [
        ("limit", "remove", 2)
    ]
    assert judged.get("/v1/policy/shadow", params={"newest": 1}).json()["items"] == 1
    assert judged.get("/v1/policy/shadow", params={"days": 0}).status_code == 400


def test_an_open_breaker_is_shown_and_a_person_closes_it(
    judged: TestClient, services: Services
) -> None:
    """The route says what was removed, the metrics count it, and it needs a name to be closed."""
    assert judged.get("/v1/policy/breaker").json() == {"open": []}
    assert 'inhouse_state{fact="breakers_open"} 0.0' in judged.get("/metrics").text
    opened = BreakerEvent(at_ms=5, kind="opened", rule="spam", removals=10, judged=12)
    services.database.write(lambda connection: append_events(connection, [opened]))
    (told,) = judged.get("/v1/policy/breaker").json()["open"]
    assert (told["rule"], told["removals"], told["judged"]) == ("spam", 10, 12)
    assert 'inhouse_state{fact="breakers_open"} 1.0' in judged.get("/metrics").text
    nameless = judged.post("/v1/policy/breaker/reset", json={"reviewer": " "})
    assert (nameless.status_code, len(judged.get("/v1/policy/breaker").json()["open"])) == (400, 1)
    closed = judged.post("/v1/policy/breaker/reset", json={"reviewer": "ada"})
    assert [event["rule"] for event in closed.json()["open"]] == ["spam"]
    assert judged.get("/v1/policy/breaker").json() == {"open": []}


def test_metrics_tell_what_waits_and_go_on_where_the_store_refuses(
    judged: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A post without a worker is counted; a store that is gone is told, and the rest of it too."""

    def refuse(_: object) -> None:
        raise StoreError("the database refused: no such night")

    assert 'inhouse_state{fact="posts_awaiting"} 0.0' in judged.get("/metrics").text
    judged.post("/v1/items", json={"items": [{"item_id": "night", "creator_id": "c"}]})
    waiting = judged.get("/metrics").text
    monkeypatch.setattr("inhouse.api.routes.health.lag_of", refuse)
    without = judged.get("/metrics")

    assert 'inhouse_state{fact="posts_awaiting"} 1.0' in waiting
    assert 'inhouse_state{fact="events_not_learned"} 0.0' in waiting
    assert 'inhouse_state{fact="store_answers"} 1.0' in waiting
    assert without.status_code == 200
    assert 'inhouse_state{fact="store_answers"} 0.0' in without.text


def test_floods_and_reports_are_decided_by(judged: TestClient, judge: Callable[[], None]) -> None:
    """The third post of an hour by one creator is warned of, a video is not; two reports by people
    of whom nothing is known gate a post, as soon as they are made."""
    items = [
        {
            "item_id": f"f{n}",
            "creator_id": "flo",
            "text": f"bread {n}",
            "created_ms": 2_000_000 + n,
            "kind": "video" if n == 3 else "text",
        }
        for n in range(4)
    ]
    assert judged.post("/v1/items", json={"items": items}).status_code == 200
    judge()

    def action(item_id: str) -> str:
        found = judged.get(f"/v1/verdicts/{item_id}", params={"viewer": "adult"})
        return str(found.json()["action"])

    assert [action(f"f{n}") for n in range(4)] == ["allow", "allow", "warn", "allow"]
    for reporter in ("x", "y"):
        body = {"item_id": "b", "reporter_id": reporter, "category": "spam"}
        assert judged.post("/v1/reports", json=body).status_code == 200
    assert action("b") == "age_gate"


def test_policies_are_for_moderators(services: Services) -> None:
    """A key without the scope may neither try a policy nor see what rules watch."""
    _, secret = services.keys.create("app", ["feed", "events"])
    with TestClient(create_app(services), raise_server_exceptions=False) as client:
        client.headers["authorization"] = f"Bearer {secret}"
        assert client.get("/v1/policy/shadow").status_code == 403
        answer = client.post("/v1/policy/backtest", json={"policy": OURS})
        assert answer.status_code == 403


def _wait_for(holds: Callable[[], bool]) -> None:
    """Until something holds; how long it may take on an idle machine is tested elsewhere."""
    until_s = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < until_s:
        time.sleep(0.05)
    assert holds()


def test_a_changed_policy_decides_without_a_restart(judged: TestClient, services: Services) -> None:
    """Verdicts, feeds and the state tell of it within the time that is promised; a broken file
    changes nothing and is told of by health, state and metrics until it is mended."""
    path = Path(services.settings.moderation.policy)

    def action() -> str:
        answer = judged.get("/v1/verdicts/a", params={"surface": "feed"})
        return str(answer.json()["action"])

    def state() -> dict[str, Any]:
        told: dict[str, Any] = judged.get("/v1/state").json()
        return told

    before = state()
    assert (action(), before["keeping_rules"]) == ("limit", False)
    path.write_text(OURS.replace("actions: limit", "actions: remove"))
    _wait_for(lambda: action() == "remove")
    now = state()
    assert now["policy_version"] != before["policy_version"]
    assert services.board.policy.version == now["policy_version"]

    path.write_text(OURS.replace("actions: limit", "actions: limt"))
    _wait_for(lambda: state()["keeping_rules"])
    told = judged.get("/v1/policy").json()
    assert "did you mean `limit`?" in told["trouble"]
    assert told["policy_version"] == now["policy_version"]
    assert (action(), state()["policy_version"]) == ("remove", now["policy_version"])
    assert judged.get("/v1/healthz").json()["keeping_rules"] == 1
    assert 'inhouse_state{fact="keeping_rules"} 1.0' in judged.get("/metrics").text

    path.write_text(OURS)
    _wait_for(lambda: action() == "limit")
    assert judged.get("/v1/healthz").json()["keeping_rules"] == 0
    assert state() == before
    assert judged.get("/v1/policy").json()["trouble"] is None


def test_a_server_starts_on_a_broken_policy_with_the_one_taken_up_last(
    judged: TestClient, services: Services
) -> None:
    """It answers as before and says so everywhere; one that has never had a good one refuses, with
    the line and the caret."""
    path = Path(services.settings.moderation.policy)
    services.rescan.adopt()
    before = judged.get("/v1/state").json()
    path.write_text(OURS.replace("actions: limit", "actions: limt"))
    with _started(services.settings, services.keys.create("again", SCOPES)[1]) as client:
        now, told = client.get("/v1/state").json(), client.get("/v1/policy").json()
        action = client.get("/v1/verdicts/a", params={"surface": "feed"}).json()["action"]
        assert now == {**before, "keeping_rules": True}
        assert (action, client.get("/v1/healthz").json()["keeping_rules"]) == ("limit", 1)
        assert "did you mean `limit`?" in told["trouble"]
        path.write_text(OURS)
        _wait_for(lambda: not client.get("/v1/state").json()["keeping_rules"])
        assert client.get("/v1/state").json() == before

    path.write_text(OURS.replace("actions: limit", "actions: limt"))
    services.database.write(lambda connection: connection.execute(tables.policies.delete()))
    with pytest.raises(SettingError, match=r"\^"), _started(services.settings, "inh_x"):
        pass


@contextmanager
def _started(settings: Settings, secret: str) -> Iterator[TestClient]:
    """Another server of the same community."""
    services = Services(settings)
    try:
        with TestClient(create_app(services), raise_server_exceptions=False) as client:
            client.headers["authorization"] = f"Bearer {secret}"
            yield client
    finally:
        services.close()


def test_every_part_that_decides_takes_up_other_rules(services: Services, ours: None) -> None:
    """None goes on by the rules it was made with."""
    for part in vars(type(services)):
        if part not in ("media", "feeds", "standby"):
            getattr(services, part)
    fresh = replace(services.rules, policy=replace(services.policy, version="another"))
    services.use_rules(fresh)
    made = vars(services)
    held = {
        name: getattr(part, "tools", part).rules.policy.version
        for name, part in made.items()
        if isinstance(getattr(part, "tools", part), Tools)
    }
    assert {"review", "appeals", "moderator", "judge", "rescan", "refresher"} <= held.keys()
    assert set(held.values()) == {"another"}
    assert (services.policy.version, services.board.policy.version) == ("another", "another")
    assert not {"hash_banks", "queues", "gold"} & made.keys()


def test_a_rescan_is_begun_watched_and_stopped(judged: TestClient) -> None:
    """There is none before the first; the worker does it; stopped, it can be begun again."""
    assert judged.get("/v1/policy/rescan").json() == {"rescan": None}
    assert judged.post("/v1/policy/rescan/stop").status_code == 409
    begun = judged.post("/v1/policy/rescan", json={"signals": True}).json()
    assert (begun["state"], begun["signals"], begun["share"]) == ("running", True, 0.0)
    assert judged.get("/v1/policy/rescan").json() == {"rescan": begun}
    stopped = judged.post("/v1/policy/rescan/stop").json()
    assert (stopped["job_id"], stopped["state"]) == (begun["job_id"], "stopped")
    again = judged.post("/v1/policy/rescan", json={}).json()
    assert again["job_id"] != begun["job_id"]
    assert judged.post("/v1/policy/rescan", json={"signals": [1]}).status_code == 400
