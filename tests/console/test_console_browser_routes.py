"""A task's way in a real browser: held, let go on, taken back, and a margin signed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import console_community
import pytest
from console_browser import CHROMIUM, Server, Watched, serving
from tests.models.models_texts import harvest, register, small_model

from inhouse.app.build import Services
from inhouse.app.owning.rejudging import judge_again
from inhouse.app.settings import load_settings
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.cutover.stages import measuring_of, with_stage
from inhouse.models.harvest.labels import Labels
from inhouse.models.parity.margins import Margins
from inhouse.models.types import Route, Stage
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import migrate

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine"),
]
_VENDORS = """
[main]
url = "http://127.0.0.1:9/v1"
model = "gpt-4o-mini"
host = "openai"
owner = "openai"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A community whose second owned version is to replace the first, and has come to 5%."""
    folder = tmp_path_factory.mktemp("routes")
    replacing(folder)
    with serving(folder, INHOUSE_MODELS_VENDORS=str(folder / "vendors.toml")) as running:
        yield running


def replacing(folder: Path) -> None:
    """Two versions, each judged, and the route on which they are."""
    database = open_database(StoreSettings(folder=str(folder / "data")))
    migrate(database)
    console_community.seed(database, people=20)
    Labels(database).add(harvest(600, seed=2))
    database.close()
    (folder / "vendors.toml").write_text(_VENDORS)
    environment = {
        "INHOUSE_STORE_FOLDER": str(folder / "data"),
        "INHOUSE_MODELS_VENDORS": str(folder / "vendors.toml"),
        "INHOUSE_APP_CLOCK": "log",
    }
    services = Services(load_settings(environment, folder / "none.toml"))
    services.catch_clock_up()
    _put(services, "owned", "v1")
    _put(services, "ramp5", "v2")
    services.close()


def _put(services: Services, stage: Stage, version: str) -> None:
    known = register(services.registry, small_model(), version)
    services.registry.put(replace(known, created_ms=int(version[1:])))
    judge_again(services, services.tasks["text_harm"])
    before = services.routes.current("text_harm")
    route = replace(before, owned=version, incumbent=before.owned)
    route = with_stage(route, stage, measuring_of(services.settings.models))
    at_ms = services.clock.now_ms()
    services.routes.set(
        RouteChange(route=route, at_ms=at_ms, decided_by="cutover", reason="as good")
    )


def _decide(watched: Watched, act: str, name: str = "Ann", why: str = "I saw something") -> None:
    """Press a button of the task, and fill in what it asks for."""
    page = watched.page
    page.click(f"button:has-text('{act} text_harm')")
    dialog = page.locator(".dialog:visible")
    dialog.locator("input").nth(0).fill(name)
    dialog.locator("input").nth(1).fill(why)
    dialog.locator(f"button:has-text('{act.split(maxsplit=1)[0]}')").click()


def _route(server: Server) -> Route:
    return Routes(server.database, ["main"]).current("text_harm")


def test_a_task_is_held_let_go_on_and_taken_back(server: Server, watched: Watched) -> None:
    """Each is asked for a name and a reason, is there for everybody to see within seconds, and what
    cannot be done says why."""
    page = watched.page
    page.goto(f"{server.console}/bill")
    page.wait_for_selector("text=v2 is to replace v1: 5% so far")
    assert page.locator(".steps .now").inner_text() == "owned"

    _decide(watched, "Hold", why="")
    page.wait_for_selector("[role=alert]:has-text('a reason of 0 characters; expected 1 to 500')")
    page.click(".dialog:visible >> button:has-text('Close')")
    _decide(watched, "Hold")
    page.wait_for_selector("text=held by person:Ann: nothing goes forwards until it is resumed")
    assert _route(server).held_by == "person:Ann"

    _decide(watched, "Resume", "Bob", "it was nothing")
    page.wait_for_selector("text=it was nothing · person:Bob")
    assert _route(server).held_by is None

    _decide(watched, "Roll back")
    page.wait_for_selector("text=v2 is to replace v1: in its shadow")
    back = _route(server)
    assert (back.stage, back.owned, back.incumbent, back.owned_share) == ("shadow", "v2", "v1", 0.0)


def test_a_margin_is_signed(server: Server, watched: Watched) -> None:
    """What is no margin is refused with what would be one; the signed one stands with the name, and
    the report of the task opens."""
    page = watched.page
    page.goto(f"{server.console}/bill")
    page.click("button:has-text('Sign a margin for text_harm')")
    dialog = page.locator(".dialog:visible")
    dialog.locator("input").nth(0).fill("a little")
    dialog.locator("input").nth(1).fill("Cem <b>")
    dialog.locator("button:has-text('Sign')").click()
    page.wait_for_selector("text=margin is 'a little', expected 0.001 to 0.5, such as 0.03")
    dialog.locator("input").nth(0).fill("0.04")
    dialog.locator("button:has-text('Sign')").click()
    page.wait_for_selector("text=Margin 0.04, signed by Cem <b>.")
    signed = Margins(server.database).of("text_harm")
    assert signed is not None
    assert (signed.margin, signed.signed_by) == (0.04, "Cem <b>")
    page.goto(f"{server.console}/bill/parity/text_harm")
    page.wait_for_selector("text=Beside v1: not enough labels")
