"""What a person may say of their feed, over HTTP: reset, pause, wishes, and whose session it is."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient
from tests.api.people_world import NOW_MS, SESSION, WHO, event, make_items, post, shown_to

from inhouse.app.build import Services
from inhouse.core.ids import UserId
from inhouse.features.candidates import leaning


@pytest.fixture
def community(client: TestClient, judge: Callable[[], None]) -> TestClient:
    """Sixty judged posts, and somebody who likes tea."""
    post(client, "/v1/items", items=make_items(60))
    judge()
    liked = [event("like", WHO, f"i{i}") for i in range(1, 21, 2)]
    post(client, "/v1/events", events=liked)
    return client


def _topics(client: TestClient, user: str) -> list[str]:
    page = client.get(f"/v1/feed/{user}?n=10&detail=true").json()
    return [item["topics"][0] for item in page["items"]]


def test_a_reset_person_is_ranked_like_a_stranger(
    community: TestClient, services: Services
) -> None:
    """Before it tea leads; after it nothing of the taste is used, and seen posts stay away."""
    before = _topics(community, WHO)
    controls = post(community, f"/v1/users/{WHO}/reset")
    page = community.get(f"/v1/feed/{WHO}?n=60").json()
    sources = {shown["source"] for shown in page["items"]}
    (logged,) = services.pages.pages_of(UserId(WHO), 1)

    assert before.count("tea") > 6
    assert controls["history"] == 0
    assert sources.isdisjoint({"taste", "similar", "explore"})
    assert all(shown.because == () for shown in logged.items)
    assert {shown["item_id"] for shown in page["items"]}.isdisjoint(
        f"i{i}" for i in range(1, 21, 2)
    )


def test_a_paused_page_is_the_same_whatever_was_done(community: TestClient) -> None:
    """The tea drinker, a chess player and a stranger get one page; resuming brings tea back."""
    chess = [event("like", "chess-player", f"i{i}") for i in range(0, 20, 2)]
    post(community, "/v1/events", events=chess)
    for user in (WHO, "chess-player", "stranger"):
        post(community, f"/v1/users/{user}/pause")
    pages = [shown_to(community, user) for user in (WHO, "chess-player", "stranger")]
    shown = community.get(f"/v1/feed/{WHO}").json()
    why = community.get(f"/v1/feed/{WHO}/why/{shown['items'][0]['item_id']}").json()
    controls = post(community, f"/v1/users/{WHO}/resume")

    assert pages[0] == pages[1] == pages[2]
    assert len(pages[0]) == 20
    assert (shown["profiled"], controls["paused"], controls["history"]) == (False, False, 10)
    assert why["sentences"][0] == (
        "Personalisation is paused, so this page uses nothing of what you did."
    )
    assert _topics(community, WHO).count("tea") > 6


@pytest.mark.parametrize(
    ("wish", "undone", "gone"),
    [
        ({"kind": "mute", "target": "topic:tea"}, "unmute", "i57"),
        ({"kind": "mute", "target": "creator:c1"}, "unmute", "i57"),
        ({"kind": "mute", "target": "word:57"}, "unmute", "i57"),
        ({"kind": "block", "target": "creator:c1"}, "unblock", "i57"),
    ],
)
def test_a_wish_holds_from_the_next_page_until_it_is_taken_back(
    community: TestClient, wish: dict[str, str], undone: str, gone: str
) -> None:
    """A muted creator, topic or word and a blocked creator are gone at once, and back at once."""
    before = shown_to(community, "u", "surface=latest&n=60")
    post(community, "/v1/events", events=[event(user="u", **wish)])
    during = shown_to(community, "u", "surface=latest&n=60")
    why = community.get(f"/v1/feed/u/why/{gone}").json()
    post(community, "/v1/events", events=[event(undone, "u", target=wish["target"])])

    assert gone in before
    assert gone not in during
    assert why["detail"]["outcome"] == "removed"
    assert shown_to(community, "u", "surface=latest&n=60") == before


def test_not_interested_and_see_more_move_the_taste_and_can_be_taken_back(
    community: TestClient, services: Services
) -> None:
    """More of chess lifts chess, a hidden tea post lowers tea; undone, all is as it was."""

    def leans() -> list[float]:
        table, person = services.state.items, services.state.person(UserId(WHO))
        topics = leaning(table, person, NOW_MS + 10**6).topics
        return [float(topics[table.topic_names.find(name)]) for name in ("tea", "chess")]

    before, page = leans(), _topics(community, WHO)
    wishes = [event("more", WHO, f"i{i}") for i in range(30, 46, 2)]
    post(community, "/v1/events", events=[*wishes, event("hide", WHO, "i41")])
    moved, other = leans(), _topics(community, WHO)
    undone = [event("undo", WHO, wish["item_id"]) for wish in wishes]
    post(community, "/v1/events", events=[*undone, event("undo", WHO, "i41")])

    assert moved[0] < before[0]
    assert moved[1] > before[1]
    assert page.count("chess") < other.count("chess")
    assert leans() == pytest.approx(before)


def test_a_session_is_linked_by_the_app_alone(community: TestClient) -> None:
    """An anonymous session has a feed of its own, and becomes a person only when that is said."""
    post(community, "/v1/events", events=[event("like", SESSION, "i1")])
    apart = community.get("/v1/users/ann/controls").json()["history"]
    linked = post(community, f"/v1/users/ann/link/{SESSION}")
    again = community.post(f"/v1/users/ann/link/{SESSION}")
    faked = post(community, "/v1/events", events=[event("link", "bo", target=SESSION)])

    assert (apart, linked["history"]) == (0, 1)
    assert (again.status_code, again.json()["error"]["code"]) == (404, "unknown")
    assert (faked["stored"], faked["rejected"][0]["field"]) == (0, "kind")
