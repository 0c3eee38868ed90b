"""inhouse models: who answers each task, and the way to a model of one's own."""

import secrets
from dataclasses import replace
from typing import Annotated, Final

import typer

from inhouse.app.asking import MOST_OPEN, QUEUE, ask_people
from inhouse.app.build import open_services
from inhouse.cli import models_owned
from inhouse.cli.output import FAILED, Json, complaints, console, print_json, show
from inhouse.core.errors import InputError
from inhouse.models.cards import bounds, teachers_on
from inhouse.models.cascade import Goal
from inhouse.models.cascade_learning import Learned, learn_cascade, use_cascade
from inhouse.models.routes import Acceptance
from inhouse.models.tasks import TASKS, task_named
from inhouse.models.train import train_task
from inhouse.stats.types import NotEnough

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Who answers each task; owned models."
)
app.command()(models_owned.card)
app.command()(models_owned.export)
app.command()(models_owned.data)
app.command()(models_owned.terms)
_SEED_BITS: Final = 32
Task = Annotated[str, typer.Argument(help=f"one of {', '.join(TASKS)}")]


@app.command()
def routes(as_json: Json = False) -> None:
    """Each task's stage on the way from rented to owned, and why it is there."""
    rows = []
    with open_services() as services:
        for task in TASKS:
            route = services.routes.current(task)
            history = services.routes.history(task)
            rows.append({"route": route, "reason": history[0].reason if history else "new"})
    columns = (
        ("task", lambda row: row["route"].task),
        ("stage", lambda row: row["route"].stage),
        ("rented", lambda row: row["route"].primary or "nobody"),
        ("owned", lambda row: row["route"].owned or "none yet"),
        ("owned share", lambda row: f"{row['route'].owned_share:.0%}"),
        ("because", lambda row: row["reason"]),
    )
    show(rows, columns, as_json=as_json)


@app.command("list")
def list_versions(task: Task, as_json: Json = False) -> None:
    """The trained versions of a task, newest first, with their cards."""
    with open_services() as services:
        versions = services.registry.versions(task_named(task).name)
    columns = (
        ("version", lambda v: v.version),
        ("trained on", lambda v: f"{v.card.trained_on:,} texts"),
        ("knows", lambda v: ", ".join(v.card.categories)),
        ("taught by", lambda v: ", ".join(v.card.sources)),
    )
    show(versions, columns, as_json=as_json)


@app.command()
def use(
    task: Task,
    version: Annotated[str, typer.Argument(help="as `models list` names it")],
    by: Annotated[str, typer.Option(help="who answers for it")],
    because: Annotated[str, typer.Option(help="why, for the record")],
) -> None:
    """Let a version pass on a person's word: into service, or, where a model is rented, into its
    shadow first, where live agreement decides as usual."""
    with open_services() as services:
        known = services.registry.version(version)
        if known.task != task_named(task).name:
            raise InputError(f"{version} was trained for {known.task}, not for {task}")
        route = services.routes.accept(
            Acceptance(
                task=task, version=version, by=by, reason=because, at_ms=services.clock.now_ms()
            ),
            services.settings.models.watch_share,
        )
    console.print(f"{task}: stage {route.stage}, {version}", markup=False)


@app.command()
def train(
    task: Task,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="leave out labels that came under these terms, repeatable; besides those of the "
            "setting `without_terms`"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train the owned model of a task from the labels there are, judge it on later ones, and let
    its route take the next step where the evidence allows it."""
    with open_services() as services:
        settings = services.settings.models
        left_out = ",".join((settings.without_terms, *(without or ())))
        trained = train_task(
            services.database,
            task_named(task),
            services.registry.folder,
            services.clock,
            replace(settings, without_terms=left_out),
        )
        step = services.routes.step(
            task, services.registry, services.settings.models, services.clock.now_ms()
        )
    if isinstance(trained, NotEnough):
        complaints.print(f"{trained.reason}: {trained.have:,} of {trained.need:,}")
        raise typer.Exit(FAILED)
    if as_json:
        print_json(trained)
        return
    console.print(f"{trained.version}, trained on {trained.card.trained_on:,} texts")
    for category, found in trained.card.metrics.items():
        auprc = "unknown" if found.auprc is None else f"{found.auprc:.3f}"
        console.print(f"  {category}: AUPRC {auprc}, {found.positives} positives held out")
    for bound in bounds(teachers_on(trained.card), "own use"):
        complaints.print(f"these terms may forbid such a model: {bound.in_words()}", markup=False)
    console.print(f"stage {step.route.stage}: {step.reason}", markup=False)


@app.command()
def ask(
    task: Task,
    texts: Annotated[int, typer.Option(min=1, max=MOST_OPEN, help="cases to open at most")] = 50,
    as_json: Json = False,
) -> None:
    """Ask people about the posts that the owned model is least sure of, and one in five at random:
    they wait in the review queue `learning`, and each decision is a label to train on."""
    with open_services() as services:
        services.catch_clock_up()
        asked = ask_people(services, task_named(task), texts, secrets.randbits(_SEED_BITS))
    if as_json:
        print_json(asked)
        return
    console.print(
        f"{asked.opened:,} of {asked.among:,} posts asked about for {asked.version}; "
        f"{asked.waiting:,} wait in the queue {QUEUE}",
        markup=False,
    )


@app.command()
def cascade(
    task: Task,
    precision: Annotated[float, typer.Option(help="least share of flags that are right")] = 0.9,
    recall: Annotated[float, typer.Option(help="least share of harm that is flagged")] = 0.9,
    sure: Annotated[float, typer.Option(help="probability that both hold")] = 0.9,
    by: Annotated[str, typer.Option(help="who puts it into the route; else only shown")] = "",
    off: Annotated[bool, typer.Option("--off", help="take the cascade out of the route")] = False,
    as_json: Json = False,
) -> None:
    """Learn of which texts the owned model is unsure, so that a rented one is asked about those
    alone; with `--by`, do so from now on."""
    goal = Goal(precision=precision, recall=recall, sure=sure)
    if off and not by:
        raise InputError("--off changes the route; say who decides with --by")
    with open_services() as services:
        name, now_ms = task_named(task).name, services.clock.now_ms()
        if off:
            use_cascade(services.routes, name, None, f"person:{by}", now_ms)
            console.print(f"{name}: no cascade", markup=False)
            return
        learned = learn_cascade(
            services.database,
            services.registry,
            task_named(task),
            goal,
            services.settings.models,
        )
        if by and isinstance(learned, Learned) and learned.cascade is not None:
            use_cascade(services.routes, name, learned.cascade, f"person:{by}", now_ms)
    if isinstance(learned, NotEnough):
        complaints.print(learned.reason, markup=False)
        raise typer.Exit(FAILED)
    if as_json:
        print_json(learned)
    else:
        _print_bands(learned, in_use=bool(by))
    if learned.cascade is None:
        raise typer.Exit(FAILED)


def _print_bands(learned: Learned, *, in_use: bool) -> None:
    for category, found in learned.found.items():
        told = (
            found.reason
            if isinstance(found, NotEnough)
            else f"asked again from {found.band.low:g} to {min(found.band.high, 1):g}, "
            f"{found.escalated:.1%} of texts; precision {found.precision:.3f}, "
            f"recall {found.recall:.3f}"
        )
        console.print(f"{category}: {told}", markup=False)
    if learned.cascade is None:
        console.print("no band keeps that; nothing is changed", markup=False)
        return
    console.print(learned.cascade.guarantee, markup=False)
    console.print(f"{learned.version}: {'in use' if in_use else 'shown only; use it with --by'}")
