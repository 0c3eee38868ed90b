"""The feed over HTTP: operators' rules, paging by time, and why, also of a page long ago."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from inhouse.app.build import Services

NOW_MS = 1_760_000_000_000
MONTH_MS = 31 * 86_400_000


def _post(client: TestClient, path: str, **body: Any) -> Any:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def _event(number: int, kind: str, item: str | None, **more: Any) -> dict[str, Any]:
    facts = {"event_id": f"e{number}", "at_ms": NOW_MS + 60_000 + number, "kind": kind}
    return {**facts, "user_id": "u", "item_id": item, **more}


@pytest.fixture
def community(client: TestClient, judge: Callable[[], None]) -> TestClient:
    """Thirty judged posts about tea and chess by six creators."""
    items = [
        {
            "item_id": f"i{i}",
            "creator_id": f"c{i % 6}",
            "title": f"A post about {'tea' if i % 2 else 'chess'} number {i}",
            "topics": ["tea" if i % 2 else "chess"],
            "created_ms": NOW_MS + i,
        }
        for i in range(30)
    ]
    _post(client, "/v1/items", items=items)
    judge()
    return client


def _shown(client: TestClient, query: str = "") -> list[tuple[str, str | None]]:
    page = client.get(f"/v1/feed/u?{query}").json()
    return [(item["item_id"], item["promoted"]) for item in page["items"]]


def test_a_rule_holds_from_the_next_page_and_says_so(community: TestClient) -> None:
    """Pinned posts are labelled and explained, blocked ones gone; withdrawn rules stay listed."""
    before = _shown(community)
    pin = {"action": "pin", "target": "item:i3", "reason": "election night", "position": 1}
    rule = _post(community, "/v1/rules", **pin)
    block = _post(community, "/v1/rules", action="block", target="creator:c5", reason="a court")
    during = _shown(community, "n=30")
    why = community.get("/v1/feed/u/why/i3").json()["sentences"]
    blocked = {f"i{i}" for i in range(5, 30, 6)}
    gone = [community.get(f"/v1/feed/u/why/{item}").json()["detail"] for item in sorted(blocked)]
    again = community.post("/v1/rules", json={**pin, "target": "item:i4"})
    for each in (rule, block):
        community.post(f"/v1/rules/{each['rule_id']}/withdraw")

    assert [promoted for _, promoted in before] == [None] * len(before)
    assert during[1] == ("i3", "pinned")
    assert not blocked & {item for item, _ in during}
    assert "The people who run this community put it at this place: election night." in why
    # Whose page before was full of them is told of the twelve that stood in front.
    assert "operator_blocked" in {why_not.get("reason") for why_not in gone}
    assert (again.status_code, rule["rule_id"] in again.text) == (409, True)
    assert len(community.get("/v1/rules").json()) == 2


def test_latest_goes_on_where_the_page_before_ended(
    community: TestClient, judge: Callable[[], None]
) -> None:
    """A post that comes in between moves nothing; the last page says that it is the last."""
    seen: list[str] = []
    after = ""
    while True:
        page = community.get(f"/v1/feed/u?surface=latest&n=7&after={after}").json()
        seen += [item["item_id"] for item in page["items"]]
        new = {"item_id": f"n{len(seen)}", "creator_id": "x", "title": "new"}
        _post(community, "/v1/items", items=[{**new, "created_ms": NOW_MS + 1_000 + len(seen)}])
        judge()
        if page["next"] is None:
            break
        after = page["next"]
    wrong = community.get("/v1/feed/u?surface=latest&after=yesterday")

    assert seen == [f"i{i}" for i in reversed(range(30))]
    assert (wrong.status_code, "after: got 'yesterday'" in wrong.text) == (400, True)


def test_a_page_of_last_month_explains_itself(community: TestClient, services: Services) -> None:
    """Though hundreds of pages came since, and the post and what led to it are gone."""
    liked = [_event(i, "like", f"i{i}") for i in range(0, 8, 2)]
    _post(community, "/v1/events", events=liked)
    page = community.get("/v1/feed/u?n=5").json()
    first = page["items"][0]["item_id"]
    then = community.get(f"/v1/feed/u/why/{first}?page={page['page_id']}").json()
    later = {"kind": "visit", "item_id": None, "at_ms": NOW_MS + MONTH_MS}
    _post(community, "/v1/events", events=[{**_event(99, "visit", None), **later}])
    for _ in range(210):
        community.get("/v1/feed/u?surface=latest&n=1")
    services.database.write(
        lambda connection: connection.exec_driver_sql(
            f"DELETE FROM items WHERE item_id IN ('{first}', 'i0', 'i2', 'i4', 'i6')"
        )
    )
    now = community.get(f"/v1/feed/u/why/{first}?page={page['page_id']}").json()
    theirs = community.get(f"/v1/feed/other/why/{first}?page={page['page_id']}")

    assert now["detail"] == then["detail"]
    assert (now["shown"], now["page_id"]) == (True, page["page_id"])
    expected = {"p_click", "p_like", "p_hide", "dwell_ms", "dwell_even_ms"}
    assert set(now["detail"]["predicted"]) == expected
    assert set(now["detail"]["because"]) <= {"i0", "i2", "i4", "i6"}
    assert now["detail"]["because"]
    assert "weighed most for it" in " ".join(now["sentences"])
    assert theirs.status_code == 404


@pytest.mark.parametrize(
    ("wish", "now"),
    [("topic:chess", "muted_topic"), ("creator:c2", "muted_creator"), (None, None)],
)
def test_why_tells_what_keeps_a_post_out_now(
    community: TestClient, wish: str | None, now: str | None
) -> None:
    """Where the page's log had no room for it, the filters answer for this moment."""
    if wish:
        _post(community, "/v1/events", events=[_event(1, "mute", None, target=wish)])
    community.get("/v1/feed/u?surface=following")
    why = community.get("/v1/feed/u/why/i2").json()

    assert (why["detail"]["outcome"], why["detail"]["now"]) == ("never_candidate", now)


def test_why_of_what_never_was(community: TestClient) -> None:
    """Nothing is invented of a post nobody knows."""
    community.get("/v1/feed/u")
    why = community.get("/v1/feed/u/why/ghost").json()

    assert why["detail"]["now"] == "unknown_item"
    assert why["sentences"][-1] == "There is no such post any more."
