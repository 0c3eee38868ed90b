"""inhouse moderate dsa: files for the EU's Transparency Database."""

from pathlib import Path
from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.cli.audit import day_ms
from inhouse.cli.output import FAILED, Json, complaints, console, print_json
from inhouse.core.errors import InputError
from inhouse.moderation.transparency.export import DsaExport, Wanted

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Files for the EU's Transparency Database."
)


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="file to write")],
    since: Annotated[str, typer.Option(help="first day, YYYY-MM-DD in UTC")],
    as_csv: Annotated[bool, typer.Option("--csv", help="RFC 4180 instead of JSON lines")] = False,
    again: Annotated[bool, typer.Option("--again", help="also what was exported before")] = False,
    as_json: Json = False,
) -> None:
    """Write the statements of reasons that were not exported yet. Each line of the JSON file is the
    body of one call of `POST /api/v1/statements`; exit code 1 where one does not fit the schema."""
    if as_csv and as_json:
        raise InputError("--csv and --json: got both; JSON lines are what is written without --csv")
    since_ms = day_ms(since) or 0
    wanted = Wanted(since_ms=since_ms, again=again, format="csv" if as_csv else "json")
    with open_services() as services:
        services.catch_clock_up()
        done = DsaExport(services.database).write(path, wanted, services.clock.now_ms())
    if as_json:
        print_json(done)
    else:
        console.print(
            f"{done.statements:,} statements in {done.calls:,} calls; "
            f"{done.exempt:,} of advertising left out, as Art. 17(2) allows"
        )
    for fault in done.refused:
        complaints.print(fault, markup=False, highlight=False)
    if done.refused:
        raise typer.Exit(FAILED)
