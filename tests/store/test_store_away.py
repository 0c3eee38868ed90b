"""A server that is away, or says nothing: nobody waits for it long, or twice."""

import asyncio
import contextlib
import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from inhouse.core.errors import StoreError
from inhouse.store import away as away_module
from inhouse.store import silence
from inhouse.store.away import Away
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.silence import patience_s, wait_at_most
from postgres import Cluster

_PIECE = 65_536
_SILENT = r"has not answered|timeout expired"


class _Line:
    """TCP before the cluster's socket. `cut`: nothing passes, and nobody is told, as where a cable
    is pulled."""

    def __init__(self, cluster: Cluster) -> None:
        self._behind = str(cluster.folder / ".s.PGSQL.5432")
        self._on = socket.create_server(("127.0.0.1", 0))
        self.port = self._on.getsockname()[1]
        self._passes = threading.Event()
        self._passes.set()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def cut(self) -> None:
        """From now on nothing passes."""
        self._passes.clear()

    def mend(self) -> None:
        """What waited goes on."""
        self._passes.set()

    def close(self) -> None:
        """No more connections."""
        self._passes.set()
        gc.collect()  # the driver leaves a connection that it gave up to its error's traceback
        self._on.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: Callable[..., None], *given: socket.socket) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with self._on, contextlib.suppress(OSError):
            while True:
                here, _ = self._on.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._behind)
                self._start(self._carry, here, there)
                self._start(self._carry, there, here)

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with one:
            with contextlib.suppress(OSError):
                while piece := one.recv(_PIECE):
                    self._passes.wait()
                    other.sendall(piece)
            for end in (one, other):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(postgres_cluster: Cluster) -> Iterator[_Line]:
    line = _Line(postgres_cluster)
    yield line
    line.close()


@pytest.fixture
def far(line: _Line, postgres_cluster: Cluster, migrated_template: str) -> Iterator[Database]:
    """A database at the other end of the line, by which a thread that serves waits for .3 s."""
    name = postgres_cluster.new_database(migrated_template).partition("@/")[2].partition("?")[0]
    database = open_database(
        StoreSettings(url=f"postgresql://inhouse@127.0.0.1:{line.port}/{name}")
    )
    yield database
    line.mend()
    database.close()


def _asks(database: Database) -> float:
    """Seconds until it is answered or refused, on a thread that serves."""

    async def ask() -> None:
        database.ask("SELECT 1", ())

    began_s = time.monotonic()
    with contextlib.suppress(StoreError):
        asyncio.run(ask())
    return time.monotonic() - began_s


def _soon(holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold within ten seconds."""
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s:
        if holds():
            return True
        time.sleep(0.02)
    return False


def _answers(database: Database) -> bool:
    with contextlib.suppress(StoreError):
        return database.ask("SELECT 1", ()) == [(1,)]
    return False


@pytest.mark.postgres
def test_a_server_that_says_nothing_holds_up_whoever_serves_once(
    far: Database, line: _Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody for longer than they can wait; when it speaks again all goes on by itself."""
    monkeypatch.setattr(silence, "SERVING_S", 0.3)
    assert _answers(far)
    line.cut()
    assert 0.2 < _asks(far) < 5.0
    with pytest.raises(StoreError, match=_SILENT):
        far.ask("SELECT 1", ())
    assert max(_asks(far) for _ in range(20)) < 0.1
    with pytest.raises(StoreError):  # a write is refused at once as well
        far.submit(lambda _: "done").result(0)
    line.mend()
    assert _soon(lambda: _answers(far))
    assert far.write(lambda _: "done") == "done"


@pytest.mark.postgres
def test_a_write_into_a_silence_is_refused_and_the_next_is_done(
    far: Database, line: _Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for it is told, and the writer does not wait for ever."""
    assert far.write(lambda _: "done") == "done"
    far.write(lambda _: wait_at_most(0.3))  # on the writer's thread
    line.cut()
    with pytest.raises(StoreError, match=_SILENT):
        far.write(lambda _: "done")
    line.mend()
    assert _soon(lambda: far.submit(lambda _: "done").exception(10) is None)


def test_how_long_a_thread_waits_depends_on_who_waits_for_it() -> None:
    """Seconds where it serves others, its own where it said so, else as long as it takes."""

    async def serving() -> float | None:
        return patience_s()

    assert patience_s() is None
    assert asyncio.run(serving()) == silence.SERVING_S
    told = []

    def work() -> None:
        wait_at_most(7.0)
        told.append(patience_s())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert told == [7.0]
    assert patience_s() is None


def test_what_is_known_to_be_away_is_asked_by_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it answers; then everybody asks again."""
    monkeypatch.setattr(away_module, "_ASK_EVERY_S", 0.01)
    here, asked = threading.Event(), []

    def ask() -> None:
        asked.append(threading.current_thread())
        if len(asked) == 2:
            raise ZeroDivisionError("nobody foresaw this")
        if not here.is_set():
            raise StoreError("still away")

    away = Away(ask)
    away.check()
    for _ in range(3):
        away.hear("it is away", sure=True)
    with pytest.raises(StoreError, match="it is away"):
        away.check()
    assert _soon(lambda: len(asked) > 3)
    assert len(set(asked)) == 1
    here.set()
    assert _soon(lambda: away._asking is None)
    away.check()


def test_one_connection_that_was_dropped_is_no_absence() -> None:
    """It is asked first, and only if that fails is anybody refused."""
    asked = threading.Event()
    away = Away(asked.set)
    away.hear("the connection is lost", sure=False)
    away.check()
    assert asked.wait(10)
    assert _soon(lambda: away._asking is None)


def test_whoever_ends_asks_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stops while the server is away leaves no thread that asks."""
    monkeypatch.setattr(away_module, "_ASK_EVERY_S", 60.0)

    def ask() -> None:
        raise StoreError("still away")

    away = Away(ask)
    away.hear("it is away", sure=True)
    thread = away._asking
    assert thread is not None
    away.end()
    thread.join(10)
    assert not thread.is_alive()
