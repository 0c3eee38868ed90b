"""The page `/moderation/bulk`."""

from functools import partial
from typing import Final

from fastapi import Request
from nicegui import run, ui

from inhouse.app.build import Services
from inhouse.console.frame import Region, frame, panel, press, section
from inhouse.console.markup import Safe, join, words
from inhouse.console.moderation import bulk_page
from inhouse.console.moderation.dialogs import FIELDS, typed_filter
from inhouse.console.moderation.fields import show_heading
from inhouse.console.moderation.reviewer import reviewer_of
from inhouse.console.moments import community_now
from inhouse.core.errors import InhouseError
from inhouse.moderation.recording.rulings import OTHER, RULINGS
from inhouse.moderation.reviewing.bulk import Bulk

_SHOWN: Final = 20


def register(services: Services) -> None:
    """Add the page."""

    @ui.page("/moderation/bulk")
    def bulk(request: Request) -> None:
        with frame(request, "/moderation", "Many at once"):
            _Bulk(services, reviewer_of(request)).look()


class _Bulk:
    """The form, what it would mean, and what was done before."""

    def __init__(self, services: Services, reviewer: str) -> None:
        self._services = services
        self._reviewer = reviewer
        self._shown: Bulk | None = None
        self._busy = False
        show_heading(bulk_page.HEADING)
        with panel("Which cases"):
            self._choose()
        self._preview = Region()
        self._run = press(join(["Decide all of them"]), self._decide, "plain-button")
        self._run.set_visibility(False)
        self._status = Region("status")
        with section("Decided before"), panel():
            self._earlier = ui.element("div").classes("controls")

    def _choose(self) -> None:
        categories = (*self._services.policy.categories, OTHER)
        queues = [None, *(queue.queue for queue in self._services.review.counts() if queue.open)]
        with ui.element("div").classes("fields"):
            names = {queue: queue or "any" for queue in queues}
            self._queue = ui.select(names, label="queue", value=None).props("dense outlined")
            self._fields = {
                name: ui.input(label).props("dense outlined maxlength=200 clearable")
                for name, label in FIELDS.items()
                if name != "item_id"
            }
        with ui.element("div").classes("fields"):
            self._action = ui.select(list(RULINGS), label="decide", value="remove").props(
                "dense outlined"
            )
            self._category = ui.select(
                list(categories), label="what they violate", value=categories[0]
            ).props("dense outlined")
            self._note = ui.input("note").props("dense outlined maxlength=500")
            press(join(["Look first"]), self._look_first, "plain-button")

    def look(self) -> None:
        """Show what was decided before."""
        self._earlier.clear()
        bulks = self._services.bulks.list(_SHOWN)
        with self._earlier:
            if not bulks:
                ui.html(join(["Nothing yet."]), sanitize=False).classes("quiet")
            for bulk in bulks:
                with ui.element("div").classes("chips"):
                    ui.html(bulk_page.line(bulk), sanitize=False)
                    if bulk.state in ("done", "running", "undoing"):
                        press(join(["Take back"]), partial(self._undo, bulk.bulk_id), "chip")
                    if bulk.state == "running":
                        press(join(["Go on"]), partial(self._go_on, bulk.bulk_id), "chip")

    async def _look_first(self) -> None:
        try:
            self._shown = await run.io_bound(self._previewed)
        except InhouseError as error:
            self._say(words(str(error)))
            return
        if self._shown is None:  # the console is being stopped
            return
        self._preview.show(bulk_page.preview_html(self._shown))
        self._run.set_visibility(self._shown.cases > 0)
        self._say(join([]))

    def _previewed(self) -> Bulk:
        community_now(self._services)
        action = str(self._action.value)
        category = None if action == "allow" else str(self._category.value)
        note = str(self._note.value or "").strip() or None
        ruling = self._services.review.checked(action, category, self._reviewer, note)
        which = typed_filter(self._fields, self._queue.value)
        return self._services.bulks.preview(which, ruling)

    async def _decide(self) -> None:
        if self._shown is not None:
            await self._go_on(self._shown.bulk_id)

    async def _go_on(self, bulk_id: str) -> None:
        await self._work(bulk_id, undo=False)

    async def _undo(self, bulk_id: str) -> None:
        await self._work(bulk_id, undo=True)

    async def _work(self, bulk_id: str, *, undo: bool) -> None:
        if self._busy:
            return
        self._busy = True
        self._run.set_visibility(False)
        self._say(join(["At it…"]))
        try:
            bulks = self._services.bulks
            community_now(self._services)
            work = (
                partial(bulks.undo, bulk_id, self._reviewer)
                if undo
                else partial(bulks.run, bulk_id)
            )
            done = await run.io_bound(work)
            self._preview.show(join([]))
            self._say(bulk_page.progress(done) if done else join([]))
        except InhouseError as error:
            self._say(words(str(error)))
        finally:
            self._busy = False
        self.look()

    def _say(self, told: Safe) -> None:
        self._status.show(told)
