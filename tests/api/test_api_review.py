"""Review over HTTP: queues, two people, known answers, bulk, context, statistics."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

TEXTS = {
    "i0": "Buy cheap watches at https://deals.example/a today",
    "i1": "Buy cheap watches at https://deals.example/b tomorrow",
    "i2": "A quiet evening with a book",
}


@pytest.fixture
def reported(client: TestClient, judge: Callable[[], None]) -> TestClient:
    """Three posts of one creator, each reported by two people."""
    items = [{"item_id": k, "creator_id": "maker", "text": v} for k, v in TEXTS.items()]
    _ok(client.post("/v1/items", json={"items": items}))
    judge()
    for item_id in TEXTS:
        for who in ("u1", "u2"):
            body = {"item_id": item_id, "reporter_id": who, "category": "spam", "note": "again"}
            _ok(client.post("/v1/reports", json=body))
    return client


def _ok(response: Any) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


def _post(client: TestClient, path: str, **body: Any) -> Any:
    return _ok(client.post(f"/v1/review{path}", json=body))


def _get(client: TestClient, path: str) -> Any:
    return _ok(client.get(f"/v1/review{path}"))


def _action(client: TestClient, item_id: str) -> str:
    return str(_ok(client.get(f"/v1/verdicts/{item_id}"))["action"])


def test_two_people_and_a_known_answer(reported: TestClient) -> None:
    """A queue is set up; two agree; what they agreed on measures a third."""
    settings = {"name": "spam", "two_person": True, "gold_share": 0.5, "lock_ms": 60_000}
    assert _ok(reported.put("/v1/review/queues", json=settings))["lock_ms"] == 60_000
    case = _post(reported, "/next", reviewer="ana")["case"]
    ruling = {"action": "remove", "category": "spam"}
    path = f"/{case['case_id']}"
    first = _post(reported, f"{path}/decide", reviewer="ana", **ruling)
    again = reported.post(f"/v1/review{path}/decide", json={"reviewer": "ana", **ruling})
    held = _action(reported, case["item_id"])
    second = _post(reported, f"{path}/decide", reviewer="bo", **ruling)
    assert (first["effect"], held, again.status_code) == ("waits_for_second", "review", 409)
    assert (second["effect"], _action(reported, case["item_id"])) == ("in_force", "remove")
    (gold,) = _get(reported, "/gold?queue=spam")
    assert (gold["item_id"], gold["source"]) == (case["item_id"], "agreed")
    quality = _get(reported, "/quality")
    assert (quality["pairs"][0]["pairs"]["looks"], quality["known"]) == (1, [])
    _ok(reported.delete(f"/v1/review/gold/{gold['gold_id']}"))
    _ok(reported.delete("/v1/review/queues/spam"))
    assert (_get(reported, "/gold"), _get(reported, "/queues")) == ([], [])


def test_a_case_comes_with_all_around_it(reported: TestClient) -> None:
    """Reports without who made them, the creator's other posts, decided cases like it, notes."""
    first = _get(reported, "?item_id=i0")["cases"][0]
    _post(reported, f"/{first['case_id']}/decide", reviewer="ana", action="limit", category="spam")
    case = _get(reported, "?text=TOMORROW")["cases"][0]
    path = f"/{case['case_id']}"
    _post(reported, f"{path}/notes", reviewer="ana", words="a pattern?")
    around = _get(reported, path)
    assert case["item_id"] == "i1"
    assert [(r["reporter"], r["reports_before"]) for r in around["reports"]] == [(2, 2), (1, 2)]
    assert "u1" not in str(around)
    assert around["reported_for"] == {"spam": 2}
    creator = around["creator"]
    assert (creator["posts"], creator["reports"], creator["strikes"]) == (3, 4, 0.125)
    assert [one["action"] for one in creator["decided"]] == ["limit"]
    assert {post["item_id"] for post in creator["latest"]} == {"i0", "i2"}
    assert [(one["item_id"], one["action"]) for one in around["similar"]] == [("i0", "limit")]
    assert around["similar"][0]["likeness"] > 0.5
    assert [remark["words"] for remark in around["remarks"]] == ["a pattern?"]
    assert len(around["history"]) == 1


def test_many_cases_are_decided_and_taken_back(reported: TestClient) -> None:
    """Preview by domain, run, undo; the feed's verdicts follow at once."""
    body = {"reviewer": "ana", "action": "remove", "category": "spam", "domain": "deals.example"}
    shown = _post(reported, "/bulk", **body)
    before = _action(reported, "i0")
    done = _post(reported, f"/bulk/{shown['bulk_id']}/run")
    removed = [_action(reported, item_id) for item_id in TEXTS]
    assert (shown["cases"], len(shown["sample"]), before != "remove") == (2, 2, True)
    assert (done["decided"], removed.count("remove")) == (2, 2)
    undone = _post(reported, f"/bulk/{shown['bulk_id']}/undo", reviewer="bo")
    assert (undone["state"], undone["standing"]) == ("undone", 0)
    assert [_action(reported, item_id) for item_id in ("i0", "i1")] == [before, before]
    assert _get(reported, "/bulk")[0] == _get(reported, f"/bulk/{shown['bulk_id']}")
    twice = reported.post(f"/v1/review/bulk/{shown['bulk_id']}/undo", json={"reviewer": "bo"})
    empty = reported.post("/v1/review/bulk", json={"reviewer": "ana", "action": "allow"})
    assert (twice.status_code, empty.status_code) == (409, 400)


def test_skipping_sending_on_and_the_day_in_figures(reported: TestClient) -> None:
    """Skip with a reason, escalate, take and renew by id; statistics by queue."""
    case = _post(reported, "/next", reviewer="ana")["case"]
    path = f"/{case['case_id']}"
    _post(reported, f"{path}/skip", reviewer="ana", why="not my language")
    other = _post(reported, "/next", reviewer="ana")["case"]
    assert other["case_id"] != case["case_id"]
    _post(reported, f"{path}/take", reviewer="bo")
    _post(reported, f"{path}/renew", reviewer="bo")
    moved = _post(reported, f"{path}/escalate", reviewer="bo", queue="privacy", why="a number")
    assert moved["queue"] == "privacy"
    _post(reported, f"/{other['case_id']}/decide", reviewer="ana", action="allow")
    found = _get(reported, "/statistics?days=3")
    assert found["waiting"] == {"privacy": 1, "spam": 1}
    flows = {flow["queue"]: flow for flow in found["queues"]}
    assert (flows["spam"]["inbound"], flows["spam"]["decided"]) == (2, 1)
    assert (flows["spam"]["took_ms"], flows["privacy"]["took_ms"]) == (0, None)


def test_a_reviewers_own_settings_are_remembered(client: TestClient) -> None:
    """Careful by default; kept by name; out of range is refused with the range."""
    default = _get(client, "/reviewers/ana")
    assert (default["blur"], default["grey"]) == ("strong", True)
    kept = {**default, "blur": "light", "break_after_minutes": 30}
    _ok(client.put("/v1/review/reviewers/ana", json=kept))
    assert _get(client, "/reviewers/ana") == kept
    wrong = client.put("/v1/review/reviewers/ana", json={**kept, "break_after_hard": -1})
    assert wrong.status_code == 400
    assert "break_after_hard: got -1, expected 0 to 1000" in wrong.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "?text=", None, 400),
        ("GET", "?opened_after_ms=-1", None, 400),
        ("GET", "/ghost", None, 404),
        ("POST", "/ghost/take", {"reviewer": "ana"}, 404),
        ("POST", "/ghost/notes", {"reviewer": "ana", "words": ""}, 400),
        ("PUT", "/queues", {"name": "🙈"}, 400),
        ("PUT", "/queues", {"name": "x", "gold_share": "much"}, 400),
        ("DELETE", "/queues/ghost", None, 404),
        ("POST", "/gold", {"case_id": "x", "made_by": "ana", "action": "allow"}, 404),
        ("POST", "/bulk/ghost/run", None, 404),
        ("GET", "/reviewers/%00", None, 400),
    ],
)
def test_what_is_asked_wrongly_is_told(
    client: TestClient, method: str, path: str, body: Any, status: int
) -> None:
    """Each wrong request has its status and says what was expected."""
    response = client.request(method, f"/v1/review{path}", json=body)
    assert response.status_code == status, response.text
    assert response.json()["error"]["message"]
