"""Group commit: many callers share a commit, and nobody pays for another's fault."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import StoreError
from inhouse.store import tables
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate
from postgres import Cluster

Write = Callable[[Connection], Any]


def _put(name: str) -> Write:
    """A write that stores a row of this name and answers with the name."""

    def write(connection: Connection) -> str:
        connection.execute(
            tables.consumers.insert(), {"name": name, "log_offset": 1, "updated_ms": 0}
        )
        return name

    return write


def _names(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(connection.execute(sa.select(tables.consumers.c.name)).scalars())


def _in_one_batch(database: Database, writes: list[Write]) -> list["Future[Any]"]:
    """Queue writes while the writer is busy, so that it takes them all at once."""
    busy, go_on = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        busy.set()
        assert go_on.wait(30)

    first = database.submit(hold)
    assert busy.wait(30)
    futures = [database.submit(write) for write in writes]
    go_on.set()
    first.result(30)
    return futures


def _outcomes(futures: list["Future[Any]"]) -> list[Any]:
    """Each future's value, or the text of its error."""
    errors = [future.exception(30) for future in futures]
    return [
        f"{type(error).__name__}: {error}".splitlines()[0] if error else future.result()
        for error, future in zip(errors, futures, strict=True)
    ]


def test_a_write_is_seen_by_others_as_soon_as_it_is_answered(
    store_settings: StoreSettings,
) -> None:
    """What is acknowledged is in the database, whoever looks."""
    one, other = open_database(store_settings), open_database(store_settings)

    assert one.write(_put("a")) == "a"
    assert _names(other) == ["a"]
    one.close()
    other.close()


def test_writes_that_wait_together_share_one_commit(any_database: Database) -> None:
    """A hundred writes that queue up behind a busy writer cost one commit."""
    commits: list[int] = []
    sa.event.listen(any_database.engine, "commit", lambda _: commits.append(1))
    futures = _in_one_batch(any_database, [_put(f"n{i:03}") for i in range(100)])

    assert _outcomes(futures) == [f"n{i:03}" for i in range(100)]
    assert len(commits) == 2  # the one that held the writer, and the hundred


def test_every_write_of_many_threads_is_stored_once(any_database: Database) -> None:
    """Sixteen threads write at once, each waiting for its answers."""
    wanted = [f"t{thread:02}-{i:02}" for thread in range(16) for i in range(25)]
    answers: list[str] = []

    def work(thread: int) -> None:
        answers.extend(any_database.write(_put(f"t{thread:02}-{i:02}")) for i in range(25))

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == wanted
    assert _names(any_database) == wanted


def test_a_failing_write_is_answered_alone(any_database: Database) -> None:
    """Its neighbours in the same commit are stored, and nothing of it is."""

    def half(connection: Connection) -> None:
        _put("half")(connection)
        raise ValueError("no")

    futures = _in_one_batch(any_database, [_put("a"), _put("a"), half, _put("b")])
    first, twice, broken, last = _outcomes(futures)

    assert (first, broken, last) == ("a", "ValueError: no", "b")
    assert twice.startswith("StoreError: the database refused: ")
    assert _names(any_database) == ["a", "b"]


def test_nothing_is_acknowledged_where_the_whole_transaction_is_lost(
    any_database: Database,
) -> None:
    """A database may roll everything back by itself; then no neighbour hears that it is stored."""

    def lose_everything(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")
        raise ValueError("after the transaction was gone")

    futures = _in_one_batch(any_database, [_put("a"), lose_everything, _put("b")])

    kinds = [type(future.exception(30)) for future in futures]
    assert kinds == [StoreError, StoreError, StoreError]
    assert _names(any_database) == []
    assert any_database.write(_put("later")) == "later"


def test_a_full_disk_refuses_the_batch_and_recovers(database: Database) -> None:
    """Where the file cannot grow, writes fail as StoreError; with room again they go on."""

    def limit(pages: int) -> Write:
        return lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def large(connection: Connection) -> None:
        connection.execute(
            tables.experiments.insert(),
            {"key": "k", "created_ms": 0, "body": "x" * 5_000_000, "active": True},
        )

    database.write(_put("before"))
    database.write(limit(300))
    futures = _in_one_batch(database, [_put("a"), large, _put("b")])
    kept = [name for name in _outcomes(futures) if name in ("a", "b")]

    assert _outcomes(futures)[1] == (
        "StoreError: the database refused: database or disk is full; free space on the disk of "
        "the data folder, everything goes on by itself then"
    )
    assert _names(database) == sorted(["before", *kept])
    database.write(limit(1_000_000))
    assert database.write(_put("after")) == "after"


def test_patient_writes_wait_for_company_and_an_impatient_one_ends_it(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They keep their order, and are durable with it."""
    monkeypatch.setattr("inhouse.store.database._PATIENCE_S", 60.0)
    order: list[str] = []

    def put(name: str) -> Write:
        return lambda connection: order.append(_put(name)(connection))

    patient = [any_database.submit(put(name), patient=True) for name in "ab"]
    with pytest.raises(TimeoutError):
        patient[0].result(0.1)
    any_database.write(put("c"))

    assert [future.done() for future in patient] == [True, True]
    assert order == ["a", "b", "c"]


def test_an_impatient_write_waits_for_no_patient_one(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though one is queued right behind it."""
    monkeypatch.setattr("inhouse.store.database._PATIENCE_S", 60.0)
    started, go = threading.Event(), threading.Event()
    any_database.submit(lambda connection: started.set() or go.wait(5))
    started.wait(5)
    impatient = any_database.submit(_put("a"))
    patient = any_database.submit(_put("b"), patient=True)
    go.set()

    assert impatient.result(30) == "a"
    assert patient.result(30) == "b"


def test_a_patient_write_alone_is_durable_soon(any_database: Database) -> None:
    """Nobody has to come after it."""
    assert any_database.submit(_put("alone"), patient=True).result(30) == "alone"


def test_closing_waits_for_nobodys_patience(
    store_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And stores what was patient all the same."""
    monkeypatch.setattr("inhouse.store.database._PATIENCE_S", 60.0)
    database = open_database(store_settings)
    patient = database.submit(_put("patient"), patient=True)
    database.close()

    assert patient.result(0) == "patient"


def test_closing_stores_what_waits_and_then_refuses(store_settings: StoreSettings) -> None:
    """Nothing that was accepted is dropped; nothing new is accepted."""
    database = open_database(store_settings)
    futures = [database.submit(_put(f"n{i:03}")) for i in range(200)]
    database.close()
    database.close()

    assert [future.result(0) for future in futures] == [f"n{i:03}" for i in range(200)]
    with pytest.raises(StoreError) as caught:
        database.submit(_put("late"))
    assert str(caught.value) == "the database is closed; nothing more can be written"
    again = open_database(store_settings)
    assert len(_names(again)) == 200
    again.close()


def test_a_cancelled_write_is_not_done(any_database: Database) -> None:
    """Whoever cancels in time is not written."""
    busy, go_on = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        busy.set()
        assert go_on.wait(30)

    any_database.submit(hold)
    assert busy.wait(30)
    cancelled, kept = any_database.submit(_put("a")), any_database.submit(_put("b"))
    assert cancelled.cancel()
    go_on.set()

    assert kept.result(30) == "b"
    with pytest.raises(CancelledError):
        cancelled.result(0)
    assert _names(any_database) == ["b"]


def test_what_is_done_on_a_reading_connection_is_not_kept(any_database: Database) -> None:
    """Only the writer writes."""
    with any_database.read() as connection:
        _put("a")(connection)

    assert _names(any_database) == []


def test_a_read_that_fails_is_a_store_error(any_database: Database) -> None:
    """The driver's own exceptions do not leak."""
    with pytest.raises(StoreError, match=r"^the database refused: "), any_database.read() as open_:
        open_.exec_driver_sql("SELECT * FROM no_such_table")


def test_foreign_keys_hold(any_database: Database) -> None:
    """A decision about a case that does not exist is refused."""
    row = {
        "decision_id": "d",
        "case_id": "none",
        "item_id": "i",
        "reviewer": "r",
        "at_ms": 0,
        "action": "allow",
    }

    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        any_database.write(lambda c: c.execute(tables.review_decisions.insert(), row))


def test_a_writer_without_a_connection_answers_and_lives(tmp_path: Path) -> None:
    """Where readers hold every connection, a write fails in time and the next one works."""
    engine = sa.create_engine(
        f"sqlite:///{tmp_path / 'small.db'}",
        poolclass=sa.pool.QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.05,
        connect_args={"isolation_level": None, "check_same_thread": False},
    )
    database = Database(engine)
    migrate(database)
    with database.read():
        (outcome,) = _outcomes([database.submit(_put("a"))])

    assert outcome == "StoreError: the database is busy: no free connection; try again later"
    assert database.write(_put("b")) == "b"
    database.close()


def test_a_writer_lives_on_after_a_fault_that_nobody_foresaw(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of neither the database nor the toolkit: whoever waits is told, and the next is written."""

    def broken() -> Connection:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(database.engine, "connect", broken)
    one = database.submit(_put("a"))
    batch = [database.submit(_put(name), patient=True) for name in "bc"]
    for answer in (one, *batch):
        with pytest.raises(RuntimeError, match="nobody foresaw"):
            answer.result(10)
    monkeypatch.undo()
    assert database.write(_put("d")) == "d"


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    """A damaged file is named as what it is, on reading and on writing."""
    (tmp_path / "inhouse.db").write_bytes(b"these are not the pages you are looking for" * 100)
    database = open_database(StoreSettings(folder=str(tmp_path)))

    with pytest.raises(StoreError, match="file is not a database"):
        database.write(_put("a"))
    with pytest.raises(StoreError, match="file is not a database"), database.read():
        pass
    database.close()


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    """The message names the folder, the reason and the setting."""
    (tmp_path / "plain").write_text("a file")
    folder = tmp_path / "plain" / "data"

    with pytest.raises(StoreError) as caught:
        open_database(StoreSettings(folder=str(folder)))

    assert str(caught.value) == (
        f"cannot make the data folder {folder}: Not a directory;"
        " choose another with INHOUSE_STORE_FOLDER"
    )


@pytest.mark.postgres
def test_a_lost_server_connection_is_replaced(
    postgres_cluster: Cluster, migrated_template: str
) -> None:
    """When the server drops every connection, later reads and writes simply work."""
    url = postgres_cluster.new_database(migrated_template)
    database = open_database(StoreSettings(url=url))
    database.write(_put("a"))
    name = url.partition("@/")[2].partition("?")[0]
    with psycopg.connect(
        host=str(postgres_cluster.folder), user="inhouse", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )

    assert _names(database) == ["a"]
    assert database.write(_put("b")) == "b"
    database.close()


@pytest.mark.postgres
def test_an_unreachable_server_is_a_store_error(tmp_path: Path) -> None:
    """No server behind the URL: reads and writes say so."""
    database = open_database(StoreSettings(url=f"postgresql://inhouse@/none?host={tmp_path}"))

    with pytest.raises(StoreError, match="No such file or directory"):
        database.write(_put("a"))
    database.close()


def test_what_was_deleted_is_overwritten(tmp_path: Path) -> None:
    """Bytes that a deletion left in free pages and in the write-ahead log are gone afterwards."""
    database = open_database(StoreSettings(folder=str(tmp_path)))
    migrate(database)

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA secure_delete=OFF")
        rows = [{"name": f"zebra-{n}", "log_offset": n, "updated_ms": n} for n in range(2_000)]
        connection.execute(tables.consumers.insert(), rows)

    database.write(fill)
    database.write(lambda connection: connection.execute(tables.consumers.delete()))
    found = database.overwrite_freed([b"zebra-"])
    again = database.overwrite_freed([b"zebra-"])
    left = [path for path in tmp_path.iterdir() if b"zebra-" in path.read_bytes()]
    database.close()

    assert found > 0
    assert (again, left) == (0, [])


def test_what_was_read_is_let_go(any_database: Database) -> None:
    """Connections that nobody uses are closed; the next one is set up as they were."""
    any_database.write(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
    with any_database.read() as connection:
        before = _as_set_up(connection)
    held = _unused(any_database)
    any_database.let_go()
    left = _unused(any_database)
    with any_database.read() as connection:
        after = _as_set_up(connection)

    assert (held > 0, left) == (True, 0)
    assert after == before


def _unused(database: Database) -> int:
    pool = database.engine.pool
    assert isinstance(pool, sa.QueuePool)
    return pool.checkedin()


def _as_set_up(connection: Connection) -> list[object]:
    """What a connection of ours has that a fresh one has not."""
    asked = (
        ("PRAGMA synchronous", "PRAGMA foreign_keys", "PRAGMA cache_size", "PRAGMA mmap_size")
        if connection.dialect.name == "sqlite"
        else ("SHOW search_path",)
    )
    return [connection.exec_driver_sql(statement).scalar() for statement in asked]
