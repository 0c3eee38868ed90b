"""inhouse models card, export, data and terms: what an owned model is made of and learns from, and
where it may go."""

from pathlib import Path
from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.app.owning.datasets import data_of, write_data
from inhouse.cli.output import Json, console, print_json, show
from inhouse.models.harvest.terms import KNOWN
from inhouse.models.training.cards import ADVICE, Purpose, card_in_words
from inhouse.models.training.exporting import Wanted, export_model

Version = Annotated[str, typer.Argument(help="as `inhouse models list` names it")]


def card(version: Version, as_json: Json = False) -> None:
    """What a version is made of, who taught it under which terms, and what these allow."""
    with open_services() as services:
        found = services.registry.version(version).card
    if as_json:
        print_json(found)
        return
    console.print(card_in_words(found), markup=False, highlight=False, soft_wrap=True, end="")


def export(
    version: Version,
    to: Annotated[Path, typer.Option(help="folder for the files; a new one, or empty")],
    by: Annotated[str, typer.Option(help="who answers for it")],
    own_use: Annotated[
        bool, typer.Option("--own-use", help="for machines of your own; not to be given to others")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take a model's weights out, with its card and the facts of its data; refused where the terms
    of any of its labels forbid it. Both go on record in the audit chain."""
    purpose: Purpose = "own use" if own_use else "others"
    with open_services() as services:
        services.catch_clock_up()
        wanted = Wanted(
            version=version, folder=to, purpose=purpose, by=by, at_ms=services.clock.now_ms()
        )
        files = export_model(services.database, services.registry, wanted)
    if as_json:
        print_json({"version": version, "to": str(to), "purpose": purpose, "files": files})
        return
    console.print(f"{version} is in {to}: {', '.join(files)}", markup=False)
    if own_use:
        console.print("for your own machines alone: it is not checked whether others may have it")


def data(
    task: Annotated[
        str, typer.Argument(help="a task of ours, or one that calls passed on have named")
    ],
    to: Annotated[Path | None, typer.Option(help="write it, as .parquet or .jsonl")] = None,
    most: Annotated[
        int | None, typer.Option(min=1, help="texts at most; rare strata stay whole")
    ] = None,
    as_json: Json = False,
) -> None:
    """What there is to learn a task from: without copies, split by time so that nothing nearly the
    same stands on two sides, counted by what was found, language and source."""
    with open_services() as services:
        found = data_of(services, task, most)
        rows = 0 if to is None else write_data(found, to)
    if as_json:
        print_json(found.facts)
        return
    facts = found.facts
    columns = (
        ("found", lambda one: one.label),
        ("language", lambda one: one.language),
        ("strongest word", lambda one: one.source),
        ("train", lambda one: f"{one.train:,}"),
        ("validation", lambda one: f"{one.validation:,}"),
        ("test", lambda one: f"{one.test:,}"),
    )
    show(facts.strata, columns, as_json=False)
    console.print(
        f"{facts.train:,} to train on, {facts.validation:,} to choose by, {facts.test:,} to judge "
        f"by; {facts.copies:,} copies made one, {facts.seen_before:,} left out that are nearly the "
        "same as earlier ones"
    )
    for teacher in facts.teachers:
        said = f"{teacher.labels:,} by {teacher.source} under {teacher.terms}"
        console.print(said, markup=False)
    if to is not None:
        console.print(
            f"{rows:,} rows are in {to}; they are people's words, and who is erased here is not "
            "erased there",
            markup=False,
        )


def terms(as_json: Json = False) -> None:
    """The terms that labels and `vendors.toml` may name, and what they allow."""
    columns = (
        ("name", lambda one: one.name),
        ("document", lambda one: f"{one.title}, {one.clause}"),
        ("may train", lambda one: one.trains),
        ("weights may leave", lambda one: "yes" if one.leaves else "no"),
        ("because", lambda one: one.why),
    )
    show(list(KNOWN.values()), columns, as_json=as_json)
    if not as_json:
        console.print(ADVICE)
