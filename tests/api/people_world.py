"""What tests of people share: posts, what somebody does, the page they get."""

from typing import Any

from starlette.testclient import TestClient

NOW_MS = 1_760_000_000_000
WHO = "person-zebra-4711"
SESSION = "session:quagga-0815"


def post(client: TestClient, path: str, **body: Any) -> Any:
    """The answer of an endpoint that should answer."""
    response = client.post(path, json=body) if body else client.post(path)
    assert response.status_code == 200, response.text
    return response.json()


def make_items(count: int) -> list[dict[str, Any]]:
    """So many posts by seven creators, on tea and on chess in turns."""
    return [
        {
            "item_id": f"i{i}",
            "creator_id": f"c{i % 7}",
            "title": f"A post about {'tea' if i % 2 else 'chess'} number {i}",
            "topics": ["tea" if i % 2 else "chess"],
            "created_ms": NOW_MS + i,
        }
        for i in range(count)
    ]


_count = iter(range(1, 1_000_000))


def event(kind: str, user: str, item: str | None = None, **more: Any) -> dict[str, Any]:
    """Something somebody does, a moment after what was done before."""
    number = next(_count)
    return {
        "event_id": f"{kind}-{user}-{number}",
        "at_ms": NOW_MS + 60_000 + number,
        "kind": kind,
        "user_id": user,
        "item_id": item,
        **more,
    }


def shown_to(client: TestClient, user: str, query: str = "n=20") -> list[str]:
    """The posts of a page."""
    page = client.get(f"/v1/feed/{user}?{query}").json()
    return [shown["item_id"] for shown in page["items"]]
