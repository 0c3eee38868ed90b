"""inhouse review bulk: one decision on many cases, shown first, taken back as a whole."""

from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.cli.output import Json, console, print_json, progress_bar, show
from inhouse.moderation.reviewing.bulk import Bulk
from inhouse.moderation.reviewing.search import CaseFilter

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Many cases at once: preview, run, undo."
)
BulkId = Annotated[str, typer.Argument(help="as `inhouse review bulk preview` printed it")]
Reviewer = Annotated[str, typer.Option(help="who decides")]


@app.command()
def preview(
    action: Annotated[str, typer.Argument(help="allow, limit, warn, age_gate or remove")],
    reviewer: Reviewer,
    category: Annotated[str | None, typer.Option(help="what they violate")] = None,
    note: Annotated[str | None, typer.Option(help="for the record")] = None,
    queue_name: Annotated[str | None, typer.Option("--queue", help="cases of this queue")] = None,
    rule: Annotated[str | None, typer.Option(help="that this rule held")] = None,
    creator: Annotated[str | None, typer.Option(help="posts of theirs")] = None,
    text: Annotated[str | None, typer.Option(help="words in title or text")] = None,
    domain: Annotated[str | None, typer.Option(help="that the posts link to")] = None,
    as_json: Json = False,
) -> None:
    """What one decision on all free cases that fit would mean. Nothing is decided."""
    with open_services() as services:
        ruling = services.review.checked(action, category, reviewer, note)
        which = CaseFilter(
            queue=queue_name, rule=rule, creator_id=creator, text=text, domain=domain
        )
        bulk = services.bulks.preview(which, ruling)
    if as_json:
        print_json(bulk)
        return
    columns = (
        ("item", lambda c: c.item_id),
        ("queue", lambda c: c.queue),
        ("because", lambda c: c.reason),
    )
    show(bulk.sample, columns, as_json=False, title=f"the first {len(bulk.sample)}")
    queues = ", ".join(f"{n:,} in {name}" for name, n in bulk.by_queue.items()) or "none"
    console.print(f"{bulk.cases:,} cases ({queues}) would get: {action}", highlight=False)
    if bulk.left_out:
        console.print(f"{bulk.left_out:,} more fit; they are for a second one", highlight=False)
    console.print(f"decide them with: inhouse review bulk run {bulk.bulk_id}", highlight=False)


@app.command()
def run(bulk_id: BulkId, as_json: Json = False) -> None:
    """Decide exactly the cases that were shown. After an interruption: again, it goes on."""
    with open_services() as services, progress_bar() as tell:
        bulk = services.bulks.run(bulk_id, lambda now: tell("cases", now.done, now.cases))
    _told(bulk, f"{bulk.decided:,} of {bulk.cases:,} decided", as_json=as_json)


@app.command()
def undo(bulk_id: BulkId, reviewer: Reviewer, as_json: Json = False) -> None:
    """Take back every decision of it that still stands."""
    with open_services() as services, progress_bar() as tell:
        bulk = services.bulks.undo(
            bulk_id, reviewer, lambda now: tell("cases", now.done, now.cases)
        )
    left = f"; {bulk.standing:,} stand under later ones" if bulk.standing else ""
    _told(bulk, f"taken back{left}", as_json=as_json)


@app.command("list")
def list_bulks(as_json: Json = False) -> None:
    """Those that were decided, newest first."""
    with open_services() as services:
        bulks = services.bulks.list()
    columns = (
        ("id", lambda b: b.bulk_id),
        ("by", lambda b: b.reviewer),
        ("state", lambda b: b.state),
        ("decided", lambda b: f"{b.decided:,} of {b.cases:,}"),
        ("action", lambda b: b.ruling.action),
    )
    show(bulks, columns, as_json=as_json)


def _told(bulk: Bulk, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(bulk)
    else:
        console.print(f"{bulk.bulk_id}: {what}", highlight=False)
