"""Bring a database to the newest tables (Alembic, driven from here: there is no ini file)."""

import threading
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from inhouse.core.errors import StoreError
from inhouse.store.database import Database, begin

# What migrates reads its connection from Alembic's own module: one a process.
_ONE_AT_A_TIME: Final = threading.Lock()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(database: Database) -> None:
    """Apply every migration that is missing; does nothing where none is. Safe to run at once
    from several processes: the second waits for the first and finds its work done."""
    with database.engine.connect() as connection, begin(connection), _ONE_AT_A_TIME:
        if database.schema:
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {database.schema}")
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_current(database: Database) -> None:
    """Raises StoreError where the tables are older or newer than this program."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    with database.read() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != newest:
        raise StoreError(
            f"the database is at version {found}, this program needs {newest}; "
            "run `inhouse doctor --migrate`"
        )
