"""Alembic, driven from here: there is no ini file.

Loaded by `migrate` where there is something to do; a server whose tables are up to date saves the
22 MB.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection


def upgrade(connection: Connection) -> None:
    """Apply every migration that is missing, in the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
