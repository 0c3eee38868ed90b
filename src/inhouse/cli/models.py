"""inhouse models: who answers each task, and the way to a model of one's own."""

import secrets
from pathlib import Path
from typing import Annotated, Final

import typer

from inhouse.app.build import open_services
from inhouse.app.owning.asking import MOST_OPEN, QUEUE, ask_differences, ask_people
from inhouse.app.owning.students import USE, Begun, step_of, train_student, use_version
from inhouse.cli import models_owned
from inhouse.cli.models_parity import parity
from inhouse.cli.models_way import COMMANDS, Task
from inhouse.cli.output import FAILED, Json, complaints, console, print_json, progress_bar, show
from inhouse.core.errors import InputError
from inhouse.models.cascade.bands import Goal
from inhouse.models.cascade.learning import Learned, learn_cascade, use_cascade
from inhouse.models.cutover.routes import Acceptance
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.tasks import judgement_named, task_named
from inhouse.models.training.cards import bounds, kind_of, teachers_on
from inhouse.stats.types import NotEnough

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Who answers each task; owned models."
)
_OWNED: Final = (models_owned.card, models_owned.export, models_owned.data, models_owned.terms)
for _command in (*COMMANDS, parity, *_OWNED):
    app.command()(_command)
_SEED_BITS: Final = 32


@app.command()
def routes(as_json: Json = False) -> None:
    """Each task's stage on the way from rented to owned, and why it is there."""
    rows = []
    with open_services() as services:
        for task in services.tasks.values():
            route = services.routes.current(task.name)
            history = services.routes.history(task.name)
            reason = history[0].reason if history else "new"
            rented = route.primary if task.judges else next(iter(task.stand_ins), None)
            rows.append({"kind": task.kind, "route": route, "rented": rented, "reason": reason})
    columns = (
        ("task", lambda row: row["route"].task),
        ("answer", lambda row: row["kind"]),
        ("stage", lambda row: row["route"].stage),
        ("rented", lambda row: row["rented"] or "nobody"),
        ("owned", lambda row: row["route"].owned or "none yet"),
        ("owned share", lambda row: f"{row['route'].owned_share:.0%}"),
        ("held by", lambda row: row["route"].held_by or ""),
        ("because", lambda row: row["reason"]),
    )
    show(rows, columns, as_json=as_json)


@app.command("list")
def list_versions(task: Task, as_json: Json = False) -> None:
    """The trained versions of a task, newest first, with their cards."""
    with open_services() as services:
        versions = services.registry.versions(task_named(task, services.tasks).name)
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
        if known.task != task_named(task, services.tasks).name:
            raise InputError(f"{version} was trained for {known.task}, not for {task}")
        route = use_version(
            services,
            Acceptance(
                task=task, version=version, by=by, reason=because, at_ms=services.clock.now_ms()
            ),
        )
    console.print(f"{task}: stage {route.stage}, {version}", markup=False)


@app.command()
def train(
    task: Task,
    encoder: Annotated[
        str, typer.Option(help="encoder to begin from: a name on the hub, or a folder")
    ] = "",
    base: Annotated[
        str, typer.Option(help="language model to begin from: a name on the hub, or a folder")
    ] = "",
    full: Annotated[
        bool, typer.Option("--full", help="teach all weights of --encoder or --base, not a few")
    ] = False,
    pairs: Annotated[
        Path | None,
        typer.Option(help="JSON lines to learn from: prompts with answers, or texts with vectors"),
    ] = None,
    licence: Annotated[
        str, typer.Option(help="of --encoder or --base, where its README names none")
    ] = "",
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="leave out labels that came under these terms, repeatable; besides those of the "
            "setting `without_terms`"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train the model of a task from what there is, and judge it on what came later.

    A task of labels or a score learns from its labels: from nothing, or with --encoder from an
    encoder that others began, and its route takes the next step where the evidence allows it. A
    task of text learns with --base, from what was kept of calls or from --pairs. An embedding takes
    an --encoder, and with --pairs maps it into the space of another's vectors. Killed and run
    again, it goes on where it was.
    """
    begun = Begun(
        encoder=encoder,
        base=base,
        full=full,
        licence=licence,
        pairs=pairs,
        without=tuple(without or ()),
    )
    with open_services() as services, progress_bar() as tell:
        trained = train_student(services, task_named(task, services.tasks), begun, tell)
        step = step_of(services, task) if not isinstance(trained, NotEnough) else None
    if isinstance(trained, NotEnough):
        needed = "" if trained.need is None else f": {trained.have:,} of {trained.need:,}"
        complaints.print(f"{trained.reason}{needed}", markup=False)
        raise typer.Exit(FAILED)
    if as_json:
        print_json(trained)
        return
    _print_trained(trained)
    told = f"stage {step.route.stage}: {step.reason}" if step else USE.format(trained)
    console.print(told, markup=False)


def _print_trained(trained: ModelVersion) -> None:
    card = trained.card
    began = f", {card.method} from {card.base} ({card.base_terms})" if card.base else ""
    console.print(f"{trained.version}, trained on {card.trained_on:,} texts{began}", markup=False)
    for category, found in card.metrics.items():
        auprc = "unknown" if found.auprc is None else f"{found.auprc:.3f}"
        console.print(f"  {category}: AUPRC {auprc}, {found.positives} positives held out")
    if card.held_out is not None:
        before = card.held_out.before
        was = "" if before is None else f", {before:.3f} before"
        told = f"  {card.held_out.measure} {card.held_out.after:.3f}{was}"
        console.print(f"{told}, on {card.held_out.pairs:,} later pairs")
    for bound in bounds(teachers_on(card), "own use", kind_of(card)):
        complaints.print(f"these terms may forbid such a model: {bound.in_words()}", markup=False)


@app.command()
def ask(
    task: Task,
    texts: Annotated[int, typer.Option(min=1, max=MOST_OPEN, help="cases to open at most")] = 50,
    differences: Annotated[
        bool, typer.Option("--differences", help="about what both models differ on, for parity")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask people about the posts that the owned model is least sure of, and one in five at random,
    or about those on which it and the rented one differ: they wait in the review queue `learning`,
    and each decision is a label."""
    with open_services() as services:
        services.catch_clock_up()
        wanted = judgement_named(task, services.tasks)
        if differences:
            asked = ask_differences(services, wanted, texts)
        else:
            asked = ask_people(services, wanted, texts, secrets.randbits(_SEED_BITS))
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
        wanted, now_ms = judgement_named(task, services.tasks), services.clock.now_ms()
        name = wanted.name
        if off:
            use_cascade(services.routes, name, None, f"person:{by}", now_ms)
            console.print(f"{name}: no cascade", markup=False)
            return
        learned = learn_cascade(
            services.database,
            services.registry,
            wanted,
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
