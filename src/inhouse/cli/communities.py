"""inhouse communities: several communities in one installation, apart from each other."""

from dataclasses import dataclass
from typing import Annotated

import typer

from inhouse.app import communities
from inhouse.app.build import open_services
from inhouse.app.communities import NAME_RULE, Place
from inhouse.app.settings import Settings, load_settings
from inhouse.cli.output import Json, console, show
from inhouse.core.errors import InhouseError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Several communities in one installation, apart from each other.",
)
Name = Annotated[str, typer.Argument(help="as `inhouse communities list` shows it")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One community as the list shows it."""

    name: str
    state: str  # served, removed, or what is wrong with it
    items: int | None  # None where nobody looked
    people: int | None  # with a record
    events: int | None  # in the log
    folder: str


@app.command()
def add(
    name: Annotated[str, typer.Argument(help=NAME_RULE)],
    console_port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help="where its staff's console listens; none without"),
    ] = None,
) -> None:
    """Make a community: a folder, a database and settings of its own. A running server serves it
    within two seconds, its console too."""
    settings = communities.add(load_settings(), name, console_port)
    with open_services(settings) as services:
        services.log.last_offset()  # makes the database
    console.print(f"{name} is made in {settings.folder}", markup=False)
    console.print(f"next: inhouse --community {name} keys create my-app", markup=False)


@app.command("list")
def list_communities(as_json: Json = False) -> None:
    """Every community of the installation, removed ones too, with how much it holds."""
    home = load_settings()
    rows = [_row("default", home), *(_named_row(home, p) for p in communities.places_in(home))]
    columns = (
        ("name", lambda r: r.name),
        ("state", lambda r: r.state),
        ("items", lambda r: _count(r.items)),
        ("people", lambda r: _count(r.people)),
        ("events", lambda r: _count(r.events)),
        ("folder", lambda r: r.folder),
    )
    show(rows, columns, as_json=as_json)


@app.command()
def remove(name: Name) -> None:
    """Serve a community no longer: in two seconds its keys are void. Nothing of it is deleted."""
    home = load_settings()
    place = communities.remove(home, name)
    console.print(f"{name} is served no longer; all it held stays:", markup=False)
    console.print(f"  {place.folder}", markup=False)
    schema = communities.schema_in(home, name)
    if schema:
        console.print(f"  schema {schema} of the PostgreSQL database", markup=False)
    console.print(
        f"inhouse communities restore {name} brings it back; delete these to be rid of it",
        markup=False,
    )


@app.command()
def restore(name: Name) -> None:
    """Serve a removed community again, with all that it held; its keys are good again."""
    communities.restore(load_settings(), name)
    console.print(f"{name} is served again", markup=False)


def _named_row(home: Settings, place: Place) -> Row:
    if place.removed:
        return _unseen(place, "removed")
    try:
        return _row(place.name, communities.settings_of(home, place.name))
    except InhouseError as error:
        return _unseen(place, str(error))


def _row(name: str, settings: Settings) -> Row:
    with open_services(settings) as services:
        items, people = services.catalog.counts()
        events = services.log.last_offset()
    return Row(
        name=name,
        state="served",
        items=items,
        people=people,
        events=events,
        folder=str(settings.folder),
    )


def _unseen(place: Place, state: str) -> Row:
    return Row(
        name=place.name, state=state, items=None, people=None, events=None, folder=str(place.folder)
    )


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
