"""The page `/moderation`."""

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from fastapi import Request
from nicegui import events, run, ui

from inhouse.app.build import Services
from inhouse.console.assets import PATH
from inhouse.console.boxes import Box
from inhouse.console.frame import Region, frame, panel, press
from inhouse.console.markup import Safe, join, tag, words
from inhouse.console.moderation import page
from inhouse.console.moderation.around import context_html
from inhouse.console.moderation.desk import Desk
from inhouse.console.moderation.dialogs import BreakBox, EscalateBox, FindBox, OwnBox
from inhouse.console.moderation.fields import reviewer_field, show_heading
from inhouse.console.moderation.reviewer import reviewer_of
from inhouse.console.moderation.speech import category_name
from inhouse.core.errors import InhouseError
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.types import Action

LOOK_EVERY_S: Final = 5.0
# A key pressed twice must not decide a case that nobody has seen.
UNSEEN_S: Final = 0.35
# Whoever has not moved or typed for so long is not at work: their lock is not held for them.
AT_WORK_S: Final = 60.0


def register(services: Services) -> None:
    """Add the page."""

    @ui.page("/moderation")
    def moderation(request: Request) -> None:
        with frame(request, "/moderation", "Moderation"):
            _Moderation(Desk(services, reviewer_of(request)))


class _Moderation:
    """The desk and everything around it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._busy = False  # whether something is being done for the person
        self._turn = asyncio.Lock()  # one thing after the other: the desk is not thread-safe
        self._shown_s = 0.0
        self._shown_case: str | None = None
        self._active_s = time.monotonic()
        ui.add_head_html(f'<script src="{PATH}/desk.js" defer></script>')
        self._build()
        ui.keyboard(on_key=self._key, repeating=False, ignore=["input", "select", "textarea"])
        ui.on("desk_active", self._at_work)
        ui.timer(0.05, self._look, once=True)
        ui.timer(LOOK_EVERY_S, self._look)
        ui.context.client.on_delete(lambda: run.io_bound(desk.put_back))

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        with ui.element("div").classes("head"):
            show_heading(page.HEADING)
            reviewer_field(self._desk.reviewer)
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
        self._break = BreakBox(self._desk.rested, self._desk.snooze)
        self._escalate, self._find, self._own = EscalateBox(), FindBox(), OwnBox(self._desk.own)
        self._escalate.on_done = self._send_on
        self._find.on_done = self._search
        self._own.on_done = self._choose_own

    def _bar(self) -> None:
        with ui.element("div").classes("decide") as self._decide_bar:
            self._category_row = ui.element("div").classes("chips categories")
            self._category_shown: object = None
            for classes, keys in page.ROWS_OF_KEYS:
                with ui.element("div").classes(f"actions {classes}"):
                    for key in keys:
                        press(page.key_button(key), partial(self._press, key), f"act-{key.key}")
            self._note = ui.input(placeholder="note kept with the decision (n)")
            self._note.props(
                'dense outlined maxlength=500 aria-label="Note" '
                'data-focus-keys="n" data-leave-keys="Escape Enter"'
            ).classes("decision-note")
            self._status = Region("status")

    # -- keys --------------------------------------------------------------------------------------

    async def _key(self, event: events.KeyEventArguments) -> None:
        held = event.modifiers
        if not event.action.keydown or held.ctrl or held.alt or held.meta:
            return
        if self._help.value or any(box.shown for box in self._boxes):
            return
        pressed = str(event.key.name)
        if pressed.isdigit() and self._desk.facts is not None:
            self._choose_category(int(pressed))
        else:
            for key in page.KEYS:
                if key.key == pressed:
                    await self._press(key)

    @property
    def _boxes(self) -> tuple[Box | BreakBox, ...]:
        return (self._break, self._escalate, self._find, self._own)

    async def _press(self, key: page.Key) -> None:
        opens = {"?": self._help.open, "o": self._own.open, "f": self._find.open}
        if key.key in opens:
            opens[key.key]()
        elif key.key == "e":
            if self._desk.facts is not None:
                self._escalate.ask(await run.io_bound(lambda: self._desk.queue_names) or [])
        elif key.key == "s":
            await self._skip()
        elif key.key == "u":
            await self._mine(self._undone, with_case=False)
        elif key.action is not None and time.monotonic() - self._shown_s > UNSEEN_S:
            await self._decide(key.action)

    def _choose_category(self, number: int) -> None:
        categories = self._desk.categories
        if 1 <= number <= len(categories):
            self._desk.category = categories[number - 1]
            self._show_categories()

    # -- doing -------------------------------------------------------------------------------------

    async def _mine(self, work: Callable[[], Safe | None], *, with_case: bool = True) -> None:
        """Do what the person asks for, after a look that may be under way, and show where it leads.

        A press while another is being done is not heard; nor is one `with_case` where that look has
        taken the case from the table, as it was meant for a case that is not there any more.
        """
        if self._busy:
            return
        self._busy, seen = True, self._shown_case
        try:
            async with self._turn:
                if not with_case or self._shown_case == seen:
                    await self._work(work)
        finally:
            self._busy = False

    async def _work(self, work: Callable[[], Safe | None]) -> None:
        """Work in a thread, with what is typed at hand."""
        self._desk.draft = self._note.value or ""
        try:
            self._show(await run.io_bound(work))
        except InhouseError as error:
            self._show(words(str(error)))

    async def _decide(self, action: Action) -> None:
        if self._desk.facts is None:
            return
        await self._mine(partial(self._decided, action))
        if self._desk.break_due:
            self._break.suggest(self._desk.tally)
        await self._look_ahead()

    def _decided(self, action: Action) -> Safe | None:
        decision = self._desk.decide(action, self._desk.draft.strip() or None)
        return page.decided(decision) if decision else None

    async def _skip(self) -> None:
        await self._mine(self._skipped)
        await self._look_ahead()

    def _skipped(self) -> Safe | None:
        self._desk.skip(self._desk.draft.strip())
        return page.SKIPPED

    def _undone(self) -> Safe | None:
        undone = self._desk.undo()
        return page.undone(undone) if undone else page.NOTHING_TO_UNDO

    async def _choose_queue(self, queue: str | None) -> None:
        which = dataclasses.replace(self._desk.which, queue=queue)
        await self._mine(partial(self._searched, which), with_case=False)
        await self._look_ahead()

    def _searched(self, which: CaseFilter) -> None:
        self._desk.search(which)

    async def _look(self) -> None:
        """See what is new; whoever is at work has their case held for them."""
        if self._break.shown or self._turn.locked():
            return
        async with self._turn:
            await self._work(self._looked)

    def _looked(self) -> None:
        if time.monotonic() - self._active_s < AT_WORK_S:
            self._desk.keep()
        self._desk.look()

    async def _look_ahead(self) -> None:
        """The next case's facts are gathered while this one is read."""
        if self._desk.facts is not None:
            with contextlib.suppress(InhouseError):
                await run.io_bound(self._desk.look_ahead)

    async def _at_work(self) -> None:
        """Somebody moved or typed: a lock that ran out meanwhile is taken again if it is free."""
        away_s = time.monotonic() - self._active_s
        self._active_s = time.monotonic()
        if away_s > AT_WORK_S:
            await self._look()

    async def _send_on(self) -> None:
        queue, why = self._escalate.given
        async with self._turn:
            await run.io_bound(self._desk.escalate, queue, why)
            self._show(join([f"Sent to {category_name(queue)}."]))

    async def _search(self) -> None:
        which = self._find.given(self._desk.which.queue, self._desk.now_ms())
        async with self._turn:
            self._desk.draft = self._note.value or ""
            await run.io_bound(self._desk.search, which)
            self._show(page.looking_at(which))

    async def _choose_own(self) -> None:
        async with self._turn:
            await run.io_bound(self._desk.choose, self._own.given)
            self._show(join(["Remembered."]))

    # -- showing -----------------------------------------------------------------------------------

    def _show(self, told: Safe | None) -> None:
        desk, facts = self._desk, self._desk.facts
        if desk.lost is not None:
            told, desk.lost = page.lost(desk.lost), None
        if told is not None:
            self._say(told)
        self._show_chips()
        case_id = facts.case.case_id if facts else None
        if case_id != self._shown_case:
            self._shown_case, self._shown_s = case_id, time.monotonic()
            self._note.value = desk.draft
        self._side.set_visibility(facts is not None)
        self._decide_bar.set_visibility(facts is not None or desk.last is not None)
        if facts is None:
            self._post.show(page.nothing_waits(desk.which))
            return
        self._post.show(page.post_html(facts, desk.own))
        self._why.show(page.why_html(facts))
        self._scores.show(join([page.scores_html(facts), page.signals_html(facts)]))
        self._context.show(context_html(facts))
        self._policy.show(page.policy_html(facts))
        self._show_categories()

    def _say(self, told: Safe) -> None:
        self._status.show(told)

    def _show_chips(self) -> None:
        chips = page.queue_chips(self._desk.queues, self._desk.which.queue)
        if chips == self._chips_shown:
            return
        self._chips_shown = chips
        self._chips.clear()
        with self._chips:
            for value, label, chosen in chips:
                press(
                    join([label]),
                    partial(self._choose_queue, value),
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
                    join([tag("kbd", str(number)), " ", category_name(name)]),
                    partial(self._choose_category, number),
                    "chip on" if name == self._desk.category else "chip",
                )


def _titled(name: str) -> Region:
    with panel(name):
        return Region()


def _dialog(name: str, content: Safe) -> ui.dialog:
    with ui.dialog() as dialog, ui.element("div").classes("dialog"):
        ui.html(join([name]), sanitize=False, tag="h2")
        ui.html(content, sanitize=False)
        press(join(["Close"]), dialog.close, "plain-button")
    return dialog
