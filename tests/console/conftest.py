"""The seeded community that the console's tests share; each test works on a copy of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import console_community
import pytest
from console_browser import browser, server, watched
from console_whole import whole

from inhouse.app.build import Services
from inhouse.app.settings import load_settings
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import migrate

__all__ = ["browser", "server", "watched", "whole"]  # fixtures


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a community in it, never written to."""
    folder = tmp_path_factory.mktemp("console") / "data"
    database = open_database(StoreSettings(folder=str(folder)))
    migrate(database)
    console_community.seed(database)
    database.close()
    return folder


def _services(folder: Path, tmp_path: Path) -> Services:
    environment = {
        "INHOUSE_STORE_FOLDER": str(folder),
        "INHOUSE_APP_CLOCK": "log",
        "INHOUSE_API_PORT": "1",  # nobody listens there
        "INHOUSE_MODELS_VENDORS": str(tmp_path / "vendors.toml"),
    }
    return Services(load_settings(environment, tmp_path / "inhouse.toml"))


@pytest.fixture
def services(seeded: Path, tmp_path: Path) -> Iterator[Services]:
    """A process's parts over a community of its own."""
    folder = tmp_path / "data"
    shutil.copytree(seeded, folder)
    opened = _services(folder, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def empty_services(tmp_path: Path) -> Iterator[Services]:
    """A process's parts over a community where nothing has happened yet."""
    opened = _services(tmp_path / "data", tmp_path)
    yield opened
    opened.close()
