"""The short way of single events answers like the long one."""

import pytest
from starlette.testclient import TestClient

from inhouse.app.build import Services

_EVENT = {"event_id": "e", "at_ms": 1, "kind": "visit", "user_id": "u"}


def test_both_ways_answer_alike(client: TestClient, services: Services) -> None:
    """What is taken, rejected, refused, too large or unknown has one status and one body, whether
    the lane or the framework's routing found the function (a slash more asks that one)."""
    _, weak = services.keys.create("weak", ("feed",))
    bodies = (b'{"events": []}', b'{"events": [{}]}', b"{", b"[1]", b"x" * 200_001)
    keys = (client.headers["authorization"], f"Bearer {weak}", "Bearer inh_nothing", "")

    for body in bodies:
        for key in keys:
            headers = {"authorization": key, "x-request-id": "same"}
            fast, slow = (
                client.request("POST", f"/v1/events{query}", content=body, headers=headers)
                for query in ("", "/")
            )
            assert (fast.status_code, fast.content) == (slow.status_code, slow.content)
            assert fast.headers["x-request-id"] == "same"


def test_an_event_takes_the_lane(client: TestClient) -> None:
    """It is stored, and counted under its path; other methods go the long way and are refused."""
    answer = client.post("/v1/events", json={"events": [_EVENT]})

    assert (answer.status_code, answer.json()["stored"]) == (200, 1)
    assert client.get("/v1/events").status_code == 405
    assert 'method="POST",path="/v1/events",status="200"' in client.get("/metrics").text


def test_a_crash_in_the_lane_is_told_like_any_other(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw is a 500 in the one shape, with the request's id."""
    monkeypatch.setattr(services.log, "submit", None)

    answer = client.post("/v1/events", json={"events": [_EVENT]})

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert answer.json()["error"]["request_id"].startswith("req_")
