"""inhouse moderate report: what was moderated in a period, for the transparency report."""

from pathlib import Path
from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.cli.audit import day_ms
from inhouse.cli.output import Json, console, print_json, share_in_words
from inhouse.core.clock import HOUR_MS
from inhouse.core.files import write_atomically
from inhouse.moderation.transparency.period import Period, PeriodReport, as_csv, report_of


def report(
    first: Annotated[str, typer.Option("--from", help="first day, YYYY-MM-DD in UTC")],
    until: Annotated[str, typer.Option("--to", help="day behind the last one")],
    csv: Annotated[Path | None, typer.Option(help="write the figures to this file")] = None,
    as_json: Json = False,
) -> None:
    """Count a period: notices, measures, complaints, automated means and how right they were, in
    the terms of Regulation (EU) 2024/2835."""
    period = Period(from_ms=day_ms(first) or 0, until_ms=day_ms(until) or 0)
    with open_services() as services:
        found = report_of(services.database, period)
    if csv is not None:
        write_atomically(csv, as_csv(found).encode())
    if as_json:
        print_json(found)
    else:
        for line in in_words(found):
            console.print(line, markup=False, highlight=False)


def in_words(found: PeriodReport) -> list[str]:
    """The figures a person looks for first."""
    notices, measures, complaints = found.notices, found.measures, found.complaints
    automated = found.automated
    return [
        f"notices     {notices.received:,} reports, {notices.illegal:,} of illegal content; "
        f"{notices.decided:,} answered, {_hours(notices.median_ms)}; "
        f"{notices.action:,} with action",
        f"measures    {measures.made:,} restrictions: {_counts(measures.by_kind)}",
        f"            by category: {_counts(measures.by_category)}",
        f"            automated: {_counts(measures.by_decision)}",
        f"complaints  {complaints.received:,} appeals, {complaints.of_reporters:,} of reporters; "
        f"{complaints.decided:,} decided, {_hours(complaints.median_ms)}; "
        f"granted: {share_in_words(complaints.reversal)}",
        f"automated   {automated.judged:,} posts judged, {automated.decisions:,} restricted by "
        f"programs alone; {automated.looked_at:,} looked at by a person; "
        f"taken back: {share_in_words(automated.error)}",
        f"accounts    {_counts(found.accounts)}",
        f"sealed      {found.sealed:,}",
    ]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items()) or "none"


def _hours(median_ms: float | None) -> str:
    return "no median" if median_ms is None else f"median {median_ms / HOUR_MS:.1f} h"
