"""A server in this process, with one key that may do everything."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.keys import SCOPES
from inhouse.app.settings import load_settings


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Services over a folder of their own; time follows the log."""
    environment = {
        "INHOUSE_STORE_FOLDER": str(tmp_path / "data"),
        "INHOUSE_APP_CLOCK": "log",
        "INHOUSE_MODELS_VENDORS": str(tmp_path / "vendors.toml"),
        "INHOUSE_MODELS_TASKS": str(tmp_path / "tasks.toml"),
        "INHOUSE_API_MOST_BODY_BYTES": "200_000",
        "INHOUSE_API_MOST_ROWS": "500",
    }
    built = Services(load_settings(environment, tmp_path / "none.toml"))
    yield built
    built.close()


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    """A client whose key has every scope."""
    _, secret = services.keys.create("tests", SCOPES)
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        opened.headers["authorization"] = f"Bearer {secret}"
        yield opened


@pytest.fixture
def judge(services: Services) -> Callable[[], None]:
    """Gives every item that waits its verdict, as the worker would."""

    def scan() -> None:
        asyncio.run(services.moderator.scan())
        services.feeds.follower.catch_up()

    return scan
