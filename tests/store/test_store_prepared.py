"""Prepared queries answer like the toolkit's own, on both databases."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.core.errors import StoreError
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.prepared import AT_ONCE, Prepared
from inhouse.store.statements import insert_values

_TABLE = tables.consumers.c
_NAMED = Prepared(
    sa.select(_TABLE.name, _TABLE.log_offset)
    .where(_TABLE.name.in_(sa.bindparam("names", expanding=True)))
    .where(_TABLE.log_offset >= sa.bindparam("least"), _TABLE.updated_ms == 7)
    .order_by(_TABLE.log_offset.desc())
    .limit(sa.bindparam("most"))
)


def _fill(database: Database, count: int) -> None:
    rows = [(f"n{number}", number, 7) for number in range(count)]
    names = ("name", "log_offset", "updated_ms")
    database.write(lambda connection: insert_values(connection, tables.consumers, names, rows))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(asked=st.lists(st.integers(0, 60), min_size=1, max_size=AT_ONCE), least=st.integers(0, 60))
def test_a_list_of_any_length_finds_what_it_names(
    any_database: Database, asked: list[int], least: int
) -> None:
    """Each row once, however often and in whatever number it is asked for; in a transaction and
    without one."""
    if _NAMED.ask(any_database, names=["n0"], least=0, most=1) == []:
        _fill(any_database, 40)
    values = {"names": [f"n{number}" for number in asked], "least": least, "most": 5}
    with any_database.read() as connection:
        inside = [tuple(row) for row in _NAMED.run(connection, **values)]

    right = sorted({number for number in asked if least <= number < 40}, reverse=True)[:5]
    assert inside == [(f"n{number}", number) for number in right]
    assert [tuple(row) for row in _NAMED.ask(any_database, **values)] == inside


@pytest.mark.parametrize("count", [0, AT_ONCE + 1])
def test_a_list_that_no_statement_takes_is_named(any_database: Database, count: int) -> None:
    """Whoever asks about nothing, or about too much, hears so before the database does."""
    with pytest.raises(ValueError, match=f"^a list of {count} values, expected 1 to 512$"):
        _NAMED.ask(any_database, names=["n"] * count, least=0, most=1)


def test_what_is_asked_sees_what_is_committed(any_database: Database) -> None:
    """As of now, each time; and no transaction stays open that others would wait for."""
    assert _NAMED.ask(any_database, names=["n1", "n2"], least=0, most=9) == []
    _fill(any_database, 2)
    assert [
        tuple(row) for row in _NAMED.ask(any_database, names=["n1", "n2"], least=0, most=9)
    ] == [("n1", 1)]
    any_database.write(lambda connection: connection.execute(tables.consumers.delete()))

    assert _NAMED.ask(any_database, names=["n1", "n2"], least=0, most=9) == []


def test_a_query_that_the_database_refuses_is_a_store_error(any_database: Database) -> None:
    """In the words of every other refusal; the connection is good for the next query."""
    with pytest.raises(StoreError, match=r"^the database refused: .*no_such_table"):
        any_database.ask("SELECT 1 FROM no_such_table", ())

    assert [tuple(row) for row in any_database.ask("SELECT 1", ())] == [(1,)]
