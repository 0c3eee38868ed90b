"""Where a person stops a task on its way, sends it back, lets it go on, or signs its margin."""

from collections.abc import Callable
from functools import partial
from typing import Final

from nicegui import run, ui

from inhouse.app.build import Services
from inhouse.console.boxes import Box
from inhouse.console.frame import press
from inhouse.console.gate import visitor
from inhouse.console.markup import join
from inhouse.core.errors import InputError
from inhouse.models.cutover.stages import measuring_of
from inhouse.models.cutover.steering import Ruling, hold, resume, roll_back
from inhouse.models.parity.margins import LEAST, MOST, Margin, Margins
from inhouse.models.tasks import judging
from inhouse.models.types import Route

Act = Callable[[Services, Ruling], Route]
_FIELD: Final = "dense outlined"


def _back(services: Services, ruling: Ruling) -> Route:
    return roll_back(services.routes, ruling, measuring_of(services.settings.models))


ACTS: Final[dict[str, Act]] = {
    "Hold": lambda services, ruling: hold(services.routes, ruling),
    "Roll back": _back,
    "Resume": lambda services, ruling: resume(services.routes, ruling),
}


def number_in(value: str) -> float:
    """A margin as somebody typed it. Raises InputError.

    >>> number_in(" 0.03 ")
    0.03
    """
    try:
        return float(value)
    except ValueError:
        raise InputError(
            f"margin is {value[:20]!r}, expected {LEAST} to {MOST}, such as 0.03", field="margin"
        ) from None


def _name_of() -> Callable[[], str]:
    """Under which name somebody decides: their own where they have signed in, else what they type
    into a field that is added here."""
    signed_in = visitor().name
    if signed_in is not None:
        return lambda: signed_in
    by = ui.input("your name").props(f"{_FIELD} maxlength=100")
    return lambda: str(by.value or "")


class RouteControls:
    """Buttons for every task. Whoever presses one gives a reason, for the record, and a name where
    they have not signed in by one."""

    def __init__(self, services: Services, done: Callable[[], None]) -> None:
        """done: called after a task was moved."""
        self._services = services
        self._done = done
        for task in (one.name for one in judging(services.tasks)):
            with ui.element("div").classes("chips"):
                for name, act in ACTS.items():
                    kind = "plain-button danger" if act is _back else "plain-button"
                    press(join([f"{name} {task}"]), partial(self._ask, task, name), kind)
                sign = partial(self._ask_margin, task)
                press(join([f"Sign a margin for {task}"]), sign, "plain-button")

    def _ask(self, task: str, name: str) -> None:
        box = Box(f"{name} {task}", name)
        with box.body:
            who = _name_of()
            reason = ui.input("why, for the record").props(f"{_FIELD} maxlength=500")

        async def decide() -> None:
            given = (who(), str(reason.value or ""))
            await run.io_bound(self._rule, task, name, given)
            self._done()

        box.on_done = decide
        box.open()

    def _ask_margin(self, task: str) -> None:
        box = Box(f"Sign a margin for {task}", "Sign")
        with box.body:
            margin = ui.input(f"how much less often right, {LEAST} to {MOST}").props(_FIELD)
            who = _name_of()

        async def decide() -> None:
            given = (str(margin.value or ""), who())
            await run.io_bound(self._sign, task, given)
            self._done()

        box.on_done = decide
        box.open()

    def _sign(self, task: str, given: tuple[str, str]) -> None:
        use = self._services
        use.catch_clock_up()
        value, by = given
        signed = Margin(task=task, margin=number_in(value), signed_by=by, at_ms=use.clock.now_ms())
        Margins(use.database).sign(signed)

    def _rule(self, task: str, name: str, given: tuple[str, str]) -> None:
        use = self._services
        use.catch_clock_up()
        by, reason = given
        ACTS[name](use, Ruling(task=task, by=by, reason=reason, at_ms=use.clock.now_ms()))
