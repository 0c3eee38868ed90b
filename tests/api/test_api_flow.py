"""The HTTP interface: what an app does in its first hour."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from inhouse.app.build import Services

NOW_MS = 1_760_000_000_000


def _items(count: int) -> list[dict[str, Any]]:
    return [
        {
            "item_id": f"i{i}",
            "creator_id": f"c{i % 5}",
            "title": f"A post about {'tea' if i % 2 else 'chess'} number {i}",
            "topics": ["tea" if i % 2 else "chess"],
            "created_ms": NOW_MS + i,
        }
        for i in range(count)
    ]


def _like(number: int, user: str = "u", item: int = 0) -> dict[str, Any]:
    return {
        "event_id": f"like-{user}-{number}",
        "at_ms": NOW_MS + 60_000 + number,
        "kind": "like",
        "user_id": user,
        "item_id": f"i{item}",
    }


def _post(client: TestClient, path: str, **body: Any) -> Any:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_post_is_shown_once_it_has_a_verdict(
    client: TestClient, judge: Callable[[], None]
) -> None:
    """Before moderation the feed is empty, after it the post is there, with its facts."""
    _post(client, "/v1/items", items=_items(1))
    before = client.get("/v1/feed/u").json()["items"]
    judge()
    after = client.get("/v1/feed/u?detail=true").json()["items"]

    assert before == []
    assert [(item["item_id"], item["creator_id"], item["title"]) for item in after] == [
        ("i0", "c0", "A post about chess number 0")
    ]


def test_a_batch_is_taken_but_for_its_bad_rows(client: TestClient) -> None:
    """Good rows are durable, bad ones are listed, and a repeat stores nothing twice."""
    _post(client, "/v1/items", items=_items(2))
    events = [_like(0), {**_like(1), "item_id": "ghost"}, _like(2, item=1)]
    first = _post(client, "/v1/events", events=events)
    again = _post(client, "/v1/events", events=events)

    assert (first["stored"], first["repeated"]) == (2, 0)
    assert (again["stored"], again["repeated"]) == (0, 2)
    assert first["rejected"] == [
        {
            "index": 1,
            "field": "item_id",
            "value": "'ghost'",
            "expected": "an item posted to /v1/items before",
        }
    ]


def test_the_next_feed_reflects_what_was_just_done(
    client: TestClient, judge: Callable[[], None]
) -> None:
    """A muted topic is gone from the very next page, a seen post too."""
    _post(client, "/v1/items", items=_items(20))
    judge()
    mute = {**_like(0), "kind": "mute", "item_id": None, "target": "topic:tea"}
    seen = {**_like(1), "kind": "impression", "item_id": "i0"}
    _post(client, "/v1/events", events=[mute, seen])
    page = client.get("/v1/feed/u?n=20&detail=true").json()

    assert {topic for item in page["items"] for topic in item["topics"]} == {"chess"}
    assert "i0" not in {item["item_id"] for item in page["items"]}


def test_why_answers_for_what_was_shown_and_for_what_was_not(
    client: TestClient, judge: Callable[[], None]
) -> None:
    """The logged page says why a post is there, and which filter took another out."""
    _post(client, "/v1/items", items=_items(10))
    judge()
    _post(client, "/v1/events", events=[{**_like(0), "kind": "impression", "item_id": "i3"}])
    page = client.get("/v1/feed/u?n=3").json()
    shown = client.get(f"/v1/feed/u/why/{page['items'][0]['item_id']}").json()
    hidden = client.get("/v1/feed/u/why/i3").json()

    assert (shown["shown"], hidden["shown"]) == (True, False)
    assert shown["page_id"] == page["page_id"]
    assert any("seen" in sentence for sentence in hidden["sentences"]), hidden


def test_a_report_brings_a_post_before_a_person_whose_word_counts(
    client: TestClient, judge: Callable[[], None]
) -> None:
    """Report, take the case, remove: the post leaves the feed; undo brings it back."""
    _post(client, "/v1/items", items=_items(2))
    judge()
    _post(client, "/v1/reports", item_id="i0", reporter_id="u", category="harassment")
    case = _post(client, "/v1/review/next", reviewer="ana")["case"]
    decision = _post(
        client,
        f"/v1/review/{case['case_id']}/decide",
        reviewer="ana",
        action="remove",
        category="harassment",
    )
    removed = client.get("/v1/verdicts/i0").json()
    without = [item["item_id"] for item in client.get("/v1/feed/u").json()["items"]]
    undo = {"reviewer": "ana", "decision_id": decision["decision_id"]}
    _post(client, f"/v1/review/{case['case_id']}/undo", **undo)

    assert (case["item_id"], removed["action"]) == ("i0", "remove")
    assert removed["decided_by"] == "person:ana"
    assert without == ["i1"]
    assert client.get("/v1/verdicts/i0").json()["action"] != "remove"


def test_a_creator_appeals(client: TestClient, judge: Callable[[], None]) -> None:
    """Only the creator may, and the person who decided may not judge the appeal."""
    _post(client, "/v1/items", items=_items(1))
    judge()
    _post(client, "/v1/reports", item_id="i0", reporter_id="u", category="spam")
    case = _post(client, "/v1/review/next", reviewer="ana")["case"]
    ruling = {"reviewer": "ana", "action": "remove", "category": "spam"}
    _post(client, f"/v1/review/{case['case_id']}/decide", **ruling)
    stranger = client.post("/v1/appeals", json={"item_id": "i0", "user_id": "u", "words": "no"})
    appeal = _post(client, "/v1/appeals", item_id="i0", user_id="c0", words="it is only tea")
    same = {"reviewer": "ana", "outcome": "overturn", "answer": "sorry"}
    refused = client.post(f"/v1/appeals/{appeal['appeal_id']}/decide", json=same)
    _post(client, f"/v1/appeals/{appeal['appeal_id']}/decide", **{**same, "reviewer": "bo"})

    assert (stranger.status_code, refused.status_code) == (400, 409)
    assert client.get("/v1/verdicts/i0").json()["action"] == "allow"


def test_an_edited_post_awaits_its_verdict(client: TestClient, judge: Callable[[], None]) -> None:
    """A changed text is shown nowhere, and its old verdict is not given for it, until judged."""
    (item,) = _items(1)
    _post(client, "/v1/items", items=[item])
    judge()
    _post(client, "/v1/items", items=[{**item, "title": "Something else entirely"}])
    between = client.get("/v1/verdicts/i0").json()
    hidden = client.get("/v1/feed/u").json()["items"]
    judge()

    assert (between["state"], between["action"], hidden) == ("awaiting", None, [])
    assert client.get("/v1/verdicts/i0").json()["state"] == "decided"


def test_a_withdrawn_post_is_shown_no_more(client: TestClient, judge: Callable[[], None]) -> None:
    """DELETE hides it from the next feed on."""
    _post(client, "/v1/items", items=_items(2))
    judge()
    client.delete("/v1/items/i0")

    assert [item["item_id"] for item in client.get("/v1/feed/u").json()["items"]] == ["i1"]


def test_experiment_arms_reach_the_page_and_the_log(
    client: TestClient, services: Services, judge: Callable[[], None]
) -> None:
    """A person's arm is in the answer and in the logged page; an unknown setting is refused."""
    arms = [
        {"key": "popular", "settings": {"ranker": "popular"}},
        {"key": "learned", "settings": {"ranker": "learned"}},
    ]
    _post(client, "/v1/experiments", key="ranker", arms=arms)
    bad = [arms[0], {"key": "odd", "settings": {"rankr": "x"}}]
    refused = client.post("/v1/experiments", json={"key": "bad", "arms": bad})
    _post(client, "/v1/items", items=_items(3))
    judge()
    page = client.get("/v1/feed/u").json()
    (logged,) = services.pages.pages_of("u", 1)  # type: ignore[arg-type]

    assert page["arms"] == logged.arms
    assert set(page["arms"]) == {"ranker"}
    assert refused.status_code == 400
    assert "odd.rankr: no such setting" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "scope_needed"), [("/v1/feed/u", "feed"), ("/v1/review", "moderation")]
)
def test_a_key_opens_only_its_own_doors(
    client: TestClient, services: Services, path: str, scope_needed: str
) -> None:
    """No key is 401, a key of another scope 403; both say what is missing."""
    _, narrow = services.keys.create("narrow", ["items"])
    nobody = client.get(path, headers={"authorization": ""})
    other = client.get(path, headers={"authorization": f"Bearer {narrow}"})

    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "no_key")
    assert (other.status_code, other.json()["error"]["code"]) == (403, "forbidden")
    assert f"lacks the scope '{scope_needed}'" in other.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/nothing", None, 404, "unknown"),
        ("PUT", "/v1/items", None, 405, "method_not_allowed"),
        ("POST", "/v1/events", "{", 400, "bad_request"),
        ("POST", "/v1/events", '{"events": [' + "1," * 600 + "1]}", 400, "bad_request"),
        ("POST", "/v1/items", "x" * 300_000, 413, "too_large"),
        ("GET", "/v1/feed/u?n=0", None, 400, "bad_request"),
        ("GET", "/v1/feed/u?n=lots", None, 400, "bad_request"),
        ("GET", "/v1/feed/u?surface=hot", None, 400, "bad_request"),
        ("GET", "/v1/feed/u?surface=similar", None, 400, "bad_request"),
        ("GET", "/v1/feed/u?surface=similar&item=ghost", None, 404, "unknown"),
        ("GET", "/v1/feed/a%20b", None, 400, "bad_request"),
        ("GET", "/v1/items/ghost", None, 404, "unknown"),
        ("GET", "/v1/users/ghost", None, 404, "unknown"),
        ("GET", "/v1/verdicts/ghost", None, 404, "unknown"),
        ("GET", "/v1/feed/nobody/why/i0", None, 404, "unknown"),
        ("POST", "/v1/reports", '{"item_id": "i0"}', 400, "bad_request"),
        (
            "POST",
            "/v1/review/ghost/decide",
            '{"reviewer": "ana", "action": "allow"}',
            404,
            "unknown",
        ),
        ("GET", "/v1/experiments/ghost/results", None, 404, "unknown"),
        ("GET", "/v1/review?offset=18188171018537842688", None, 400, "bad_request"),
    ],
)
def test_every_error_has_one_shape(
    client: TestClient, method: str, path: str, body: str | None, status: int, code: str
) -> None:
    """Status, code, a message for people, and the request's id, also in the header."""
    response = client.request(
        method,
        path,
        content=body,
        headers={"x-request-id": "req-7", "content-type": "application/json"},
    )
    error = response.json()["error"]

    assert (response.status_code, error["code"]) == (status, code)
    assert error["message"]
    assert error["request_id"] == response.headers["x-request-id"] == "req-7"


def test_health_and_metrics_need_no_key(client: TestClient) -> None:
    """Load balancers and Prometheus ask without one."""
    del client.headers["authorization"]

    assert client.get("/healthz").json()["ok"] is True
    assert client.get("/v1/readyz").json()["log_offset"] == 0
    assert b"inhouse_http_request_seconds" in client.get("/metrics").content


def test_health_is_told_to_who_asks_for_the_head_alone(client: TestClient) -> None:
    """Load balancers ask with HEAD too."""
    paths = ("/healthz", "/readyz", "/v1/healthz", "/v1/readyz")

    assert [client.head(path).status_code for path in paths] == [200] * 4


@pytest.mark.parametrize("path", ["/v1/events", "/v1/items", "/v1/rules", "/v1/experiments"])
@pytest.mark.parametrize(
    "body", ['{"%s": ' + "[" * 5_000 + "]" * 5_000 + "}", '{"a": ' * 10_000, "[" * 10_000]
)
def test_a_body_that_nests_without_end_is_a_bad_request(
    client: TestClient, path: str, body: str
) -> None:
    """What no decoder follows is the client's fault, and said so."""
    name = path.rpartition("/")[2]
    response = client.post(path, content=body.replace("%s", name))

    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_request")


def test_a_body_is_json_whatever_its_type_is_called(client: TestClient) -> None:
    """`curl -d` calls every body a form; each endpoint reads it all the same."""
    body = b'{"item_id": "i0", "reporter_id": "r", "category": "spam"}'
    types = ("application/x-www-form-urlencoded", "text/plain", "application/json")
    _post(client, "/v1/items", items=_items(1))
    told = [
        client.post("/v1/reports", content=body, headers={"content-type": each}) for each in types
    ]

    assert [response.status_code for response in told] == [200] * 3


def test_a_word_out_of_a_list_is_answered_with_the_list(client: TestClient) -> None:
    """A kind of event that does not exist: the answer names those that do."""
    _post(client, "/v1/items", items=_items(1))
    rejected = _post(client, "/v1/events", events=[{**_like(1), "kind": "explode"}])["rejected"]

    assert [(row["field"], row["value"]) for row in rejected] == [("kind", "'explode'")]
    assert rejected[0]["expected"].startswith("one of visit, impression, click, ")


def test_the_document_describes_bodies_and_answers(client: TestClient) -> None:
    """OpenAPI 3.1 names the events' body and the feed's answer; docs are served."""
    document = client.get("/openapi.json").json()
    body = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]["application/json"]

    assert document["openapi"].startswith("3.1")
    assert body["schema"]["properties"]["events"]["items"]["$ref"].endswith("/Event")
    assert "FeedAnswer" in document["components"]["schemas"]
    assert client.get("/docs").status_code == 200


def test_engagement_and_bill_answer_from_the_first_day(client: TestClient) -> None:
    """On an empty community there is nothing to say, and it is said without inventing."""
    assert client.get("/v1/engagement").status_code == 200
    assert client.get("/v1/bill").status_code == 200
