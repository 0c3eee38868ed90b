"""Fields of the forms of moderation's pages."""

import json
from typing import Final

from nicegui import ui

from inhouse.console.gate import visitor
from inhouse.console.moderation.headings import Heading
from inhouse.console.moderation.reviewer import REVIEWER_COOKIE, reviewer_name

_YEAR_S: Final = 31_536_000
_PROPS: Final = "dense outlined"


def text_field(label: str, most: int = 2_000) -> ui.input:
    """One line of text."""
    return ui.input(label).props(f"{_PROPS} maxlength={most}")


def number_field(label: str, value: float | None, step: float = 1) -> ui.number:
    """A number; `step` is how far its arrows go."""
    return ui.number(label, value=value, step=step).props(_PROPS)


def show_heading(heading: Heading) -> None:
    """The top of a page, with the ways that are open to whoever looks at it."""
    ui.html(heading.html(visitor().role), sanitize=False)


def reviewer_field(name: str) -> None:
    """Under which name one decides, while staff have none of their own; another is remembered by
    the browser, and the page begins anew."""
    if visitor().name is not None:
        return
    field = ui.input("Deciding as", value=name).classes("reviewer")
    field.props(f'{_PROPS} maxlength=60 data-leave-keys="Enter"')
    field.on("blur", lambda _: _rename(name, field.value or ""))


def _rename(before: str, given: str) -> None:
    name = reviewer_name(given)
    if not name or name == before:
        return
    ui.run_javascript(
        f"document.cookie = '{REVIEWER_COOKIE}=' + encodeURIComponent({json.dumps(name)}) + "
        f"';path=/;max-age={_YEAR_S};samesite=strict'; location.reload()"
    )
