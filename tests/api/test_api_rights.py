"""What people are told of decisions about them, over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from inhouse.api.server import create_app
from inhouse.app.build import Services

NOW_MS = 1_760_000_000_000


def _ok(response: Any) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def restricted(client: TestClient, judge: Callable[[], None]) -> TestClient:
    """A post of Ana's shows a card number and is held; one of Bo's is fine."""
    items = [
        {"item_id": "held", "creator_id": "ana", "text": "pay with 4111 1111 1111 1111"},
        {"item_id": "fine", "creator_id": "bo", "text": "tea at dawn"},
    ]
    _ok(client.post("/v1/items", json={"items": [{**i, "created_ms": NOW_MS} for i in items]}))
    judge()
    return client


def test_an_author_is_told_why_a_post_is_hidden(restricted: TestClient) -> None:
    """In the list of their statements, each of which has an address of its own."""
    (found,) = _ok(restricted.get("/v1/users/ana/statements"))
    assert (found["item_id"], found["kinds"], found["category"], found["state"]) == (
        "held",
        ["disabled"],
        "privacy",
        "in_force",
    )
    assert found["reasons"]["explanation"] == "The post seems to show a payment card number."
    assert "six months" in found["reasons"]["redress"]
    assert "4111" not in str(found)
    assert _ok(restricted.get(f"/v1/statements/{found['statement_id']}")) == found
    assert _ok(restricted.get("/v1/users/bo/statements")) == []
    assert restricted.get("/v1/statements/nothing").status_code == 404
    assert restricted.get("/v1/users/ana/statements?limit=0").status_code == 400


def test_statements_need_a_scope_of_their_own(services: Services) -> None:
    """A key that sends events cannot read what people are told."""
    _, secret = services.keys.create("events only", ["events", "moderation"])
    with TestClient(create_app(services)) as client:
        client.headers["authorization"] = f"Bearer {secret}"
        assert client.get("/v1/users/ana/statements").status_code == 403


def test_a_reporter_hears_what_came_of_it_and_may_object(restricted: TestClient) -> None:
    """Acknowledged, answered, objected to, and answered by somebody else."""
    body = {"item_id": "fine", "reporter_id": "zoe", "category": "hate", "illegal": True}
    filed = _ok(restricted.post("/v1/reports", json={**body, "good_faith": True, "name": "Zoe"}))
    before = _ok(restricted.get(f"/v1/reports/{filed['report_id']}"))
    ruling = {"reviewer": "ada", "action": "allow"}
    _ok(restricted.post(f"/v1/review/{filed['case_id']}/decide", json=ruling))
    after = _ok(restricted.get(f"/v1/reports/{filed['report_id']}"))
    objection = {
        "item_id": "fine",
        "user_id": "zoe",
        "words": "It is.",
        "report_id": filed["report_id"],
    }
    opened = _ok(restricted.post("/v1/appeals", json=objection))
    outcome = {"reviewer": "ben", "outcome": "overturn", "answer": "It is indeed."}
    alone = restricted.post(f"/v1/appeals/{opened['appeal_id']}/decide", json=outcome)
    done = _ok(
        restricted.post(
            f"/v1/appeals/{opened['appeal_id']}/decide",
            json={**outcome, "action": "remove", "category": "hate"},
        )
    )
    assert (before["state"], after["state"], after["outcome"]) == ("received", "decided", "none")
    assert alone.status_code == 400
    assert _ok(restricted.get("/v1/users/zoe/appeals")) == [done]
    assert _ok(restricted.get(f"/v1/reports/{filed['report_id']}"))["outcome"] == "action"
    (statement,) = _ok(restricted.get("/v1/users/bo/statements"))
    assert statement["reasons"]["source"] == "notice"
    assert restricted.get("/v1/reports/nothing").status_code == 404


def test_an_account_hears_how_it_stands(restricted: TestClient) -> None:
    """A post that waits for a person is no strike; a removal by one is."""
    (case,) = _ok(restricted.get("/v1/review"))["cases"]
    before = _ok(restricted.get("/v1/users/ana/strikes"))
    ruling = {"reviewer": "ada", "action": "remove", "category": "hate"}
    _ok(restricted.post(f"/v1/review/{case['case_id']}/decide", json=ruling))
    after = _ok(restricted.get("/v1/users/ana/strikes"))
    assert (before["points"], before["strikes"], before["level"]) == (0, [], "none")
    assert after["points"] == pytest.approx(1.0)
    assert [(s["item_id"], s["category"]) for s in after["strikes"]] == [("held", "hate")]


def test_a_sealed_post_is_gone_at_once_and_its_duties_are_told(
    restricted: TestClient, services: Services
) -> None:
    """Sealed by a reviewer; served nowhere; the list has no content; the report is ticked off."""
    _ok(restricted.post("/v1/sealed", json={"item_id": "fine", "reviewer": "ada"}))
    (found,) = _ok(restricted.get("/v1/sealed?due=true"))
    shown = _ok(restricted.get("/v1/items/fine"))
    exported = restricted.get("/v1/users/bo/export").text
    verdict = _ok(restricted.get("/v1/verdicts/fine?viewer=adult&surface=profile"))
    feed = _ok(restricted.get("/v1/feed/zoe"))
    ticked = _ok(
        restricted.post(
            "/v1/sealed/fine/report", json={"by": "eve", "to": "NCMEC", "number": "CT-1"}
        )
    )
    assert (found["item_id"], found["source"]) == ("fine", "person:ada")
    assert "tea at dawn" not in str((found, shown, exported, verdict))
    assert (shown["text"], shown["hidden"]) == ("", True)
    assert (verdict["action"], verdict["decided_by"]) == ("remove", "rule:sealed")
    assert [item["item_id"] for item in feed["items"]] == []
    assert ticked["report_number"] == "CT-1"
    assert _ok(restricted.get("/v1/sealed?due=true")) == []
    assert restricted.post("/v1/sealed/nothing/report", json={}).status_code in (400, 422)
    again = restricted.post("/v1/sealed", json={"item_id": "fine", "reviewer": "ada"})
    assert again.status_code == 409
    _, secret = services.keys.create("moderators", ["moderation"])
    restricted.headers["authorization"] = f"Bearer {secret}"
    assert restricted.get("/v1/sealed").status_code == 403


def test_a_period_is_counted_over_http(restricted: TestClient) -> None:
    """As JSON and as CSV; a period that is none is refused."""
    period = f"from_ms=0&until_ms={NOW_MS + 10**9}"
    told = _ok(restricted.get(f"/v1/transparency?{period}"))
    lines = restricted.get(f"/v1/transparency?{period}&csv=true")
    assert told["measures"]["by_kind"] == {"disabled": 1}
    assert lines.headers["content-type"].startswith("text/csv")
    assert "measures,made,total,1\r\n" in lines.text
    assert restricted.get("/v1/transparency?from_ms=5&until_ms=5").status_code == 400
