"""The page `/moderation/figures`."""

from typing import Final

from fastapi import Request
from nicegui import ui

from inhouse.app.build import Services
from inhouse.app.staff.types import may
from inhouse.console.access import visitor_of
from inhouse.console.frame import Region, chart_panel, follow, frame, panel, section
from inhouse.console.gathering import Latest
from inhouse.console.moderation import figures_page as page
from inhouse.console.moderation.fields import show_heading
from inhouse.console.moments import community_now
from inhouse.core.clock import DAY_MS
from inhouse.moderation.measuring.quality import review_quality
from inhouse.moderation.reviewing.statistics import review_statistics

KEEP_S: Final = 5.0
EVERY_S: Final = 8.0


def register(services: Services) -> None:
    """Add the page."""
    latest = Latest(lambda: gather(services), KEEP_S)

    @ui.page("/moderation/figures")
    def figures(request: Request) -> None:
        with frame(request, "/moderation", "Review in figures"):
            who = visitor_of(request)
            own = None if may(who.role, "lead") else who.name
            follow(latest, _Figures(own).show, EVERY_S)


def gather(services: Services) -> page.Figures:
    """What went through review lately."""
    now_ms = community_now(services)
    since_ms = max(0, now_ms - now_ms % DAY_MS - (page.DAYS - 1) * DAY_MS)
    return page.Figures(
        now_ms=now_ms,
        statistics=review_statistics(services.database, since_ms),
        quality=review_quality(services.database, since_ms),
    )


class _Figures:
    """The parts of the page, in order."""

    def __init__(self, own: str | None) -> None:
        """own: the only person whose figures are shown; None for everybody's."""
        self._own = own
        show_heading(page.HEADING)
        self._totals = Region()
        with ui.element("div").classes("two"):
            self._inbound = chart_panel("Came in a day")
            self._decided = chart_panel("Decided a day")
        with section("Queues"), panel().classes("flush"):
            self._queues = Region()
        with section("Known answers"), ui.element("div").classes("two tops"):
            with panel("By reviewer"):
                self._known = Region()
            with panel("By queue"):
                self._known_by_queue = Region()
        with section("Agreement"), panel():
            self._agreement = Region()

    def show(self, figures: page.Figures) -> None:
        """Bring everything up to date."""
        if self._own is not None:
            figures = page.of_one(figures, self._own)
        self._totals.show(page.totals(figures))
        if figures.statistics.days:
            self._inbound.show(page.daily_chart(figures, "inbound"))
            self._decided.show(page.daily_chart(figures, "decided"))
        self._queues.show(page.queues_table(figures))
        self._known.show(page.known_table(figures.quality.known))
        self._known_by_queue.show(page.known_table(figures.quality.known_by_queue))
        self._agreement.show(page.agreement_tables(figures))
