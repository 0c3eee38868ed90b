"""A person's word on a task's way from rented to owned, as commands of `inhouse models`."""

from collections.abc import Callable
from typing import Annotated, Final

import typer

from inhouse.app.build import Services, open_services
from inhouse.cli.output import Json, console, print_json
from inhouse.models.cutover.stages import measuring_of
from inhouse.models.cutover.steering import Ruling
from inhouse.models.cutover.steering import hold as hold_route
from inhouse.models.cutover.steering import resume as resume_route
from inhouse.models.cutover.steering import roll_back as roll_back_route
from inhouse.models.parity.margins import Margin, Margins
from inhouse.models.tasks import judgement_named
from inhouse.models.types import Route

Task = Annotated[str, typer.Argument(help="text_harm, or a task of tasks.toml")]
By = Annotated[str, typer.Option(help="who decides")]
Because = Annotated[str, typer.Option(help="why, for the record")]


def hold(task: Task, by: By, because: Because, as_json: Json = False) -> None:
    """Keep a task at its stage: it goes no further forwards until somebody resumes it. What crosses
    a bound is rolled back all the same."""
    _rule(task, by, because, lambda use, ruling: hold_route(use.routes, ruling), as_json=as_json)


def rollback(task: Task, by: By, because: Because, as_json: Json = False) -> None:
    """Take the owned model out of service, into the shadow, and hold it there. Serving processes
    follow within two seconds."""

    def back(use: Services, ruling: Ruling) -> Route:
        return roll_back_route(use.routes, ruling, measuring_of(use.settings.models))

    _rule(task, by, because, back, as_json=as_json)


def resume(task: Task, by: By, because: Because, as_json: Json = False) -> None:
    """Let the evidence decide again, from now on, after a hold or a rollback."""
    _rule(task, by, because, lambda use, ruling: resume_route(use.routes, ruling), as_json=as_json)


def margin(
    task: Task,
    margin: Annotated[
        float | None, typer.Argument(help="0.001 to 0.5; left out, the one in force is shown")
    ] = None,
    by: Annotated[str, typer.Option(help="who signs for it")] = "",
    as_json: Json = False,
) -> None:
    """Sign how much less often than the rented model an owned one may be right. It is in every
    report from then on, with the name."""
    with open_services() as services:
        name, margins = judgement_named(task, services.tasks).name, Margins(services.database)
        if margin is not None:
            now_ms = services.clock.now_ms()
            margins.sign(Margin(task=name, margin=margin, signed_by=by, at_ms=now_ms))
        signed, default = margins.of(name), services.settings.models.margin
    if as_json:
        print_json({"task": name, "default": default, "signed": signed})
    elif signed is None:
        console.print(f"{name}: nobody signed a margin; the setting's is {default:g}", markup=False)
    else:
        console.print(f"{name}: {signed.margin:g}, signed by {signed.signed_by}", markup=False)


COMMANDS: Final = (hold, rollback, resume, margin)


def _rule(
    task: str,
    by: str,
    because: str,
    decide: Callable[[Services, Ruling], Route],
    *,
    as_json: bool,
) -> None:
    with open_services() as services:
        services.catch_clock_up()
        name, now_ms = judgement_named(task, services.tasks).name, services.clock.now_ms()
        route = decide(services, Ruling(task=name, by=by, reason=because, at_ms=now_ms))
    if as_json:
        print_json(route)
        return
    held = f", held by {route.held_by}" if route.held_by else ", the evidence decides"
    console.print(f"{name}: stage {route.stage}{held}", markup=False)
