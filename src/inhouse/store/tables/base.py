"""What all tables share.

Log tables (`*_offset` primary keys) are only ever appended to. Times are milliseconds since 1970
UTC.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives rowids only to INTEGER; PostgreSQL needs the wide one.
WIDE = BigInteger().with_variant(Integer(), "sqlite")


def _log_key() -> "Column[int]":
    return Column("log_offset", WIDE, primary_key=True, autoincrement=True)


def log_table(name: str, *columns: "Column[object]", indexes: tuple[Index, ...] = ()) -> Table:
    """An append-only table: offsets rise, are never reused, and rows are never edited."""
    return Table(name, metadata, _log_key(), *columns, *indexes, sqlite_autoincrement=True)
