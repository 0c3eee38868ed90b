"""python -m inhouse.app.tables: bring the tables of the community that INHOUSE_COMMUNITY names to
the newest version, for a process that has no place for what that takes."""

from inhouse.app.communities import chosen_settings
from inhouse.store.database import open_database
from inhouse.store.migrate import migrate


def main() -> None:
    """Migrate, and let go of the database."""
    settings = chosen_settings()
    database = open_database(settings.store, settings.community)
    try:
        migrate(database)
    finally:
        database.close()


if __name__ == "__main__":
    main()
