"""What every page has around it: styles, navigation, the choice of light or dark."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from fastapi import Request
from nicegui import run, ui
from nicegui.elements.html import Html

from inhouse.app.communities import chosen_name
from inhouse.console.access import Visitor, visitor_of
from inhouse.console.assets import PATH
from inhouse.console.charts import Chart
from inhouse.console.gathering import Gathered, Latest
from inhouse.console.markup import Safe, join, link, note, tag, words
from inhouse.console.rights import LOGOUT, PASSWORD, opens

T = TypeVar("T")

THEME_COOKIE: Final = "inhouse_theme"
_THEMES: Final[dict[str, bool | None]] = {"system": None, "light": False, "dark": True}
_PLACES: Final = (
    ("Overview", "/"),
    ("Feed", "/feed"),
    ("People", "/person"),
    ("Moderation", "/moderation"),
    ("Bill", "/bill"),
    ("Staff", "/staff"),
)
_YEAR_S: Final = 31_536_000


@contextmanager
def frame(request: Request, here: str, title: str) -> Iterator[None]:
    """Builds a page; what is built inside becomes its content."""
    community = chosen_name()
    ui.page_title(f"{title} · {community or 'inhouse'}")
    ui.add_head_html(f'<link rel="stylesheet" href="{PATH}/console.css">')
    who = visitor_of(request)
    if who.name is not None:
        ui.add_head_html(f'<script src="{PATH}/session.js" defer></script>')
    theme = request.cookies.get(THEME_COOKIE, "system")
    with ui.element("header").classes("top"):
        places = _navigation(here, community, who)
        ui.html(places, sanitize=False, tag="nav").props('aria-label="Pages"')
        if who.name is not None:
            ui.html(_signed_in(who.name), sanitize=False).classes("who")
        _theme_switch(theme if theme in _THEMES else "system")
    with ui.element("main").classes("page"):
        yield


def _navigation(here: str, community: str, who: Visitor) -> Safe:
    mark = tag("img", src=f"{PATH}/mark.svg", alt="", width=26, height=26)
    brand = link("/", mark, tag("span", community or "inhouse"), class_="brand")
    places = [
        link(path, name, class_="place", aria_current="page" if path == here else None)
        for name, path in _PLACES
        if opens(who.role, path)
    ]
    return join([brand, *places])


def _signed_in(name: str) -> Safe:
    """Who is here, the way to their password, and the way out."""
    out = tag("button", "Sign out", class_="out")
    return join(
        [
            link(PASSWORD, words(name), class_="me", title="your password"),
            tag("form", out, method="post", action=LOGOUT),
        ]
    )


def _theme_switch(theme: str) -> None:
    """Goes round: as the system, light, dark; remembered by the browser."""
    dark = ui.dark_mode(_THEMES[theme])
    names = list(_THEMES)
    chosen = theme

    def turn() -> None:
        nonlocal chosen
        chosen = names[(names.index(chosen) + 1) % len(names)]
        dark.value = _THEMES[chosen]
        switch.content = _theme_words(chosen)
        ui.run_javascript(
            f"document.cookie = '{THEME_COOKIE}={chosen};path=/;max-age={_YEAR_S};samesite=strict'"
        )

    switch = press(_theme_words(theme), turn, "theme")


def _theme_words(theme: str) -> Safe:
    words = {"system": "Theme: system", "light": "Theme: light", "dark": "Theme: dark"}
    return tag("span", tag("i", class_=f"half {theme}"), tag("span", words[theme], class_="word"))


def press(content: Safe, on_press: Callable[[], object], classes: str = "") -> Html:
    """A plain button."""
    button = ui.html(content, sanitize=False, tag="button").props('type="button"').classes(classes)
    button.on("click", lambda _: on_press())
    return button


def section(name: str) -> ui.element:
    """A part of a page with its heading; what is built inside becomes its content."""
    part = ui.element("section").classes("section")
    with part:
        ui.html(join([name]), sanitize=False, tag="h2")
    return part


def panel(name: str = "") -> ui.element:
    """A box with a small heading."""
    box = ui.element("div").classes("panel")
    if name:
        with box:
            ui.html(join([name]), sanitize=False, tag="h3")
    return box


def chart_panel(name: str) -> Chart:
    """A box with one chart."""
    with panel(name).classes("chart-panel"):
        return Chart(name)


class Region:
    """A part of a page that is sent again only when it differs."""

    def __init__(self, classes: str = "", name: str = "div", *, is_alert: bool = False) -> None:
        """is_alert: what is put there is read out at once to whoever cannot see it."""
        self._html = ui.html("", tag=name).classes(classes)
        if is_alert:
            self._html.props("role=alert")

    def show(self, content: Safe) -> None:
        """Replace what is seen."""
        if self._html.content != content:
            self._html.content = content

    def visible(self, wanted: bool) -> None:
        """Take it away for a while, or bring it back."""
        self._html.set_visibility(wanted)

    def announce(self) -> None:
        """Have what is put there read out when whoever cannot see it has a moment."""
        self._html.props("role=status")

    def lift(self) -> None:
        """Move it before all that stands beside it."""
        self._html.move(target_index=0)


def follow(latest: Latest[T], show: Callable[[T], None], every_s: float) -> None:
    """Keep a page, or a part of one, up to date with facts: at once where they are at hand, then
    again and again.

    That they are being gathered, or could not be, is said on top of what is being built.
    """
    remark = Region("trouble")
    remark.announce()
    remark.lift()

    async def refresh() -> None:
        gathered: Gathered[T] | None = await run.io_bound(latest.get)
        if gathered is None:  # the console is being stopped
            return
        words = gathered.trouble
        remark.show(join([note(f"{words}; trying again", "bad") if words else None]))
        if gathered.facts is not None:
            show(gathered.facts)

    if latest.kept.facts is None:
        remark.show(note("Gathering the figures; the first time takes some seconds"))
    else:
        show(latest.kept.facts)
    ui.timer(every_s, refresh)
