"""inhouse experiment: start, read and stop experiments."""

from pathlib import Path
from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.app.experiments import read_experiment
from inhouse.cli.output import Json, console, print_json, read_file, show
from inhouse.engagement.experiments.report import Comparison, Results
from inhouse.stats.types import NotEnough

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Start, read, stop experiments.")
Key = Annotated[str, typer.Argument(help="as `inhouse experiment list` shows it")]


@app.command("list")
def list_experiments(as_json: Json = False) -> None:
    """Every experiment ever created, newest first."""
    with open_services() as services:
        found = services.experiments.list()
    columns = (
        ("key", lambda e: e.key),
        ("state", lambda e: "running" if e.active else "stopped"),
        ("arms", lambda e: ", ".join(arm.key for arm in e.arms)),
        ("question", lambda e: e.question),
    )
    show(found, columns, as_json=as_json)


@app.command()
def start(
    file: Annotated[Path, typer.Argument(help="JSON as POST /v1/experiments takes it")],
) -> None:
    """Start an experiment described in a file."""
    with open_services() as services:
        services.catch_clock_up()
        experiment = read_experiment(read_file(file))
        started = services.experiments.create(experiment, services.clock.now_ms())
    console.print(f"{started.key} runs: {', '.join(arm.key for arm in started.arms)}")


@app.command()
def results(key: Key, as_json: Json = False) -> None:
    """What came of it so far; the intervals stay valid however often you look."""
    with open_services() as services:
        services.catch_clock_up()
        found = services.experiments.results(key, services.clock.now_ms())
    if as_json:
        print_json(found)
    else:
        _print(found)


@app.command()
def stop(key: Key) -> None:
    """Assign nobody from now on, and count nothing that happens later."""
    with open_services() as services:
        services.catch_clock_up()
        services.experiments.stop(key, services.clock.now_ms())
    console.print(f"{key} is stopped")


def _print(found: Results) -> None:
    people = ", ".join(f"{arm.arm} {arm.people:,}" for arm in found.arms)
    console.print(f"[bold]{found.key}[/bold] {found.question}\npeople: {people}")
    rows = [(metric, each) for metric in found.metrics for each in metric.comparisons]
    columns = (
        ("metric", lambda row: row[0].metric),
        ("arm", lambda row: row[1].arm),
        ("difference", lambda row: _difference(row[1])),
        ("says", lambda row: row[1].answer.replace("_", " ")),
    )
    show(rows, columns, as_json=False)
    for guardrail in found.guardrails:
        state = guardrail.state.replace("_", " ")
        console.print(f"guardrail {guardrail.metric} of {guardrail.arm}: {state}")
    for call in found.calls:
        console.print(f"{call.arm}: {call.call.replace('_', ' ')}, {call.because}", markup=False)


def _difference(comparison: Comparison) -> str:
    found = comparison.relative
    if isinstance(found, NotEnough):
        return f"not enough data: {found.reason}"
    return f"{found.estimate:+.1%} ({found.low:+.1%} to {found.high:+.1%})"
