"""inhouse models parity: is the model trained here as good as the rented one?"""

from pathlib import Path
from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.app.owning.rejudging import judge_again
from inhouse.cli.models_way import Task
from inhouse.cli.output import Json, console, print_json
from inhouse.console.bill.parity_page import report_page
from inhouse.core.errors import InputError
from inhouse.models.parity.beside import Beside
from inhouse.models.parity.report import ParityReport
from inhouse.models.tasks import judgement_named


def parity(
    task: Task,
    html: Annotated[Path | None, typer.Option(help="write the report here, as one page")] = None,
    with_texts: Annotated[
        bool, typer.Option("--with-texts", help="show the words of the cases; else left out")
    ] = False,
    as_json: Json = False,
) -> None:
    """Judge the newest version again on the labels there are now, in every language, category,
    week and age of authors; the gate reads the answer from then on."""
    with open_services() as services:
        services.catch_clock_up()
        known = judgement_named(task, services.tasks)
        report = judge_again(services, known, with_texts=with_texts)
    if html is not None:
        _write(html, report_page(report))
    if as_json:
        print_json(report)
    else:
        _print(report)


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another file") from None


def _beside(found: Beside) -> str:
    return f"{found.verdict.replace('_', ' ')}: {found.reason}"


def _print(report: ParityReport) -> None:
    by = f"signed by {report.signed.signed_by}" if report.signed else "nobody signed it"
    told = report.overall
    console.print(f"{report.version}: {told.verdict}: {told.reason}", markup=False)
    console.print(
        f"  margin {report.margin:g}, {by}; {told.held_out:,} texts held out, of which people "
        f"judged {told.people:,}",
        markup=False,
    )
    if report.beside is not None:
        console.print(f"  beside {report.beside.version}: {_beside(report.beside)}", markup=False)
    for one in report.slices:
        verdict = one.verdict.replace("_", " ")
        more = f", {one.more_needed:,} more labels needed" if one.more_needed else ""
        line = f"  {one.fact} {one.value}: {verdict}{more} ({one.texts:,} texts)"
        console.print(line, markup=False)
    console.print(
        f"  both models differ on {report.differences:,}, of which people have not judged "
        f"{report.unjudged:,}; `inhouse models ask {report.task} --differences` asks them",
        markup=False,
    )
