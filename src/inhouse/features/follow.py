"""Keep a state up to date with the store: read what is new, then fold it in."""

from collections.abc import Sequence
from typing import Final

from inhouse.catalog.erasures import marked
from inhouse.catalog.types import Item, Posted
from inhouse.core.clock import Clock
from inhouse.core.ids import ItemId, PageId, UserId
from inhouse.events.types import Appended, Event, LoggedEvent, ServedPage
from inhouse.features.ports import Listener, Logs, Nobody
from inhouse.features.state import LiveState

_CHUNK: Final = 20_000
_FULL: Final = _CHUNK // 10  # pages at once
# What was shown longer ago needs no remembering: who saw what is told by the impressions.
_PAGES_REMEMBERED: Final = 20_000


class Follower:
    """Tails the catalog's changes, the event log and the pages into one state.

    Events are read before changes and folded in after them: an event's item was committed before
    the event, so it is always known by then.
    """

    def __init__(
        self, state: LiveState, logs: Logs, clock: Clock, listener: Listener | None = None
    ) -> None:
        self.state = state
        self._catalog, self._log, self._pages = logs.catalog, logs.events, logs.pages
        self._clock = clock
        self._listener = listener or Nobody()
        self.erasures = 0  # how many were heard of
        self.forgotten: list[UserId] = []  # who was known of them; whoever follows may empty it

    def rebuild(self) -> None:
        """Bring the state up to now; called once before serving.

        A state from a checkpoint goes on from its own offsets, an empty one loads everything.
        """
        if self.state.change_offset == 0:
            self.load_catalog()
        self._listener.items_changed(range(self.state.items.count))
        self._listener.verdicts_changed(list(self.state.items.ids))
        self.state.page_offset = max(
            self.state.page_offset, self._pages.last_offset() - _PAGES_REMEMBERED
        )
        while self.catch_up() >= _FULL:  # else no log had a full chunk, so there is no more
            pass

    def load_catalog(self) -> None:
        """Take in every user and item there is."""
        self.state.change_offset = self._catalog.last_change()
        for users in self._catalog.all_users():
            self.state.apply_users(users)
        for items in self._catalog.all_items():
            self.state.apply_items(items)

    def catch_up(self) -> int:
        """Fold in what is new, at most one chunk of each log; returns how many entries that was."""
        while True:
            heard, events = self.erasures, self._log.read(self.state.log_offset, _CHUNK)
            changed = self.follow_changes()
            if self.erasures == heard:
                break  # else these events may tell of somebody who was erased since
        self.state.apply_events(events)
        pages = self._pages.read(self.state.page_offset, _FULL)
        for offset, page in pages:
            self.state.apply_page(offset, page)
        if events:
            self._clock.advance(self.state.last_event_ms)
        return len(events) + changed + len(pages)

    def stored(self, events: Sequence[Event], appended: Appended) -> None:
        """Fold in what this process has just appended, without reading it back.

        Where anybody else wrote in between, or some of it was known already, the log is read.
        """
        start = self.state.log_offset
        if appended.last_offset <= start:  # read from the log meanwhile
            return
        if appended.repeated or appended.last_offset != start + len(events):
            self.catch_up()
            return
        self.state.apply_events(
            [
                LoggedEvent(log_offset=offset, received_ms=event.at_ms, event=event)
                for offset, event in enumerate(events, start + 1)
            ]
        )
        self._clock.advance(self.state.last_event_ms)

    def posted(self, posted: Posted) -> None:
        """Fold in the items that this process has just put into the catalog; as `stored`."""
        start = self.state.change_offset
        if posted.last_change <= start:  # nothing changed, or read from the log meanwhile
            return
        if posted.last_change != start + len(posted.changed):
            self.follow_changes()
            return
        self._take_in(posted.changed)
        self.state.change_offset = posted.last_change

    def shown(self, page: ServedPage, rows: Sequence[int]) -> None:
        """Fold in a page that this process hands out and has submitted to the log. rows: of what
        it shows."""
        self.state.show(page, rows)

    def logged(self, page_id: PageId, offset: int) -> None:
        """Hear where a page that was `shown` stands in the log; as `stored`."""
        if offset == self.state.page_offset + 1:
            self.state.page_offset = offset
            self.state.ahead.discard(page_id)
        elif offset > self.state.page_offset:
            self.catch_up()

    def unlogged(self, page_id: PageId) -> None:
        """Hear that a page that was `shown` never comes into the log."""
        self.state.ahead.discard(page_id)

    def follow_changes(self) -> int:
        """Take in what changed in the catalog; returns how many changes that was."""
        done, full = 0, True
        while full and (changes := self._catalog.changes(self.state.change_offset, _CHUNK)):
            named = {
                kind: [c.entity_id for c in changes if c.entity == kind]
                for kind in ("item", "user", "verdict", "erased")
            }
            for mark in named["erased"]:
                self._forget(mark)
            if named["user"]:
                self.state.apply_users(self._catalog.users(named["user"]).values())
            if named["item"]:
                self._take_items(named["item"])
            if named["verdict"]:
                self._listener.verdicts_changed(
                    [ItemId(name) for name in dict.fromkeys(named["verdict"])]
                )
            self.state.change_offset = changes[-1].log_offset
            done, full = done + len(changes), len(changes) == _CHUNK
        return done

    def _forget(self, mark: str) -> None:
        self.erasures += 1
        known = {*self.state.people, *self.state.items.creators.names}
        for name in marked(mark, known):
            self.state.forget(UserId(name))
            self.forgotten.append(UserId(name))

    def _take_items(self, names: Sequence[str]) -> None:
        found = self._catalog.items(names)
        self._take_in([item for name in dict.fromkeys(names) if (item := found.get(ItemId(name)))])
        for name in names:
            if name not in found:
                self.state.items.withdraw(ItemId(name))

    def _take_in(self, items: Sequence[Item]) -> None:
        self.state.apply_items(items)
        self._listener.items_changed([self.state.items.index[item.item_id] for item in items])
        self._clock.advance(max((item.created_ms for item in items), default=0))
