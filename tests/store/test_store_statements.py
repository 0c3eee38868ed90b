"""The statements, the same on both databases."""

import sqlalchemy as sa

from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import insert_new, insert_values, upsert


def _consumers(database: Database) -> list[tuple[str, int]]:
    table = tables.consumers
    with database.read() as connection:
        rows = connection.execute(
            sa.select(table.c.name, table.c.log_offset).order_by(table.c.name)
        )
        return [(row[0], row[1]) for row in rows]


def _row(name: str, offset: int) -> dict[str, object]:
    return {"name": name, "log_offset": offset, "updated_ms": 0}


def test_insert_new_counts_only_what_was_new(any_database: Database) -> None:
    """Rows whose key is there already stay as they are and are not counted, also within a batch."""
    first = any_database.write(
        lambda c: insert_new(c, tables.consumers, [_row("a", 1), _row("b", 2)])
    )
    second = any_database.write(
        lambda c: insert_new(c, tables.consumers, [_row("b", 9), _row("c", 3), _row("c", 4)])
    )

    assert (first, second) == (2, 1)
    assert _consumers(any_database) == [("a", 1), ("b", 2), ("c", 3)]


def test_upsert_overwrites_and_the_last_of_equal_keys_counts(any_database: Database) -> None:
    """A known key takes the new values."""
    any_database.write(lambda c: upsert(c, tables.consumers, [_row("a", 1), _row("b", 2)]))
    any_database.write(
        lambda c: upsert(c, tables.consumers, [_row("b", 5), _row("c", 3), _row("b", 6)])
    )

    assert _consumers(any_database) == [("a", 1), ("b", 6), ("c", 3)]


def test_rows_may_name_their_columns_in_any_order(any_database: Database) -> None:
    """A value goes to the column it is given for."""
    turned = dict(reversed(_row("b", 2).items()))
    any_database.write(lambda c: upsert(c, tables.consumers, [_row("a", 1), turned]))
    any_database.write(lambda c: insert_new(c, tables.consumers, [_row("c", 3), turned]))

    assert _consumers(any_database) == [("a", 1), ("b", 2), ("c", 3)]


def test_no_rows_are_no_work(any_database: Database) -> None:
    """An empty batch is allowed."""
    any_database.write(lambda c: upsert(c, tables.consumers, []))

    assert any_database.write(lambda c: insert_new(c, tables.consumers, [])) == 0


def test_a_batch_may_be_larger_than_a_statement_may_have_values(any_database: Database) -> None:
    """Batches have no limit that a caller must know."""
    rows = [_row(f"n{i}", i) for i in range(25_000)]

    assert any_database.write(lambda c: insert_new(c, tables.consumers, rows)) == 25_000
    assert len(_consumers(any_database)) == 25_000


def test_values_are_inserted_in_order_whatever_their_number(any_database: Database) -> None:
    """A thousand rows and 0, 1, 7, 41 more: each value is in its column, null and text too."""
    names = ("name", "log_offset", "updated_ms")
    sizes, start = (1_000, 0, 1, 7, 41), 0
    for size in sizes:
        rows = [(f"{n:04}", n, 2 * n) for n in range(start, start + size)]
        any_database.write(lambda c, rows=rows: insert_values(c, tables.consumers, names, rows))
        start += size

    table = tables.consumers.c
    query = sa.select(table.name, table.log_offset, table.updated_ms).order_by(table.name)
    with any_database.read() as connection:
        found = [tuple(row) for row in connection.execute(query)]
    assert found == [(f"{n:04}", n, 2 * n) for n in range(sum(sizes))]
