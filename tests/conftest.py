"""Fixtures every package's tests may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate
from postgres import any_database, migrated_template, postgres_cluster, store_settings
from tables import step_by_step, upgrades

__all__ = [  # fixtures
    "any_database",
    "migrated_template",
    "postgres_cluster",
    "step_by_step",
    "store_settings",
    "upgrades",
]


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords of staff are hashed in no time: not for tests of how slow that is."""
    monkeypatch.setattr("inhouse.app.staff.passwords._COST", (4, 8, 1))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite database of its own."""
    opened = open_database(StoreSettings(folder=str(tmp_path / "data")))
    migrate(opened)
    yield opened
    opened.close()
