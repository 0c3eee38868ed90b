"""Appends that wait together are one write, and each is answered for itself."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import StoreError
from inhouse.store import tables
from inhouse.store.combining import Combined
from inhouse.store.database import Database

_INSERT = tables.consumers.insert()


def _row(name: str) -> dict[str, object]:
    return {"name": name, "log_offset": 1, "updated_ms": 1}


class _Writing:
    """Inserts names; the writer waits at the first until it is let go."""

    def __init__(self, database: Database) -> None:
        self.sizes: list[int] = []
        self.go = threading.Event()
        self.began = threading.Event()
        database.submit(self._hold)
        self.began.wait(5)

    def _hold(self, connection: Connection) -> None:
        self.began.set()
        self.go.wait(5)

    def write_all(self, connection: Connection, names: Sequence[str]) -> list[str]:
        self.sizes.append(len(names))
        connection.execute(_INSERT, [_row(name) for name in names])
        return [f"{name} is in" for name in names]


def _names(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(connection.execute(sa.select(tables.consumers.c.name)).scalars())


def test_what_waits_together_is_one_write(any_database: Database) -> None:
    """Five requests behind a busy writer reach it as one, each with its own answer."""
    writing = _Writing(any_database)
    combined = Combined(any_database, writing.write_all)

    answers = [combined.submit(name) for name in "abcde"]
    writing.go.set()

    assert [answer.result(5) for answer in answers] == [f"{name} is in" for name in "abcde"]
    assert writing.sizes == [5]
    assert combined.submit("f").result(5) == "f is in"
    assert writing.sizes == [5, 1]


def test_one_that_is_refused_stands_alone(any_database: Database) -> None:
    """Of four requests two want the same name: the later is refused, the others are in."""
    writing = _Writing(any_database)
    combined = Combined(any_database, writing.write_all)

    answers = [combined.submit(name) for name in ("a", "b", "a", "c")]
    writing.go.set()

    assert answers[0].result(5) == "a is in"
    assert answers[3].result(5) == "c is in"
    with pytest.raises(StoreError, match=r"^the database refused: "):
        answers[2].result(5)
    assert _names(any_database) == ["a", "b", "c"]


def test_what_is_handed_over_is_written_and_heard_of(any_database: Database) -> None:
    """Nobody waits, and who writes is told of how many and of the worst that happened."""
    writing = _Writing(any_database)
    heard: list[tuple[int, str]] = []
    combined = Combined(
        any_database,
        writing.write_all,
        heard=lambda count, error: heard.append((count, type(error).__name__)),
    )
    for name in ("a", "b", "a"):
        combined.hand_over(name)
    last = combined.submit("c")
    writing.go.set()

    assert last.result(5) == "c is in"
    combined.hand_over("d")
    combined.settle()
    assert heard == [(4, "StoreError"), (1, "NoneType")]
    assert _names(any_database) == ["a", "b", "c", "d"]


def test_a_fault_of_the_writer_is_everybodys(any_database: Database) -> None:
    """What is no refusal of the database is told to all of the group, and nothing is kept."""

    def broken(connection: Connection, names: Sequence[str]) -> list[str]:
        connection.execute(_INSERT, [_row(name) for name in names])
        raise ZeroDivisionError("on purpose")

    writing = _Writing(any_database)
    combined = Combined(any_database, broken)

    answers = [combined.submit(name) for name in "ab"]
    writing.go.set()

    for answer in answers:
        with pytest.raises(ZeroDivisionError):
            answer.result(5)
    assert _names(any_database) == []


def test_nothing_is_taken_after_the_end(any_database: Database) -> None:
    """A closed database takes no request, and says so at once."""
    combined = Combined(any_database, lambda connection, names: names)
    any_database.close()

    with pytest.raises(StoreError, match="closed"):
        combined.submit("a")
    with pytest.raises(StoreError, match="closed"):
        combined.submit("b")


def test_many_threads_lose_nothing(any_database: Database) -> None:
    """Eight threads that append at once: every request is answered and every row is there."""
    writing = _Writing(any_database)
    writing.go.set()
    combined = Combined(any_database, writing.write_all)
    told: list[str] = []

    def work(thread: int) -> None:
        for number in range(25):
            told.append(combined.submit(f"{thread}-{number}").result(10))

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(told) == 200 == sum(writing.sizes)
    assert len(_names(any_database)) == 200


def test_a_database_that_was_away_is_written_to_again(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came while it could not even be reached is refused, and nobody joins that for ever."""
    heard: list[tuple[int, bool]] = []
    combined = Combined(
        any_database,
        lambda connection, names: names,
        heard=lambda count, error: heard.append((count, error is None)),
    )

    def away() -> Connection:
        raise sa.exc.OperationalError("BEGIN", None, Exception("connection refused"))

    monkeypatch.setattr(any_database.engine, "connect", away)
    for name in "ab":
        with pytest.raises(StoreError, match="connection refused"):
            combined.submit(name).result(5)
    combined.hand_over("c")
    combined.settle()
    monkeypatch.undo()

    assert combined.submit("d").result(5) == "d"
    combined.hand_over("e")
    combined.settle()
    assert heard == [(1, False), (1, False), (1, False), (1, True), (1, True)]


def test_whoever_joins_a_write_that_failed_already_is_told(
    any_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may refuse before the request that opened the group is through with it."""
    combined = Combined(any_database, lambda connection, names: names)
    submit = any_database.submit

    def refused_at_once(write: object, *, patient: bool = False) -> Future[object]:
        done: Future[object] = Future()
        done.set_exception(StoreError("away"))
        return done

    monkeypatch.setattr(any_database, "submit", refused_at_once)
    joined = [combined.submit(name) for name in "abc"]
    for answer in joined:
        with pytest.raises(StoreError, match="away"):
            answer.result(5)
    monkeypatch.setattr(any_database, "submit", submit)
    assert combined.submit("d").result(5) == "d"
