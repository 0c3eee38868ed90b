"""The page `/moderation/sealed`: duties, never what was sealed."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from fastapi import Request
from nicegui import run, ui

from inhouse.app.build import Services
from inhouse.console.boxes import Box
from inhouse.console.frame import Region, frame, panel, press, section
from inhouse.console.markup import Safe, join, words
from inhouse.console.moderation import sealed_page as page
from inhouse.console.moderation.fields import reviewer_field, show_heading, text_field
from inhouse.console.moderation.reviewer import reviewer_of
from inhouse.console.moments import community_now
from inhouse.core.errors import InhouseError, InputError

T = TypeVar("T")


def register(services: Services) -> None:
    """Add the page."""

    @ui.page("/moderation/sealed")
    def sealed(request: Request) -> None:
        with frame(request, "/moderation", "Sealed"):
            _Sealed(services, reviewer_of(request)).look()


class _Sealed:
    """Duties, the list, and a form to seal a post by its id."""

    def __init__(self, services: Services, reviewer: str) -> None:
        self._services = services
        self._reviewer = reviewer
        with ui.element("div").classes("head"):
            show_heading(page.HEADING)
            reviewer_field(reviewer)
        with panel("What is to be done").classes("prose"):
            self._duties = Region()
        with section("Sealed"), panel():
            self._list = ui.element("div").classes("controls")
            self._status = Region("status")
        with ui.element("div").classes("two tops"):
            with panel("Seal a post").classes("roomy"):
                self._form()
            with panel():
                ui.html(page.ELSEWHERE, sanitize=False).classes("prose")
        self._report = _ReportBox(self._reported)

    def _form(self) -> None:
        ui.html(
            join(
                [
                    "It is removed everywhere at once, encrypted, and shown to nobody again, you "
                    "included. Only two people together can lift that."
                ]
            ),
            sanitize=False,
            tag="p",
        ).classes("quiet small")
        with ui.element("div").classes("fields"):
            self._item = text_field("the post's id", 200)
            self._again = text_field("the same again", 200)
            press(join(["Seal it"]), self._seal, "plain-button danger")

    def look(self) -> None:
        """Show what is sealed."""
        found = self._services.sealed.list()
        due = sum(item.is_due for item in found)
        self._duties.show(page.duties_html(due, len(found)))
        self._list.clear()
        with self._list:
            if not found:
                ui.html(page.NONE, sanitize=False)
            for item in sorted(found, key=lambda item: not item.is_due):
                with ui.element("div").classes("chips"):
                    ui.html(page.item_line(item), sanitize=False)
                    if item.is_due:
                        open_ = partial(self._report.ask, item.item_id)
                        press(join(["It is reported"]), open_, "chip")

    async def _seal(self) -> None:
        item_id = str(self._item.value or "").strip()
        if not item_id or item_id != str(self._again.value or "").strip():
            self._say(join(["Type the post's id twice: sealing cannot be undone by one person."]))
            return
        try:
            await self._do(lambda: self._services.sealed.seal(item_id, self._reviewer))
        except InhouseError as error:
            self._say(words(str(error)))
            return
        self._item.value = self._again.value = ""
        self._say(join([f"{item_id} is sealed. Report it now."]))

    async def _reported(self) -> None:
        item_id, to, number = self._report.given
        await self._do(lambda: self._services.sealed.report(item_id, self._reviewer, to, number))
        self._say(join([f"{item_id}: the report is on record."]))

    async def _do(self, work: Callable[[], T]) -> None:
        def done() -> T:
            community_now(self._services)
            return work()

        await run.io_bound(done)
        self.look()

    def _say(self, told: Safe) -> None:
        self._status.show(told)


class _ReportBox(Box):
    """To whom a post was reported, under which number."""

    def __init__(self, done: Callable[[], Awaitable[None]]) -> None:
        super().__init__("The report that was made", "Put on record")
        self._item_id = ""
        with self.body:
            self.to = text_field("to whom, as NCMEC", 96)
            self.number = text_field("under which number", 96)
        self.on_done = done

    def ask(self, item_id: str) -> None:
        """Open for one post."""
        self._item_id = item_id
        self.to.value = self.number.value = ""
        self.open()

    @property
    def given(self) -> tuple[str, str, str]:
        """The post, to whom, and the number. Raises InputError where one is missing."""
        to, number = str(self.to.value or "").strip(), str(self.number.value or "").strip()
        if not to or not number:
            raise InputError("name to whom it was reported and the number of the report")
        return self._item_id, to, number
