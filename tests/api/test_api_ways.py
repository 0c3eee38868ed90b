"""What the console does with models on their way, for programs: read, hold, roll back, resume."""

import json
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from tests.models.models_texts import harvest, register, small_model

from inhouse.app.build import Services
from inhouse.app.owning.dependence import Rates, dependence
from inhouse.app.owning.rejudging import judge_again
from inhouse.cli.output import plain
from inhouse.models.cutover.routes import RouteChange
from inhouse.models.cutover.stages import measuring_of, with_stage
from inhouse.models.harvest.labels import Labels

_ANN = {"by": "ann", "because": "I saw something"}
_VENDORS = """
[main]
url = "http://127.0.0.1:9/v1"
model = "gpt-4o-mini"
host = "openai"
owner = "openai"
"""


@pytest.fixture
def on_way(services: Services) -> Services:
    """A judged version at 5%, beside a rented model."""
    (services.settings.folder.parent / "vendors.toml").write_text(_VENDORS)
    Labels(services.database).add(harvest(600, seed=2))
    register(services.registry, small_model(), "v1")
    judge_again(services, services.tasks["text_harm"])
    route = replace(services.routes.current("text_harm"), owned="v1")
    route = with_stage(route, "ramp5", measuring_of(services.settings.models))
    services.routes.set(RouteChange(route=route, at_ms=1, decided_by="cutover", reason="so"))
    return services


def test_a_task_is_read_held_rolled_back_and_resumed(on_way: Services, client: TestClient) -> None:
    """Each answer says where the task stands then; what makes no sense is 409 and changes nothing;
    every step is on record with its name."""
    way = client.get("/v1/models/text_harm/route").json()
    assert (way["stage"], way["owned"], way["owned_share"], way["rented"], way["held_by"]) == (
        "ramp5",
        "v1",
        0.05,
        "main",
        None,
    )
    assert way["waits_for"] == "no text was answered by both models yet"
    (seen,) = way["seen"]
    assert (seen["version"], seen["against"], seen["pairs"]) == ("v1", None, 0)
    assert [one["fact"] for one in seen["watched"]] == [
        "missed",
        "extra",
        "failed",
        "slow",
        "drift",
    ]
    assert not any(one["is_over"] for one in seen["watched"])

    told = []
    for act in ("hold", "hold", "rollback", "rollback", "resume", "resume"):
        response = client.post(f"/v1/models/text_harm/{act}", json=_ANN)
        body = response.json()
        told.append((response.status_code, body.get("stage"), body.get("held_by")))
    assert told == [
        (200, "ramp5", "person:ann"),
        (409, None, None),
        (200, "shadow", "person:ann"),
        (409, None, None),
        (200, "shadow", None),
        (409, None, None),
    ]
    changes = client.get("/v1/models/text_harm/route").json()["changes"]
    assert [(one["decided_by"], one["reason"]) for one in changes] == [
        *[("person:ann", "I saw something")] * 3,
        ("cutover", "so"),
    ]


def test_the_report_that_the_gate_reads(on_way: Services, client: TestClient) -> None:
    """With when it was made and on how many texts; a margin somebody signs is on the way."""
    found = client.get("/v1/models/text_harm/parity").json()
    assert (found["version"], found["beside"]) == ("v1", None)
    report = found["parity"]
    assert (report["verdict"], report["held_out"], report["people"]) == ("pass", 180, 0)
    assert report["labels_to"] == 600
    signed = client.post("/v1/models/text_harm/margin", json={"margin": 0.02, "by": "ann"})
    assert signed.json()["margin"]["margin"] == 0.02
    assert signed.json()["margin"]["signed_by"] == "ann"


def test_dependence_is_what_the_command_tells(on_way: Services, client: TestClient) -> None:
    """The same report, figure by figure, with a machine's price and without."""
    response = client.get("/v1/dependence", params={"days": 7, "cpu_usd_per_hour": 0.5})
    now_ms = on_way.clock.now_ms()
    expected = plain(dependence(on_way, now_ms, 7, Rates(cpu_usd_per_hour=0.5)))
    assert response.json() == json.loads(json.dumps(expected))
    assert response.json()["readiness"][0]["level"] == 3
    assert client.get("/v1/dependence").json()["break_even"] == []


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("nothing/hold", _ANN, 404, None),
        ("text_harm/hold", {"by": "ann"}, 400, "because"),
        ("text_harm/hold", {"by": "", "because": "x"}, 400, "a name of 0 characters"),
        ("text_harm/hold", {"by": "ann", "because": "\u202e" * 501}, 400, "a reason of 501"),
        ("text_harm/rollback", {"by": 5, "because": []}, 400, "by: expected"),
        ("text_harm/margin", {"by": "ann", "margin": 0.9}, 400, "margin is 0.9, expected 0.001"),
        ("text_harm/margin", {"by": "ann", "margin": "a lot"}, 400, "margin: expected"),
    ],
)
def test_what_is_wrong_is_named(
    client: TestClient, path: str, body: object, status: int, message: str | None
) -> None:
    """With the place of it."""
    response = client.post(f"/v1/models/{path}", json=body)
    told = response.json()["error"]["message"]
    assert response.status_code == status, told
    assert message is None or message in told


def test_nothing_trained_is_no_report(client: TestClient) -> None:
    """404, with what to do; its way is at the beginning."""
    told = client.get("/v1/models/text_harm/parity")
    assert (told.status_code, "inhouse models train" in told.json()["error"]["message"]) == (
        404,
        True,
    )
    way = client.get("/v1/models/text_harm/route").json()
    assert (way["stage"], way["seen"], way["changes"]) == ("rented", [], [])
    for wrong in ("days=0", "days=401", "cpu_usd_per_hour=nan", "gpu_per_s=-1"):
        assert client.get(f"/v1/dependence?{wrong}").status_code == 400


def test_reading_and_steering_have_scopes_of_their_own(
    services: Services, client: TestClient
) -> None:
    """Who may read may not steer, and the other way round."""
    codes = []
    for scope in ("insight", "routes"):
        _, secret = services.keys.create(scope, [scope])
        headers = {"authorization": f"Bearer {secret}"}
        read = [
            client.get(f"/v1/{path}", headers=headers).status_code
            for path in ("dependence", "models/text_harm/route", "models/text_harm/parity")
        ]
        steer = [
            client.post(f"/v1/models/text_harm/{act}", json={}, headers=headers).status_code
            for act in ("hold", "rollback", "resume", "margin")
        ]
        codes.append((read, steer))
    assert codes == [([200, 200, 404], [403] * 4), ([403] * 3, [400] * 4)]
