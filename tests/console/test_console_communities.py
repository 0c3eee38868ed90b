"""A console is one community's: its door, its cookie, its key, its health."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from inhouse.api.server import create_app
from inhouse.app import communities
from inhouse.app.build import Services
from inhouse.app.settings import Settings, load_settings
from inhouse.catalog.types import Item
from inhouse.console.access import COOKIE, Door, cookie_of
from inhouse.console.guard import Guard
from inhouse.console.login import login_router
from inhouse.console.overview.health import gather_health
from inhouse.console.private import feed_key
from inhouse.core.ids import ItemId, UserId


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """An installation with the community `tea`, its API on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "INHOUSE_STORE_FOLDER": str(tmp_path / "data"),
        "INHOUSE_API_PORT": str(port),
        "INHOUSE_CONSOLE_PASSWORD": "of the installation",
    }
    home = load_settings(environment, tmp_path / "none.toml")
    communities.add(home, "tea", console_port=8711)
    return home


@pytest.fixture
def both(home: Settings) -> Iterator[dict[str, Services]]:
    """The parts of two consoles: the installation's with one post, and that of `tea` with two."""
    opened = {"": Services(home), "tea": Services(communities.settings_of(home, "tea"))}
    for posts, services in enumerate(opened.values(), 1):
        services.catalog.put_items(
            [
                Item(item_id=ItemId(f"i{n}"), creator_id=UserId("c"), kind="text", text="t")
                for n in range(posts)
            ]
        )
    yield opened
    for services in opened.values():
        services.close()


@pytest.fixture
def served(home: Settings, both: dict[str, Services]) -> Iterator[None]:
    """One API process for both."""
    config = uvicorn.Config(create_app(Services(home)), port=home.api.port, log_config=None)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.02)
    yield
    running.should_exit = True
    thread.join()


@pytest.mark.usefixtures("served")
def test_each_console_tells_of_its_own_api_state(both: dict[str, Services]) -> None:
    """The light of the API is asked with the community's own key."""
    found = {name: gather_health(services, 1).api for name, services in both.items()}

    assert {name: health and health.items for name, health in found.items()} == {"": 1, "tea": 2}


def _browser(services: Services) -> TestClient:
    door = Door(password="", cookie=cookie_of(services.settings.community), listens_on="console")
    app = FastAPI()
    app.include_router(login_router(door, services.staff, services.staff_sessions, time.monotonic))
    app.add_api_route("/", lambda: "in")
    app.add_middleware(Guard, door=door, book=services.staff_sessions, headers={})
    return TestClient(app, follow_redirects=False)


@pytest.mark.usefixtures("quick_hashes")
def test_a_login_is_good_in_one_console_alone(both: dict[str, Services]) -> None:
    """Browsers send a machine's cookies to all of its ports: the other console's neither opens nor
    is overwritten, even where the same person chose the same password in both."""
    for services in both.values():
        services.staff.begin("Ada", "the same long words")
    ours, theirs = (_browser(services) for services in both.values())
    ours.post("/login", content="name=Ada&password=the+same+long+words&to=/")
    theirs.cookies.update(ours.cookies)
    before = (ours.get("/").status_code, theirs.get("/").status_code)
    forged = {"cookie": f"{COOKIE}_tea={ours.cookies[COOKIE]}"}
    tried = theirs.get("/", headers=forged).status_code
    theirs.post("/login", content="name=Ada&password=the+same+long+words&to=/")

    assert before == (200, 303)
    assert tried == 303
    assert (theirs.get("/").status_code, ours.get("/").status_code) == (200, 200)
    assert sorted(theirs.cookies) == [COOKIE, f"{COOKIE}_tea"]


def test_staff_of_one_are_not_staff_of_another(both: dict[str, Services]) -> None:
    """The installation's password opens no other console; each feed page has its own key."""
    keys = {name: feed_key(s.keys, s.settings.folder) for name, s in both.items()}

    assert both[""].settings.console.password == "of the installation"
    assert both["tea"].settings.console.password == ""
    assert both["tea"].settings.console.port == 8711
    assert keys["tea"].startswith("inh_tea.")
