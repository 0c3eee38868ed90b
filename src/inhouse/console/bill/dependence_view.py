"""The page `/bill/dependence`."""

from fastapi import Request
from nicegui import ui

from inhouse.app.build import Services
from inhouse.app.owning.dependence import Dependence, Rates, break_evens, dependence
from inhouse.console.bill import dependence_page as page
from inhouse.console.frame import Region, chart_panel, follow, frame, panel, section
from inhouse.console.gathering import Latest
from inhouse.console.moments import community_now

DAYS = 30
KEEP_S = 30.0
EVERY_S = 60.0


def register(services: Services) -> None:
    """Add the page."""
    latest = Latest(lambda: dependence(services, community_now(services), DAYS, Rates()), KEEP_S)

    @ui.page("/bill/dependence")
    def shown(request: Request) -> None:
        rates = page.rates_of(request.query_params)
        with frame(request, "/bill", "Dependence"):
            follow(latest, _Dependence(rates).show, EVERY_S)


class _Dependence:
    """The parts of the page, in order."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        ui.html(page.HEADING, sanitize=False)
        self._figures = Region()
        with section("Vendors"), ui.element("div").classes("two tops"):
            self._hosts = _flush()
            self._owners = _flush()
        with section("Ready to leave"):
            self._ready = Region("section")
        with section("Drills"):
            self._drills = _flush()
        with section("Models that end"):
            self._ends = _flush()
        with section("Spending"):
            self._spent = ui.element("div")
            with self._spent:
                self._chart = chart_panel("Spent on vendors a week")
            self._trend = Region()
        with section("Owning against renting"):
            ui.html(page.form(rates), sanitize=False)
            self._owning = _flush()
        with section("What inhouse itself rests on"):
            self._libraries = _flush()

    def show(self, found: Dependence) -> None:
        """Bring everything up to date."""
        self._figures.show(page.figures(found))
        self._hosts.show(page.vendors(found, "host"))
        self._owners.show(page.vendors(found, "owner"))
        self._ready.show(page.ready(found))
        self._drills.show(page.drills(found))
        self._ends.show(page.ends(found))
        self._spent.set_visibility(bool(found.spending.weekly_usd))
        if found.spending.weekly_usd:
            self._chart.show(page.spend_chart(found))
        self._trend.show(page.trend(found))
        self._owning.show(page.owning(break_evens(found.traffic, self._rates), self._rates))
        self._libraries.show(page.libraries(found))


def _flush() -> Region:
    with panel().classes("flush"):
        return Region()
