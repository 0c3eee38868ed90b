"""/v1/prevalence: what a random sample says, for those who moderate."""

from collections.abc import Callable

from starlette.testclient import TestClient

from inhouse.app.build import Services
from inhouse.moderation.measuring.sampling import Draw, draw_sample


def test_what_a_sample_says_is_told_to_moderators_alone(
    client: TestClient, services: Services, judge: Callable[[], None]
) -> None:
    """404 while none was drawn or of a name that is none; then counts, and who waits instead of a
    number; a key without the scope is refused."""
    nothing = client.get("/v1/prevalence")
    items = [
        {"item_id": f"p{place}", "creator_id": "c", "text": "buy followers", "created_ms": 1_000}
        for place in range(30)
    ]
    assert client.post("/v1/items", json={"items": items}).status_code == 200
    judge()
    services.catch_clock_up()
    draw = Draw(per_category=20, days=30, flag_at=0.5, seed=1)
    sample, asked = draw_sample(services.database, services.clock, services.policy, draw)
    told = client.get("/v1/prevalence")
    unknown = client.get("/v1/prevalence", params={"sample_id": "\u202e\x00😀" * 20})
    too_long = client.get("/v1/prevalence", params={"sample_id": "x" * 129})
    _, secret = services.keys.create("feeds", ["feed"])
    client.headers["authorization"] = f"Bearer {secret}"
    assert nothing.status_code == 404
    assert "no sample was drawn yet" in nothing.json()["error"]["message"]
    assert (asked, unknown.status_code, too_long.status_code) == (20, 404, 400)
    assert client.get("/v1/prevalence").status_code == 403
    body = told.json()
    assert (body["sample_id"], body["posts"], body["waiting"]) == (sample.sample_id, 30, 20)
    assert body["categories"][0]["of_posts"] == {
        "reason": "sampled posts wait for a reviewer",
        "have": 0,
        "need": 20,
    }
