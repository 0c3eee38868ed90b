"""A small dialog that asks for something and says what was wrong with it."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from inhouse.console.frame import Region, press
from inhouse.console.markup import join, words
from inhouse.core.errors import InhouseError


class Box:
    """A small dialog with a heading, a place for what went wrong, and two buttons."""

    def __init__(self, name: str, done: str) -> None:
        self.dialog = ui.dialog()
        with self.dialog, ui.element("div").classes("dialog"):
            ui.html(join([name]), sanitize=False, tag="h2")
            self.body = ui.element("div").classes("fields")
            self.trouble = Region("trouble", is_alert=True)
            with ui.element("div").classes("chips"):
                press(join([done]), self._press, "plain-button")
                press(join(["Close"]), self.dialog.close, "plain-button")
        self.on_done: Callable[[], Awaitable[None]] | None = None

    @property
    def shown(self) -> bool:
        """Whether it is open: keys decide nothing then."""
        return bool(self.dialog.value)

    def open(self) -> None:
        """Show it, without the trouble of the time before."""
        self.trouble.show(join([]))
        self.dialog.open()

    async def _press(self) -> None:
        if self.on_done is None:
            return
        try:
            await self.on_done()
        except InhouseError as error:
            self.trouble.show(words(str(error)))
        else:
            self.dialog.close()
