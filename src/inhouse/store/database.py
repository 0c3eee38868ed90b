"""A database: pooled reads, and one writer that commits many requests at once.

Group commit: callers hand over small write functions; a single thread takes all that wait, runs
each in a savepoint, commits once, and only then answers them. A function that fails is rolled back
alone. A patient write waits for others to come to its commit, at most 50 ms. Durable means flushed:
SQLite runs in WAL mode with `synchronous=FULL`.

Write transactions of all processes take turns, on both databases. So the offsets of every log rise
in the order of commit: a reader that tails one never sees a later row before an earlier one.
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.pool import PoolProxiedConnection

from inhouse.core.errors import StoreError
from inhouse.core.files import count_in
from inhouse.core.settings import setting
from inhouse.store.away import Away
from inhouse.store.silence import SERVING_S, WRITING_S, wait_at_most

T = TypeVar("T")
Write = Callable[[Connection], T]

_MOST_IN_ONE_COMMIT: Final = 512
_PATIENCE_S: Final = 0.05
# The schema counts too: communities on one server do not wait for each other.
_PG_TURN: Final = "SELECT pg_advisory_xact_lock(724002, hashtext(current_setting('search_path')))"
_DAMAGED: Final = (
    "; the file is damaged: stop everything, keep it, and put a backup of inhouse.db in its place"
)
_FULL: Final = "; free space on the disk of the data folder, everything goes on by itself then"
_BARRED: Final = "; let the user that inhouse runs as write in the data folder"
# A sign in SQLite's own words, and what an operator can do.
_TO_DO: Final = {
    "is locked": "; another process holds a write: see which, and let it end",
    "malformed": _DAMAGED,
    "not a database": _DAMAGED,
    "is full": _FULL,
    "disk i/o": _FULL,
    "readonly": _BARRED,
    "unable to open": _BARRED,
}
DATABASE_FILE: Final = "inhouse.db"
# The first signs of PostgreSQL's states in which nobody else is answered either: no connection,
# shutting down, crashed, starting.
_GONE: Final = ("0800", "08P0", "57P0")
_TRIES: Final = 50
_PAUSE_S: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """Where the data lives."""

    url: str = setting(
        "", unit="URL", help="postgresql://… ; empty keeps SQLite in the data folder"
    )
    folder: str = setting(
        "data", unit="path", help="data folder: database, snapshots, models, imports"
    )
    busy_ms: int = setting(
        30_000,
        unit="ms",
        help="how long a write waits for another process",
        least=100,
        most=600_000,
    )


@dataclass
class _Waiting(Generic[T]):
    write: Write[T]
    answer: "Future[T]"
    patient: bool


class Database:
    """Reads from any thread; writes through one thread and one connection."""

    def __init__(self, engine: Engine, schema: str = "") -> None:
        """schema: on PostgreSQL, where its tables lie; empty for where the server's default is."""
        self.engine = engine
        self.schema = schema
        self.dialect = engine.dialect.name
        self._away = Away(self._reach)
        self._queue: queue.SimpleQueue[_Waiting[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self._gate = threading.Lock()
        self._writer = threading.Thread(
            target=self._write_forever, name="store-writer", daemon=True
        )
        self._writer.start()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; nothing done on it is kept."""
        with self._answering(), self.engine.connect() as connection:
            if self.dialect == "sqlite":
                connection.exec_driver_sql("BEGIN")
            yield connection

    def ask(self, text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """One query straight to the driver, in the text that it takes. For what is asked many times
        a second: no transaction is begun, which is most of what `read` costs."""
        with self._answering(), self._at_the_driver() as connection:
            cursor = connection.cursor()
            try:
                cursor.execute(text, values)
                return list(cursor.fetchall())
            finally:
                cursor.close()

    @contextmanager
    def _at_the_driver(self) -> Iterator[PoolProxiedConnection]:
        """A connection without the toolkit around it; its faults are told like the toolkit's."""
        fault: type[Exception] = self.engine.dialect.loaded_dbapi.Error
        had_one = False
        try:
            connection = self.engine.raw_connection()
            had_one = True
            try:
                yield connection
            finally:
                connection.close()
        except fault as error:
            self._hear_of(error, had_one=had_one)
            raise _refusal(str(error)) from error

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """What the driver raises inside becomes a StoreError; nothing is asked of a server that is
        known to be away."""
        self._away.check()
        try:
            with as_store_error():
                yield
        except StoreError as error:
            if isinstance(cause := error.__cause__, DBAPIError) and cause.orig is not None:
                self._hear_of(cause.orig, had_one=cause.connection_invalidated)
            raise

    def _hear_of(self, fault: BaseException, *, had_one: bool) -> None:
        """Of a driver's fault. had_one: there was a connection before it."""
        silent = getattr(fault, "is_silent", False)
        faults: type[Exception] = self.engine.dialect.loaded_dbapi.OperationalError
        # SQLite, which is never away, has no such states.
        state = getattr(fault, "sqlstate", "")
        if silent or (isinstance(fault, faults) and (state is None or state[:4] in _GONE)):
            self._away.hear(str(_refusal(str(fault))), sure=silent or not had_one)

    def _reach(self) -> None:
        wait_at_most(SERVING_S)
        with as_store_error(), self.engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")

    def submit(self, write: Write[T], *, patient: bool = False) -> "Future[T]":
        """Queue a write; the future is done once it is durable, or refused at once where a server
        is known to be away. Raises StoreError after `close`.

        patient: nobody waits for it, so it may be written with what comes in the next 50 ms.
        """
        answer: Future[T] = Future()
        with self._gate:
            if self._closed:
                raise StoreError("the database is closed; nothing more can be written")
            try:
                self._away.check()
            except StoreError as error:
                answer.set_exception(error)
                return answer
            self._queue.put(_Waiting(write, answer, patient))
        return answer

    def write(self, write: Write[T]) -> T:
        """Do a write and wait until it is durable."""
        return self.submit(write).result()

    def overwrite_freed(self, names: Sequence[bytes]) -> int:
        """Leave no byte of what was deleted in the database's own files.

        SQLite's write-ahead log is emptied; where a name still stands in a page's free space, the
        file is written anew, which takes about 15 s a gigabyte and makes writers wait. PostgreSQL
        is told to vacuum; what its files and archives hold beyond that is its administrator's.
        Without names it is written anew in any case. Returns how often the names stood in the file
        before. Raises StoreError where a reader
        holds on to old pages.
        """
        with as_store_error(), self.engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            if self.dialect != "sqlite":
                alone.exec_driver_sql("VACUUM")
                return 0
            _empty_wal(alone)
            path = Path(str(self.engine.url.database))
            found = count_in(path, names)
            if found or not names:
                alone.exec_driver_sql("VACUUM")
                _empty_wal(alone)
            return found

    def let_go(self) -> None:
        """Close the connections that nobody uses; whoever reads next opens another.

        For after a start: a connection that has read a whole database keeps pages of it, up to
        32 MB, and holds up to 268 MB of its file in view.
        """
        self.engine.dispose()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Finish what waits, then let go of every connection."""
        with self._gate:
            already, self._closed = self._closed, True
        if not already:
            self._away.end()
            self._queue.put(None)
            self._writer.join()
            self.engine.dispose()

    def _write_forever(self) -> None:
        wait_at_most(WRITING_S)
        while (first := self._queue.get()) is not None:
            batch, ended = self._take(first)
            self._commit(batch)
            if ended:
                return

    def _take(self, first: _Waiting[Any]) -> tuple[list[_Waiting[Any]], bool]:
        """All that wait; where only patient ones do, those too that come while they may."""
        batch, until_s = [first], time.monotonic() + _PATIENCE_S if first.patient else 0.0
        while len(batch) < _MOST_IN_ONE_COMMIT:
            left_s = until_s - time.monotonic() if until_s else 0.0
            try:
                waiting = self._queue.get(left_s > 0, max(left_s, 0.0))
            except queue.Empty:
                return batch, False
            if waiting is None:
                return batch, True
            if not waiting.patient:
                until_s = 0.0
            batch.append(waiting)
        return batch, False

    def _commit(self, batch: list[_Waiting[Any]]) -> None:
        """One transaction for the batch; answers are given only after it is durable."""
        if len(batch) == 1:
            self._commit_alone(batch[0])
            return
        done: list[tuple[Future[Any], Any]] = []
        try:
            with self._answering(), self.engine.connect() as connection, begin(connection):
                for waiting in batch:
                    if waiting.answer.set_running_or_notify_cancel():
                        _run_one(connection, waiting, done)
        except Exception as error:  # noqa: BLE001 - the thread must live on, or nobody writes again
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        for answer, value in done:
            answer.set_result(value)

    def _commit_alone(self, waiting: _Waiting[Any]) -> None:
        """A write without neighbours needs no savepoint: its transaction is its own."""
        if not waiting.answer.set_running_or_notify_cancel():
            return
        try:
            with self._answering(), self.engine.connect() as connection, begin(connection):
                value = waiting.write(connection)
        except Exception as error:  # noqa: BLE001 - handed to the caller whose function raised it
            waiting.answer.set_exception(error)
        else:
            waiting.answer.set_result(value)


def _empty_wal(connection: Connection) -> None:
    for _ in range(_TRIES):
        busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if not busy:
            return
        time.sleep(_PAUSE_S)
    raise StoreError("somebody reads the database without end; erasing goes on when they stop")


def overwriting(connection: Connection) -> None:
    """Let this transaction overwrite what it deletes with zeros."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def _run_one(
    connection: Connection, waiting: _Waiting[Any], done: list[tuple["Future[Any]", Any]]
) -> None:
    """Run one write in a savepoint; its own fault is its own answer, not its neighbours'.

    Raises DBAPIError where the whole transaction is lost with it: where the fault says so, or where
    the savepoint is gone because the database has rolled everything back by itself.
    """
    savepoint = connection.begin_nested()
    try:
        value = waiting.write(connection)
        savepoint.commit()
    except Exception as error:
        # Handed to the caller whose function raised it.
        if isinstance(error, DBAPIError) and is_fatal(error):
            raise
        savepoint.rollback()
        waiting.answer.set_exception(refused(error) if isinstance(error, DBAPIError) else error)
    else:
        done.append((waiting.answer, value))


def is_fatal(error: DBAPIError) -> bool:
    """Whether the whole transaction is lost (full disk, broken file), not one statement."""
    text = str(error.orig).lower()
    return error.connection_invalidated or any(
        sign in text
        for sign in ("disk is full", "disk i/o", "malformed", "readonly database", "no space")
    )


def refused(error: DBAPIError) -> StoreError:
    """What a caller is told of a fault of the database, and what to do where that is known."""
    return _refusal(str(error.orig))


def _refusal(told: str) -> StoreError:
    advice = next((to_do for sign, to_do in _TO_DO.items() if sign in told.lower()), "")
    return StoreError(f"the database refused: {told}{advice}")


@contextmanager
def as_store_error() -> Iterator[None]:
    """What the driver raises inside becomes a StoreError."""
    try:
        yield
    except DBAPIError as error:
        raise refused(error) from error
    except NoConnectionError as error:
        raise StoreError("the database is busy: no free connection; try again later") from error


@contextmanager
def begin(connection: Connection) -> Iterator[None]:
    """A write transaction that waits for its turn at once, so that it cannot fail for it later."""
    turn = "BEGIN IMMEDIATE" if connection.dialect.name == "sqlite" else _PG_TURN
    with connection.begin():
        connection.exec_driver_sql(turn)
        yield


def open_database(settings: StoreSettings, community: str = "") -> Database:
    """Connect; SQLite in `folder` unless a PostgreSQL URL is given. Does not migrate.

    On PostgreSQL a community with a name has a schema of its own, and sees no other.
    """
    if settings.url:
        from inhouse.store.postgres import postgres_engine  # noqa: PLC0415

        schema = schema_of(community)
        return Database(postgres_engine(settings.url, schema), schema)
    folder = Path(settings.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the data folder {folder}: {error.strerror}; "
            "choose another with INHOUSE_STORE_FOLDER"
        ) from error
    return Database(_sqlite_engine(folder / DATABASE_FILE, settings.busy_ms))


def has_store(settings: StoreSettings) -> bool:
    """Whether there is something to open; of a server that is only known by asking it."""
    return bool(settings.url) or (Path(settings.folder) / DATABASE_FILE).exists()


def schema_of(community: str) -> str:
    """Its schema on PostgreSQL; no two names share one.

    >>> schema_of("book-club")
    'community_book_club'
    """
    return f"community_{community.replace('-', '_')}" if community else ""


def _sqlite_engine(path: Path, busy_ms: int) -> Engine:
    # The driver's own transactions are off: `begin` above says when one starts.
    arguments = {"timeout": busy_ms / 1000, "isolation_level": None, "check_same_thread": False}
    engine = sa.create_engine(
        f"sqlite:///{path}", connect_args=arguments, pool_size=8, max_overflow=32
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        _enter_wal(cursor, busy_ms)
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-32000",
            "mmap_size=268435456",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _enter_wal(cursor: sqlite3.Cursor, busy_ms: int) -> None:
    """Turn the write-ahead log on. Where several processes open a fresh file at once this pragma,
    unlike every other statement, answers "locked" without waiting."""
    deadline_s = time.monotonic() + busy_ms / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
        time.sleep(0.01)
