"""inhouse replay: score the feed on recorded behaviour, in the order of time."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from inhouse.app.build import open_services
from inhouse.app.imports.movielens import open_movielens
from inhouse.app.imports.tabular import table_by_name
from inhouse.app.replay.play import replay as play
from inhouse.app.replay.recording import Recording, recorded_by, recorded_in
from inhouse.app.replay.types import (
    Difference,
    Measured,
    ReplayProgress,
    ReplayReport,
    ReplaySettings,
    Standing,
)
from inhouse.cli.output import Json, complaints, console, print_json, show
from inhouse.core.errors import InputError
from inhouse.stats.types import NotEnough


def replay(
    path: Annotated[
        Path | None,
        typer.Argument(help="MovieLens folder, or a file of events; what is imported if none"),
    ] = None,
    items: Annotated[Path | None, typer.Option(help="file of the items the events name")] = None,
    questions: Annotated[
        float, typer.Option(min=0.001, max=1, help="share of the moments to ask at, by chance")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="of everything random")] = 0,
    as_json: Json = False,
) -> None:
    """Play recorded behaviour through the code that serves: ask, score, then learn.

    Beside the feed stand what was popular in the last days and item-item nearest neighbours, on the
    same questions. Files are read as .csv, .jsonl or .parquet, .gz too.
    """
    recording = _recording(path, items)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=complaints, transient=True) as bar:
        task = bar.add_task("playing", total=len(recording.events))

        def tell(progress: ReplayProgress) -> None:
            bar.update(task, description=progress.doing, completed=progress.events)

        report = play(recording, ReplaySettings(asked_share=questions, seed=seed), tell)
    if as_json:
        print_json(report)
    else:
        _print(report)


def _recording(path: Path | None, items: Path | None) -> Recording:
    if path is None:
        with open_services() as services:
            return recorded_in(services.database)
    if path.is_dir():
        return recorded_by([open_movielens(path)])
    if items is None:
        raise InputError(f"{path} holds events; name the file of their items with --items")
    return recorded_by([table_by_name(items, "items"), table_by_name(path, "events")])


def _print(report: ReplayReport) -> None:
    console.print(
        f"{report.events:,} events of {report.people:,} people on {report.items:,} items; "
        f"{report.questions:,} questions; the model learned {report.rounds} times, "
        f"{report.snapshots} snapshots served; {report.took_s:,.0f} s"
    )
    k = report.k
    columns = (
        ("", lambda s: s.name),
        (f"HR@{k}", lambda s: _measured(s.overall.hit_rate)),
        (f"NDCG@{k}", lambda s: _measured(s.overall.ndcg)),
        (f"HR@{k} by window", _windows),
        ("new people", lambda s: _estimate(s.cold_people.hit_rate)),
        ("new items", lambda s: _estimate(s.cold_items.hit_rate)),
    )
    show(report.standings, columns, as_json=False)
    for difference in report.differences:
        console.print(_compared(difference, k))


def _windows(standing: Standing) -> str:
    return " ".join(_estimate(window.hit_rate) for window in standing.windows)


def _compared(difference: Difference, k: int) -> str:
    return f"feed minus {difference.baseline}: HR@{k} {_measured(difference.hit_rate, signed=True)}"


def _measured(value: Measured, *, signed: bool = False) -> str:
    if isinstance(value, NotEnough):
        return f"not enough: {value.reason}"
    form = "+.4f" if signed else ".4f"
    return f"{value.estimate:{form}} ({value.low:{form}} to {value.high:{form}})"


def _estimate(value: Measured) -> str:
    return "-" if isinstance(value, NotEnough) else f"{value.estimate:.3f}"
