"""The page `/moderation/queues`: what goes where, for whom, how carefully decided."""

from functools import partial
from typing import Final

from fastapi import Request
from nicegui import run, ui

from inhouse.app.build import Services
from inhouse.console.frame import Region, frame, panel, press, section
from inhouse.console.markup import Safe, join, note, tag, words
from inhouse.console.moderation.fields import number_field, show_heading, text_field
from inhouse.console.moderation.headings import heading
from inhouse.console.moderation.speech import category_name
from inhouse.core.errors import InhouseError
from inhouse.moderation.reviewing.queues import QueueSettings, Takes

HEADING: Final = heading(
    "/moderation/queues",
    "Each category has a queue of its own. Here others are set up, and how a queue is decided.",
)
_HINT: Final = join(
    ["With commas between them; what is empty does not matter. Reasons: rule, reported, edited."]
)
_MINUTE_MS: Final = 60_000
_LISTS: Final = {
    "categories": "takes categories",
    "signals": "takes signals",
    "languages": "takes languages",
    "reasons": "takes reasons",
    "reviewers": "only these reviewers",
}


def register(services: Services) -> None:
    """Add the page."""

    @ui.page("/moderation/queues")
    def queues(request: Request) -> None:
        with frame(request, "/moderation", "Queues"):
            _Queues(services).look()


def names_in(text: object) -> tuple[str, ...]:
    """What was typed with commas, in order, without empty ones.

    >>> names_in(" ada, ben,, ")
    ('ada', 'ben')
    """
    return tuple(filter(None, (part.strip() for part in str(text or "").split(","))))


def queue_line(queue: QueueSettings) -> Safe:
    """A queue in a sentence."""
    takes = queue.takes
    if takes is None:
        what = f"cases of {category_name(queue.name)}"
    else:
        lists = (takes.categories, takes.languages, takes.signals, takes.reasons)
        what = "; ".join(", ".join(of) for of in lists if of) or "everything"
    notes = [
        note("two people", "accent") if queue.asks_two else None,
        note(f"known answers {queue.gold_share:.0%}") if queue.gold_share else None,
        note(f"lock {queue.lock_ms / _MINUTE_MS:g} min") if queue.lock_ms else None,
    ]
    who = f" · {', '.join(queue.reviewers)}" if queue.reviewers else ""
    return tag(
        "span",
        tag("b", category_name(queue.name)),
        " takes ",
        words(what),
        who,
        " ",
        join([one for one in notes if one is not None], " "),
    )


class _Queues:
    """The list, and one form for a new queue or another setting of an old one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        show_heading(HEADING)
        with section("Set up"), panel():
            self._list = ui.element("div").classes("controls")
        with section("A new one, or a change"), panel():
            self._form()
            self._status = Region("status")

    def _form(self) -> None:
        with ui.element("div").classes("fields"):
            self._name = text_field("name")
            self._texts = {name: text_field(label) for name, label in _LISTS.items()}
        ui.html(_HINT, sanitize=False, tag="p").classes("quiet small")
        with ui.element("div").classes("fields"):
            self._two = ui.select(
                {None: "by itself", True: "two people must agree", False: "one person decides"},
                label="decided by",
                value=None,
            ).props("dense outlined")
            self._gold = number_field("known answers, % of cases", 0)
            self._lock = number_field("lock, minutes (empty: as set)", None)
            self._place = number_field("place (the lower is asked first)", 100)
            press(join(["Set up"]), self._put, "plain-button")

    def look(self) -> None:
        """Show what is set up."""
        self._list.clear()
        with self._list:
            queues = self._services.queues.list()
            if not queues:
                ui.html(join(["None: a queue a category."]), sanitize=False).classes("quiet")
            for queue in queues:
                with ui.element("div").classes("chips"):
                    ui.html(queue_line(queue), sanitize=False)
                    press(join(["Change"]), partial(self._fill, queue), "chip")
                    press(join(["Remove"]), partial(self._remove, queue.name), "chip")

    def _fill(self, queue: QueueSettings) -> None:
        takes = queue.takes or Takes()
        self._name.value = queue.name
        for name, box in self._texts.items():
            of = queue.reviewers if name == "reviewers" else getattr(takes, name)
            box.value = ", ".join(of)
        self._two.value = queue.two_person
        self._gold.value = 100 * queue.gold_share
        self._lock.value = queue.lock_ms / _MINUTE_MS if queue.lock_ms else None
        self._place.value = queue.place

    async def _put(self) -> None:
        lists = {name: names_in(box.value) for name, box in self._texts.items()}
        reviewers = lists.pop("reviewers")
        lock = self._lock.value
        queue = QueueSettings(
            name=str(self._name.value or "").strip(),
            takes=Takes(**lists) if any(lists.values()) else None,
            reviewers=reviewers,
            two_person=self._two.value,
            gold_share=float(self._gold.value or 0) / 100,
            lock_ms=round(float(lock) * _MINUTE_MS) if lock else None,
            place=int(self._place.value or 0),
        )
        try:
            await run.io_bound(self._services.queues.put, queue)
            self._status.show(join([f"{queue.name}: as asked, for cases that come from now on."]))
        except InhouseError as error:
            self._status.show(words(str(error)))
        self.look()

    async def _remove(self, name: str) -> None:
        try:
            await run.io_bound(self._services.queues.remove, name)
        except InhouseError as error:
            self._status.show(words(str(error)))
        self.look()
