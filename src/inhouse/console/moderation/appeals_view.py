"""The page `/moderation/appeals`."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from fastapi import Request
from nicegui import events, run, ui

from inhouse.app.build import Services
from inhouse.console.assets import PATH
from inhouse.console.frame import Region, frame, panel, press, section
from inhouse.console.markup import Safe, join, tag, words
from inhouse.console.moderation import appeals_page as page
from inhouse.console.moderation.appeals_model import AppealFacts, gather_appeal
from inhouse.console.moderation.around import context_html
from inhouse.console.moderation.fields import reviewer_field, show_heading
from inhouse.console.moderation.page import policy_html, post_html, scores_html, signals_html
from inhouse.console.moderation.reviewer import reviewer_of
from inhouse.console.moments import community_now
from inhouse.core.errors import InhouseError
from inhouse.moderation.complaints.appeals import MOST_WORDS_CHARS, Instead
from inhouse.moderation.recording.rulings import OTHER, RULINGS
from inhouse.moderation.types import Appeal

LOOK_EVERY_S: Final = 8.0
_MOST_LISTED: Final = 100
_EARLIER: Final = 10
_OUTCOMES: Final = {"uphold": ("h", "Uphold"), "overturn": ("o", "Overturn")}
_KEYS: Final = " ".join(key for key, _ in _OUTCOMES.values())  # after one of them one writes


def register(services: Services) -> None:
    """Add the page."""

    @ui.page("/moderation/appeals")
    def appeals(request: Request) -> None:
        with frame(request, "/moderation", "Appeals"):
            _Appeals(services, reviewer_of(request))


class _Appeals:
    """The list, the appeal on the table, and the answer to it."""

    def __init__(self, services: Services, reviewer: str) -> None:
        self._services = services
        self._reviewer = reviewer
        self._own = services.reviewers.get(reviewer)
        self._open: list[Appeal] = []
        self._facts: AppealFacts | None = None
        self._outcome = ""
        self._busy = False
        ui.add_head_html(f'<script src="{PATH}/desk.js" defer></script>')
        self._build()
        ui.keyboard(on_key=self._key, repeating=False, ignore=["input", "select", "textarea"])
        ui.timer(0.05, self._look, once=True)
        ui.timer(LOOK_EVERY_S, self._look)

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        with ui.element("div").classes("head"):
            show_heading(page.HEADING)
            reviewer_field(self._reviewer)
        self._nothing = Region()
        self._list = ui.element("div").classes("picks").props('aria-label="Waiting"')
        with ui.element("div").classes("desk") as self._desk:
            with ui.element("div").classes("desk-main"):
                self._objection = _titled("The objection")
                self._decided = _titled("The decision")
                self._post = _titled("The post")
                with panel("Your answer").classes("roomy"):
                    self._answer_form()
            with ui.element("aside").classes("desk-side"):
                self._scores = _titled("Scores")
                self._context = _titled("Around it")
                self._policy = _titled("Policy")
        self._status = Region("status")
        with section("Answered lately"), panel():
            self._earlier = Region()

    def _answer_form(self) -> None:
        self._barred = Region()
        self._outcomes = ui.element("div").classes("actions")
        self._meaning = Region("quiet small")
        with ui.element("div").classes("fields") as self._instead:
            actions = [action for action in RULINGS if action != "allow"]
            self._action = ui.select(actions, label="restrict it how", value="remove").props(
                "dense outlined"
            )
            categories = [*self._services.policy.categories, OTHER]
            self._category = ui.select(
                categories, label="what it violates", value=categories[0]
            ).props("dense outlined")
        self._answer = ui.textarea(placeholder="what the person is told, and why").props(
            f'dense outlined autogrow maxlength={MOST_WORDS_CHARS} aria-label="Answer" '
            f'data-focus-keys="{_KEYS}" data-leave-keys="Escape"'
        )
        self._answer.classes("wide")
        self._answer.on("keydown.ctrl.enter", self._decide)
        with ui.element("div").classes("chips"):
            press(
                join(["Answer ", tag("kbd", "Ctrl"), " ", tag("kbd", "Enter")]),
                self._decide,
                "plain-button",
            )

    # -- keys --------------------------------------------------------------------------------------

    async def _key(self, event: events.KeyEventArguments) -> None:
        held = event.modifiers
        if not event.action.keydown or held.ctrl or held.alt or held.meta:
            return
        pressed = str(event.key.name)
        if pressed in ("j", "k"):
            await self._step(1 if pressed == "j" else -1)
        for outcome, (key, _) in _OUTCOMES.items():
            if pressed == key:
                self._choose(outcome)

    async def _step(self, by: int) -> None:
        ids = [appeal.appeal_id for appeal in self._open]
        if self._facts is None or not ids:
            return
        here = self._facts.appeal.appeal_id
        place = ids.index(here) if here in ids else 0
        await self._take(ids[(place + by) % len(ids)])

    def _choose(self, outcome: str) -> None:
        if self._facts is None:
            return
        self._outcome = outcome
        self._show_outcomes(self._facts)

    def _pressed(self, outcome: str) -> None:
        self._choose(outcome)
        self._answer.run_method("focus")

    # -- doing -------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Hear of new ones; what lies on the table stays there while it waits."""
        found = await run.io_bound(self._listed)
        if found is None:  # the console is being stopped
            return
        self._open, earlier = found
        self._earlier.show(page.earlier_html(earlier))
        ids = [appeal.appeal_id for appeal in self._open]
        here = self._facts.appeal.appeal_id if self._facts else None
        if here not in ids:
            await self._take(ids[0] if ids else None)
        else:
            self._show_list()

    def _listed(self) -> tuple[list[Appeal], Sequence[Appeal]]:
        appeals = self._services.appeals
        return appeals.list("open", _MOST_LISTED), appeals.decided(_EARLIER)

    async def _take(self, appeal_id: str | None) -> None:
        try:
            facts = (
                await run.io_bound(gather_appeal, self._services, appeal_id) if appeal_id else None
            )
        except InhouseError as error:
            self._say(words(str(error)))
            return
        self._facts, self._outcome, self._answer.value = facts, "", ""
        self._show()

    async def _decide(self) -> None:
        facts = self._facts
        if self._busy or facts is None:
            return
        if not self._outcome:
            self._say(join(["Choose first: uphold or overturn."]))
            return
        self._busy = True
        instead = None
        if self._outcome == "overturn" and not facts.by_author:
            instead = Instead(action=str(self._action.value), category=str(self._category.value))
        answer = str(self._answer.value or "")
        given = (facts.appeal.appeal_id, self._reviewer, self._outcome, answer, instead)
        try:
            decided = await run.io_bound(self._decided_by, given)
            self._say(page.done(decided) if decided else join([]))
            await self._look()
        except InhouseError as error:
            self._say(words(str(error)))
        finally:
            self._busy = False

    def _decided_by(self, given: tuple[str, str, str, str, Instead | None]) -> Appeal:
        community_now(self._services)
        return self._services.appeals.decide(*given)

    # -- showing -----------------------------------------------------------------------------------

    def _show(self) -> None:
        facts = self._facts
        self._desk.set_visibility(facts is not None)
        self._list.set_visibility(facts is not None)
        self._nothing.visible(facts is None)
        if facts is None:
            self._nothing.show(page.NONE_OPEN)
            return
        around = facts.around
        self._objection.show(page.objection_html(facts))
        self._post.show(post_html(around, self._own))
        self._decided.show(page.decided_html(facts))
        self._scores.show(join([scores_html(around), signals_html(around)]))
        self._context.show(context_html(around))
        self._policy.show(policy_html(around))
        self._barred.show(page.barred_html(facts, self._reviewer))
        self._show_outcomes(facts)
        self._show_list()

    def _show_outcomes(self, facts: AppealFacts) -> None:
        self._outcomes.clear()
        with self._outcomes:
            for outcome, (key, name) in _OUTCOMES.items():
                button = press(
                    tag("span", tag("kbd", key), tag("span", name)),
                    partial(self._pressed, outcome),
                    "on" if outcome == self._outcome else "",
                )
                button.props(f'aria-pressed="{str(outcome == self._outcome).lower()}"')
        self._meaning.show(page.meaning(facts, self._outcome) if self._outcome else join([]))
        self._instead.set_visibility(self._outcome == "overturn" and not facts.by_author)

    def _show_list(self) -> None:
        here = self._facts.appeal.appeal_id if self._facts else None
        now_ms = self._facts.around.now_ms if self._facts else 0
        self._list.clear()
        with self._list:
            for appeal in self._open:
                chosen = appeal.appeal_id == here
                press(
                    page.line(appeal, now_ms),
                    partial(self._take, appeal.appeal_id),
                    "pick on" if chosen else "pick",
                )

    def _say(self, told: Safe) -> None:
        self._status.show(told)


def _titled(name: str) -> Region:
    with panel(name):
        return Region()
