"""A two-coloured community that lives for so many pages, for tests of the learner."""

from concurrent.futures import Future
from typing import Any

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item
from inhouse.core.ids import EventId, ItemId, PageId, UserId
from inhouse.core.random import stream
from inhouse.events.log import EventLog
from inhouse.events.pages import PageLog
from inhouse.events.types import Event, EventKind, PageItem, ServedPage
from inhouse.features.ports import Logs
from inhouse.store.database import Database

START_MS = 1_700_000_000_000
ITEMS, PEOPLE, PAGE = 60, 30, 6


class Community:
    """People of colour 0 or 1 who click the items of their colour; item k has colour k % 2."""

    def __init__(self, database: Database) -> None:
        self.logs = Logs(
            catalog=Catalog(database), events=EventLog(database), pages=PageLog(database)
        )
        self._numbers = stream(5, "community")
        self._at_ms = START_MS
        self._events = 0
        self._pages = 0
        self.logs.catalog.put_items(
            [
                Item(
                    item_id=ItemId(f"i{k:02}"),
                    creator_id=UserId(f"c{k % 7}"),
                    title=("red crimson", "blue azure")[k % 2],
                    created_ms=START_MS,
                )
                for k in range(ITEMS)
            ]
        )

    def live(self, pages: int) -> None:
        """Serve so many random pages, minutes apart, and log what people do on them."""
        durable: list[Future[Any]] = []
        for _ in range(pages):
            person = int(self._numbers.integers(PEOPLE))
            self._at_ms += 120_000
            shown = self._numbers.choice(ITEMS, PAGE, replace=False)
            page = self._page(person, shown.tolist())
            durable.append(self.logs.pages.submit(page))
            events: list[Event] = []
            for item in shown:
                events.append(self._event("impression", person, int(item), page.page_id))
                if item % 2 == person % 2 and self._numbers.random() < 0.9:
                    events.append(self._event("click", person, int(item), page.page_id))
            durable.append(self.logs.events.submit(events))
        for waiting in durable:
            waiting.result()

    def _page(self, person: int, shown: list[int]) -> ServedPage:
        self._pages += 1
        return ServedPage(
            page_id=PageId(f"p{self._pages}"),
            at_ms=self._at_ms,
            user_id=UserId(f"u{person}"),
            surface="for_you",
            items=tuple(
                PageItem(
                    item_id=ItemId(f"i{item:02}"),
                    position=place,
                    source="explore",
                    sources=("explore",),
                    value=0.0,
                    predicted={"p_click": 0.45, "p_like": 0.01, "p_hide": 0.01, "dwell_ms": 0.0},
                    propensity=0.1,
                    explored=True,
                )
                for place, item in enumerate(shown)
            ),
            log_offset=self._events,  # offsets count from 1 without a gap
        )

    def _event(self, kind: EventKind, person: int, item: int, page_id: PageId) -> Event:
        self._events += 1
        self._at_ms += 1_000
        return Event(
            event_id=EventId(f"e{self._events}"),
            at_ms=self._at_ms,
            kind=kind,
            user_id=UserId(f"u{person}"),
            item_id=ItemId(f"i{item:02}"),
            page_id=page_id,
        )
