"""Anonymous sessions are let go after a day, unless they were linked; and erasure of the log."""

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import User
from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.ids import EventId, PageId, UserId
from inhouse.events.log import EventLog, append_rows, erase_events, rows_of
from inhouse.events.pages import PageLog
from inhouse.events.sessions import Sessions, erase_links, link, linked_to
from inhouse.events.types import Event, EventKind, ServedPage
from inhouse.store.database import Database

NOW_MS = 1_760_000_000_000


def _event(name: str, user: str, kind: EventKind = "visit", target: str | None = None) -> Event:
    return Event(
        event_id=EventId(name), at_ms=NOW_MS, kind=kind, user_id=UserId(user), target=target
    )


def _log(database: Database, received_ms: int, *events: Event) -> None:
    database.write(lambda connection: append_rows(connection, rows_of(events, received_ms)))


def _serve(database: Database, user: str, at_ms: int) -> None:
    page = ServedPage(
        page_id=PageId(f"{user}-{at_ms}"),
        at_ms=at_ms,
        user_id=UserId(user),
        surface="for_you",
        items=(),
    )
    PageLog(database).submit(page).result()


def test_an_unlinked_session_is_gone_after_a_day(any_database: Database) -> None:
    """Its events and pages go; those of people, of linked and of younger sessions stay."""
    old, young = NOW_MS - DAY_MS - 1, NOW_MS - HOUR_MS
    people = ("session:a", "session:b", "ann")
    _log(any_database, old, *(_event(f"{name}1", name) for name in people))
    said = _event("l", "ann", "link", "session:b")
    any_database.write(lambda connection: link(connection, said, old))
    _log(any_database, young, _event("c1", "session:c"))
    for name in people:
        _serve(any_database, name, old)
    Catalog(any_database).put_users([User(user_id=UserId(name), created_ms=old) for name in people])
    sessions = Sessions(any_database)
    removed = sessions.expire(NOW_MS)
    left = [logged.event.user_id for logged in EventLog(any_database).read(0)]
    pages = [len(PageLog(any_database).pages_of(UserId(name))) for name in people]

    assert (removed, sessions.expire(NOW_MS)) == (3, 0)
    assert sorted(Catalog(any_database).users(people)) == ["ann", "session:b"]
    assert [change.entity_id for change in Catalog(any_database).changes(0)] == [
        "session:b",
        "ann",
    ]
    assert left == ["session:b", "ann", "ann", "session:c"]
    assert pages == [0, 1, 1]
    assert linked_to(any_database, "ann") == ["session:b"]


def test_a_link_is_forgotten_with_the_person(any_database: Database) -> None:
    """Who was which session is nobody's business then."""
    said = _event("l", "ann", "link", "session:b")
    any_database.write(lambda connection: link(connection, said, NOW_MS))

    assert any_database.write(lambda connection: erase_links(connection, ["ann"])) == 1
    assert linked_to(any_database, "ann") == []


def test_offsets_of_erased_events_are_never_used_again(any_database: Database) -> None:
    """The log's end stays where it was, and what is appended next stands behind it."""
    log = EventLog(any_database)
    log.append([_event("e1", "ann"), _event("e2", "bob"), _event("e3", "ann")])
    theirs = [mention.log_offset for mention in log.told_by(["ann"])]
    end = log.last_offset()
    removed = any_database.write(lambda connection: erase_events(connection, theirs))
    after = log.last_offset()
    log.append([_event("e4", "bob")])

    assert (removed, after) == (2, end)
    assert [logged.log_offset > end for logged in log.read(0)] == [False, True]


def test_the_log_says_where_it_tells_of_somebody(any_database: Database) -> None:
    """What they did, and where others follow, mute or block them."""
    log = EventLog(any_database)
    log.append(
        [
            _event("e1", "ann"),
            _event("e2", "bob", "follow", "creator:ann"),
            _event("e3", "bob", "follow", "creator:ann2"),
        ]
    )
    offsets = [logged.log_offset for logged in log.read(0)]

    assert [m.log_offset for m in log.told_by(["ann"])] == offsets[:1]
    assert [m.log_offset for m in log.told_by(["ann"], about=True)] == offsets[:2]
    assert [logged.event.event_id for logged in log.at(offsets[1:])] == ["e2", "e3"]
