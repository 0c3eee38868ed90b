"""inhouse import: take over what another system or a data set holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inhouse.app.build import open_services
from inhouse.app.imports import types
from inhouse.app.imports.movielens import open_movielens
from inhouse.app.imports.reddit import open_reddit
from inhouse.app.imports.run import run_import
from inhouse.app.imports.tabular import open_table
from inhouse.app.imports.types import ImportReport, Source
from inhouse.cli.output import Json, complaints, console, print_json

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Take over items, users, events and labels; interrupted, it goes on where it was.",
)
_SHOWN = 10
Where = Annotated[Path, typer.Argument(help="file or folder to read")]
Table = Annotated[str, typer.Option(help="what the rows are: items, users, events or labels")]
Map = Annotated[
    list[str] | None,
    typer.Option("--map", help="field=column for each field named otherwise; repeatable"),
]


@app.command()
def movielens(path: Where, as_json: Json = False) -> None:
    """MovieLens 100K or 1M, or a folder with movies.dat and sequences.csv.gz."""
    _import(lambda: open_movielens(path), as_json=as_json)


@app.command()
def reddit(path: Where, as_json: Json = False) -> None:
    """Posts in a Parquet file with the columns of a Reddit dump."""
    _import(lambda: open_reddit(path), as_json=as_json)


@app.command()
def jsonl(path: Where, table: Table, columns: Map = None, as_json: Json = False) -> None:
    """One JSON object a line, plain or .gz."""
    _import(lambda: open_table(path, "jsonl", table, columns or []), as_json=as_json)


@app.command()
def csv(path: Where, table: Table, columns: Map = None, as_json: Json = False) -> None:
    """Comma-separated with a header, plain or .gz."""
    _import(lambda: open_table(path, "csv", table, columns or []), as_json=as_json)


@app.command()
def parquet(path: Where, table: Table, columns: Map = None, as_json: Json = False) -> None:
    """A Parquet file."""
    _import(lambda: open_table(path, "parquet", table, columns or []), as_json=as_json)


def _import(opened: Callable[[], Source], *, as_json: bool) -> None:
    source = opened()
    columns = (
        TextColumn("rows"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with (
        open_services() as services,
        Progress(*columns, console=complaints, transient=True) as bar,
    ):
        task = bar.add_task("rows", total=source.rows)

        def tell(progress: types.Progress) -> None:
            bar.update(task, completed=progress.rows, total=progress.total)

        report = run_import(source, services.database, tell)
    if as_json:
        print_json(report)
    else:
        _print(report)


def _print(report: ImportReport) -> None:
    counts = report.counts
    if report.resumed_at:
        console.print(f"went on from row {report.resumed_at:,}")
    console.print(
        f"{counts.read:,} rows read = {counts.stored:,} stored + {counts.repeated:,} known already "
        f"+ {counts.rejected:,} rejected"
    )
    console.print(
        f"stored: {counts.items:,} items, {counts.users:,} users, {counts.events:,} events, "
        f"{counts.labels:,} labels"
    )
    for note in report.notes:
        console.print(f"note: {note}", style="dim", markup=False)
    for row in report.bad_rows[:_SHOWN]:
        complaints.print(f"rejected {row}", markup=False, highlight=False)
    if counts.rejected > _SHOWN:
        complaints.print(f"… and {counts.rejected - _SHOWN:,} more; --json lists a hundred")
