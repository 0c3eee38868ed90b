"""inhouse drill: cut a vendor off, and see what is left of every task."""

import asyncio
import datetime
import time
from typing import Annotated, Final, TypeVar

import typer

from inhouse.app.build import Services, open_services
from inhouse.app.owning.drills import (
    MOST_MINUTES,
    TEXTS,
    Order,
    begin,
    look_after_drill,
    rehearse_in_copy,
    stop,
)
from inhouse.cli.output import Json, complaints, console, print_json, progress_bar, show
from inhouse.core.clock import SystemClock
from inhouse.core.logs import configure_logs
from inhouse.models.drill.book import DrillBook, last_drills
from inhouse.models.drill.results import DrillResult, TaskResult, Times
from inhouse.models.drill.types import HOWS, Drill
from inhouse.models.providers.faults import FAULTS
from inhouse.models.types import Layer

_LIST: Final = "list"
_STOP: Final = "stop"
_LAYERS: Final[tuple[Layer, ...]] = ("host", "owner")
_LOOK_EVERY_S: Final = 1.0
T = TypeVar("T", bound=str)


def drill(
    vendor: Annotated[
        str,
        typer.Argument(
            help=f"whom to cut off; or `{_STOP}` the one that goes on; or `{_LIST}` them"
        ),
    ],
    layer: Annotated[
        str, typer.Option(help="host: who runs models; owner: who made them")
    ] = "host",
    fault: Annotated[str, typer.Option(help=f"one of {', '.join(FAULTS)}")] = "refused",
    how: Annotated[str, typer.Option(help=f"one of {', '.join(HOWS)}")] = "copy",
    minutes: Annotated[
        float, typer.Option(min=0.01, max=MOST_MINUTES, help="how long it is away")
    ] = 1.0,
    texts: Annotated[int, typer.Option(min=1, max=10_000, help="of each task, in a copy")] = TEXTS,
    share: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="of the texts that a shadow asks again")
    ] = 0.1,
    consent: Annotated[str, typer.Option(help="who answers for a live drill")] = "",
    as_json: Json = False,
) -> None:
    """Cut a vendor off and grade what happens.

    copy: recent texts are asked again of a gateway of their own; nobody notices. shadow: while
    texts are judged, a share of them is asked again without the vendor; nobody is served from it.
    live: the vendor is really cut off, in all processes, until the time is up, it does too much
    harm, or somebody stops it.
    """
    if vendor == _LIST:
        _list(as_json=as_json)
        return
    if vendor == _STOP:
        _stop(as_json=as_json)
        return
    order = Order(
        vendor=vendor,
        layer=_one_of(layer, _LAYERS, "--layer"),
        fault=_one_of(fault, FAULTS, "--fault"),
        how=_one_of(how, HOWS, "--how"),
        minutes=minutes,
        share=share,
        by=consent,
    )
    configure_logs(role="cli", level="error")  # what fails on purpose is no news
    with open_services() as services:
        services.catch_clock_up()
        if order.how == "copy":
            with progress_bar() as tell:
                result = rehearse_in_copy(services, order, texts, tell)
        else:
            result = _watched(services, begin(services, order))
    _print(result, as_json=as_json)


def _one_of(value: str, allowed: tuple[T, ...], name: str) -> T:
    for one in allowed:
        if one == value:
            return one
    raise typer.BadParameter(f"{name}: got {value!r}, expected one of {', '.join(allowed)}")


def _watched(services: Services, drill: Drill) -> DrillResult:
    """Wait for a drill and its grade. Whoever interrupts ends the drill, not only the waiting."""
    book, clock = DrillBook(services.database), SystemClock()
    length = drill.until_ms - drill.started_ms
    complaints.print(f"{drill.vendor} is cut off; end it at any time with `inhouse drill {_STOP}`")
    with progress_bar() as tell:
        while (result := book.result(drill.drill_id)) is None:
            try:
                asyncio.run(look_after_drill(services))
                now = book.drill(drill.drill_id)
                away = now.ended_ms is None
                what = f"{drill.vendor} is away" if away else f"waiting for {drill.vendor}"
                tell(what, min(clock.now_ms() - drill.started_ms, length), length)
                time.sleep(_LOOK_EVERY_S)
            except KeyboardInterrupt:
                if not book.end(drill.drill_id, "it was interrupted", clock.now_ms()):
                    raise
    return result


def _stop(*, as_json: bool) -> None:
    with open_services() as services:
        ended = stop(services)
    if as_json:
        print_json(ended)
        return
    console.print(f"{ended.vendor} is reached again; `inhouse drill {_LIST}` shows the grade soon")


def _list(*, as_json: bool) -> None:
    with open_services() as services:
        asyncio.run(look_after_drill(services))
        found = last_drills(services.database)
        going_on = DrillBook(services.database).open(SystemClock().now_ms())
    if not as_json and going_on is not None:
        state = "goes on" if going_on.ended_ms is None else "is over and waits for its grade"
        console.print(f"a {going_on.how} drill of {going_on.vendor} {state}")
    columns = (
        ("when", lambda one: _when(one.drill.started_ms)),
        ("vendor", lambda one: f"{one.drill.vendor} ({one.drill.layer})"),
        ("how", lambda one: one.drill.how),
        ("fault", lambda one: one.drill.fault),
        ("grade", lambda one: one.grade or "unknown"),
        ("answered", lambda one: _share(one.coverage)),
        ("survivable", lambda one: _share(one.survivable)),
        ("ended because", lambda one: one.drill.why_ended or ""),
    )
    show(found, columns, as_json=as_json)


def _print(result: DrillResult, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    columns = (
        ("task", lambda one: one.task),
        ("grade", lambda one: one.grade),
        ("answered", lambda one: f"{one.answered:,} of {one.asked:,}"),
        ("by others", lambda one: f"{one.by_others:,}"),
        ("quality", lambda one: "not compared" if one.quality is None else one.quality.verdict),
        ("noticed", lambda one: _seconds(one.noticed_ms)),
        ("back", lambda one: _seconds(one.recovered_ms)),
        ("before", lambda one: _times(one.before)),
        ("meanwhile", lambda one: _times(one.during)),
        ("USD", lambda one: "unknown" if one.cost_usd is None else f"{one.cost_usd:,.4f}"),
    )
    show(result.tasks, columns, as_json=False)
    for task in result.tasks:
        for line in _told(task):
            console.print(f"{task.task}: {line}", highlight=False)
    drill = result.drill
    if drill.most_waiting is not None:
        console.print(f"at most {drill.most_waiting:,} posts waited for a verdict")
    console.print(f"survivable share: {_share(result.survivable)}")
    console.print(f"grade {result.grade or 'unknown: nothing was asked'} ({drill.why_ended})")


def _told(task: TaskResult) -> tuple[str, ...]:
    quality = () if task.quality is None else (f"quality: {task.quality.reason}",)
    return (*task.reasons, *quality)


def _when(at_ms: int) -> str:
    return datetime.datetime.fromtimestamp(at_ms / 1_000, datetime.UTC).strftime("%Y-%m-%d %H:%M")


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1%}"


def _seconds(ms: float | None) -> str:
    return "not seen" if ms is None else f"{ms / 1_000:.1f} s"


def _times(times: Times) -> str:
    if times.p50_ms is None or times.p99_ms is None:
        return "unknown"
    return f"{times.p50_ms:,.0f} / {times.p99_ms:,.0f} ms"
