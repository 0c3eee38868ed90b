"""The page `/moderation/policy`."""

from collections.abc import Callable
from typing import Final

from fastapi import Request
from nicegui import events, run, ui

from inhouse.app.build import Services
from inhouse.console.frame import Region, follow, frame, panel, press, section
from inhouse.console.gathering import Latest
from inhouse.console.markup import Safe, join, tag
from inhouse.console.moderation import policy_model as model
from inhouse.console.moderation import policy_page as page
from inhouse.console.moderation.fields import number_field, show_heading
from inhouse.console.moments import community_now
from inhouse.console.words import share
from inhouse.core.errors import InhouseError
from inhouse.moderation.past.backtest import Backtest
from inhouse.moderation.past.shadow import ShadowReport

KEEP_S: Final = 1.0
EVERY_S: Final = 2.0
SHADOW_KEEP_S: Final = 30.0
_TELL_EVERY_S: Final = 0.5
_MOST_CHARS: Final = 1_000_000


def register(services: Services) -> None:
    """Add the page."""
    latest = Latest(lambda: model.gather_policy(services), KEEP_S)
    shadow = Latest(lambda: model.gather_shadow(services), SHADOW_KEEP_S)

    @ui.page("/moderation/policy")
    def policy(request: Request) -> None:
        with frame(request, "/moderation", "Policy"):
            follow(latest, _Policy(services, shadow).show, EVERY_S)


class _Policy:
    """The parts of the page, in order."""

    def __init__(self, services: Services, shadow: Latest[ShadowReport]) -> None:
        self._services = services
        self._busy = False
        self._done = 0.0  # share of the posts that were tried
        show_heading(page.HEADING)
        with ui.element("div").classes("two tops"):
            with panel("In force"):
                self._in_force = Region()
            with panel("The past catches up").classes("roomy"):
                self._rescan = Region()
                self._buttons()
        with section("Rules in shadow"), panel():
            found = Region()
            follow(shadow, lambda report: found.show(page.shadow_html(report)), SHADOW_KEEP_S)
        with section("Try another policy on the past"), panel().classes("roomy"):
            self._form()
            self._status = Region("status")
            self._result = Region("result")
            self._how = Region()
        with section("In force before"), panel().classes("flush"):
            self._adopted = Region()
        ui.timer(_TELL_EVERY_S, self._tell)

    def _buttons(self) -> None:
        with ui.element("div").classes("checks"):
            self._signals = ui.checkbox("read texts again")
            self._models = ui.checkbox("ask the models again: costs what they cost")
        with ui.element("div").classes("chips"):
            self._start = press(join(["Re-scan all posts"]), self._begin, "plain-button")
            self._stop = press(join(["Stop it"]), self._halt, "plain-button danger")
        self._rescan_status = Region("status")

    def _form(self) -> None:
        options = dict(model.choices(self._services))
        with ui.element("div").classes("fields"):
            self._choice = ui.select(
                options, label="which", value=model.TYPED, on_change=lambda _: self._choose()
            ).props("dense outlined")
            self._days = number_field("posts of so many days", 30)
            press(join(["Try it"]), self._try, "plain-button")
        with ui.element("div").classes("roomy") as self._source:
            self._text = ui.textarea(placeholder="a policy, as in its file").props(
                f'dense outlined maxlength={_MOST_CHARS} aria-label="Policy"'
            )
            self._text.classes("wide code")
            ui.upload(
                label="or a file from this computer",
                auto_upload=True,
                max_file_size=_MOST_CHARS,
                on_upload=self._dropped,
                on_rejected=lambda _: self._say(join(["The file is too large for a policy."])),
            ).props("flat bordered").classes("drop")

    def show(self, facts: model.PolicyFacts) -> None:
        """Bring everything up to date."""
        self._in_force.show(page.in_force_html(facts))
        self._rescan.show(page.rescan_html(facts))
        self._adopted.show(page.adopted_html(facts))
        self._how.show(page.how_to_adopt(facts))
        running = facts.rescan is not None and facts.rescan.state == "running"
        self._stop.set_visibility(running)
        self._start.set_visibility(not running)

    # -- trying ------------------------------------------------------------------------------------

    def _choose(self) -> None:
        self._source.set_visibility(self._choice.value == model.TYPED)

    async def _dropped(self, event: events.UploadEventArguments) -> None:
        try:
            self._text.value = (await event.file.read()).decode("utf-8")
        except UnicodeDecodeError:
            self._say(join(["The file is not text in UTF-8; choose the policy's YAML file."]))

    async def _try(self) -> None:
        if self._busy:
            return
        self._busy, self._done = True, 0.0
        self._result.show(join([]))
        choice, typed = str(self._choice.value), str(self._text.value or "")
        days = int(self._days.value or 0)
        try:
            report = await run.io_bound(self._tried, choice, typed, days)
            self._say(join([]))
            self._result.show(page.backtest_html(report) if report else join([]))
        except InhouseError as error:
            self._say(join([]))
            self._result.show(page.faults_html(str(error)))
        finally:
            self._busy = False

    def _tried(self, choice: str, typed: str, days: int) -> Backtest:
        policy = model.policy_of(self._services, choice, typed)
        return model.try_policy(self._services, policy, days, self._hear)

    def _hear(self, done: int, total: int) -> None:
        self._done = done / total if total else 1.0

    def _tell(self) -> None:
        if self._busy:
            self._say(tag("span", f"Reading verdicts: {share(self._done)}"))

    # -- the past ----------------------------------------------------------------------------------

    async def _begin(self) -> None:
        await self._move("begun; the worker does it", self._begun)

    def _begun(self) -> None:
        signals, models = bool(self._signals.value), bool(self._models.value)
        self._services.rescan.begin(signals=signals, models=models)

    async def _halt(self) -> None:
        await self._move("stopped; what was done stays done", self._halted)

    def _halted(self) -> None:
        self._services.rescan.stop()

    async def _move(self, told: str, move: Callable[[], None]) -> None:
        try:
            await run.io_bound(self._moved, move)
            self._rescan_status.show(join([told]))
        except InhouseError as error:
            self._rescan_status.show(tag("span", str(error)))

    def _moved(self, move: Callable[[], None]) -> None:
        community_now(self._services)
        move()

    def _say(self, told: Safe) -> None:
        self._status.show(told)
