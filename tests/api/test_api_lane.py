"""The short way of single events and of feeds answers like the long one."""

import json
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from inhouse.api.lane import Lane
from inhouse.app.build import Services

_EVENT = {"event_id": "e", "at_ms": 1, "kind": "visit", "user_id": "u"}


@pytest.mark.parametrize("name", ["events", "items"])
def test_both_ways_answer_alike(client: TestClient, services: Services, name: str) -> None:
    """What is taken, rejected, refused, too large or unknown has one status and one body, whether
    the lane or the framework's routing found the function (a slash more asks that one)."""
    _, weak = services.keys.create("weak", ("feed",))
    rows = (f'{{"{name}": []}}'.encode(), f'{{"{name}": [{{}}]}}'.encode())
    bodies = (*rows, b"{", b"[1]", b"x" * 200_001)
    keys = (client.headers["authorization"], f"Bearer {weak}", "Bearer inh_nothing", "")

    for body in bodies:
        for key in keys:
            headers = {"authorization": key, "x-request-id": "same"}
            fast, slow = (
                client.request("POST", f"/v1/{name}{query}", content=body, headers=headers)
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


def test_a_post_takes_the_lane(client: TestClient) -> None:
    """It is stored, can be read and acted upon at once, and is counted under its path."""
    answer = client.post("/v1/items", json={"items": [{"item_id": "lane", "creator_id": "c"}]})
    click = {"event_id": "e", "at_ms": 1, "kind": "click", "user_id": "u", "item_id": "lane"}

    assert (answer.status_code, answer.json()["created"]) == (200, 1)
    assert client.get("/v1/items/lane").json()["item_id"] == "lane"
    assert client.post("/v1/events", json={"events": [click]}).json()["stored"] == 1
    assert 'method="POST",path="/v1/items",status="200"' in client.get("/metrics").text


def test_a_crash_in_the_lane_is_told_like_any_other(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw is a 500 in the one shape, with the request's id."""
    monkeypatch.setattr(services.log, "submit", None)

    answer = client.post("/v1/events", json={"events": [_EVENT]})

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert answer.json()["error"]["request_id"].startswith("req_")


def _without_chance(content: bytes) -> dict[str, object]:
    """The answer but for what differs from page to page."""
    body: dict[str, object] = json.loads(content)
    return {name: part for name, part in body.items() if name not in ("page_id", "at_ms")}


@pytest.mark.parametrize(
    "asked",
    [
        "n=3",
        "n=3&surface=latest&detail=true",
        "n=2&surface=latest&exclude=i1,i2&detail=false",
        "surface=similar&item=i1&unknown=1",
        "n=2&surface=latest&after=5.i1",
        "n=0",
        "n=101",
        "n=2.5",
        "n=2&n=3",
        "n=" + "9" * 5_000,
        "n=-1",
        "n=",
        "n=\u0663",
        "surface=none",
        "surface=similar",
        "surface=similar&item=",
        "surface=similar&item=nobody",
        "item=i1",
        "after=x",
        "detail=perhaps",
        "detail=1&n=1",
        "exclude=" + ",".join(["i1"] * 1_001),
    ],
)
def test_feeds_answer_alike_both_ways(
    client: TestClient, judge: Callable[[], None], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page, or what is wrong with the question, is the same with the lane and without it."""
    posts = [
        {"item_id": f"i{i}", "creator_id": f"c{i}", "title": "A", "created_ms": i} for i in range(5)
    ]
    client.post("/v1/items", json={"items": posts})
    judge()
    monkeypatch.setattr("inhouse.app.feeds.serving._seed", lambda *_: 1)
    headers = {"x-request-id": "same"}

    fast = client.get(f"/v1/feed/u1?{asked}", headers=headers)
    with monkeypatch.context() as without:
        without.setattr(Lane, "_find", lambda *_: None)
        slow = client.get(f"/v1/feed/u2?{asked}", headers=headers)

    assert (fast.status_code, _without_chance(fast.content)) == (
        slow.status_code,
        _without_chance(slow.content),
    )


def test_feeds_are_refused_alike_both_ways(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has no key, a weak one or asks for a person that cannot be, hears the same both ways."""
    _, weak = services.keys.create("weak", ("events",))
    asked = [
        (path, {"authorization": key, "x-request-id": "same"})
        for path in ("/v1/feed/u1", "/v1/feed/%20", "/v1/feed/", "/v1/feed/a%2Fb")
        for key in (client.headers["authorization"], f"Bearer {weak}", "Bearer inh_nothing", "")
    ]

    fast = [client.get(path, headers=headers) for path, headers in asked]
    monkeypatch.setattr(Lane, "_find", lambda *_: None)
    slow = [client.get(path, headers=headers) for path, headers in asked]

    told = [(each.status_code, _without_chance(each.content)) for each in fast]
    assert told == [(each.status_code, _without_chance(each.content)) for each in slow]
    assert {status for status, _ in told} == {200, 400, 401, 403, 404}


def test_a_plain_feed_takes_the_lane(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The framework is not asked, and the page is counted under its documented path."""
    monkeypatch.setattr("fastapi.routing.APIRouter.__call__", _not_asked)

    assert client.get("/v1/feed/u1?n=2").status_code == 200

    monkeypatch.undo()
    told = client.get("/metrics").text
    assert 'inhouse_http_request_seconds_count{method="GET",path="/v1/feed/{user_id}"' in told


async def _not_asked(*_: object) -> None:
    raise AssertionError("the framework was asked")
