"""Tasks of a community's own: declared, labelled, rented, trained, owned, and asked all along."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.models.models_vendor import Vendor, chat_reply

from inhouse.app.build import Services
from inhouse.models.cutover.routes import Acceptance
from inhouse.models.cutover.stages import measuring_of
from inhouse.models.ledger.rows import Ledger
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.training.train import train_task

_TASKS = """
[topic]
kind = "labels"
categories = ["sport", "music"]
instructions = "What is it about? sport: matches. music: songs."
[summary]
kind = "text"
"""
_VENDORS = """
[main]
url = "{url}"
model = "gpt-4o-mini"
host = "openai"
owner = "openai"
"""


@pytest.fixture(autouse=True)
def _declared(tmp_path: Path) -> None:
    (tmp_path / "tasks.toml").write_text(_TASKS)


def _labels(count: int) -> list[dict[str, Any]]:
    """Every other text is about a match, the others about a song."""
    return [
        {
            "text": f"the {'goal of the match' if n % 2 else 'chorus of the song'} number {n}",
            "scores": {"sport": n % 2, "music": 1 - n % 2},
            "by": "ann",
        }
        for n in range(count)
    ]


def test_a_task_goes_from_labels_to_a_model_of_ones_own(
    services: Services, client: TestClient
) -> None:
    """People's labels teach it; once in use it answers, and the list says so."""
    sent = client.post("/v1/models/topic/labels", json={"labels": _labels(400)})
    again = client.post("/v1/models/topic/labels", json={"labels": _labels(1)})
    assert (sent.json(), again.json()) == ({"new": 400}, {"new": 0})
    before = client.post("/v1/models/topic/ask", json={"inputs": [{"text": "a goal"}]})
    assert (before.status_code, before.json()["error"]["code"]) == (502, "vendor_failed")

    version = train_task(
        services.database,
        services.tasks["topic"],
        services.registry.folder,
        services.clock,
        services.settings.models,
    )
    assert isinstance(version, ModelVersion)
    acceptance = Acceptance(
        task="topic", version=version.version, by="ann", reason="it is good", at_ms=1
    )
    services.routes.accept(acceptance, measuring_of(services.settings.models))
    services.gateway._known_routes.clear()
    texts = [{"text": "match goal", "ref": "post-1"}, {"text": "song chorus"}]
    found = client.post("/v1/models/topic/ask", json={"inputs": [*texts, texts[1]]}).json()

    assert found["task"] == "topic"
    first, second, third = found["answers"]
    assert (first["ref"], first["owner"], first["model"]) == ("post-1", "inhouse", version.version)
    assert first["scores"]["sport"] > 0.5 > first["scores"]["music"]
    assert second["scores"]["music"] > 0.5 > second["scores"]["sport"]
    assert second == third
    (task,) = [one for one in client.get("/v1/models").json() if one["name"] == "topic"]
    assert task == {
        "name": "topic",
        "kind": "labels",
        "categories": ["sport", "music"],
        "stage": "owned",
        "rented": None,
        "owned": version.version,
        "owned_share": 1.0,
    }


def test_a_rented_model_is_asked_what_was_declared(services: Services, client: TestClient) -> None:
    """It is told the task's own words and categories, its price is in the ledger under the task,
    and what it said may become a label unless the caller forbids it."""

    async def play() -> list[Any]:
        said = '{"posts": [{"id": 0, "scores": {"sport": 0.9, "music": 0.2}}]}'
        async with Vendor(chat_reply(said), chat_reply(said)) as vendor:
            Path(services.settings.models.vendors).write_text(_VENDORS.format(url=vendor.url))
            for keep in (True, False):
                body = {"inputs": [{"text": f"a goal, {keep}"}], "keep": keep}
                response = await asyncio.to_thread(client.post, "/v1/models/topic/ask", json=body)
                assert response.json()["answers"][0]["scores"] == {"sport": 0.9, "music": 0.2}
            return vendor.asked

    asked = asyncio.run(play())

    assert "sport: matches" in asked[0]["messages"][0]["content"]
    services.database.write(lambda _: None)
    rows = [attempt for _, attempt in Ledger(services.database).read()]
    assert [(row.task, row.deployment, row.outcome) for row in rows] == [
        ("topic", "main", "ok")
    ] * 2
    with services.database.read() as connection:
        kept = connection.exec_driver_sql("select input_text from labels").scalars().all()
    assert kept == ["a goal, True"]


_WRONG: list[tuple[str, Any, int, str]] = [
    ("topic/ask", {"inputs": []}, 400, "inputs: got 0, expected 1 to 1,000"),
    (
        "topic/ask",
        {"inputs": [{"text": " "}]},
        400,
        "inputs[0].text: got 1 characters, expected 1 to 100,000, not all of them spaces",
    ),
    (
        "topic/ask",
        {"inputs": [{"text": "a", "ref": "x"}, {"text": "b", "ref": "x"}]},
        400,
        "inputs[1].ref: 'x' names another text already; each text needs its own",
    ),
    ("summary/ask", {"inputs": [{"text": "a"}]}, 400, "summary answers with text"),
    ("mood/ask", {"inputs": [{"text": "a"}]}, 404, "no task is called 'mood'"),
    ("topic/ask", {"inputs": "🙂"}, 400, "inputs: expected `array`, got `str`"),
    (
        "topic/labels",
        {"labels": [{"text": "a", "scores": {"hate": 1}, "by": "ann"}]},
        400,
        "labels[0].scores: got 'hate', expected one of sport, music",
    ),
    (
        "topic/labels",
        {"labels": [{"text": "a", "scores": {"sport": 2}, "by": "ann"}]},
        400,
        "labels[0].scores.sport: got 2.0, expected 0 to 1",
    ),
]


def test_what_is_wrong_is_named(client: TestClient) -> None:
    """With the place of it."""
    told = []
    for path, body, _, message in _WRONG:
        response = client.post(f"/v1/models/{path}", json=body)
        found = response.json()["error"]["message"]
        told.append((path, body, response.status_code, found[: len(message)]))

    assert told == _WRONG


def test_each_door_has_its_scope(services: Services, client: TestClient) -> None:
    """Who may ask may not teach, and who may teach may not ask."""
    answers = []
    for scope in ("models", "labels"):
        _, secret = services.keys.create(scope, [scope])
        headers = {"authorization": f"Bearer {secret}"}
        ask = client.post("/v1/models/topic/ask", json={"inputs": []}, headers=headers)
        teach = client.post("/v1/models/topic/labels", json={"labels": []}, headers=headers)
        answers.append((ask.status_code, teach.status_code))

    assert answers == [(400, 403), (403, 400)]
