"""Following: what this process wrote is folded in without being read back; nothing is missed."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Change, Item, Posted
from inhouse.core.clock import FollowingClock
from inhouse.core.ids import EventId, ItemId, PageId, UserId
from inhouse.events.log import EventLog
from inhouse.events.pages import PageLog
from inhouse.events.types import Event, LoggedEvent, PageItem, ServedPage
from inhouse.features.follow import Follower
from inhouse.features.items import COLUMNS
from inhouse.features.ports import Logs, Nobody
from inhouse.features.state import LiveState
from inhouse.store.database import Database


class CountedLog(EventLog):
    """Counts how often it is read."""

    reads = 0

    def read(self, after: int, limit: int = 10_000) -> list[LoggedEvent]:
        self.reads += 1
        return super().read(after, limit)


class CountedCatalog(Catalog):
    """Counts how often its changes and items are read."""

    reads = 0

    def changes(self, after: int, limit: int = 10_000) -> list[Change]:
        self.reads += 1
        return super().changes(after, limit)

    def items(self, ids: Iterable[str]) -> dict[ItemId, Item]:
        self.reads += 1
        return super().items(ids)


@pytest.fixture
def logs(database: Database) -> Logs:
    """Of a community with three posts."""
    catalog = CountedCatalog(database)
    catalog.put_items(
        [Item(item_id=ItemId(f"i{n}"), creator_id=UserId("c"), created_ms=n) for n in range(3)]
    )
    return Logs(catalog=catalog, events=CountedLog(database), pages=PageLog(database))


@pytest.fixture
def follower(logs: Logs) -> Follower:
    """Up to date."""
    follower = Follower(LiveState(), logs, FollowingClock(1))
    follower.rebuild()
    return follower


def _events(*numbers: int) -> list[Event]:
    return [
        Event(
            event_id=EventId(f"e{n}"),
            at_ms=1_000 + n,
            kind="like",
            user_id=UserId("u"),
            item_id=ItemId(f"i{n % 3}"),
        )
        for n in numbers
    ]


def _same_as_the_log_says(follower: Follower, logs: Logs) -> bool:
    fresh = Follower(LiveState(), logs, FollowingClock(1))
    fresh.rebuild()
    mine, theirs = (each.state.person(UserId("u")) for each in (follower, fresh))
    offsets = [(each.state.log_offset, each.state.page_offset) for each in (follower, fresh)]
    return mine == theirs and offsets[0] == offsets[1]


def test_what_was_appended_here_is_not_read_back(follower: Follower, logs: Logs) -> None:
    """The state is as if it had been read, and so is the clock."""
    before = logs.events.reads  # type: ignore[attr-defined]
    for batch in (_events(1, 2), _events(3), []):
        follower.stored(batch, logs.events.append(batch))

    assert logs.events.reads == before  # type: ignore[attr-defined]
    assert follower.state.last_event_ms == 1_003
    assert _same_as_the_log_says(follower, logs)


def test_what_others_wrote_in_between_is_read(follower: Follower, logs: Logs) -> None:
    """Offsets that do not join on send the follower to the log."""
    logs.events.append(_events(1, 2))
    follower.stored(_events(3), logs.events.append(_events(3)))

    assert follower.state.log_offset == 3
    assert _same_as_the_log_says(follower, logs)


def test_a_repeated_batch_is_folded_in_once(follower: Follower, logs: Logs) -> None:
    """What was known already is left to the log."""
    for _ in range(2):
        follower.stored(_events(1, 2), logs.events.append(_events(1, 2)))
    follower.stored(_events(2, 3), logs.events.append(_events(2, 3)))

    assert _same_as_the_log_says(follower, logs)


def test_answers_that_come_out_of_order_lose_nothing(follower: Follower, logs: Logs) -> None:
    """Two batches stored one after the other and heard of the other way round."""
    first, second = logs.events.append(_events(1)), logs.events.append(_events(2))
    follower.stored(_events(2), second)
    follower.stored(_events(1), first)

    assert follower.state.log_offset == 2
    assert _same_as_the_log_says(follower, logs)


def _page(name: str) -> ServedPage:
    shown = PageItem(
        item_id=ItemId("i1"),
        position=0,
        source="fresh",
        sources=("fresh",),
        value=1.0,
        predicted={},
        propensity=1.0,
        explored=False,
    )
    return ServedPage(
        page_id=PageId(name), at_ms=1, user_id=UserId("u"), surface="for_you", items=(shown,)
    )


class Heard(Nobody):
    """Writes down which rows it hears of."""

    def __init__(self, rows: list[list[int]]) -> None:
        self._rows = rows

    def items_changed(self, rows: Sequence[int]) -> None:
        self._rows.append(list(rows))


def _show(follower: Follower, page: ServedPage) -> None:
    index = follower.state.items.index
    follower.shown(page, [index[each.item_id] for each in page.items if each.item_id in index])


def test_pages_are_folded_in_likewise(follower: Follower, logs: Logs) -> None:
    """At once when they are handed out, others' from the log; each once."""
    pages = [_page(name) for name in "abcd"]
    for page in (pages[0], pages[2], pages[3]):  # another process hands out b
        _show(follower, page)
    assert follower.state.person(UserId("u")).pages == 3
    offsets = [logs.pages.submit(page).result(30) for page in pages]
    follower.logged(PageId("a"), offsets[0])
    assert (follower.state.page_offset, follower.state.person(UserId("u")).pages) == (1, 3)
    follower.logged(PageId("d"), offsets[3])
    follower.logged(PageId("c"), offsets[2])

    assert follower.state.person(UserId("u")).pages == 4
    assert not follower.state.ahead
    assert _same_as_the_log_says(follower, logs)


def test_a_page_the_log_refused_was_shown_all_the_same(follower: Follower) -> None:
    """And nothing waits for it."""
    _show(follower, _page("a"))
    follower.unlogged(PageId("a"))

    assert follower.state.person(UserId("u")).pages == 1
    assert not follower.state.ahead


def _item(number: int, title: str = "") -> Item:
    return Item(
        item_id=ItemId(f"i{number}"),
        creator_id=UserId("c"),
        title=title,
        topics=("tea",),
        created_ms=5_000 + number,
        vectors={"image": (0.1, 0.7)},
    )


def _put(logs: Logs, *items: Item) -> Posted:
    return logs.catalog.submit_items(items).result(30)


def _items_as_stored(follower: Follower, logs: Logs) -> bool:
    fresh = Follower(LiveState(), logs, FollowingClock(1))
    fresh.rebuild()
    mine, theirs = follower.state, fresh.state
    told = [
        {
            item_id: [getattr(state.items, name)[row].tolist() for name in COLUMNS]
            for item_id, row in state.items.index.items()
        }
        for state in (mine, theirs)
    ]
    return told[0] == told[1] and mine.change_offset == theirs.change_offset


def test_what_was_posted_here_is_not_read_back(follower: Follower, logs: Logs) -> None:
    """New, changed, unchanged and withdrawn items: the state is as if it had read them, their
    listener hears of them, and so does the clock."""
    heard: list[list[int]] = []
    follower._listener = Heard(heard)
    before = logs.catalog.reads  # type: ignore[attr-defined]
    for batch in (
        [_item(7), _item(8)],
        [_item(7, "new"), _item(8)],
        [_item(8)],
        [replace(_item(8), hidden=True)],
        [],
    ):
        follower.posted(_put(logs, *batch))

    assert logs.catalog.reads == before  # type: ignore[attr-defined]
    assert heard == [[3, 4], [3], [4]]
    assert follower._clock.now_ms() == 5_008
    assert _items_as_stored(follower, logs)


def test_changes_that_others_made_in_between_are_read(follower: Follower, logs: Logs) -> None:
    """Offsets that do not join on send the follower to the log of changes, for all it tells."""
    _put(logs, _item(7))
    follower.posted(_put(logs, _item(8)))

    assert ItemId("i7") in follower.state.items.index
    assert _items_as_stored(follower, logs)


def test_posts_heard_of_out_of_order_lose_nothing(follower: Follower, logs: Logs) -> None:
    """Two puts of one item, heard of the other way round: the later one stays."""
    first, second = _put(logs, _item(7, "old")), _put(logs, _item(7, "new"))
    follower.posted(second)
    follower.posted(first)

    assert _items_as_stored(follower, logs)
