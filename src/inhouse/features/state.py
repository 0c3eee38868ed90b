"""The state of a community in memory: a pure fold over the catalog and the log.

Replaying the same log gives the same state. Nothing here reads a clock, a file or a database.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from inhouse.catalog.types import Item, User
from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.ids import PageId, UserId
from inhouse.events.types import (
    EVENT_KINDS,
    ITEM_KINDS,
    SESSION_PREFIX,
    TARGET_KINDS,
    TIMED_KINDS,
    Event,
    EventKind,
    LoggedEvent,
    ServedPage,
)
from inhouse.features.items import ItemTable
from inhouse.features.outcomes import KIND_CODES, STRENGTH, is_positive
from inhouse.features.people import EMPTY, RELATIONS, SERVED_KEPT, Action, Person
from inhouse.features.reserves import Reserves
from inhouse.features.rows import Latest
from inhouse.features.shelves import Shelves

_CREATORS: Final = ("follows", "muted_creators", "blocked_creators", "blocked_by")
# Where an action is counted that can be taken back.
_COUNTED_IN: Final = {
    "click": "clicks",
    "hide": "hides",
    **dict.fromkeys(("like", "comment", "share", "save", "more"), "likes"),
}


class LiveState:
    """Items, people and counters; the three offsets say how much of each log is in it."""

    def __init__(self) -> None:
        self.items = ItemTable()
        self.shelves = Shelves(self.items)
        self.people: dict[UserId, Person] = {}
        self.reserves = Reserves()
        self.log_offset = 0
        self.change_offset = 0
        self.page_offset = 0
        self.ahead: set[PageId] = set()  # pages that are folded in and not read from their log yet
        self.last_event_ms = 0

    def person(self, user_id: UserId) -> Person:
        """What is known of someone; a stranger is empty and is not remembered for asking."""
        return self.people.get(user_id) or Person(user_id=user_id)

    def apply_items(self, items: Iterable[Item]) -> None:
        """Take new or changed items in."""
        first = self.items.count
        rows = dict.fromkeys(self.items.upsert(item) for item in items)
        if rows:
            self.shelves.posted(np.fromiter(rows, dtype=np.int32, count=len(rows)), first)

    def adopt(self, items: ItemTable) -> None:
        """Take over the items of an earlier state."""
        self.items = items
        self.shelves = Shelves(items)

    def apply_users(self, users: Iterable[User]) -> None:
        """Take new or changed users in."""
        for user in users:
            person = self._known(user.user_id)
            person.topics = tuple(self.items.topic_names.code(topic) for topic in user.topics)
            person.region, person.language = user.region, user.language
            person.birth_year, person.created_ms = user.birth_year, user.created_ms

    def apply_events(self, events: Sequence[LoggedEvent]) -> None:
        """Take events in, in the order of the log; one that is in already is passed over."""
        for logged in events:
            if logged.log_offset > self.log_offset:
                self._apply(logged.event)
                self.log_offset = logged.log_offset

    def apply_page(self, offset: int, page: ServedPage) -> None:
        """Take a page in, in the order of the log; one that is in already is passed over."""
        if offset <= self.page_offset:
            return
        self.page_offset = offset
        if page.page_id in self.ahead:
            self.ahead.remove(page.page_id)
        else:
            rows = (self.items.index.get(shown.item_id) for shown in page.items)
            self._show(page, (row for row in rows if row is not None))
            self.reserves.share(page.user_id, self.items)

    def show(self, page: ServedPage, rows: Sequence[int]) -> None:
        """Take a page in that has no offset yet: it comes from the log later, and counts once.

        rows: of what it shows.
        """
        self._show(page, rows)
        self.ahead.add(page.page_id)

    def _show(self, page: ServedPage, rows: Iterable[int]) -> None:
        """Remember what was shown to whom, so that it is not shown again at once."""
        person = self._known(page.user_id)
        person.pages += 1
        if page.user_id.startswith(SESSION_PREFIX):
            person.last_ms = max(person.last_ms, page.at_ms)
        person.served.extend(rows)
        self.reserves.hear(page)

    def forget(self, user_id: UserId) -> None:
        """Know nothing of somebody any more: not what they did, asked for or posted.

        What they did remains in the counters of posts, where it names nobody; a state built anew
        from the log counts without it.
        """
        self.people.pop(user_id, None)
        self.reserves.drop(user_id)
        code = self.items.creators.find(user_id)
        if code < 0:
            return
        self.items.creators.forget(user_id)
        for row in np.flatnonzero(self.items.creator[: self.items.count] == code):
            self.items.withdraw(self.items.ids[row])
            self.items.content[row] = 0.0
        for person in self.people.values():
            for name in _CREATORS:
                if code in getattr(person, name):
                    _change(person, name, code, add=False)

    def _known(self, user_id: UserId) -> Person:
        person = self.people.get(user_id)
        if person is None:
            person = self.people[user_id] = Person(user_id=user_id)
        return person

    def _apply(self, event: Event) -> None:
        person = self._known(event.user_id)
        person.first_ms = person.first_ms or event.at_ms
        person.last_ms = max(person.last_ms, event.at_ms)
        self._move_on(event.at_ms)
        if event.kind in ITEM_KINDS:
            self._apply_to_item(person, event)
        elif event.kind in TARGET_KINDS and event.target is not None:
            self._apply_to_target(person, event.kind, event.target)
        elif event.kind == "reset":
            person.recent.clear()
            self.reserves.drop(person.user_id)  # it was chosen by what is forgotten now
        elif event.kind in ("pause", "resume"):
            person.paused = event.kind == "pause"
        elif event.kind == "link" and event.target is not None:
            self._link(person, UserId(event.target))

    def _move_on(self, at_ms: int) -> None:
        """Hear the time; each hour of it, sessions that did nothing for a day are let go."""
        if at_ms <= self.last_event_ms:
            return
        before, self.last_event_ms = self.last_event_ms, at_ms
        if at_ms // HOUR_MS == before // HOUR_MS:
            return
        before_ms = self.last_event_ms - DAY_MS
        idle = [
            user_id
            for user_id, person in self.people.items()
            if user_id.startswith(SESSION_PREFIX) and person.last_ms < before_ms
        ]
        for user_id in idle:
            del self.people[user_id]

    def _apply_to_item(self, person: Person, event: Event) -> None:
        i = self.items.index.get(event.item_id) if event.item_id is not None else None
        if i is None:  # deleted since
            return
        if person.paused:  # seen stays seen, but nothing is concluded from it
            person.seen.add(i)
            return
        if event.kind == "undo":
            self._take_back(person, i)
            return
        is_new = person.seen.add(i)
        if event.kind == "impression":
            self._impressed(i)
            return
        if is_new:
            self._impressed(i)  # nobody acts on what they have not seen
        self._count(i, event)
        code, value = KIND_CODES[event.kind], event.value or 0.0
        person.recent.remember(Action(item=i, kind=code, at_ms=event.at_ms, value=value))

    def _take_back(self, person: Person, i: int) -> None:
        """Forget the latest sitting with an item; that it was seen remains.

        What it added to the item's heat halves away by itself.
        """
        kind = person.recent.take_back(i)
        counted = None if kind is None else _COUNTED_IN.get(EVENT_KINDS[kind])
        if counted is None:
            return
        column = getattr(self.items, counted)
        if column[i] > 0:
            column[i] -= 1
            self.shelves.wanted -= counted != "hides"

    def _link(self, person: Person, session_id: UserId) -> None:
        """What an anonymous session did was done by this person; the session is no more."""
        session = self.people.pop(session_id, None)
        self.reserves.drop(session_id)
        if session is None or session is person:
            return
        if not person.paused:
            person.recent.join(session.recent)
        for row in session.seen:
            person.seen.add(row)
        served = [*session.served.rows().tolist(), *person.served.rows().tolist()]
        person.served = Latest(SERVED_KEPT, served)
        for name in RELATIONS:
            setattr(person, name, getattr(person, name) | getattr(session, name))
        person.topics = person.topics or session.topics
        person.first_ms = min(person.first_ms, session.first_ms) or person.first_ms
        person.pages += session.pages

    def _count(self, i: int, event: Event) -> None:
        items, kind = self.items, event.kind
        if kind == "click":
            items.clicks[i] += 1
            self.shelves.wanted += 1
        elif kind == "hide":
            items.hides[i] += 1
        elif kind == "report":
            items.reports[i] += 1
        elif kind in TIMED_KINDS:
            items.dwell_ms_sum[i] += event.value or 0.0
        else:
            items.likes[i] += 1
            self.shelves.wanted += 1
        if is_positive(kind, event.value, int(items.duration_ms[i])):
            items.warm(i, event.at_ms, STRENGTH[kind])
            self.shelves.warmed(i)

    def _impressed(self, i: int) -> None:
        self.items.impressions[i] += 1
        self.shelves.impressed(i)

    def _apply_to_target(self, person: Person, kind: EventKind, target: str) -> None:
        sort, _, name = target.partition(":")
        if sort == "creator":
            self._relate(person, kind, name)
        elif sort == "topic" and kind in ("mute", "unmute"):
            _change(person, "muted_topics", self.items.topic_names.code(name), add=kind == "mute")
        elif sort == "word" and kind in ("mute", "unmute"):
            _change(person, "muted_words", name.lower(), add=kind == "mute")

    def _relate(self, person: Person, kind: EventKind, creator_id: str) -> None:
        creator = self.items.creators.code(creator_id)
        if kind in ("follow", "unfollow"):
            _change(person, "follows", creator, add=kind == "follow")
        elif kind in ("mute", "unmute"):
            _change(person, "muted_creators", creator, add=kind == "mute")
        else:
            _change(person, "blocked_creators", creator, add=kind == "block")
            other = self._known(UserId(creator_id))
            me = self.items.creators.code(person.user_id)
            _change(other, "blocked_by", me, add=kind == "block")


def _change(person: Person, name: str, member: int | str, *, add: bool) -> None:
    """Let one into a set of the person's, or out of it."""
    members, one = getattr(person, name), {member}
    setattr(person, name, (members | one if add else members - one) or EMPTY)
