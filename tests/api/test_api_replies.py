"""Threads over HTTP: what answers an item, page by page, as each reader may see it."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from inhouse.app.build import Services

NOW_MS = 1_760_000_000_000


def _items(client: TestClient, *items: dict[str, Any]) -> Any:
    response = client.post("/v1/items", json={"items": items})
    assert response.status_code == 200, response.text
    return response.json()


def _item(item_id: str, reply_to: str | None = None, at: int = 0, **more: Any) -> dict[str, Any]:
    facts = {"item_id": item_id, "creator_id": f"by-{item_id}", "text": f"words of {item_id}"}
    return {**facts, "reply_to": reply_to, "created_ms": NOW_MS + at, **more}


@pytest.fixture
def thread(client: TestClient, judge: Callable[[], None]) -> TestClient:
    """A post with three replies, one of them answered; they came before it."""
    _items(
        client,
        _item("r2", "post", 2),
        _item("r1", "post", 1, creator_id="ann"),
        _item("r3", "post", 3),
        _item("below", "r1", 4),
        _item("post", None, 0),
    )
    client.post("/v1/users", json={"users": [{"user_id": "ann", "name": "Ann"}]})
    judge()
    return client


def _replies(client: TestClient, item: str = "post", **query: Any) -> Any:
    response = client.get(f"/v1/items/{item}/replies", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def _ids(answer: Any) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def _decide(services: Services, item: str, action: str) -> None:
    services.reports.file(item, "somebody", "spam", None)
    case = services.review.queue()[0]
    assert case.item_id == item
    services.review.take(case.case_id, "rev")
    services.review.decide(case.case_id, "rev", action, "spam", None)  # type: ignore[arg-type]
    services.feeds.follower.catch_up()


def test_replies_come_in_order_with_their_facts(thread: TestClient) -> None:
    """Oldest first, the newest on request, each with how many answer it."""
    found = _replies(thread)

    assert (found["state"], found["next"], _ids(found)) == ("shown", None, ["r1", "r2", "r3"])
    assert found["items"][0] == {
        "item_id": "r1",
        "creator_id": "ann",
        "creator_name": "Ann",
        "kind": "text",
        "title": "",
        "text": "words of r1",
        "media_url": None,
        "duration_ms": None,
        "created_ms": NOW_MS + 1,
        "label": None,
        "replies": 1,
    }
    assert [item["replies"] for item in found["items"]] == [1, 0, 0]
    assert _ids(_replies(thread, order="newest")) == ["r3", "r2", "r1"]
    assert _ids(_replies(thread, "r1")) == ["below"]
    assert thread.get("/v1/items/r1").json()["reply_to"] == "post"


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_pages_hold_each_reply_once(
    client: TestClient, judge: Callable[[], None], order: str
) -> None:
    """Among equals of time by id, however many fit on a page."""
    _items(client, _item("post"), *(_item(f"r{n:02}", "post", n // 3) for n in range(25)))
    judge()
    met, after = [], ""
    while after is not None:
        page = _replies(client, n=4, order=order, after=after)
        met += _ids(page)
        after = page["next"]

    names = [f"r{n:02}" for n in range(25)]
    assert met == (names if order == "oldest" else names[::-1])


def test_moderation_decides_as_in_a_feed(
    thread: TestClient, services: Services, judge: Callable[[], None]
) -> None:
    """Removed and unjudged ones are not there, limited ones where they may be, mutes hold."""
    _decide(services, "r2", "remove")
    _decide(services, "r3", "limit")
    _items(thread, _item("late", "post", 9))
    event = {"event_id": "e", "at_ms": NOW_MS, "kind": "mute", "user_id": "me"}
    muting = {"events": [{**event, "target": "creator:ann"}]}
    assert thread.post("/v1/events", json=muting).status_code == 200

    assert _ids(_replies(thread)) == ["r1"]
    assert _ids(_replies(thread, surface="profile")) == ["r1", "r3"]
    assert _ids(_replies(thread, user="me")) == []
    judge()
    assert _ids(_replies(thread, user="me")) == ["late"]


def test_below_what_a_reader_may_not_read_nothing_is_shown(
    thread: TestClient, services: Services
) -> None:
    """Of a removed post, however far above; who takes the decision back opens the thread."""
    _decide(services, "post", "remove")
    closed = {"item_id": "r1", "state": "closed", "items": [], "next": None}

    assert _replies(thread, "r1") == closed
    assert _replies(thread)["state"] == "closed"
    assert thread.get("/v1/feed/u/why/below").status_code == 404  # nobody was served a page


def test_a_count_is_of_what_the_reader_may_read(thread: TestClient, services: Services) -> None:
    """A removed reply is not one more to look at."""
    _decide(services, "below", "remove")

    assert [item["replies"] for item in _replies(thread)["items"]] == [0, 0, 0]


def test_a_thread_outlives_what_it_answers(thread: TestClient) -> None:
    """Whoever erases themselves takes their words; what others said below stays, under a gap."""
    erased = thread.delete("/v1/users/by-post")
    assert erased.status_code in (200, 202), erased.text

    found = _replies(thread)
    assert (found["state"], _ids(found)) == ("gone", ["r1", "r2", "r3"])
    assert _ids(_replies(thread, "r1")) == ["below"]


def test_what_answers_in_a_circle_is_shown_below_nothing_of_it(
    client: TestClient, judge: Callable[[], None]
) -> None:
    """Whoever walks a thread downwards comes to an end."""
    _items(client, _item("a", "b"), _item("b", "a"), _item("c", "a"))
    judge()

    assert (_ids(_replies(client, "a")), _ids(_replies(client, "b"))) == (["c"], [])


def test_a_reply_is_in_no_feed_and_says_why(thread: TestClient) -> None:
    """Alone it is no post."""
    shown = {item["item_id"] for item in thread.get("/v1/feed/u?n=50").json()["items"]}
    why = thread.get("/v1/feed/u/why/r1").json()

    assert shown == {"post"}
    assert (why["shown"], why["detail"]["now"]) == (False, "reply")
    assert why["sentences"][-1] == (
        "If you asked now: It answers another post, and is shown below that one alone."
    )


def test_a_reviewer_gets_the_thread(thread: TestClient, services: Services) -> None:
    """With the case: from its root, each with author, words and state."""
    services.reports.file("below", "somebody", "spam", None)
    case = services.review.queue()[0]
    told = thread.get(f"/v1/review/{case.case_id}").json()["thread"]

    assert [(post["item_id"], post["creator_id"]) for post in told["above"]] == [
        ("post", "by-post"),
        ("r1", "ann"),
    ]
    assert told["above"][1] == {
        "item_id": "r1",
        "state": "there",
        "creator_id": "ann",
        "creator_name": "Ann",
        "created_ms": NOW_MS + 1,
        "words": "words of r1",
        "action": "allow",
    }
    assert (told["end"], told["before"], told["after"], told["beside"]) == ("root", [], [], 0)


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("after=1760000000000", 400, "after: got '1760000000000', expected the `next`"),
        ("after=99999999999999999.r1", 400, "expected the `next`"),
        ("after=😀.%E2%80%AEx", 400, "expected the `next`"),
        ("order=best", 400, "order"),
        ("surface=dream", 400, "surface"),
        ("n=0", 400, "n"),
        ("n=101", 400, "n"),
        ("user=a b", 400, "user: got 'a b', expected 1 to 128"),
    ],
)
def test_a_wrong_question_is_told_so(
    thread: TestClient, query: str, status: int, told: str
) -> None:
    """Each names what was given and what would be right."""
    response = thread.get(f"/v1/items/post/replies?{query}")

    assert response.status_code == status, response.text
    assert told in str(response.json()["error"])


def test_nothing_known_is_unknown_and_rows_name_their_fault(client: TestClient) -> None:
    """An id that no item has and nothing answers; an item that answers itself, or a number."""
    answer = client.get("/v1/items/nobody/replies")
    put = _items(client, _item("x", "x"), _item("y", "no id"), {**_item("z"), "reply_to": 7})

    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith("no item 'nobody', and none answers it")
    assert [(row["index"], row["field"], row["expected"][:21]) for row in put["rejected"]] == [
        (0, "reply_to", "the id of another item"[:21]),
        (1, "reply_to", "1 to 128 of the characters"[:21]),
        (2, "reply_to", "`str | null`"),
    ]
