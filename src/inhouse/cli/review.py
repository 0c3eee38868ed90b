"""inhouse review: the moderators' queue from a terminal."""

from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.cli.output import Json, console, print_json, show
from inhouse.moderation.reviewing.search import CaseFilter

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The moderators' queue.")
Reviewer = Annotated[str, typer.Option(help="who decides")]


@app.command()
def queue(
    queue_name: Annotated[str | None, typer.Option("--queue", help="only this queue")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: Json = False,
) -> None:
    """What waits for a person, most urgent first."""
    with open_services() as services:
        cases = services.review.queue(CaseFilter(queue=queue_name), limit)
    columns = (
        ("case", lambda c: c.case_id),
        ("queue", lambda c: c.queue),
        ("urgency", lambda c: f"{c.priority:.2f}"),
        ("item", lambda c: c.item_id),
        ("because", lambda c: c.reason),
    )
    show(cases, columns, as_json=as_json)


@app.command()
def decide(
    case_id: Annotated[str, typer.Argument(help="as `inhouse review queue` shows it")],
    action: Annotated[str, typer.Argument(help="allow, limit, warn, age_gate or remove")],
    reviewer: Reviewer,
    category: Annotated[str | None, typer.Option(help="what it violates")] = None,
    note: Annotated[str | None, typer.Option(help="for the record")] = None,
    as_json: Json = False,
) -> None:
    """Decide a case. `inhouse review undo` takes it back."""
    with open_services() as services:
        decision = services.review.decide(case_id, reviewer, action, category, note)
    if as_json:
        print_json(decision)
    else:
        console.print(f"{decision.item_id}: {decision.action}; undo with {decision.decision_id}")


@app.command()
def undo(
    decision_id: Annotated[str, typer.Argument(help="as `inhouse review decide` printed it")],
    reviewer: Reviewer,
) -> None:
    """Take a decision back: what was in force before it is again, and the case is open."""
    with open_services() as services:
        taken_back = services.review.undo(decision_id, reviewer)
    console.print(f"{taken_back.item_id}: open again")
