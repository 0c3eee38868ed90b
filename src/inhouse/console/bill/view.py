"""The page `/bill`."""

from functools import partial

from fastapi import Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from nicegui import app, ui

from inhouse.app.build import Services
from inhouse.app.owning.parity_facts import CatalogFacts
from inhouse.console.bill import page
from inhouse.console.bill.model import BillFacts, gather
from inhouse.console.bill.parity_page import report_page
from inhouse.console.bill.route_controls import RouteControls
from inhouse.console.frame import Region, chart_panel, follow, frame, panel, section
from inhouse.console.gathering import Latest
from inhouse.console.moments import community_now
from inhouse.core.errors import InhouseError
from inhouse.models.tasks import judgement_named
from inhouse.models.training.judging import Judge

KEEP_S = 4.0
EVERY_S = 6.0


def register(services: Services) -> None:
    """Add the page."""
    latest = Latest(lambda: gather(services), KEEP_S)

    app.add_api_route(
        "/bill/parity/{task}", partial(parity_response, services), include_in_schema=False
    )

    @ui.page("/bill")
    def bill(request: Request) -> None:
        with frame(request, "/bill", "Bill"):
            follow(latest, _Bill(services).show, EVERY_S)


def parity_response(services: Services, task: str) -> Response:
    """The report on a task's newest version as a page of its own, without anybody's words."""
    judge = Judge(services.database, services.registry, services.settings.models)
    try:
        known = judgement_named(task, services.tasks)
        report = judge.report(known, CatalogFacts(services.catalog), community_now(services))
    except InhouseError as error:
        return PlainTextResponse(f"{error}\n", 404)
    return HTMLResponse(report_page(report))


class _Bill:
    """The parts of the page, in order."""

    def __init__(self, services: Services) -> None:
        ui.html(page.HEADING, sanitize=False)
        self._figures = Region()
        with ui.element("div").classes("two"):
            self._spend = chart_panel("Spent on vendors a day")
            self._owned = chart_panel("Answered by your own models")
        with section("From rented to owned"):
            self._tasks = Region("section")
            RouteControls(services, lambda: ui.notify("done; shown here within some seconds"))
        with section("Vendors"):
            self._basis = Region("quiet small")
            with ui.element("div").classes("two"):
                self._hosts = _flush()
                self._owners = _flush()
        with section("Tasks and models this month"):
            self._by_task = _flush()
            self._by_model = _flush()
        with section("Over time"), ui.element("div").classes("two tops"):
            self._months = _flush()
            self._days = _flush()
        with section("Without a price"):
            self._unpriced = _flush()

    def show(self, facts: BillFacts) -> None:
        """Bring everything up to date."""
        self._figures.show(page.figures(facts))
        if facts.daily.days:
            self._spend.show(page.spend_chart(facts))
            self._owned.show(page.owned_chart(facts))
        self._tasks.show(page.tasks_on_their_way(facts))
        self._basis.show(page.basis(facts))
        self._hosts.show(page.vendors(facts, "host"))
        self._owners.show(page.vendors(facts, "owner"))
        self._by_task.show(page.tasks(facts))
        self._by_model.show(page.models(facts))
        self._months.show(page.months(facts))
        self._days.show(page.days(facts))
        self._unpriced.show(page.unpriced(facts))


def _flush() -> Region:
    with panel().classes("flush"):
        return Region()
