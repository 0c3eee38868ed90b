"""The whole interface against its own description, with inputs nobody would write by hand."""

import json
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, given, settings
from starlette.testclient import TestClient

from inhouse.api import server
from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.keys import SCOPES

_EXAMPLES: Final = 12
_HEALTH: Final = [HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large]


def test_nothing_a_client_sends_breaks_the_server(services: Services) -> None:
    """Whatever is sent to any endpoint, the answer is no server error, and errors have the shape
    of their format."""
    app = create_app(services)
    _, secret = services.keys.create("contract", SCOPES)
    headers = {"authorization": f"Bearer {secret}"}
    with TestClient(app, raise_server_exceptions=False, headers=headers) as client:
        described = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        tried = [_try(operation.ok(), client) for operation in described.get_all_operations()]

    assert len(tried) > 20


def test_an_app_builds_no_route_anew(services: Services) -> None:
    """Each of them is the one that its module made, and no other: building one takes milliseconds
    and keeps a schema of its own."""
    made = [route for module in server._ROUTES for route in module.router.routes]
    app = create_app(services)
    own = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}

    assert [route for route in app.routes if getattr(route, "path", None) not in own] == made


def _error_fields(path: str) -> set[str]:
    if path.startswith("/openai/"):
        return {"message", "type", "param", "code"}
    return {"code", "message", "status" if path.startswith("/v1alpha1/") else "request_id"}


def _try(operation: Any, client: TestClient) -> str:
    """Send one operation a dozen generated requests; returns its name."""

    @settings(max_examples=_EXAMPLES, deadline=None, database=None, suppress_health_check=_HEALTH)
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        asked = case.as_transport_kwargs(base_url="http://testserver")
        body = {"content": json.dumps(asked["json"])} if "json" in asked else {}
        response = client.request(
            asked["method"],
            asked["url"],
            params=asked.get("params"),
            headers={"content-type": "application/json"},
            **body,
        )
        assert response.status_code < 500, response.text
        if response.status_code >= 400:
            assert set(response.json()["error"]) >= _error_fields(operation.path)

    send()
    return str(operation.label)
