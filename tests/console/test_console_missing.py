"""Where no page is, and where one fails, the console says so in its own words."""

import pytest
from console_whole import Whole
from fastapi.testclient import TestClient
from nicegui import ui


@pytest.fixture(scope="module")
def browser(whole: Whole) -> TestClient:
    """Of an empty community without staff, with one page that fails."""

    @ui.page("/failing")
    def failing() -> None:
        raise ValueError("what only the log may tell")

    # Not entered: at its start the framework looks at every object of the process for a server.
    return TestClient(
        whole.app,
        base_url="http://127.0.0.1:8701",
        client=("127.0.0.1", 50_000),
        raise_server_exceptions=False,
    )


def test_a_mistyped_address_leads_back(browser: TestClient) -> None:
    """With the pages listed, and the right status."""
    found = browser.get("/peple")
    assert found.status_code == 404
    assert "There is no page here" in found.text
    assert "/moderation" in found.text
    assert "HTTPException" not in found.text


def test_a_missing_part_of_a_page_is_no_page(browser: TestClient) -> None:
    """A script that is not there is answered as one."""
    found = browser.get("/_nicegui/3/static/nowhere.js")
    assert found.status_code == 404
    assert "There is no page here" not in found.text


def test_a_page_that_fails_does_not_tell_why(browser: TestClient) -> None:
    """The log does."""
    found = browser.get("/failing")
    assert found.status_code == 500
    assert "This page could not be made" in found.text
    assert "what only the log may tell" not in found.text
