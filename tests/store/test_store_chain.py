"""The audit chain: whoever changes, removes, moves or inserts a row is found."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.store import chain, tables
from inhouse.store.chain import Checked, Entry, Head
from inhouse.store.database import Database, StoreSettings, open_database

ROWS = 9


def _entry(number: int, **more: object) -> Entry:
    details: dict[str, object] = {"action": "remove", "place": number}
    entry = Entry(
        at_ms=number, what="verdict", actor="rule:a", item_id=f"i{number}", details=details
    )
    return dataclasses.replace(entry, **more)  # type: ignore[arg-type]


def _append(database: Database, *entries: Entry) -> None:
    database.write(lambda connection: chain.append(connection, entries))


def _check(database: Database, noted: Head | None = None) -> Checked:
    with database.read() as connection:
        return chain.check(connection, noted)


def _sql(database: Database, *statements: str) -> None:
    def write(connection: sa.Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    database.write(write)


@pytest.fixture
def chained(any_database: Database) -> Database:
    """Nine rows in three writes."""
    for start in range(1, ROWS + 1, 3):
        _append(any_database, *(_entry(number) for number in range(start, start + 3)))
    return any_database


def test_a_chain_as_it_was_written_holds(chained: Database) -> None:
    """All rows are read, none is blank, and the head is the last row's hash."""
    with chained.read() as connection:
        head = chain.head(connection)
        last = connection.execute(
            sa.select(tables.audit.c.hash).order_by(sa.desc("number"))
        ).first()
    assert last is not None
    assert head == Head(number=ROWS, hash=bytes(last.hash).hex())
    assert _check(chained) == Checked(rows=ROWS, blanked=0, head=head, fault=None)
    assert _check(chained, head).fault is None


def test_an_empty_chain_holds(any_database: Database) -> None:
    """No row, no head, no fault."""
    nothing = Head(number=0, hash="")
    assert _check(any_database) == Checked(rows=0, blanked=0, head=nothing, fault=None)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at_ms", "999"),
        ("what", "'ruling'"),
        ("actor", "'person:eve'"),
        ("item_id", "'other'"),
        ("user_id", "'somebody'"),
        ("details", "'{}'"),
        ("salt", "previous"),
        ("digest", "previous"),
        ("hash", "previous"),
    ],
)
def test_any_changed_cell_is_found(chained: Database, column: str, value: str) -> None:
    """Whatever is changed in row 5, row 5 is named."""
    _sql(chained, f"UPDATE audit SET {column} = {value} WHERE number = 5")
    fault = _check(chained).fault
    assert fault is not None
    assert (fault.number, fault.fault) == (5, "changed")


def test_a_removed_row_is_found(chained: Database) -> None:
    """In the middle by the gap; the first too."""
    _sql(chained, "DELETE FROM audit WHERE number IN (1, 4)")
    fault = _check(chained).fault
    assert fault == chain.Break(number=1, fault="missing", detail="row 1 is missing")


def test_a_gap_that_was_closed_is_found(chained: Database) -> None:
    """Who removes a row and numbers the later ones anew has changed them."""
    _sql(chained, "DELETE FROM audit WHERE number = 4")
    for number in range(5, ROWS + 1):
        _sql(chained, f"UPDATE audit SET number = {number - 1} WHERE number = {number}")
    fault = _check(chained).fault
    assert fault is not None
    assert (fault.number, fault.fault) == (4, "changed")


def test_rows_that_changed_places_are_found(chained: Database) -> None:
    """Two rows swapped: the first of the two is named."""
    swap = "UPDATE audit SET number = {} WHERE number = {}"
    _sql(chained, swap.format(99, 3), swap.format(3, 4), swap.format(4, 99))
    fault = _check(chained).fault
    assert fault is not None
    assert fault.number == 3


def test_a_row_written_anew_with_its_hash_is_found_at_the_next(chained: Database) -> None:
    """Somebody who knows how hashes are made must write all later rows anew as well."""
    with chained.read() as connection:
        rows = connection.execute(sa.select(tables.audit).order_by(tables.audit.c.number)).all()
    digest = chain._digest(rows[4].salt, "i5", None, '{"action":"allow"}')
    facts = (5, rows[4].at_ms, "verdict", "rule:a")
    values = {"details": '{"action":"allow"}', "digest": digest}
    values["hash"] = chain._hash(rows[4].previous, digest, facts)
    update = tables.audit.update().where(tables.audit.c.number == 5).values(**values)
    chained.write(lambda connection: connection.execute(update))
    fault = _check(chained).fault
    assert fault is not None
    assert (fault.number, fault.fault) == (6, "moved")


def test_a_cut_off_end_is_found_by_a_noted_head(chained: Database) -> None:
    """Without the note the shorter chain holds; with it the first missing row is named."""
    noted = _check(chained).head
    _sql(chained, "DELETE FROM audit WHERE number > 6")
    assert _check(chained).fault is None
    detail = "rows 7 to 9 are cut off; the noted head has more"
    assert _check(chained, noted).fault == chain.Break(number=7, fault="cut", detail=detail)


def test_a_chain_written_anew_is_found_by_a_noted_head(chained: Database) -> None:
    """The same number of rows with another story holds in itself, but is not what was noted."""
    noted = _check(chained).head
    _sql(chained, "DELETE FROM audit")
    _append(chained, *(_entry(number, actor="rule:b") for number in range(1, ROWS + 1)))
    assert _check(chained).fault is None
    fault = _check(chained, noted).fault
    assert fault is not None
    assert (fault.number, fault.fault) == (ROWS, "changed")


def test_an_erasure_blanks_and_the_chain_still_holds(chained: Database) -> None:
    """What rows told of a person is gone, with the salt; the blanking is a row."""
    _append(chained, _entry(10, item_id=None, user_id="zoe"))
    found = chained.write(lambda connection: chain.blank(connection, ["zoe"], ["i2", "i3"], 77))
    checked = _check(chained)
    assert (found, checked.rows, checked.blanked, checked.fault) == (3, 11, 3, None)
    with chained.read() as connection:
        rows = connection.execute(sa.select(tables.audit).order_by(tables.audit.c.number)).all()
    blank = [row.number for row in rows if row.salt is None]
    assert blank == [2, 3, 10]
    assert {(rows[n - 1].item_id, rows[n - 1].user_id, rows[n - 1].details) for n in blank} == {
        (None, None, None)
    }
    told = rows[-1]
    assert (told.what, told.actor, told.details) == (
        "blanked",
        "erasure",
        '{"rows":[[2,3],[10,10]]}',
    )


def test_a_row_blanked_in_silence_is_found(chained: Database) -> None:
    """Blank without an erasure that says so is a fault."""
    _sql(
        chained,
        "UPDATE audit SET item_id = NULL, details = NULL, salt = NULL WHERE number = 4",
    )
    fault = _check(chained).fault
    detail = "row 4 is blank, and no erasure says that it blanked it"
    assert fault == chain.Break(number=4, fault="blanked", detail=detail)


def test_writers_at_once_make_one_line(store_settings: StoreSettings) -> None:
    """Two processes' worth of writers, eight threads: numbers without gaps, a chain that holds."""
    pair = [open_database(store_settings) for _ in range(2)]

    def work(number: int) -> None:
        _append(pair[number % 2], _entry(number), _entry(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(60)))
    checked = _check(pair[0])
    for database in pair:
        database.close()
    assert (checked.rows, checked.fault) == (120, None)


def test_a_write_that_fails_leaves_no_row(chained: Database) -> None:
    """The row is in the transaction of what it tells of."""

    def write(connection: sa.Connection) -> None:
        chain.append(connection, [_entry(10)])
        raise ValueError

    with pytest.raises(ValueError):
        chained.write(write)
    assert (_check(chained).rows, _check(chained).fault) == (ROWS, None)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.builds(
            Entry,
            at_ms=st.integers(0, 2**53),
            what=st.just("ruling"),
            actor=TEXT,
            item_id=st.none() | TEXT,
            user_id=st.none() | TEXT,
            details=st.none() | st.dictionaries(TEXT, TEXT | st.integers(-5, 5) | st.none()),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_is_written_holds(database: Database, entries: list[Entry]) -> None:
    """Emoji, right-to-left, empty, nothing: what comes back is what was hashed."""
    before = _check(database).rows
    _append(database, *entries)
    checked = _check(database)
    assert (checked.rows, checked.fault) == (before + len(entries), None)
