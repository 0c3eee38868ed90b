"""The pages `/person` and `/person/{id}`."""

from fastapi import Request
from nicegui import run, ui

from inhouse.app.build import Services
from inhouse.console.feed_page import people
from inhouse.console.frame import Region, follow, frame, panel, section
from inhouse.console.gathering import Latest
from inhouse.console.markup import person_path
from inhouse.console.moments import community_now
from inhouse.console.person import page
from inhouse.console.person.asking import Asking
from inhouse.console.person.model import PersonFacts, Seen, gather, latest_people
from inhouse.core.errors import InhouseError
from inhouse.core.ids import UserId, is_valid_id

KEEP_S = 4.0
EVERY_S = 8.0


def register(services: Services) -> None:
    """Add the pages."""
    latest = Latest(lambda: (latest_people(services), community_now(services)), KEEP_S)

    @ui.page("/person")
    def search(request: Request) -> None:
        with frame(request, "/person", "People"):
            _Search(services, latest)

    @ui.page("/person/{user_id:path}")
    def person(request: Request, user_id: str) -> None:
        with frame(request, "/person", "Person"):
            _Person(services, UserId(user_id))


class _Search:
    """Search by name or id; without words, whoever was here lately."""

    def __init__(self, services: Services, latest: Latest[tuple[list[Seen], int]]) -> None:
        self._services = services
        self._words = ""
        ui.html(page.SEARCH_HEADING, sanitize=False)
        field = ui.input(placeholder="name or id").props('outlined dense clearable debounce="250"')
        field.classes("search").props('aria-label="Search people by name or id"')
        field.on_value_change(lambda event: self._find(event.value or ""))
        field.on("keydown.enter", lambda _: self._go())
        with panel().classes("flush"):
            self._found = Region()
            self._lately = Region()
            follow(latest, self._show_lately, EVERY_S)

    async def _find(self, text: str) -> None:
        self._words = text.strip()
        self._lately.visible(not self._words)
        if not self._words:
            self._found.show(page.NOTHING)
            return
        found = await run.io_bound(people, self._services.database, self._words)
        if found is not None:
            self._found.show(page.found_list(found, self._words))

    def _go(self) -> None:
        if is_valid_id(self._words):
            ui.navigate.to(person_path(self._words))

    def _show_lately(self, facts: tuple[list[Seen], int]) -> None:
        self._lately.show(page.people_list(*facts))


class _Person:
    """One person. Does not change under the eyes of who reads it: they ask for what is new."""

    def __init__(self, services: Services, user_id: UserId) -> None:
        self._services = services
        self._user_id = user_id
        self._head = Region()
        self._head.show(page.READING)
        self._figures = Region()
        with ui.element("div").classes("two"):
            with section("Leans to, by what they did"):
                self._topics = _panel("Topics")
                self._creators = _panel("Creators")
            with section("What the model expects, and what they asked for"):
                self._expected = _panel("Chance of a like, by topic")
                self._controls = _panel("Controls")
        with section("Last pages served"), panel().classes("flush"):
            self._served = Region()
        with section("What they may ask for"), panel():
            self._asking = Asking(services, user_id, self._refresh)
        with section("History"):
            self._history = _panel()
        ui.timer(0.05, self._refresh, once=True)

    async def _refresh(self) -> None:
        try:
            facts = await run.io_bound(gather, self._services, self._user_id)
        except InhouseError as error:
            self._head.show(page.trouble(str(error)))
            return
        if facts is not None:  # None where the console is being stopped
            self._show(facts)

    def _show(self, facts: PersonFacts) -> None:
        if not facts.known:
            self._head.show(page.unknown(self._user_id))
            for part in (self._figures, self._served, self._history, self._controls):
                part.show(page.NOTHING)
            return
        self._asking.show(facts)
        self._head.show(page.heading(facts))
        self._figures.show(page.figures(facts))
        self._topics.show(page.leaning(facts.topics, facts.names, "topics"))
        self._creators.show(page.leaning(facts.creators, facts.names, "creators"))
        self._expected.show(page.expected(facts))
        self._controls.show(page.controls(facts))
        self._served.show(page.served(facts))
        self._history.show(page.history(facts))


def _panel(name: str = "") -> Region:
    with panel(name):
        return Region()
