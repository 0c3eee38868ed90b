"""A server of our own to measure: one API process on a free port, in a folder of its own."""

import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil

from benchmarks.common import program, wait_until
from inhouse.app.build import open_services
from inhouse.app.settings import load_settings
from inhouse.store.database import DATABASE_FILE


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where it is and how to call it."""

    port: int
    secret: str
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"}

    def memory_mb(self) -> float:
        """Resident memory of the server's process."""
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6

    def private_mb(self) -> float:
        """Of it what is the process's own: without the parts of the database's file that it looks
        at through the system's cache, up to 268 MB, which the system may take back."""
        own = (
            part.private_clean + part.private_dirty
            for part in psutil.Process(self.pid).memory_maps(grouped=False)
            if not part.path.endswith(DATABASE_FILE)
        )
        return float(sum(own)) / 1e6

    def cpu_s(self) -> float:
        """Seconds of a core that the server's process has used."""
        used = psutil.Process(self.pid).cpu_times()
        return float(used.user + used.system)

    def get(self, path: str) -> object:
        """One answer, decoded."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers=self.headers)
        return json.loads(connection.getresponse().read())

    def text(self, path: str) -> str:
        """One answer as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers=self.headers)
        return connection.getresponse().read().decode()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_key(folder: Path) -> str:
    """A key with every scope in that folder's database."""
    settings = load_settings({"INHOUSE_STORE_FOLDER": str(folder)}, folder / "none.toml")
    with open_services(settings) as services:
        return services.keys.create("benchmark", ["items", "users", "events", "feed", "models"])[1]


@contextmanager
def api_server(
    folder: Path, core: int | None = None, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Server]:
    """One API process on `folder`, pinned to `core` if given; ready when the block starts.

    settings: environment variables beside those every benchmark's server has.
    """
    secret, port = make_key(folder), free_port()
    environment = {
        "INHOUSE_STORE_FOLDER": str(folder),
        "INHOUSE_API_PORT": str(port),
        "INHOUSE_APP_CLOCK": "log",
        "INHOUSE_APP_LOG_LEVEL": "warning",
        **settings,
    }
    with program(["-m", "inhouse.api"], environment) as process:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        server = Server(port=port, secret=secret, pid=process.pid)
        wait_until(lambda: is_ready(server), 900, "the API's readiness")
        yield server


def is_ready(server: Server) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", "/v1/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
