"""What a person may ask for, done by staff in their name: reset, pause, export, erase."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from nicegui import run, ui

from inhouse.app.build import Services
from inhouse.app.people.controls import note
from inhouse.app.people.erasure import Eraser
from inhouse.app.people.export import export_lines
from inhouse.catalog.erasures import Erasure
from inhouse.console.frame import Region, press
from inhouse.console.markup import Safe, join, tag, words
from inhouse.console.moments import community_now
from inhouse.console.person.model import PersonFacts
from inhouse.console.words import plural
from inhouse.core.errors import InhouseError
from inhouse.core.ids import UserId
from inhouse.events.types import EventKind

EXPORT: Final = "/person-export/"
RESET_WORDS: Final = (
    "What they did so far will no longer count for what they are shown, nor be learned from. What "
    "they saw stays seen; whom they follow, mute and block stays. This cannot be taken back."
)
ERASE_WORDS: Final = (
    "Every event, page, post, label and file that tells of them goes, for good; decisions of "
    "moderation stay without their name and words. Type their id to go on."
)


def export_router(services: Services) -> APIRouter:
    """The address that gives out everything held on a person."""
    router = APIRouter()

    @router.get(EXPORT + "{user_id:path}")
    def export(user_id: str) -> StreamingResponse:
        given = {"content-disposition": 'attachment; filename="export.jsonl"'}
        lines = export_lines(services, UserId(user_id))
        return StreamingResponse(lines, media_type="application/x-ndjson", headers=given)

    return router


def receipt(erasure: Erasure) -> Safe:
    """What an erasure came to."""
    rows = sum(n for name, n in erasure.counts.items() if name not in ("files", "examples"))
    return tag(
        "p",
        f"Erased: {plural(rows, 'row')}. The receipt is {erasure.erasure_id}; keep it, it names "
        "nobody. The same id would be a new person.",
    )


class Asking:
    """Buttons with a confirmation each."""

    def __init__(
        self, services: Services, user_id: UserId, refresh: Callable[[], Awaitable[None]]
    ) -> None:
        self._services, self._user_id, self._refresh = services, user_id, refresh
        self._paused = False
        with ui.element("div").classes("chips"):
            press(join(["Reset taste"]), self._ask_reset, "plain-button")
            self._pause = press(join(["Pause"]), self._turn, "plain-button")
            press(join(["Export"]), self._export, "plain-button")
            press(join(["Erase"]), self._ask_erase, "plain-button danger")
        self._told = Region("status")
        self._reset_dialog = self._dialog("Reset their taste", RESET_WORDS, self._reset)
        self._erase_dialog = self._dialog("Erase this person", ERASE_WORDS, self._erase, typed=True)

    def show(self, facts: PersonFacts) -> None:
        """Offer what makes sense now."""
        self._paused = facts.paused
        self._pause.set_content(join(["Resume" if self._paused else "Pause"]))

    def _dialog(
        self, name: str, text: str, done: Callable[[], Awaitable[None]], *, typed: bool = False
    ) -> ui.dialog:
        with ui.dialog() as dialog, ui.element("div").classes("dialog"):
            ui.html(join([name]), sanitize=False, tag="h2")
            ui.html(tag("p", text), sanitize=False)
            if typed:
                self._typed = ui.input(placeholder="their id").props(
                    'dense outlined aria-label="The id, to confirm"'
                )
            with ui.element("div").classes("chips"):
                press(join([name]), done, "plain-button danger")
                press(join(["Cancel"]), dialog.close, "plain-button")
        return dialog

    def _ask_reset(self) -> None:
        self._reset_dialog.open()

    def _ask_erase(self) -> None:
        self._typed.value = ""
        self._erase_dialog.open()

    def _export(self) -> None:
        ui.download.from_url(f"{EXPORT}{self._user_id}", filename=f"{self._user_id}.jsonl")

    async def _reset(self) -> None:
        self._reset_dialog.close()
        await self._note("reset", "Their taste is reset.")

    async def _turn(self) -> None:
        if self._paused:
            await self._note("resume", "Personalisation is on again.")
        else:
            await self._note("pause", "Personalisation is paused.")

    async def _note(self, kind: EventKind, told: str) -> None:
        def write() -> None:
            community_now(self._services)
            note(self._services, self._user_id, kind).result()

        try:
            await run.io_bound(write)
            self._told.show(tag("p", told))
        except InhouseError as error:
            self._told.show(words(str(error)))
        await self._refresh()

    async def _erase(self) -> None:
        if self._typed.value != self._user_id:
            self._typed.props('error error-message="not their id"')
            return
        self._erase_dialog.close()
        eraser = Eraser(self._services)
        try:
            done = await run.io_bound(lambda: eraser.finish(eraser.wipe(self._user_id)))
            if done is not None:
                self._told.show(receipt(done))
        except InhouseError as error:
            self._told.show(words(str(error)))
        await self._refresh()
