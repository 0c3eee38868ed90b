"""What the desk asks in between: where to send a case, what to look for, how one wants to work."""

from collections.abc import Callable, Mapping
from typing import Final, cast

from nicegui import ui

from inhouse.console.boxes import Box
from inhouse.console.frame import Region, press
from inhouse.console.markup import join, tag
from inhouse.console.words import plural, span
from inhouse.core.clock import HOUR_MS
from inhouse.core.errors import InputError
from inhouse.moderation.reviewing.reviewers import BLURS, Blur, ReviewerSettings
from inhouse.moderation.reviewing.search import CaseFilter

FIELDS: Final = {
    "rule": "rule",
    "creator_id": "creator's id",
    "text": "words in the post",
    "domain": "domain it links to",
    "item_id": "post's id",
}


def typed_filter(
    fields: Mapping[str, ui.input], queue: str | None, before_ms: int | None = None
) -> CaseFilter:
    """A filter from what was typed into fields named as `FIELDS` are."""
    typed = {name: str(box.value or "").strip() or None for name, box in fields.items()}
    return CaseFilter(
        queue=queue,
        rule=typed.get("rule"),
        creator_id=typed.get("creator_id"),
        text=typed.get("text"),
        domain=typed.get("domain"),
        item_id=typed.get("item_id"),
        opened_before_ms=before_ms,
    )


class EscalateBox(Box):
    """To which queue, and why."""

    def __init__(self) -> None:
        super().__init__("Send it to another queue", "Send")
        with self.body:
            self.queue = ui.select([], label="queue").props("dense outlined")
            self.why = ui.input("why").props("dense outlined maxlength=500")

    def ask(self, queues: list[str]) -> None:
        """Open with the queues there are."""
        self.queue.set_options(queues)
        self.why.value = ""
        self.open()

    @property
    def given(self) -> tuple[str, str]:
        """Queue and why. Raises InputError where one is missing."""
        queue, why = str(self.queue.value or ""), str(self.why.value or "").strip()
        if not queue or not why:
            raise InputError("choose a queue and say why, for whoever takes it")
        return queue, why


class FindBox(Box):
    """Which cases are looked at alone."""

    def __init__(self) -> None:
        super().__init__("Look only at what fits", "Look")
        with self.body:
            self.fields = {
                name: ui.input(label).props("dense outlined maxlength=200 clearable")
                for name, label in FIELDS.items()
            }
            self.hours = ui.number("waiting for hours", min=0, max=100_000).props(
                "dense outlined clearable"
            )

    def given(self, queue: str | None, now_ms: int) -> CaseFilter:
        """The filter, within the chosen queue."""
        hours = self.hours.value
        before_ms = None if not hours else now_ms - round(float(hours) * HOUR_MS)
        return typed_filter(self.fields, queue, before_ms)


class OwnBox(Box):
    """How pictures are shown, and when to be reminded of a break."""

    def __init__(self, own: ReviewerSettings) -> None:
        super().__init__("How you work", "Remember")
        with self.body:
            self.blur = ui.select(list(BLURS), label="pictures blurred", value=own.blur).props(
                "dense outlined"
            )
            self.grey = ui.checkbox("pictures without colour", value=own.grey)
            self.minutes = ui.number(
                "remind me of a break after minutes (0: never)",
                value=own.break_after_minutes,
                precision=0,
            ).props("dense outlined")
            self.hard = ui.number(
                "or after hard cases (0: never)", value=own.break_after_hard, precision=0
            ).props("dense outlined")

    @property
    def given(self) -> ReviewerSettings:
        """What was chosen."""
        return ReviewerSettings(
            blur=cast("Blur", str(self.blur.value)),
            grey=bool(self.grey.value),
            break_after_minutes=int(self.minutes.value or 0),
            break_after_hard=int(self.hard.value or 0),
        )


class BreakBox:
    """A gentle word that it is time to look at something else."""

    def __init__(self, rested: Callable[[], None], snooze: Callable[[], None]) -> None:
        with ui.dialog().props("persistent") as self.dialog, ui.element("div").classes("dialog"):
            ui.html(join(["Time for a short break"]), sanitize=False, tag="h2")
            self._words = Region()
            with ui.element("div").classes("chips"):
                press(join(["I had a break"]), lambda: self._close(rested), "plain-button")
                press(
                    join(["Remind me in ten minutes"]), lambda: self._close(snooze), "plain-button"
                )

    @property
    def shown(self) -> bool:
        """Whether it is open."""
        return bool(self.dialog.value)

    def suggest(self, tally: tuple[int, int, float]) -> None:
        """Say what was done since the last one."""
        decided, hard, seconds = tally
        told = f"{plural(decided, 'decision')} in {span(1000 * seconds)}, {hard} of them hard."
        self._words.show(
            tag(
                "p",
                f"{told} Look out of a window for a minute: what one sees all day stays with one. "
                "The case on your table waits.",
            )
        )
        self.dialog.open()

    def _close(self, then: Callable[[], None]) -> None:
        then()
        self.dialog.close()
