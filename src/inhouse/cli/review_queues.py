"""inhouse review queues: which cases lie together, for whom, and how carefully decided."""

from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.cli.output import Json, console, print_json, show
from inhouse.moderation.reviewing.queues import QueueSettings, Takes

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What goes where, for whom, how carefully."
)


@app.command("list")
def list_queues(as_json: Json = False) -> None:
    """Queues with settings, in the order in which they take cases. Each category has a queue of its
    own without any."""
    with open_services() as services:
        queues = services.queues.list()
    columns = (
        ("queue", lambda q: q.name),
        ("takes", lambda q: _takes(q.takes) if q.takes else f"category {q.name}"),
        ("reviewers", lambda q: ", ".join(q.reviewers) or "everybody"),
        ("two people", lambda q: "yes" if q.asks_two else "no"),
        ("known answers", lambda q: f"{q.gold_share:.0%}"),
        ("lock", lambda q: f"{q.lock_ms / 60_000:g} min" if q.lock_ms else "as set"),
        ("place", lambda q: q.place),
    )
    show(queues, columns, as_json=as_json)


def _takes(takes: Takes) -> str:
    parts = {
        "category": takes.categories,
        "signal": takes.signals,
        "language": takes.languages,
        "reason": takes.reasons,
    }
    return "; ".join(f"{name} {', '.join(of)}" for name, of in parts.items() if of) or "everything"


@app.command("set")
def put_queue(
    name: Annotated[str, typer.Argument(help="lower-case letters, digits, _ and -")],
    category: Annotated[
        list[str] | None, typer.Option(help="takes its cases; again for more")
    ] = None,
    signal: Annotated[list[str] | None, typer.Option(help="takes posts that show it")] = None,
    language: Annotated[list[str] | None, typer.Option(help="takes posts in it")] = None,
    reason: Annotated[list[str] | None, typer.Option(help="rule, reported or edited")] = None,
    reviewer: Annotated[list[str] | None, typer.Option(help="only they; everybody if none")] = None,
    two_person: Annotated[bool | None, typer.Option(help="in force when two people agree")] = None,
    gold_share: Annotated[
        float | None, typer.Option(min=0, max=0.5, help="of cases with a known answer")
    ] = None,
    lock_minutes: Annotated[
        float | None, typer.Option(min=0.2, help="a case stays so long")
    ] = None,
    place: Annotated[int | None, typer.Option(help="the lower is asked first")] = None,
    as_json: Json = False,
) -> None:
    """Set a queue up, or change what is named; the rest stays as it is. What it takes is changed as
    a whole."""
    with open_services() as services:
        old = services.queues.get(name)
        given = (category, signal, language, reason)
        takes = old.takes
        if any(one is not None for one in given):
            categories, signals, languages, reasons = (tuple(one or ()) for one in given)
            takes = Takes(
                categories=categories, signals=signals, languages=languages, reasons=reasons
            )
        queue = services.queues.put(
            QueueSettings(
                name=name,
                takes=takes,
                reviewers=old.reviewers if reviewer is None else tuple(reviewer),
                two_person=old.two_person if two_person is None else two_person,
                gold_share=old.gold_share if gold_share is None else gold_share,
                lock_ms=old.lock_ms if lock_minutes is None else round(lock_minutes * 60_000),
                place=old.place if place is None else place,
            )
        )
    if as_json:
        print_json(queue)
    else:
        console.print(f"{queue.name}: as asked, for cases that come from now on")


@app.command("remove")
def remove_queue(name: str) -> None:
    """Forget a queue's settings; its cases stay in it until they are decided."""
    with open_services() as services:
        services.queues.remove(name)
    console.print(f"{name}: no settings any more")
