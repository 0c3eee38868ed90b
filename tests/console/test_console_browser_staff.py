"""Named staff in a real browser: the first, one who is invited, their desk, and the end of it."""

import re
from collections.abc import Iterator

import console_community
import pytest
import sqlalchemy as sa
from console_browser import CHROMIUM, Server, Watched, serving

from inhouse.app.staff.book import Staff
from inhouse.store import tables
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import migrate

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine"),
]
OWN = "four words nobody says"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A community with cases, without staff."""
    folder = tmp_path_factory.mktemp("staffed")
    database = open_database(StoreSettings(folder=str(folder / "data")))
    migrate(database)
    console_community.seed(database, people=40)
    database.close()
    with serving(folder) as running:
        yield running


def _fits(watched: Watched) -> bool:
    root = "document.documentElement"
    return bool(watched.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth <= 0"))


def test_from_nobody_to_a_moderator_who_is_switched_off(served: Server, watched: Watched) -> None:
    """The first makes themselves an operator and adds a moderator, who chooses a password, decides
    under their own name, and is out within seconds of being switched off."""
    page = watched.page
    page.goto(f"{served.console}/staff")
    page.click("text=Be the first of the staff")
    page.fill("#name", "Ada")
    page.fill("#new", OWN)
    page.fill("#again", OWN)
    page.click("button:has-text('Begin')")
    page.wait_for_selector("b:has-text('Ada')")
    page.fill("input[aria-label='name']", "Ben")
    page.click("button:text-is('Add')")
    once = page.inner_text("code.once")
    assert re.fullmatch(r"([a-z2-9]{4}-){4}[a-z2-9]{4}", once)
    page.set_viewport_size({"width": 390, "height": 844})
    assert _fits(watched)
    page.set_viewport_size({"width": 1280, "height": 860})
    page.click("text=Sign out")
    page.fill("#name", "Ben")
    page.fill("#password", once)
    page.click("button:has-text('Sign in')")
    page.wait_for_selector("h1:has-text('Your password')")
    page.fill("#new", f"{OWN} Ben")
    page.fill("#again", f"{OWN} Ben")
    page.click("button:has-text('Take it up')")
    page.click("nav >> text=Moderation")
    page.wait_for_selector("text=This case")
    assert page.locator("nav .place").all_inner_texts() == ["Overview", "Moderation"]
    assert page.locator("text=Deciding as").count() == 0
    page.wait_for_selector(".post")
    page.wait_for_timeout(500)  # a case that nobody can have read is not decided
    page.click("button.act-a")
    page.wait_for_selector(".status:has-text('shown')")
    query = sa.select(tables.review_decisions.c.reviewer)
    with served.database.read() as connection:
        assert set(connection.execute(query).scalars()) >= {"Ben"}
    page.goto(f"{served.console}/moderation/policy")
    page.wait_for_selector("text=This page is not for your role")
    watched.complaints.clear()  # the browser remarks on the 403
    page.goto(f"{served.console}/moderation")
    page.wait_for_selector("text=This case")
    Staff(served.database).off("Ben")
    page.wait_for_selector("h1:has-text('Sign in')", timeout=10_000)
    assert page.url.endswith("/login?to=/moderation")
    watched.complaints.clear()  # and on the socket that was shut
