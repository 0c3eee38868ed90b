"""inhouse moderate: judge what waits, check a policy, show what was decided."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from inhouse.app.build import Services, open_services
from inhouse.cli import banks
from inhouse.cli.audit import audit
from inhouse.cli.dsa import app as dsa
from inhouse.cli.output import FAILED, Json, complaints, console, print_json, progress_bar
from inhouse.cli.period import report
from inhouse.cli.policy_report import print_backtest, print_shadow
from inhouse.cli.sample import prevalence, sample
from inhouse.cli.sealed import app as sealed
from inhouse.core.clock import DAY_MS
from inhouse.moderation.judging.breaker import close_breakers, open_breakers, opening_in_words
from inhouse.moderation.judging.scan import ScanReport
from inhouse.moderation.past.backtest import backtest
from inhouse.moderation.past.rescan_job import Progress
from inhouse.moderation.past.shadow import shadow_report
from inhouse.moderation.past.told import progress_in_words
from inhouse.moderation.policy.examples import DEFAULT_EXAMPLES, load_examples, run_examples
from inhouse.moderation.policy.parse import load_policy
from inhouse.moderation.recording.rulings import checked_name
from inhouse.moderation.transparency.plain import policy_in_words
from inhouse.moderation.verdicts.history import Window

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Judge what waits; check a policy."
)
breaker_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The circuit breaker: rules that remove too much ask people instead.",
)
app.add_typer(breaker_app, name="breaker")
app.add_typer(banks.app, name="banks")
app.command("audit")(audit)
app.command("report")(report)
app.command("sample")(sample)
app.command("prevalence")(prevalence)
app.add_typer(dsa, name="dsa")
app.add_typer(sealed, name="sealed")
_LIMIT = 2_000
_PAUSE_S = 0.1  # while pictures and videos are being read
Days = Annotated[int | None, typer.Option(min=1, help="only posts judged in so many days")]
Newest = Annotated[int | None, typer.Option(min=1, help="only so many posts, the newest")]


@app.command()
def run(as_json: Json = False) -> None:
    """Give everything that waits its verdict, as the worker of `inhouse up` does all the time;
    much at once is read on every core, or on a cluster."""
    columns = (TextColumn("changes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        open_services() as services,
        Bar(*columns, console=complaints, transient=True) as bar,
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


async def _run(services: Services, bar: Bar) -> tuple[int, int, ScanReport]:
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


@app.command("backtest")
def try_on_the_past(
    path: Annotated[Path, typer.Argument(help="policy file that is not in force yet")],
    days: Days = None,
    newest: Newest = None,
    as_json: Json = False,
) -> None:
    """What a policy would change of the past: decisions by both policies on stored evidence,
    against people's, without asking a model. Changes nothing."""
    tried = load_policy(path)
    with open_services() as services, progress_bar() as tell:
        window = _window(services, days, newest)
        report = backtest(
            services.database,
            services.policy,
            tried,
            window,
            lambda done, total: tell("reading verdicts", done, total),
        )
    if as_json:
        print_json(report)
    else:
        print_backtest(report)


@app.command("shadow")
def watch_shadows(days: Days = None, newest: Newest = None, as_json: Json = False) -> None:
    """What the rules in shadow would have done, had they been live."""
    with open_services() as services:
        window = _window(services, days, newest)
        report = shadow_report(services.database, services.policy, window)
    if as_json:
        print_json(report)
    else:
        print_shadow(report)


@app.command()
def rescan(
    signals: Annotated[
        bool, typer.Option(help="read texts again whose term banks or reader changed")
    ] = False,
    models: Annotated[
        bool, typer.Option(help="ask the models again; costs what they cost")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="let the running one go no further instead")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let the past catch up with the policy in force: open the cases it asks for, withdraw those it
    no longer does. Goes on where an earlier call or the worker was interrupted."""
    with open_services() as services, progress_bar() as tell:
        services.catch_clock_up()
        if stop:
            last = services.rescan.stop()
        else:
            last = asyncio.run(_rescan(services, tell, signals=signals, models=models))
    if as_json:
        print_json(last)
        return
    stopped = "stopped: " if last.state == "stopped" else ""
    console.print(f"{stopped}{progress_in_words(last)}")


async def _rescan(
    services: Services, tell: Callable[[str, int, int], None], *, signals: bool, models: bool
) -> Progress:
    progress = services.rescan.begin(signals=signals, models=models)
    try:
        while progress.state == "running":
            tell("posts", round(progress.share * 1_000), 1_000)
            moved = await services.rescan.step()
            progress = moved or services.rescan.progress(progress.job_id)
        return progress
    finally:
        await services.gateway.close()


@breaker_app.command("show")
def show_breaker(as_json: Json = False) -> None:
    """Whether it is open, for which rule and since when."""
    with open_services() as services:
        standing = open_breakers(services.database)
    if as_json:
        print_json(standing)
        return
    for event in standing:
        console.print(f"open: {opening_in_words(event)}", markup=False, highlight=False)
    if not standing:
        console.print("closed: no rule has removed too much")


@breaker_app.command("reset")
def reset_breaker(
    reviewer: Annotated[str, typer.Option(help="who has looked at what was removed")],
    as_json: Json = False,
) -> None:
    """Close it: rules remove what comes from now on, and counting starts anew. What was held back
    stays with people."""
    with open_services() as services:
        services.catch_clock_up()
        name, now_ms = checked_name(reviewer), services.clock.now_ms()
        closed = close_breakers(services.database, name, now_ms)
    if as_json:
        print_json(closed)
    else:
        console.print(f"{len(closed)} closed; what was held back waits in the review queue")


def _window(services: Services, days: int | None, newest: int | None) -> Window:
    services.catch_clock_up()
    since_ms = services.clock.now_ms() - days * DAY_MS if days else 0
    return Window(since_ms=max(since_ms, 0), newest=newest)
