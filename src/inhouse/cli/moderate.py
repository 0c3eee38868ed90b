"""inhouse moderate: judge what waits, and check a policy before it goes live."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inhouse.app.build import Services, open_services
from inhouse.cli import banks
from inhouse.cli.output import FAILED, Json, complaints, console, print_json
from inhouse.moderation.policy.examples import DEFAULT_EXAMPLES, load_examples, run_examples
from inhouse.moderation.policy.parse import load_policy
from inhouse.moderation.scan import ScanReport
from inhouse.moderation.transparency import policy_in_words

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Judge what waits; check a policy."
)
app.add_typer(banks.app, name="banks")
_LIMIT = 2_000
_PAUSE_S = 0.1  # while pictures and videos are being read


@app.command()
def run(as_json: Json = False) -> None:
    """Give everything that waits its verdict, as the worker of `inhouse up` does all the time;
    much at once is read on every core, or on a cluster."""
    columns = (TextColumn("changes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        open_services() as services,
        Progress(*columns, console=complaints, transient=True) as bar,
        services.many_readers(),
    ):
        judged, cases, last = asyncio.run(_run(services, bar))
    if as_json:
        print_json({"judged": judged, "cases": cases, "awaiting": last.awaiting})
    else:
        console.print(f"{judged:,} texts judged, {cases:,} cases opened or added to")
    if last.error is not None:
        complaints.print(f"{last.awaiting:,} texts wait: {last.error}", markup=False)
        raise typer.Exit(FAILED)


async def _run(services: Services, bar: Progress) -> tuple[int, int, ScanReport]:
    judged = cases = 0
    task = bar.add_task("changes", total=None)
    try:
        while True:
            report = await services.moderator.scan(_LIMIT)
            judged, cases = judged + report.judged, cases + report.cases
            bar.update(task, completed=judged, total=judged + report.backlog)
            if services.media.step():
                continue
            if report.error is not None or (report.read == 0 and services.media.waiting() == 0):
                return judged, cases, report
            if report.read == 0:
                await asyncio.sleep(_PAUSE_S)
    finally:
        await services.gateway.close()


@app.command()
def policy(
    path: Annotated[
        Path | None, typer.Argument(help="policy file; the one in force if none")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a policy file and say in words what it does."""
    if path is None:
        with open_services() as services:
            checked = services.policy
    else:
        checked = load_policy(path)
    sentences = policy_in_words(checked)
    if as_json:
        print_json({"version": checked.version, "sentences": sentences})
        return
    console.print(f"[bold]{checked.version}[/bold]")
    for sentence in sentences:
        console.print(f"- {sentence}", markup=False, highlight=False)


@app.command("test")
def hold_to_examples(
    examples: Annotated[
        Path | None,
        typer.Argument(help="file of texts that must and must not match; the shipped one if none"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Hold the policy in force to its examples; exit code 1 where one comes out otherwise."""
    with open_services() as services:
        rules = services.rules
    file = load_examples(rules.policy, examples or DEFAULT_EXAMPLES)
    failures = run_examples(file, rules.policy, rules.reader)
    if as_json:
        print_json({"examples": len(file.examples), "failures": [str(f) for f in failures]})
    else:
        for failure in failures:
            complaints.print(str(failure), markup=False, highlight=False)
        console.print(f"{len(file.examples) - len(failures)} of {len(file.examples)} as they must")
    if failures:
        raise typer.Exit(FAILED)
