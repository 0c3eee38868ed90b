"""A real browser before a console of processes: what the tests in a browser share."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.error import URLError
from urllib.request import urlopen

import console_community
import pytest
import sqlalchemy as sa
from PIL import Image

from inhouse.store import tables
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate

if TYPE_CHECKING:
    from playwright import sync_api as playwright

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
START_S: Final = 90.0


class _Covers(BaseHTTPRequestHandler):
    """Serves a small picture at every address."""

    def do_GET(self) -> None:
        data = BytesIO()
        Image.new("RGB", (30, 40), (20, 120, 110)).save(data, "PNG")
        self.send_response(200)
        self.send_header("content-type", "image/png")
        self.end_headers()
        self.wfile.write(data.getvalue())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@dataclass
class Server:
    """The API and the console as processes, over a seeded community."""

    console: str  # address
    api: str  # address
    database: Database
    logs: Path

    def events(self, kind: str) -> list[sa.Row[tuple[object, ...]]]:
        """What the page sent, of one kind, in the order of the log."""
        c = tables.events.c
        query = sa.select(tables.events).where(c.kind == kind, c.event_id.startswith("web-"))
        with self.database.read() as connection:
            return list(connection.execute(query.order_by(c.log_offset)).all())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(role: str, environment: dict[str, str], folder: Path) -> "subprocess.Popen[bytes]":
    code = (
        f"from inhouse.{role}.serve import run_{role}\n"
        "from inhouse.app.settings import load_settings\n"
        "from inhouse.core.logs import configure_logs\n"
        f"configure_logs(role={role!r})\nrun_{role}(load_settings())\n"
    )
    with (folder / f"{role}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            cwd=folder,
            stdout=log,
            stderr=log,
        )


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s and process.poll() is None:
        with contextlib.suppress(URLError, OSError), urlopen(url, timeout=1):
            return
        time.sleep(0.2)
    pytest.fail(f"{url} did not come up; exit code {process.poll()}")


@contextlib.contextmanager
def serving(folder: Path, password: str = "", **more: str) -> Iterator[Server]:
    """The API and the console over a data folder; `more` are settings for both."""
    ports = {"api": _free_port(), "console": _free_port()}
    origin = f"http://127.0.0.1:{ports['console']}"
    environment = {
        "INHOUSE_STORE_FOLDER": str(folder / "data"),
        "INHOUSE_APP_CLOCK": "log",
        "INHOUSE_API_PORT": str(ports["api"]),
        "INHOUSE_API_PUBLIC_ORIGIN": origin,
        "INHOUSE_CONSOLE_PORT": str(ports["console"]),
        "INHOUSE_CONSOLE_PASSWORD": password,
        **more,
    }
    roles = ("console",) if password else ("api", "console")
    processes = {role: _start(role, environment, folder) for role in roles}
    database = open_database(StoreSettings(folder=str(folder / "data")))
    try:
        for role, process in processes.items():
            _wait_for(f"http://127.0.0.1:{ports[role]}/healthz", process)
        yield Server(
            console=origin,
            api=f"http://127.0.0.1:{ports['api']}",
            database=database,
            logs=folder,
        )
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            process.wait(20)
        database.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A community with covers, served."""
    folder = tmp_path_factory.mktemp("served")
    covers = ThreadingHTTPServer(("127.0.0.1", 0), _Covers)
    threading.Thread(target=covers.serve_forever, daemon=True).start()
    database = open_database(StoreSettings(folder=str(folder / "data")))
    migrate(database)
    console_community.seed(
        database, people=120, cover_url=f"http://127.0.0.1:{covers.server_address[1]}"
    )
    database.close()
    try:
        with serving(folder) as running:
            yield running
    finally:
        covers.shutdown()
        covers.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    """A headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield opened
        opened.close()


@dataclass
class Watched:
    """A page, and what must not have happened on it."""

    page: "playwright.Page"
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)

    def _console(self, message: "playwright.ConsoleMessage") -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, request: "playwright.Request") -> None:
        if not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:", request.url):
            self.foreign.append(request.url)


@pytest.fixture
def watched(browser: "playwright.Browser") -> Iterator[Watched]:
    """A page that must show no error and ask nothing of other machines."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    made = Watched(context.new_page())
    made.watch()
    yield made
    context.close()
    assert (made.complaints, made.foreign) == ([], [])
