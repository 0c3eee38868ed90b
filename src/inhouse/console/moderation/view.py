"""The page `/moderation`."""

import time
from functools import partial
from typing import Final, Literal

from fastapi import Request
from nicegui import events, run, ui

from inhouse.app.build import Services
from inhouse.console.frame import Region, frame, panel, press
from inhouse.console.markup import Safe, join, tag, words
from inhouse.console.moderation import page
from inhouse.console.moderation.desk import Desk
from inhouse.console.words import plural, span
from inhouse.core.errors import InhouseError
from inhouse.moderation.types import Action

REVIEWER_COOKIE: Final = "inhouse_reviewer"
DEFAULT_REVIEWER: Final = "moderator"
LOOK_EVERY_S: Final = 5.0
# A key pressed twice must not decide a case that nobody has seen.
UNSEEN_S: Final = 0.35
_YEAR_S: Final = 31_536_000
Task = Literal["skip", "undo", "look", "queue", "keep"]


def register(services: Services) -> None:
    """Add the page."""

    @ui.page("/moderation")
    def moderation(request: Request) -> None:
        reviewer = page.reviewer_name(request.cookies.get(REVIEWER_COOKIE, "")) or DEFAULT_REVIEWER
        with frame(request, "/moderation", "Moderation"):
            _Moderation(Desk(services, reviewer))


class _Moderation:
    """The desk and everything around it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._busy = False
        self._shown_s = 0.0
        self._shown_case: str | None = None
        self._build()
        ui.keyboard(on_key=self._key, repeating=False, ignore=["input", "select", "textarea"])
        ui.timer(0.05, self._look, once=True)
        ui.timer(LOOK_EVERY_S, self._look)
        ui.context.client.on_delete(lambda: run.io_bound(desk.put_back))

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        with ui.element("div").classes("head"):
            ui.html(page.HEADING, sanitize=False)
            self._reviewer_field()
        self._chips = ui.element("div").classes("chips")
        self._chips_shown: object = None
        with ui.element("div").classes("desk"):
            with ui.element("div").classes("desk-main"):
                with panel():
                    self._post = Region()
                self._bar()
            with ui.element("aside").classes("desk-side") as self._side:
                self._why = _titled("This case")
                self._scores = _titled("Scores")
                self._context = _titled("Around it")
                self._policy = _titled("Policy")
        self._help = _dialog("Keys", page.help_html())
        self._break_words = Region()
        self._break = self._break_dialog()

    def _reviewer_field(self) -> None:
        field = ui.input("Deciding as", value=self._desk.reviewer).props(
            "dense outlined maxlength=60"
        )
        field.classes("reviewer")
        field.on("blur", lambda _: self._rename(field.value or ""))
        field.on("keydown.enter", lambda _: field.run_method("blur"))

    def _rename(self, given: str) -> None:
        name = page.reviewer_name(given)
        if not name or name == self._desk.reviewer:
            return
        ui.run_javascript(
            f"document.cookie = '{REVIEWER_COOKIE}=' + {_js(name)} + "
            f"';path=/;max-age={_YEAR_S};samesite=strict'; location.reload()"
        )

    def _bar(self) -> None:
        with ui.element("div").classes("decide") as self._decide_bar:
            self._category_row = ui.element("div").classes("chips categories")
            self._category_shown: object = None
            with ui.element("div").classes("actions"):
                for key in page.KEYS:
                    press(page.key_button(key), partial(self._press, key), f"act-{key.key}")
            self._note = ui.input(placeholder="note kept with the decision (n)")
            self._note.props('dense outlined maxlength=500 aria-label="Note"').classes(
                "decision-note"
            )
            self._note.on("keydown.enter", lambda _: self._note.run_method("blur"))
            self._note.on("keydown.escape", lambda _: self._note.run_method("blur"))
            self._status = Region("status")

    # -- keys --------------------------------------------------------------------------------------

    async def _key(self, event: events.KeyEventArguments) -> None:
        held = event.modifiers
        if not event.action.keydown or held.ctrl or held.alt or held.meta:
            return
        if self._help.value or self._break.value:
            return
        pressed = str(event.key.name)
        if pressed.isdigit() and self._desk.facts is not None:
            self._choose_category(int(pressed))
        elif pressed == "n":
            self._note.run_method("focus")
        else:
            for key in page.KEYS:
                if key.key == pressed:
                    await self._press(key)

    async def _press(self, key: page.Key) -> None:
        if key.key == "?":
            self._help.open()
        elif key.key == "s":
            await self._do("skip")
        elif key.key == "u":
            await self._do("undo")
        elif key.action is not None and time.monotonic() - self._shown_s > UNSEEN_S:
            await self._decide(key.action)

    def _choose_category(self, number: int) -> None:
        categories = self._desk.categories
        if 1 <= number <= len(categories):
            self._desk.category = categories[number - 1]
            self._show_categories()

    # -- doing -------------------------------------------------------------------------------------

    async def _decide(self, action: Action) -> None:
        if self._busy or self._desk.facts is None:
            return
        self._busy = True
        try:
            note = (self._note.value or "").strip() or None
            decision = await run.io_bound(self._desk.decide, action, note)
            told = page.decided(decision) if decision else page.TOO_LATE
            self._note.value = ""
            self._show(told)
        except InhouseError as error:
            self._say(words(str(error)))
        finally:
            self._busy = False
        if self._desk.break_due:
            self._suggest_break()

    async def _do(self, task: Task, queue: str | None = None) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            told = await run.io_bound(self._work, task, queue)
            self._show(told)
        except InhouseError as error:
            self._show(words(str(error)))
        finally:
            self._busy = False

    def _work(self, task: Task, queue: str | None) -> Safe | None:
        desk = self._desk
        if task == "skip":
            desk.skip()
            return page.SKIPPED
        if task == "undo":
            undone = desk.undo()
            return page.undone(undone) if undone else page.NOTHING_TO_UNDO
        if task == "queue":
            desk.choose_queue(queue)
            return None
        desk.look()
        desk.keep()
        return None

    async def _look(self) -> None:
        if not self._break.value:
            await self._do("look")

    # -- showing -----------------------------------------------------------------------------------

    def _show(self, told: Safe | None) -> None:
        desk, facts = self._desk, self._desk.facts
        if told is not None:
            self._say(told)
        self._show_chips()
        case_id = facts.case.case_id if facts else None
        if case_id != self._shown_case:
            self._shown_case, self._shown_s = case_id, time.monotonic()
        self._side.set_visibility(facts is not None)
        self._decide_bar.set_visibility(facts is not None or desk.last is not None)
        if facts is None:
            self._post.show(page.nothing_waits(desk.queue))
            return
        self._post.show(page.post_html(facts))
        self._why.show(page.why_html(facts))
        self._scores.show(join([page.scores_html(facts), page.signals_html(facts)]))
        self._context.show(page.context_html(facts))
        self._policy.show(page.policy_html(facts))
        self._show_categories()

    def _say(self, told: Safe) -> None:
        self._status.show(told)

    def _show_chips(self) -> None:
        chips = page.queue_chips(self._desk.queues, self._desk.queue)
        if chips == self._chips_shown:
            return
        self._chips_shown = chips
        self._chips.clear()
        with self._chips:
            for value, label, chosen in chips:
                press(
                    join([label]),
                    partial(self._do, "queue", value),
                    "chip on" if chosen else "chip",
                )

    def _show_categories(self) -> None:
        shown = (self._desk.categories, self._desk.category)
        if shown == self._category_shown:
            return
        self._category_shown = shown
        self._category_row.clear()
        with self._category_row:
            ui.html(join(["Violates"]), sanitize=False, tag="span").classes("quiet small")
            for number, name in enumerate(self._desk.categories, 1):
                press(
                    join([tag("kbd", str(number)), " ", page.category_name(name)]),
                    partial(self._choose_category, number),
                    "chip on" if name == self._desk.category else "chip",
                )

    # -- breaks ------------------------------------------------------------------------------------

    def _break_dialog(self) -> ui.dialog:
        with ui.dialog().props("persistent") as dialog, ui.element("div").classes("dialog"):
            ui.html(join(["Time for a short break"]), sanitize=False, tag="h2")
            self._break_words = Region()
            press(join(["Go on"]), dialog.close, "plain-button")
        return dialog

    def _suggest_break(self) -> None:
        decided, seconds = self._desk.rested()
        self._break_words.show(
            tag(
                "p",
                f"{plural(decided, 'decision')} in {span(1000 * seconds)}. Look out of a window "
                "for a minute: what one sees all day stays with one. The case on your table waits.",
            )
        )
        self._break.open()


def _titled(name: str) -> Region:
    with panel(name):
        return Region()


def _dialog(name: str, content: Safe) -> ui.dialog:
    with ui.dialog() as dialog, ui.element("div").classes("dialog"):
        ui.html(join([name]), sanitize=False, tag="h2")
        ui.html(content, sanitize=False)
        press(join(["Close"]), dialog.close, "plain-button")
    return dialog


def _js(text: str) -> str:
    """A cookie's value as a JavaScript string; the name's characters were checked before."""
    return f"encodeURIComponent('{text}')"
