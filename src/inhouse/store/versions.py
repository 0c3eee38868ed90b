"""Which version a database's tables are of, told without Alembic: a process that only passes calls
on would need as much memory for it as for all the rest."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from inhouse.store.database import Database

_FOLDER: Final = Path(__file__).parent / "migrations" / "versions"


def newest() -> str:
    """The version of the last migration there is; their files are named by it."""
    return max(path.name.partition("_")[0] for path in _FOLDER.glob("[0-9]*.py"))


def is_current(database: Database) -> bool:
    """Whether the tables are of the newest version. Raises StoreError where the store is away."""
    query = sa.text("SELECT version_num FROM alembic_version")
    with database.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return False
        return bool(connection.execute(query).scalar() == newest())


def check_answers(database: Database) -> None:
    """Raises StoreError where the database does not answer."""
    with database.read() as connection:
        connection.execute(sa.text("SELECT 1"))
