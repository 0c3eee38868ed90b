"""Running an import: counts, repetition, interruption, and rows that make no sense."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.app.imports.run import MOST_BAD_ROWS_KEPT, run_import
from inhouse.app.imports.tabular import open_table
from inhouse.app.imports.types import BadRow, Counts, Progress, Row
from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item, User
from inhouse.core.errors import ConflictError, InputError
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.log import EventLog
from inhouse.events.types import Event
from inhouse.store import tables
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate


@dataclass
class ListSource:
    """Rows from a list; may break off before one of them."""

    listed: list[Row]
    fingerprint: str = "f" * 64
    breaks_at: int | None = None
    fault: type[Exception] = InputError
    kind: str = "list"
    notes: tuple[str, ...] = ("a note",)

    @property
    def rows(self) -> int:
        return len(self.listed)

    def read(self) -> Iterator[Row]:
        for number, row in enumerate(self.listed):
            if number == self.breaks_at:
                raise self.fault("broke off")
            yield row


def _item(name: str, title: str = "") -> Row:
    item = Item(item_id=ItemId(name), creator_id=UserId("c"), title=title)
    return Row(where=name, record=item)


def _event(name: str, item: str = "i0") -> Row:
    event = Event(
        event_id=EventId(name),
        at_ms=1_000,
        kind="like",
        user_id=UserId("u"),
        item_id=ItemId(item),
    )
    return Row(where=name, record=event)


def _bad(name: str) -> Row:
    return Row(where=name, bad=BadRow(where=name, field="f", value="v", expected="w"))


def _jobs(database: Database) -> list[tuple[str, str, str]]:
    table = tables.jobs
    with database.read() as connection:
        rows = connection.execute(sa.select(table.c.kind, table.c.state, table.c.cursor))
        return [tuple(row) for row in rows]


def _stored(database: Database) -> tuple[int, int, int]:
    return (*Catalog(database).counts(), EventLog(database).count())


def test_rows_of_all_kinds_are_stored_and_counted(any_database: Database) -> None:
    """Items, users and events from one source; the counts say what became of each row."""
    source = ListSource(
        [
            _item("i0"),
            _item("i1"),
            Row(where="u", record=User(user_id=UserId("u"))),
            _event("e1"),
            _event("e1"),
            _event("e2", "nowhere"),
            _item("i1", "again"),
            _bad("b"),
        ]
    )
    report = run_import(source, any_database)

    assert report.counts == Counts(
        read=8, stored=4, repeated=2, rejected=2, items=2, users=1, events=1
    )
    assert report.bad_rows == (
        BadRow(
            where="e2",
            field="item_id",
            value="'nowhere'",
            expected="an item posted to /v1/items before",
        ),
        BadRow(where="b", field="f", value="v", expected="w"),
    )
    assert (report.resumed_at, report.notes) == (0, ("a note",))
    assert _stored(any_database) == (2, 1, 1)
    assert _jobs(any_database) == [("import", "done", "8")]


def test_a_second_run_stores_nothing_new(database: Database) -> None:
    """Also where an id stands in the source twice with different words: the first row counts."""
    source = ListSource([_item("a", "first"), _item("a", "second"), _item("b"), _event("e", "a")])
    first, second = run_import(source, database), run_import(source, database)

    assert first.counts == Counts(read=4, stored=3, repeated=1, items=2, events=1)
    assert second.counts == Counts(read=4, repeated=4)
    assert Catalog(database).items(["a"])[ItemId("a")].title == "first"


def test_a_changed_item_is_stored_again(database: Database) -> None:
    """Another source with a newer form of an item overwrites it, and that counts as stored."""
    run_import(ListSource([_item("a", "old")]), database)
    report = run_import(ListSource([_item("a", "new")], fingerprint="0" * 64), database)

    assert report.counts == Counts(read=1, stored=1, items=1)
    assert Catalog(database).items(["a"])[ItemId("a")].title == "new"


@pytest.mark.parametrize(("fault", "state"), [(InputError, "failed"), (RuntimeError, "running")])
def test_an_interrupted_import_goes_on_where_it_was(
    database: Database, fault: type[Exception], state: str
) -> None:
    """What was stored is whole chunks; the next run takes up there, and its counts are those of the
    whole source."""
    rows = [_item(f"i{n}") for n in range(3_000)] + [_event(f"e{n}") for n in range(3_000)]
    rows[2_500] = _bad("early")
    rows[5_500] = _bad("late")
    source = ListSource(rows, breaks_at=5_000, fault=fault)
    with pytest.raises(fault, match="broke off"):
        run_import(source, database)
    (_, found, cursor) = _jobs(database)[0]
    interrupted = _stored(database)
    progress: list[Progress] = []
    report = run_import(dataclasses.replace(source, breaks_at=None), database, progress.append)

    assert (found, cursor) == (state, "4000")
    assert sum(interrupted) == 3_999
    assert report.resumed_at == 4_000
    assert report.counts == Counts(read=6_000, stored=5_998, rejected=2, items=2_999, events=2_999)
    assert [row.where for row in report.bad_rows] == ["early", "late"]
    assert _stored(database) == (2_999, 0, 2_999)
    assert progress[0].rows > report.resumed_at
    assert progress[-1] == Progress(rows=6_000, total=6_000, counts=report.counts)


def test_progress_rises_to_the_end(database: Database) -> None:
    """Whoever watches sees every chunk, and at last the whole."""
    progress: list[Progress] = []
    run_import(ListSource([_item(f"i{n}") for n in range(5_000)]), database, progress.append)

    assert [(p.rows, p.total, p.counts.stored) for p in progress] == [
        (2_000, 5_000, 2_000),
        (4_000, 5_000, 4_000),
        (5_000, 5_000, 5_000),
    ]


def test_a_second_import_of_the_same_source_at_once_is_refused(database: Database) -> None:
    """Two of them would count each other's rows; the one that finds the other's mark stops."""
    rows = [_item(f"i{n}") for n in range(6_000)]

    def interfere(progress: Progress) -> None:
        if progress.rows == 2_000:
            database.write(lambda c: c.execute(sa.update(tables.jobs).values(cursor="1")))

    with pytest.raises(ConflictError) as caught:
        run_import(ListSource(rows), database, interfere)
    assert str(caught.value).startswith("another import of this source is running: it is at row ")


def test_the_first_hundred_bad_rows_are_kept_and_all_are_counted(database: Database) -> None:
    """A file that is wrong throughout neither fills the memory nor hides how wrong it is."""
    report = run_import(ListSource([_bad(f"b{n}") for n in range(2_345)]), database)

    assert len(report.bad_rows) == MOST_BAD_ROWS_KEPT
    assert report.bad_rows[-1].where == "b99"
    assert report.counts == Counts(read=2_345, rejected=2_345)


def test_an_item_that_makes_no_sense_is_named(database: Database) -> None:
    """The same rules hold as for the API, told by where the row stands."""
    report = run_import(ListSource([_item("bad id"), _item("good")]), database)

    assert [str(row) for row in report.bad_rows] == [
        "bad id: item_id: got 'bad id', expected 1 to 128 of the characters"
        " A-Z a-z 0-9 _ . : @ / + = ~ -"
    ]
    assert report.counts == Counts(read=2, stored=1, rejected=1, items=1)


def test_an_empty_source_is_done(database: Database) -> None:
    """No rows, no trouble."""
    assert run_import(ListSource([]), database).counts == Counts()
    assert _jobs(database) == [("import", "done", "0")]


def test_what_the_job_remembers_is_plain_json(database: Database) -> None:
    """Other programs may read how an import went."""
    run_import(ListSource([_item("a"), _bad("b")]), database)
    with database.read() as connection:
        text = connection.execute(sa.select(tables.jobs.c.counts)).scalar_one()

    assert json.loads(text) == {
        "counts": {
            "read": 2,
            "stored": 1,
            "repeated": 0,
            "rejected": 1,
            "items": 1,
            "users": 0,
            "events": 0,
            "labels": 0,
        },
        "bad_rows": [{"where": "b", "field": "f", "value": "v", "expected": "w"}],
    }


_KILLED = """
import os, sys
from pathlib import Path
from inhouse.app.imports import run
from inhouse.app.imports.tabular import open_table
from inhouse.store.database import StoreSettings, open_database

store, left = run._store, int(sys.argv[3])

def store_and_die(connection, chunk):
    global left
    counts = store(connection, chunk)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)
    return counts

run._store = store_and_die
database = open_database(StoreSettings(folder=sys.argv[1]))
run.run_import(open_table(Path(sys.argv[2]), "csv", "items", []), database)
"""


def test_an_import_killed_midway_goes_on_where_it_was(tmp_path: Path) -> None:
    """Killed inside its third chunk's transaction, it stores every row once in the end."""
    database = open_database(StoreSettings(folder=str(tmp_path / "data")))
    migrate(database)
    path, script = tmp_path / "items.csv", tmp_path / "killed.py"
    names = [f"i{n}" for n in range(9_000)]
    path.write_text("item_id,creator_id\n" + "".join(f"{name},c\n" for name in names))
    script.write_text(_KILLED)

    done = subprocess.run(
        [sys.executable, script, str(tmp_path / "data"), path, "3"],
        check=False,
        capture_output=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert (done.returncode, done.stderr) == (-9, b"")
    assert len(Catalog(database).items(names)) == 4_000
    report = run_import(open_table(path, "csv", "items", []), database)

    assert (report.resumed_at, report.counts) == (
        4_000,
        Counts(read=9_000, stored=9_000, items=9_000),
    )
    assert sorted(Catalog(database).items(names)) == sorted(names)
    database.close()


_ROWS = st.lists(
    st.one_of(
        st.integers(0, 5).map(lambda n: _item(f"i{n}")),
        st.tuples(st.integers(0, 9), st.integers(0, 9)).map(
            lambda t: _event(f"e{t[0]}", f"i{t[1]}")
        ),
        st.integers(0, 5).map(lambda n: Row(where="u", record=User(user_id=UserId(f"u{n}")))),
        st.just(_bad("b")),
    ),
    max_size=30,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=_ROWS, number=st.integers(0, 1 << 60))
def test_counts_add_up(database: Database, rows: list[Row], number: int) -> None:
    """Whatever stands in a source: read = stored + repeated + rejected; stored is what is new."""
    before = _stored(database)
    counts = run_import(ListSource(rows, fingerprint=f"{number:064x}"), database).counts
    after = _stored(database)

    assert counts.read == len(rows) == counts.stored + counts.repeated + counts.rejected
    assert (counts.items, counts.users, counts.events) == tuple(
        new - old for new, old in zip(after, before, strict=True)
    )
    assert counts.stored == counts.items + counts.users + counts.events
