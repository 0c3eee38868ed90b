"""Migrations arrive at the tables that the program declares."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from inhouse import store
from inhouse.core.errors import StoreError
from inhouse.store import tables, upgrade
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import check_current, migrate, newest
from postgres import Cluster
from tables import Upgrades

pytestmark = pytest.mark.usefixtures("step_by_step")
_MIGRATE = """
import sys
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import check_current, migrate
database = open_database(StoreSettings(url=sys.argv[1], folder=sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
migrate(database)
check_current(database)
database.close()
"""
_LOADED = """
import sys
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import check_current, migrate
database = open_database(StoreSettings(folder=sys.argv[1]))
migrate(database)
check_current(database)
database.close()
print("alembic" in sys.modules)
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_settings(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    """Settings of a database without tables."""
    if request.param == "sqlite":
        return StoreSettings(folder=str(tmp_path / "data"))
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    return StoreSettings(url=cluster.new_database(), folder=str(tmp_path))


def test_migrations_end_at_the_declared_tables(any_database: Database) -> None:
    """Alembic finds no difference between the migrated database and `tables.metadata`."""
    with any_database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, tables.metadata) == []


def test_new_tables_made_at_once_are_those_of_the_migrations(
    tmp_path: Path, upgrades: Upgrades, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tests of everything else start from is, to the letter, what a server starts from."""

    def found(folder: Path) -> tuple[str, ...]:
        database = open_database(StoreSettings(folder=str(folder)))
        migrate(database)
        database.close()
        with closing(sqlite3.connect(folder / "inhouse.db")) as connection:
            return tuple(connection.iterdump())

    step_by_step = found(tmp_path / "steps")
    monkeypatch.setattr(upgrade, "upgrade", upgrades.at_once)

    assert found(tmp_path / "at once") == step_by_step


def test_the_newest_version_is_the_end_of_alembics_chain() -> None:
    """The highest number of a file and what Alembic finds by following revisions are one."""
    config = Config()
    config.set_main_option("script_location", str(Path(store.__file__).parent / "migrations"))

    assert ScriptDirectory.from_config(config).get_heads() == [newest()]


def test_a_server_whose_tables_are_up_to_date_never_loads_alembic(tmp_path: Path) -> None:
    """It is 22 MB of every process."""
    folder = str(tmp_path / "data")
    told = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", _LOADED, folder], capture_output=True, text=True, check=True
        )
        told.append(done.stdout.strip())

    assert told == ["True", "False"]


def test_migrating_again_changes_nothing(any_database: Database) -> None:
    """What is stored stays."""
    row = {"name": "a", "log_offset": 7, "updated_ms": 0}
    any_database.write(lambda c: c.execute(tables.consumers.insert(), row))
    migrate(any_database)
    with any_database.read() as connection:
        rows = connection.execute(sa.select(tables.consumers)).mappings().all()

    assert [dict(found) for found in rows] == [row]


def test_processes_may_migrate_at_once(empty_settings: StoreSettings) -> None:
    """Four processes start on an empty database together; each finds it current afterwards."""
    arguments = [sys.executable, "-c", _MIGRATE, empty_settings.url, empty_settings.folder]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    started = [subprocess.Popen(arguments, text=True, **pipes) for _ in range(4)]
    assert [process.stdout.readline() for process in started] == ["ready\n"] * 4
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()

    assert [process.communicate(timeout=60) for process in started] == [("", "")] * 4
    assert [process.returncode for process in started] == [0] * 4


def test_a_process_may_migrate_several_databases_at_once(tmp_path: Path) -> None:
    """Eight threads, each with a database of its own: each finds its own current afterwards."""
    opened = [open_database(StoreSettings(folder=str(tmp_path / f"d{n}"))) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(migrate, opened))
    for database in opened:
        check_current(database)
        database.close()


def test_a_database_without_tables_is_not_current(empty_settings: StoreSettings) -> None:
    """A program that does not migrate refuses to work on missing tables, and says what to do."""
    database = open_database(empty_settings)
    with pytest.raises(StoreError) as caught:
        check_current(database)

    assert str(caught.value) == (
        f"the database is at version None, this program needs {newest()}; "
        "any command of inhouse brings it there"
    )
    migrate(database)
    check_current(database)
    database.close()


def test_a_newer_database_is_not_current(any_database: Database) -> None:
    """An old program does not touch the tables of a newer one."""
    any_database.write(
        lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    )

    told = (
        f"the database is at version 9999, this program needs {newest()}; "
        "run the inhouse that made it"
    )
    for refuses in (check_current, migrate):
        with pytest.raises(StoreError) as caught:
            refuses(any_database)
        assert str(caught.value) == told


@pytest.mark.parametrize(
    ("kept", "told"),
    [(0.5, "database disk image is malformed"), (0.0, "file is not a database")],
)
def test_a_damaged_file_is_told_with_what_to_do(tmp_path: Path, kept: float, told: str) -> None:
    """A file cut off in the middle, and one that never was a database, leave as StoreError."""
    database = open_database(StoreSettings(folder=str(tmp_path)))
    migrate(database)
    database.close()
    path = tmp_path / "inhouse.db"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)] or b"x" * 10_000)

    damaged = open_database(StoreSettings(folder=str(tmp_path)))
    with pytest.raises(StoreError) as caught:
        migrate(damaged)
    damaged.close()

    assert str(caught.value) == (
        f"the database refused: {told}; the file is damaged: stop everything, keep it, and put a "
        "backup of inhouse.db in its place"
    )
