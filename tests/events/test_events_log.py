"""The event log's contract, on both databases."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.core.errors import StoreError
from inhouse.core.ids import EventId, ItemId, PageId, UserId
from inhouse.events.log import EventLog
from inhouse.events.types import EVENT_KINDS, Appended, Event
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.statements import insert_new
from inhouse.store.tables import consumers


def _event(number: int | str, kind: str = "click") -> Event:
    return Event(
        event_id=EventId(f"e{number}"),
        at_ms=1_000,
        kind=kind,  # type: ignore[arg-type]
        user_id=UserId("u"),
        item_id=ItemId("i"),
    )


@pytest.fixture
def log(any_database: Database) -> EventLog:
    """An empty log."""
    return EventLog(any_database)


def _ids(log: EventLog) -> list[str]:
    return [logged.event.event_id for chunk in log.read_all() for logged in chunk]


def test_an_event_is_read_as_it_was_appended(log: EventLog) -> None:
    """Every field comes back, also those that are absent."""
    full = Event(
        event_id=EventId("full"),
        at_ms=1_767_000_000_123,
        kind="watch",
        user_id=UserId("u"),
        item_id=ItemId("i"),
        target="word:löwe 🦁",
        value=1234.5,
        page_id=PageId("p"),
        position=3,
    )
    bare = Event(event_id=EventId("bare"), at_ms=0, kind="visit", user_id=UserId("u"))

    assert log.append([full, bare]) == Appended(stored=2, repeated=0, last_offset=2)
    assert [(logged.log_offset, logged.event) for logged in log.read(0)] == [(1, full), (2, bare)]


def test_an_empty_log(log: EventLog) -> None:
    """Offset 0 stands before the first event."""
    assert (log.read(0), list(log.read_all()), log.last_offset(), log.count()) == ([], [], 0, 0)
    assert log.append([]) == Appended(stored=0, repeated=0, last_offset=0)


def test_an_id_is_stored_once(log: EventLog) -> None:
    """The same id again is counted, within a batch and across batches; the first form stays."""
    first = log.append([_event(1), _event(1, "like"), _event(2)])
    second = log.append([_event(2, "hide"), _event(3)])

    assert (first.stored, first.repeated) == (2, 1)
    assert (second.stored, second.repeated) == (1, 1)
    assert [(e.event.event_id, e.event.kind) for e in log.read(0)] == [
        ("e1", "click"),
        ("e2", "click"),
        ("e3", "click"),
    ]


def test_batches_that_wait_together_are_counted_apart(
    log: EventLog, any_database: Database
) -> None:
    """Behind a busy writer four batches are one write: each hears of its own rows, an id in two of
    them is the first one's, and offsets are those of the log after each."""
    log.append([_event(0)])
    go = threading.Event()
    any_database.submit(lambda connection: go.wait(5))

    answers = [
        log.submit([_event(name) for name in names]) for names in ("12", "203", "", ("4",), "34")
    ]
    go.set()

    told = [answer.result(5) for answer in answers]
    offsets = {x.event.event_id: x.log_offset for x in log.read(0)}
    assert [(each.stored, each.repeated) for each in told] == [
        (2, 0),
        (1, 2),
        (0, 0),
        (1, 0),
        (0, 2),
    ]
    assert [each.last_offset for each in told] == [
        offsets["e2"],
        offsets["e3"],
        offsets["e3"],
        offsets["e4"],
        offsets["e4"],
    ]
    assert _ids(log) == ["e0", "e1", "e2", "e3", "e4"]


def test_what_cannot_be_stored_is_refused_not_dropped(log: EventLog) -> None:
    """A row that breaks a rule of the table fails its whole batch instead of counting as known."""
    wrong = Event(event_id=EventId("x"), at_ms=1, kind=None, user_id=UserId("u"))  # type: ignore[arg-type]

    with pytest.raises(StoreError, match=r"(?i)not.null"):
        log.append([_event(1), wrong])
    assert log.count() == 0


def test_reading_goes_on_behind_an_offset(log: EventLog) -> None:
    """`read` gives at most `limit`, `read_all` the rest in chunks."""
    log.append([_event(i) for i in range(10)])
    (third,) = log.read(2, limit=1)

    assert third.event.event_id == "e2"
    assert [e.event.event_id for e in log.read(third.log_offset, limit=3)] == ["e3", "e4", "e5"]
    assert [len(chunk) for chunk in log.read_all(after=3, chunk=3)] == [3, 3, 1]
    assert (log.last_offset(), log.count()) == (10, 10)


def test_every_kind_can_be_stored(log: EventLog) -> None:
    """The column is wide enough for all of them."""
    log.append([_event(kind, kind) for kind in EVENT_KINDS])

    assert [logged.event.kind for logged in log.read(0)] == list(EVENT_KINDS)


def test_consumers_have_their_own_offsets(log: EventLog) -> None:
    """An unknown consumer stands at 0; each remembers its own place."""
    log.commit_offset("learner", 5)
    log.commit_offset("learner", 8)
    log.commit_offset("moderation", 2)

    assert [log.consumer_offset(name) for name in ("learner", "moderation", "new")] == [8, 2, 0]


def test_events_and_other_rows_share_a_commit(log: EventLog, any_database: Database) -> None:
    """Waiting batches and other writes are stored together, each answered for itself."""
    row = {"name": "c", "log_offset": 1, "updated_ms": 0}
    answers = [
        log.submit([_event(1), _event(2)]),
        any_database.submit(lambda c: insert_new(c, consumers, [row])),
        log.submit([_event(2), _event(3)]),
    ]

    first, other, second = [answer.result(30) for answer in answers]
    assert (first.stored, first.repeated) == (2, 0)
    assert other == 1
    assert (second.stored, second.repeated) == (1, 1)
    assert _ids(log) == ["e1", "e2", "e3"]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(batches=st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=8))
def test_counts_add_up_and_order_is_that_of_first_arrival(
    any_database: Database, batches: list[list[int]]
) -> None:
    """Whatever is sent: stored + repeated = sent, and the log holds first arrivals in order."""
    log = EventLog(any_database)
    before, start = log.last_offset(), log.count()
    answers = [log.append([_event(f"{before}-{n}") for n in batch]) for batch in batches]
    sent = [f"e{before}-{n}" for batch in batches for n in batch]

    assert [a.stored + a.repeated for a in answers] == [len(batch) for batch in batches]
    assert [e.event.event_id for e in log.read(before)] == list(dict.fromkeys(sent))
    assert log.count() - start == sum(a.stored for a in answers) == len(set(sent))


@pytest.fixture
def several_logs(store_settings: StoreSettings) -> Iterator[list[EventLog]]:
    """Four logs on one database, each with a connection and a writer of its own, as four processes
    have them."""
    databases = [open_database(store_settings) for _ in range(4)]
    yield [EventLog(database) for database in databases]
    for database in databases:
        database.close()


def test_a_tailing_reader_skips_nothing(several_logs: list[EventLog]) -> None:
    """While three writers append, a reader that goes on from its last offset gets every event once,
    in the order of the log."""
    reader, *writers = several_logs
    ended = threading.Event()
    read: list[int] = []

    def append(log: EventLog, name: int) -> None:
        for i in range(60):
            log.append([_event(f"{name}-{i}-{k}") for k in range(1 + i % 5)])

    def tail() -> None:
        while True:
            last_round = ended.is_set()
            read.extend(e.log_offset for e in reader.read(read[-1] if read else 0))
            if last_round:
                return

    tailing = threading.Thread(target=tail)
    appending = [
        threading.Thread(target=append, args=(log, name)) for name, log in enumerate(writers)
    ]
    for thread in (tailing, *appending):
        thread.start()
    for thread in appending:
        thread.join()
    ended.set()
    tailing.join()

    assert read == [logged.log_offset for logged in reader.read(0)]
    assert len(read) == 3 * 60 * 3
    assert read == sorted(set(read))


def test_one_id_from_many_writers_is_stored_once(several_logs: list[EventLog]) -> None:
    """Four processes that send the same events at once store each once, and say so together."""
    answers: list[Appended] = []

    def append(log: EventLog) -> None:
        answers.extend(log.append([_event(i), _event(i + 1)]) for i in range(0, 60, 2))

    threads = [threading.Thread(target=append, args=(log,)) for log in several_logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(_ids(several_logs[0])) == sorted(f"e{i}" for i in range(60))
    assert (sum(a.stored for a in answers), sum(a.repeated for a in answers)) == (60, 180)
