"""Communities on one PostgreSQL server: a schema each, and turns that are not shared."""

import subprocess
import sys

import pytest
import sqlalchemy as sa

from inhouse.store import tables
from inhouse.store.database import Database, StoreSettings, begin, open_database, schema_of
from inhouse.store.migrate import check_current, migrate
from postgres import Cluster

_MIGRATE = """
import sys
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import check_current, migrate
database = open_database(StoreSettings(url=sys.argv[1]), "tea")
migrate(database)
check_current(database)
database.close()
"""
pytestmark = pytest.mark.postgres


@pytest.fixture
def settings(postgres_cluster: Cluster, migrated_template: str) -> StoreSettings:
    """Of one database in which the community without a name has its tables."""
    return StoreSettings(url=postgres_cluster.new_database(migrated_template))


def _opened(settings: StoreSettings, community: str) -> Database:
    database = open_database(settings, community)
    migrate(database)
    check_current(database)
    return database


def _put(database: Database, name: str) -> None:
    row = {"name": name, "log_offset": 1, "updated_ms": 0}
    database.write(lambda connection: connection.execute(tables.consumers.insert(), row))


def _names(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(sa.select(tables.consumers.c.name)).scalars())


def test_each_community_has_a_schema_of_its_own(settings: StoreSettings) -> None:
    """The same keys in three communities of one database are three rows in three places."""
    opened = {name: _opened(settings, name) for name in ("", "tea", "book-club")}
    for name, database in opened.items():
        _put(database, f"of {name}")
        _put(database, "shared")
    found = {name: sorted(_names(database)) for name, database in opened.items()}
    with opened[""].read() as connection:
        schemas = set(sa.inspect(connection).get_schema_names())
    for database in opened.values():
        database.overwrite_freed([])
        database.close()

    assert found == {name: sorted([f"of {name}", "shared"]) for name in opened}
    assert {schema_of("tea"), schema_of("book-club")} <= schemas
    assert schema_of("book-club") == "community_book_club"


def test_several_processes_may_make_a_community_at_once(settings: StoreSettings) -> None:
    """The second waits for the first and finds its work done."""
    run = [sys.executable, "-c", _MIGRATE, settings.url]
    started = [subprocess.Popen(run, stderr=subprocess.PIPE, text=True) for _ in range(4)]

    assert [process.communicate(timeout=60) for process in started] == [(None, "")] * 4
    assert [process.returncode for process in started] == [0] * 4


def test_a_long_write_of_one_holds_up_no_other(settings: StoreSettings) -> None:
    """Writers of one community take turns with each other alone."""
    tea, coffee, again = (_opened(settings, name) for name in ("tea", "coffee", "tea"))
    with tea.engine.connect() as connection, begin(connection):
        coffee_done = coffee.submit(lambda c: c.exec_driver_sql("SELECT 1").scalar())
        tea_done = again.submit(lambda c: c.exec_driver_sql("SELECT 1").scalar())
        assert coffee_done.result(timeout=10) == 1
        assert not tea_done.done()
    assert tea_done.result(timeout=10) == 1
    for database in (tea, coffee, again):
        database.close()
