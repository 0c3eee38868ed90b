"""inhouse moderate sealed: posts sealed as sexual abuse of children, and what the law asks."""

import os
from pathlib import Path
from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.cli.audit import time_of
from inhouse.cli.output import Json, console, print_json, show
from inhouse.core.errors import StoreError
from inhouse.moderation.recording.sealed import REPORT_DUTY

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Posts sealed as sexual abuse of children, and what the law asks.",
)
Item = Annotated[str, typer.Argument(help="the post's id")]
By = Annotated[str, typer.Option(help="who does it; it is recorded")]
Reason = Annotated[str, typer.Option(help="why; it is recorded")]


@app.command("list")
def list_sealed(as_json: Json = False) -> None:
    """What is sealed and what is to be done. Nothing of the posts themselves."""
    with open_services() as services:
        found = services.sealed.list()
    columns = (
        ("post", lambda s: s.item_id),
        ("since", lambda s: time_of(s.at_ms)),
        ("by", lambda s: s.source),
        ("report", lambda s: s.report_number or "TO DO"),
    )
    show(found, columns, as_json=as_json)
    if not as_json and any(item.is_due for item in found):
        console.print(REPORT_DUTY, markup=False)


@app.command()
def add(item: Item, by: By, as_json: Json = False) -> None:
    """Seal a post: it is removed everywhere at once, and nobody is shown it again."""
    with open_services() as services:
        services.catch_clock_up()
        done = services.sealed.seal(item, by)
    if as_json:
        print_json(done)
    else:
        console.print(f"{done.item_id} is sealed. {REPORT_DUTY}", markup=False)


@app.command()
def report(
    item: Item,
    by: By,
    to: Annotated[str, typer.Option(help="to whom it was reported, as NCMEC")],
    number: Annotated[str, typer.Option(help="the number of the report")],
) -> None:
    """Tick the duty to report off."""
    with open_services() as services:
        services.catch_clock_up()
        services.sealed.report(item, by, to, number)
    console.print(f"{item}: reported to {to} as {number}", markup=False)


@app.command("open")
def open_sealed(
    item: Item,
    path: Annotated[Path, typer.Argument(help="file to write, readable by you alone")],
    by: By,
    reason: Reason,
) -> None:
    """Break the glass: write what was sealed to a file, for a report or the police. It is
    recorded who did and why. Remove the file as soon as you can."""
    with open_services() as services:
        services.catch_clock_up()
        content = services.sealed.open(item, by, reason)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; name a new file") from error
    console.print(f"written to {path}; remove it as soon as you can", markup=False)


@app.command()
def lift(
    item: Item,
    by: By,
    second: Annotated[str, typer.Option(help="the second person who says so")],
    reason: Reason,
) -> None:
    """It was a mistake, two people say: a post is what it was and is judged anew."""
    with open_services() as services:
        services.catch_clock_up()
        services.sealed.lift(item, (by, second), reason)
    console.print(f"{item} is no longer sealed; a post is judged anew", markup=False)
