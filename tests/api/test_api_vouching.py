"""Whoever holds a key names people of their own: nobody acts as one of the console's staff."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from inhouse.app.build import Services
from inhouse.moderation.reviewing.search import CaseFilter

pytestmark = pytest.mark.usefixtures("quick_hashes")
_NAMED = ("reviewer", "made_by", "by")


@pytest.fixture
def case_id(client: TestClient, services: Services, judge: Callable[[], None]) -> str:
    """A reported post's case, where Ada is of the staff."""
    services.staff.begin("Ada", "four words nobody says")
    items = [{"item_id": "i0", "creator_id": "maker", "text": "cheap watches"}]
    assert client.post("/v1/items", json={"items": items}).status_code == 200
    judge()
    report = {"item_id": "i0", "reporter_id": "u", "category": "spam", "note": "x"}
    return str(client.post("/v1/reports", json=report).json()["case_id"])


@pytest.mark.parametrize("name", ["Ada", "ada", " ADA ", "Ａda"])
def test_a_key_decides_nothing_as_one_of_the_staff(
    client: TestClient, services: Services, case_id: str, name: str
) -> None:
    """Nor under a name that looks like theirs; for people of its own it does."""
    ruling = {"action": "remove", "category": "spam"}
    path = f"/v1/review/{case_id}/decide"
    refused = client.post(path, json={"reviewer": name, **ruling})
    before = services.review.decisions(case_id=case_id)
    done = client.post(path, json={"reviewer": "app-team", **ruling})

    assert (refused.status_code, before, done.status_code) == (403, [], 200)
    assert "is one of the console's staff, who decide there, signed in" in refused.text
    assert [one.reviewer for one in services.review.decisions(case_id=case_id)] == ["app-team"]


def test_a_name_stays_theirs_when_they_are_gone(
    client: TestClient, services: Services, case_id: str
) -> None:
    """Switched off or erased: what is filed under the name was decided by them."""
    services.staff.add("Ben", "operator")
    services.staff.erase("Ada")
    found = client.post("/v1/review/next", json={"reviewer": "Ada"})

    assert found.status_code == 403


def test_what_a_member_prepared_is_not_carried_out_by_a_key(
    client: TestClient, services: Services, case_id: str
) -> None:
    """Many cases at once are decided under the name of whoever chose them."""
    from_console = services.bulks.preview(
        CaseFilter(queue="spam"), services.review.checked("remove", "spam", "Ada", None)
    )
    found = client.post(f"/v1/review/bulk/{from_console.bulk_id}/run")

    assert (found.status_code, services.review.decisions(case_id=case_id)) == (403, [])


def _bodies(contract: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Every address that takes a body in which somebody is named: method, path, the body."""
    schemas = contract["components"]["schemas"]
    found = []
    for path, methods in contract["paths"].items():
        for method, told in methods.items():
            content = told.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            fields = schemas.get(name, {}).get("properties", {})
            if any(field in fields for field in _NAMED):
                needed = schemas[name]["required"]
                body = {field: "Ada" if field in _NAMED else "x" for field in needed}
                found.append((method, path, body))
    return found


def test_every_address_that_names_somebody_asks(client: TestClient, case_id: str) -> None:
    """Each body with a reviewer in it is refused where that is a member; a new one, too."""
    asked = _bodies(client.get("/openapi.json").json())
    codes = {}
    for method, path, body in asked:
        filled = path.replace("{case_id}", case_id).replace("{", "").replace("}", "")
        codes[(method, path)] = client.request(method, filled, json=body).status_code

    assert len(codes) >= 14
    assert {one: code for one, code in codes.items() if code != 403} == {}
