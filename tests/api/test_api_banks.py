"""Banks over HTTP, from a hash to a post that is no longer shown."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inhouse.app.build import Services
from inhouse.app.roles.worker import Worker
from inhouse.moderation.media.fetch import Fetcher

sys.path.insert(0, str(Path(__file__).parent.parent / "moderation"))
from media_worlds import file_of, hash_of, picture

MD5 = "0f" * 16


def _bank(client: TestClient, **facts: object) -> None:
    body = {"name": "war", "category": "violence", "p": 0.96, **facts}
    assert client.post("/v1/banks", json=body).status_code == 200


def test_a_post_with_a_known_picture_is_not_shown(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetched, read in a process of its own, matched, decided by the default policy; another
    picture is shown, and one that cannot be had is shown too and says so."""
    pictures = {f"https://a.example/{seed}": file_of(picture(seed), "JPEG") for seed in (1, 2)}
    monkeypatch.setattr(Fetcher, "fetch", lambda self, url: pictures[url])
    _bank(client)
    added = client.post("/v1/banks/war/hashes", json={"lines": f"{hash_of(picture(1)).bits.hex()}"})
    assert added.json() == {"added": 1, "known": 0}
    items = [
        {"item_id": f"i{seed}", "creator_id": "c", "media_url": f"https://a.example/{seed}"}
        for seed in (1, 2)
    ]
    client.post("/v1/items", json={"items": items})
    worker = Worker(services)
    while len(services.verdicts.latest(["i1", "i2"])) < 2:
        worker.step()
    worker.close()
    services.feeds.follower.catch_up()

    known = client.get("/v1/verdicts/i1?viewer=adult").json()
    other = client.get("/v1/verdicts/i2?viewer=adult").json()
    assert (known["action"], known["decided_by"]) == ("remove", "rule:violence_clear")
    assert known["labels"] == [{"category": "violence", "p": 0.96, "source": "hashes:war"}]
    assert (other["action"], other["decided_by"]) == ("allow", "no rule")


def test_a_bank_is_made_filled_changed_and_removed(client: TestClient) -> None:
    """Each step is answered with what is there now."""
    _bank(client, kind="md5")
    client.post("/v1/banks/war/hashes", json={"lines": f"{MD5},from a partner"})
    (hash_,) = client.get("/v1/banks/war/hashes").json()
    off = client.put(f"/v1/banks/war/hashes/{MD5}", json={"state": "disabled"}).json()
    changed = {"name": "war", "kind": "md5", "category": "spam", "share": 10}
    assert client.put("/v1/banks/war", json=changed).status_code == 200
    (facts,) = client.get("/v1/banks").json()

    assert (hash_["hash"], hash_["note"], hash_["state"]) == (MD5, "from a partner", "active")
    assert off["state"] == "disabled"
    assert (facts["hashes"], facts["disabled"]) == (0, 1)
    assert (facts["bank"]["spec"]["category"], facts["bank"]["spec"]["share"]) == ("spam", 10)
    assert client.delete("/v1/banks/war").json() == {"removed": 1}
    assert client.get("/v1/banks").json() == []


@pytest.mark.parametrize(
    ("ask", "status", "message"),
    [
        (lambda c: c.get("/v1/banks/none/hashes"), 404, "no bank 'none'"),
        (lambda c: c.post("/v1/banks", json={"name": "🙂"}), 400, "name: got '🙂'"),
        (lambda c: c.post("/v1/banks", json={"name": "a", "kind": "tmk"}), 400, "kind"),
        (lambda c: c.post("/v1/banks", json={"name": "a", "category": "x"}), 400, "category: got"),
        (lambda c: c.post("/v1/banks", json={"name": "war"}), 409, "a bank named 'war' is there"),
        (lambda c: c.post("/v1/banks/war/hashes", json={"lines": "\nx"}), 400, "line 2: got 'x'"),
        (lambda c: c.put("/v1/banks/war", json={"name": "peace"}), 400, "name is 'peace'"),
        (
            lambda c: c.put("/v1/banks/war/hashes/abc", json={"state": "active"}),
            400,
            "the hash is 'abc'",
        ),
    ],
)
def test_wrong_questions_get_a_clear_answer(
    client: TestClient, ask: Callable[[TestClient], object], status: int, message: str
) -> None:
    """With the value, and what would have been right."""
    _bank(client)
    found = ask(client)

    assert found.status_code == status  # type: ignore[attr-defined]
    assert message in found.text  # type: ignore[attr-defined]


def test_banks_are_for_moderators(client: TestClient, services: Services) -> None:
    """Another key is turned away."""
    _, secret = services.keys.create("app", ["feed"])
    refused = client.get("/v1/banks", headers={"authorization": f"Bearer {secret}"})

    assert refused.status_code == 403
