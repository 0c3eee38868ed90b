"""inhouse review gold: cases whose right answer is known."""

from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.cli.output import Json, console, print_json, show

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Known answers, shown to reviewers now and then.",
)


@app.command("list")
def list_gold(
    queue_name: Annotated[str | None, typer.Option("--queue", help="only this queue")] = None,
    as_json: Json = False,
) -> None:
    """Known answers, newest first."""
    with open_services() as services:
        found = services.gold.list(queue_name)
    columns = (
        ("id", lambda g: g.gold_id),
        ("queue", lambda g: g.queue),
        ("item", lambda g: g.item_id),
        ("right answer", lambda g: f"{g.action} {g.category or ''}".strip()),
        ("from", lambda g: f"{g.source}, {g.made_by}"),
    )
    show(found, columns, as_json=as_json)


@app.command("add")
def add_gold(
    case_id: Annotated[str, typer.Argument(help="a decided case")],
    action: Annotated[str, typer.Argument(help="the right answer: allow, limit, warn, …")],
    reviewer: Annotated[str, typer.Option(help="who says so")],
    category: Annotated[str | None, typer.Option(help="what it violates")] = None,
    as_json: Json = False,
) -> None:
    """Make a decided case a known answer. It is shown where its queue has a share of them
    (`inhouse review queues set NAME --gold-share 0.05`); what is said of it changes nothing."""
    with open_services() as services:
        made = services.gold.add(case_id, reviewer, action, category)
    if as_json:
        print_json(made)
    else:
        console.print(f"{made.gold_id}: {made.item_id} in {made.queue}")


@app.command("remove")
def remove_gold(gold_id: str) -> None:
    """Show it no more; answers to it no longer count."""
    with open_services() as services:
        services.gold.remove(gold_id)
    console.print(f"{gold_id}: gone")
