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
