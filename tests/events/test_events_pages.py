"""Served pages: written whole, read whole, on both databases."""

import threading
import zlib
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from inhouse.core.errors import StoreError
from inhouse.core.ids import ItemId, PageId, UserId
from inhouse.events.pages import PageLog, _encode, expire_pages
from inhouse.events.types import PageItem, RemovedItem, ServedPage
from inhouse.store import tables
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate

_PAGE = ServedPage(
    page_id=PageId("p1"),
    at_ms=1_767_000_000_000,
    user_id=UserId("u"),
    surface="for_you",
    items=(
        PageItem(
            item_id=ItemId("i1"),
            position=0,
            source="taste",
            sources=("taste", "fresh"),
            value=0.25,
            predicted={"p_click": 0.5, "watch_ms": 3_000.0},
            propensity=0.75,
            explored=True,
            because=(ItemId("i7"),),
            notes=("moved down for its creator",),
        ),
    ),
    removed=(RemovedItem(item_id=ItemId("i2"), stage="seen", reason="seen"),),
    reserve=(ItemId("i3"),),
    arms={"feed": "learning"},
    snapshot_id="s1",
    policy_version="v1",
    seed=7,
    log_offset=12,
    took_ms={"rank": 1.5},
)


@pytest.fixture
def pages(any_database: Database) -> PageLog:
    """An empty page log."""
    return PageLog(any_database)


def _store(pages: PageLog, *wanted: ServedPage) -> None:
    for page in wanted:
        pages.submit(page).result(30)


def _page(name: str, user_id: str = "u") -> ServedPage:
    return replace(_PAGE, page_id=PageId(name), user_id=UserId(user_id))


def test_a_page_of_before_there_were_levels_is_read_as_a_full_one(
    any_database: Database,
) -> None:
    """Rows are never rewritten, so what they lack has a meaning of its own; and they were made
    small in another way."""
    told = {name: getattr(_PAGE, name) for name in _PAGE.__slots__}
    old = {name: told[name] for name in told if name not in ("level", "kept_from")}
    body = zlib.compress(msgspec.msgpack.encode(old))
    row = {"page_id": "p1", "at_ms": _PAGE.at_ms, "user_id": "u", "surface": "for_you"}
    any_database.write(
        lambda connection: (
            connection.execute(tables.served_pages.insert(), {**row, "body": body}).rowcount
        )
    )

    assert PageLog(any_database).page(PageId("p1")) == _PAGE


def test_a_page_is_read_as_it_was_written(pages: PageLog) -> None:
    """Candidates, scores, propensities, arms and versions all come back."""
    _store(pages, _PAGE)

    assert pages.page(PageId("p1")) == _PAGE
    assert pages.read(0) == [(1, _PAGE)]


def test_pages_that_wait_together_know_their_offsets(
    pages: PageLog, any_database: Database
) -> None:
    """Behind a busy writer five pages are one write; each hears of the place it is read at."""
    go = threading.Event()
    any_database.submit(lambda connection: go.wait(5))

    answers = [pages.submit(_page(name)) for name in "abcde"]
    go.set()

    offsets = [answer.result(5) for answer in answers]
    assert [(offset, page.page_id) for offset, page in pages.read(0)] == list(
        zip(offsets, "abcde", strict=True)
    )


def test_what_is_asked_by_name_waits_for_pages_on_their_way(pages: PageLog) -> None:
    """A page that was just handed over is found, by its own name and its reader's."""
    pages.submit(_page("a"))
    assert pages.page(PageId("a")) == _page("a")
    pages.submit(_page("b"))
    assert [page.page_id for page in pages.pages_of(UserId("u"))] == ["b", "a"]
    pages.submit(_page("c"))
    assert len(list(pages.all_of(["u"]))) == 3
    pages.submit(_page("d"))
    assert len(pages.times_of(["u"])) == 4


def test_no_pages(pages: PageLog) -> None:
    """An empty log answers with nothing."""
    nothing = (pages.page(PageId("none")), pages.pages_of(UserId("u")), pages.read(0))

    assert nothing == (None, [], [])
    assert pages.last_offset() == 0


def test_a_persons_pages_come_newest_first(pages: PageLog) -> None:
    """Only their own, at most so many."""
    _store(pages, _page("a"), _page("b", "other"), _page("c"), _page("d"))

    assert [page.page_id for page in pages.pages_of(UserId("u"), limit=2)] == ["d", "c"]
    assert [page.page_id for page in pages.pages_of(UserId("other"))] == ["b"]


def test_reading_goes_on_behind_an_offset(pages: PageLog) -> None:
    """Pages come in the order they were served."""
    offsets = [pages.submit(_page(name)).result(30) for name in "abcde"]
    assert offsets == [1, 2, 3, 4, 5]

    assert [page.page_id for _, page in pages.read(2, limit=2)] == ["c", "d"]
    assert pages.last_offset() == 5


def test_a_page_is_written_once(pages: PageLog) -> None:
    """A second page of the same id is refused; the first stays."""
    _store(pages, _PAGE)
    error = pages.submit(replace(_PAGE, surface="latest")).exception(30)

    assert isinstance(error, StoreError)
    assert pages.page(PageId("p1")) == _PAGE


def test_a_tailing_reader_skips_no_page(store_settings: StoreSettings) -> None:
    """While three processes serve, a reader that goes on from its last offset sees every page."""
    databases = [open_database(store_settings) for _ in range(4)]
    reader, *writers = [PageLog(database) for database in databases]
    ended = threading.Event()
    read: list[int] = []

    def serve(log: PageLog, name: int) -> None:
        for i in range(60):
            _store(log, _page(f"{name}-{i}"))

    def tail() -> None:
        while True:
            last_round = ended.is_set()
            read.extend(offset for offset, _ in reader.read(read[-1] if read else 0))
            if last_round:
                return

    tailing = threading.Thread(target=tail)
    serving = [threading.Thread(target=serve, args=(log, n)) for n, log in enumerate(writers)]
    for thread in (tailing, *serving):
        thread.start()
    for thread in serving:
        thread.join()
    ended.set()
    tailing.join()
    everything = [offset for offset, _ in reader.read(0)]
    for database in databases:
        database.close()

    assert read == everything
    assert len(read) == 180


def test_old_pages_go_from_the_front_and_the_newest_stays(
    pages: PageLog, any_database: Database
) -> None:
    """At most so many at once; one that a fast clock dated later goes with those behind it, and
    what is left keeps its place."""

    def expire(before_ms: int, most: int = 100) -> int:
        return any_database.write(lambda connection: expire_pages(connection, before_ms, most))

    assert expire(10) == 0  # there are none
    for at_ms in (1, 2, 900, 3, 20, 4, 30):
        _store(pages, replace(_page(f"p{at_ms}"), at_ms=at_ms))
    assert expire(1) == 0
    assert expire(10, most=2) == 2
    assert [offset for offset, _ in pages.read(0)] == [3, 4, 5, 6, 7]
    assert expire(10) == 4  # 900, 3, 20 and 4
    assert [(offset, page.page_id) for offset, page in pages.read(0)] == [(7, "p30")]
    assert expire(1_000) == 0
    assert pages.page(PageId("p1")) is None
    assert pages.last_offset() == 7
    _store(pages, _page("next"))
    assert pages.last_offset() == 8


def test_nothing_of_an_old_page_stays_in_the_file(tmp_path: Path) -> None:
    """Somebody erased later is looked for by name, and a page's body holds none to be found by."""
    database = open_database(StoreSettings(folder=str(tmp_path)))
    migrate(database)
    pages = PageLog(database)
    for number in range(40):
        _store(pages, replace(_page(f"gone{number}", "somebody"), at_ms=1))
    _store(pages, _page("kept"))
    body = _encode(replace(_page("gone39", "somebody"), at_ms=1))
    # Some systems' SQLite zeroes what it deletes by itself.
    database.write(lambda connection: connection.exec_driver_sql("PRAGMA secure_delete=OFF").all())

    assert database.write(lambda connection: expire_pages(connection, 10, 100)) == 40
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    data = (tmp_path / "inhouse.db").read_bytes()
    assert body not in data
    assert b"somebody" not in data
    database.close()
