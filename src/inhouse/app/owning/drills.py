"""Drills of one community: begun, watched for harm, ended, graded.

The worker looks after a drill every two seconds, and so does the command that began it, as long as
it lives: whoever comes first ends and grades it. A live drill ends by itself at its time, whoever
has died meanwhile, and earlier where more goes unanswered, or more posts wait for a verdict, than
the settings `drill_most_lost` and `drill_most_waiting` allow.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from inhouse.app.build import Services
from inhouse.core.clock import MINUTE_MS, SystemClock
from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.core.ids import new_id
from inhouse.core.logs import logger
from inhouse.models.asking.gateway import Gateway
from inhouse.models.asking.resilience import Patience
from inhouse.models.drill.book import LOOKED_AFTER_MS, DrillBook
from inhouse.models.drill.copy import Original, known_for, rehearse
from inhouse.models.drill.grading import Seen, graded, quality_of
from inhouse.models.drill.known import Texts, known_texts, traffic_of, usual_times
from inhouse.models.drill.play import Tell
from inhouse.models.drill.results import DrillResult
from inhouse.models.drill.types import Drill, How, Noted
from inhouse.models.parity.agreement import ANY, Agreement
from inhouse.models.parity.gate import Parity, parity
from inhouse.models.providers.faults import Cut, Fault, Switch
from inhouse.models.tasks import judging
from inhouse.models.types import (
    INHOUSE,
    LOCAL,
    Answer,
    Layer,
    Manner,
    Scores,
    Task,
    TaskInput,
    UnansweredError,
)

MOST_MINUTES: Final = 24 * 60.0
TEXTS: Final = 400  # of each task that are compared
_LEAST_ASKED: Final = 20  # before what is lost counts as harm
_TIME_UP: Final = "its time was up"
_AT_ONCE: Final = 20
_COPY_AFTER_S: Final = 150.0
_ASIDE: Final = Manner(keep_texts=False, aside=True)
_LONGEST_NAME: Final = 64
_LOG = logger("drill")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A drill that somebody wants."""

    vendor: str
    layer: Layer = "host"
    fault: Fault = "refused"
    how: How = "copy"
    minutes: float = 1.0  # that the vendor is away
    share: float = 0.1  # of the texts that a shadow drill asks again
    by: str = ""  # whoever consents to a live one


def drill_of(services: Services, order: Order) -> Drill:
    """The drill, not begun yet. Raises InputError."""
    if not (math.isfinite(order.minutes) and 0 < order.minutes <= MOST_MINUTES):
        raise InputError(
            f"minutes is {order.minutes}, expected more than 0 and at most {MOST_MINUTES:g}",
            field="minutes",
        )
    if not 0 < order.share <= 1:
        raise InputError(f"share is {order.share}, expected more than 0 to 1", field="share")
    if len(order.by) > _LONGEST_NAME:
        raise InputError(
            f"consent has {len(order.by)} characters, expected at most {_LONGEST_NAME}",
            field="consent",
        )
    if order.how == "live" and not order.by.strip():
        raise InputError(
            "a live drill cuts the vendor off for everybody; say who consents: --consent NAME",
            field="consent",
        )
    _check_vendor(services, order)
    now_ms = SystemClock().now_ms()
    return Drill(
        drill_id=new_id("drill"),
        vendor=order.vendor,
        layer=order.layer,
        fault=order.fault,
        how=order.how,
        share=order.share,
        started_by=order.by.strip(),
        started_ms=now_ms,
        until_ms=now_ms + round(order.minutes * MINUTE_MS),
    )


def begin(services: Services, order: Order) -> Drill:
    """Begin a shadow or live drill; every process hears of it within two seconds."""
    drill = drill_of(services, order)
    DrillBook(services.database).begin(drill)
    _LOG.warning("drill_begun", vendor=drill.vendor, how=drill.how, fault=drill.fault)
    return drill


def stop(services: Services) -> Drill:
    """End the drill that goes on, at once. Raises ConflictError where none does."""
    book, now_ms = DrillBook(services.database), SystemClock().now_ms()
    drill = book.open(now_ms)
    if drill is None or not book.end(drill.drill_id, "it was stopped", now_ms):
        raise ConflictError("no drill goes on; see `inhouse drill list`")
    return book.drill(drill.drill_id)


async def look_after_drill(services: Services) -> DrillResult | None:
    """End the drill that goes on where its time is up or it harms; grade one that is over. Returns
    the grade where this call gave it."""
    book, now_ms = DrillBook(services.database), SystemClock().now_ms()
    drill = book.open(now_ms)
    if drill is None:
        return None
    if drill.ended_ms is None:
        why = _why_to_end(services, book, drill, now_ms)
        if why is None or not book.end(drill.drill_id, why, now_ms):
            return None
        _LOG.warning("drill_ended", vendor=drill.vendor, how=drill.how, why=why)
        drill = book.drill(drill.drill_id)
    # Calls that began meanwhile may still be out.
    over_ms = (drill.ended_ms or drill.until_ms) + services.settings.models.deadline_ms
    is_back = book.used_again(drill) and now_ms >= over_ms
    if not is_back and now_ms < over_ms + LOOKED_AFTER_MS:
        return None
    result = graded(await _seen(services, book, drill))
    return result if book.keep(result) else None


def _why_to_end(services: Services, book: DrillBook, drill: Drill, now_ms: int) -> str | None:
    if now_ms >= drill.until_ms:
        return _TIME_UP
    if drill.how != "live":
        return None
    settings, waiting = services.settings.models, services.moderator.backlog()
    book.waiting(drill.drill_id, waiting)
    if waiting > settings.drill_most_waiting:
        return f"{waiting} posts waited, the most allowed is {settings.drill_most_waiting}"
    asked, answered = book.lost(drill.drill_id)
    lost = (asked - answered) / max(1, asked)
    if asked >= _LEAST_ASKED and lost > settings.drill_most_lost:
        return f"{lost:.1%} went unanswered, the most allowed is {settings.drill_most_lost:.1%}"
    return None


async def _seen(services: Services, book: DrillBook, drill: Drill) -> Seen:
    calls = book.calls(drill.drill_id)
    cut = Cut(vendor=drill.vendor, layer=drill.layer, fault="refused")
    if drill.how == "shadow":
        quality = _told(calls, services.settings.models.least_agreement)
    else:
        quality = await _asked_without(services, cut)
    return Seen(
        drill=drill,
        calls=calls,
        before=usual_times(services.database, cut),
        traffic=traffic_of(services.database, services.clock.now_ms()),
        quality=quality,
    )


def _told(calls: list[Noted], bar: float) -> dict[str, Parity]:
    """What a shadow drill compared while it went on."""
    found = {}
    for task in {call.task for call in calls}:
        own = [call for call in calls if call.task == task]
        counts = Agreement(
            category=ANY,
            both=sum(call.both for call in own),
            missed=sum(call.missed for call in own),
            extra=sum(call.extra for call in own),
            neither=sum(call.neither for call in own),
        )
        if counts.pairs:
            found[task] = quality_of(counts, bar)
    return found


async def _asked_without(services: Services, cut: Cut) -> dict[str, Parity]:
    """What is left without the vendor, on the latest texts whose answers by it are known."""
    gateway = services.gateway_with(Switch(cut=cut))
    found = {}
    try:
        for task in judging(services.tasks):
            texts = Texts(
                task=task.name,
                route=services.routes.current(task.name),
                cut=cut,
                deployments=services.deployments,
            )
            known = known_texts(services.database, services.registry, texts, TEXTS)
            inputs = [TaskInput(ref=str(place), text=one.text) for place, one in enumerate(known)]
            answers = await _answers(gateway, task, inputs)
            both = [place for place in range(len(known)) if str(place) in answers]
            if both:
                said = [answers[str(place)] for place in both]
                found[task.name] = parity(
                    [known[place] for place in both], said, services.settings.models
                )
    finally:
        await gateway.close()
    return found


async def _answers(gateway: Gateway, task: Task, inputs: Sequence[TaskInput]) -> dict[str, Scores]:
    """By ref, of those that anybody answered; where nobody does, no more is asked."""
    found: dict[str, Scores] = {}
    for start in range(0, len(inputs), _AT_ONCE):
        try:
            answers: Sequence[Answer] = await gateway.ask(
                task, inputs[start : start + _AT_ONCE], _ASIDE
            )
        except UnansweredError as error:
            answers = error.answered
        if not answers:
            break
        found.update({answer.ref: answer.scores for answer in answers})
    return found


def rehearse_in_copy(services: Services, order: Order, texts: int, tell: Tell) -> DrillResult:
    """A drill in a copy, from its beginning to its grade.

    Raises InputError where nothing is known that it could be played with.
    """
    drill = drill_of(services, order)
    original = Original(
        database=services.database,
        registry=services.registry,
        tasks=services.tasks,
        deployments=services.deployments,
        clock=services.clock,
        settings=services.settings.models,
        patience=Patience(),
        most_texts=texts,
        after_s=_COPY_AFTER_S,
    )
    known = known_for(original, drill)
    if not known.texts and not known.services:
        raise InputError(
            f"no answer of {drill.vendor} is known that a copy could be played with: it judged no "
            "text that was kept as a label and is later than what the owned model was taught on; "
            "try --how shadow"
        )
    result = graded(asyncio.run(rehearse(original, drill, known, tell)))
    DrillBook(services.database).add(result)
    return result


def _check_vendor(services: Services, order: Order) -> None:
    def vendors(layer: Layer) -> list[str]:
        rented = [one for one in services.deployments if one.host not in (INHOUSE, LOCAL)]
        return sorted({one.host if layer == "host" else one.owner for one in rented})

    if order.vendor in vendors(order.layer):
        return
    other: Layer = "owner" if order.layer == "host" else "host"
    hint = f"; as {other} there is one: --layer {other}" if order.vendor in vendors(other) else ""
    known = ", ".join(vendors(order.layer)) or "none: list some in vendors.toml"
    raise UnknownError(
        f"no {order.layer} is called {order.vendor[:64]!r}; known are {known}{hint}", field="vendor"
    )
