"""Bring a database to the newest tables."""

import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import StoreError
from inhouse.store.database import Database, as_store_error, begin

_VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"
_TABLE: Final = sa.table("alembic_version", sa.column("version_num"))
# What migrates reads its connection from Alembic's own module: one a process.
_ONE_AT_A_TIME: Final = threading.Lock()


def newest() -> str:
    """The version that this program needs: of the migration with the highest number."""
    return max(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py"))


def migrate(database: Database) -> None:
    """Apply every migration that is missing; does nothing where none is. Safe to run at once
    from several processes: the second waits for the first and finds its work done. Raises
    StoreError, and changes nothing, where a newer program made the tables."""
    with (
        as_store_error(),
        database.engine.connect() as connection,
        begin(connection),
        _ONE_AT_A_TIME,
    ):
        if database.schema:
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {database.schema}")
        found, needed = _version(connection), newest()
        if found is not None and found > needed:
            raise _other_version(found, needed)
        if found != needed:
            upgrade: Callable[[Connection], None] = importlib.import_module(
                "inhouse.store.upgrade"
            ).upgrade
            upgrade(connection)


def check_current(database: Database) -> None:
    """Raises StoreError where the tables are older or newer than this program."""
    needed = newest()
    with database.read() as connection:
        found = _version(connection)
    if found != needed:
        raise _other_version(found, needed)


def _other_version(found: str | None, needed: str) -> StoreError:
    newer = found is not None and found > needed
    advice = "run the inhouse that made it" if newer else "any command of inhouse brings it there"
    return StoreError(f"the database is at version {found}, this program needs {needed}; {advice}")


def check_answers(database: Database) -> None:
    """Raises StoreError where the database does not answer."""
    with database.read() as connection:
        connection.execute(sa.text("SELECT 1"))


def _version(connection: Connection) -> str | None:
    """None where there are no tables yet."""
    if not sa.inspect(connection).has_table(_TABLE.name):
        return None
    found = connection.execute(sa.select(_TABLE.c.version_num)).scalar()
    return None if found is None else str(found)
