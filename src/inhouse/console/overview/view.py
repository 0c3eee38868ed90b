"""The page `/`."""

from fastapi import Request
from nicegui import ui

from inhouse.app.build import Services
from inhouse.console.frame import Region, chart_panel, follow, frame, section
from inhouse.console.gathering import Latest
from inhouse.console.overview import page
from inhouse.console.overview.model import OverviewFacts, gather

KEEP_S = 3.0
EVERY_S = 4.0


def register(services: Services) -> None:
    """Add the page."""
    latest = Latest(lambda: gather(services), KEEP_S)

    @ui.page("/")
    def overview(request: Request) -> None:
        with frame(request, "/", "Overview"):
            follow(latest, _Overview().show, EVERY_S)


class _Overview:
    """The parts of the page, in order."""

    def __init__(self) -> None:
        self._head = Region()
        self._health = Region()
        with section("People"):
            self._people = Region()
            with ui.element("div").classes("two"):
                self._actives = chart_panel("Active people a day")
                self._time = chart_panel("Minutes per person a day")
        with section("Experiments"):
            self._experiments = Region("section")
        with section("Models"):
            self._models = Region()
            with ui.element("div").classes("two"):
                self._owned = chart_panel("Answered by your own models")
                self._spend = chart_panel("Spent on vendors a day")

    def show(self, facts: OverviewFacts) -> None:
        """Bring everything up to date."""
        self._head.show(page.heading(facts))
        self._health.show(page.health(facts))
        self._people.show(page.people(facts))
        if facts.engagement.days:
            self._actives.show(page.actives_chart(facts))
            self._time.show(page.time_chart(facts))
        self._experiments.show(page.experiments(facts))
        self._models.show(page.models(facts))
        if facts.daily.days:
            self._owned.show(page.owned_chart(facts))
            self._spend.show(page.spend_chart(facts))
