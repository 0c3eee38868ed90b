"""The tables of a new SQLite database, made at once.

Most tests want a database of their own, and every migration since the first, one by one through
Alembic, is 0.1 s of CPU. What they come to is asked once a process and copied from then on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.store import upgrade
from inhouse.store.database import StoreSettings, begin, open_database

Upgrade = Callable[[Connection], None]


@dataclass(frozen=True, kw_only=True)
class Upgrades:
    """Two ways to the same tables."""

    step_by_step: Upgrade  # the migrations themselves
    at_once: Upgrade  # what they come to


@pytest.fixture(scope="session", autouse=True)
def upgrades(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgrades]:
    """New SQLite databases of this process get their tables at once. What is not new or not SQLite
    is migrated step by step, and so is whatever the processes open that tests start."""
    migrations = upgrade.upgrade

    @cache
    def statements() -> tuple[str, ...]:
        return _statements(migrations, tmp_path_factory.mktemp("tables"))

    def at_once(connection: Connection) -> None:
        if connection.dialect.name != "sqlite" or sa.inspect(connection).get_table_names():
            migrations(connection)
            return
        for statement in statements():
            connection.exec_driver_sql(statement)

    upgrade.upgrade = at_once
    yield Upgrades(step_by_step=migrations, at_once=at_once)
    upgrade.upgrade = migrations


@pytest.fixture
def step_by_step(upgrades: Upgrades, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the migrations."""
    monkeypatch.setattr(upgrade, "upgrade", upgrades.step_by_step)


def _statements(migrations: Upgrade, folder: Path) -> tuple[str, ...]:
    """What a database holds that was migrated step by step, in its own transaction."""
    database = open_database(StoreSettings(folder=str(folder)))
    with database.engine.connect() as connection:
        with begin(connection):
            migrations(connection)
        driver = connection.connection.driver_connection
        dumped = tuple(driver.iterdump())
    database.close()
    assert (dumped[0], dumped[-1]) == ("BEGIN TRANSACTION;", "COMMIT;")
    return dumped[1:-1]
