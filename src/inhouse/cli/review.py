"""inhouse review: the moderators' queue from a terminal."""

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from inhouse.app.build import open_services
from inhouse.cli import review_bulk, review_gold, review_queues
from inhouse.cli.output import Json, console, print_json, show
from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.moderation.measuring.quality import Quality, review_quality
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.reviewing.statistics import review_statistics
from inhouse.moderation.types import Case
from inhouse.stats.types import Interval, NotEnough

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The moderators' queue.")
app.add_typer(review_queues.app, name="queues")
app.add_typer(review_gold.app, name="gold")
app.add_typer(review_bulk.app, name="bulk")
Reviewer = Annotated[str, typer.Option(help="who decides")]
CaseId = Annotated[str, typer.Argument(help="as `inhouse review queue` shows it")]
_COLUMNS: Final = (
    ("case", lambda c: c.case_id),
    ("queue", lambda c: c.queue),
    ("urgency", lambda c: f"{c.priority:.2f}"),
    ("item", lambda c: c.item_id),
    ("because", lambda c: c.reason),
)


@app.command()
def queue(
    queue_name: Annotated[str | None, typer.Option("--queue", help="only this queue")] = None,
    rule: Annotated[str | None, typer.Option(help="only what this rule held")] = None,
    creator: Annotated[str | None, typer.Option(help="only posts of theirs")] = None,
    text: Annotated[str | None, typer.Option(help="words in title or text")] = None,
    domain: Annotated[str | None, typer.Option(help="that the posts link to")] = None,
    item: Annotated[str | None, typer.Option(help="is this post queued already?")] = None,
    older_than_hours: Annotated[float | None, typer.Option(min=0, help="that wait so long")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: Json = False,
) -> None:
    """What waits for a person, most urgent first."""
    with open_services() as services:
        before_ms = None
        if older_than_hours is not None:
            services.catch_clock_up()
            before_ms = services.clock.now_ms() - round(older_than_hours * HOUR_MS)
        which = CaseFilter(
            queue=queue_name,
            rule=rule,
            creator_id=creator,
            text=text,
            domain=domain,
            item_id=item,
            opened_before_ms=before_ms,
        )
        cases = services.review.queue(which, limit)
    show(cases, _COLUMNS, as_json=as_json)


@app.command("show")
def show_case(case_id: CaseId) -> None:
    """A case with all around it, as JSON: the post, reports, the creator's past, cases like it."""
    with open_services() as services:
        print_json(services.around(services.review.case(case_id)))


@app.command()
def decide(
    case_id: CaseId,
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
        waits = "" if decision.effect == "in_force" else f" ({decision.effect.replace('_', ' ')})"
        console.print(
            f"{decision.item_id}: {decision.action}{waits}; undo with {decision.decision_id}"
        )


@app.command()
def escalate(
    case_id: CaseId,
    queue_name: Annotated[str, typer.Argument(metavar="QUEUE", help="where it should go")],
    why: Annotated[str, typer.Argument(help="for whoever takes it")],
    reviewer: Reviewer,
    as_json: Json = False,
) -> None:
    """Send a case to another queue."""
    with open_services() as services:
        case = services.review.escalate(case_id, reviewer, queue_name, why)
    _told(case, f"is in {case.queue} now", as_json=as_json)


@app.command("note")
def remark(
    case_id: CaseId,
    words: Annotated[str, typer.Argument(help="kept with the case")],
    reviewer: Reviewer,
    as_json: Json = False,
) -> None:
    """Leave words with a case, for whoever looks at it next."""
    with open_services() as services:
        services.review.remark(case_id, reviewer, words)
        case = services.review.case(case_id)
    _told(case, "has the note", as_json=as_json)


def _told(case: Case, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(case)
    else:
        console.print(f"{case.case_id} {what}")


@app.command()
def undo(
    decision_id: Annotated[str, typer.Argument(help="as `inhouse review decide` printed it")],
    reviewer: Reviewer,
) -> None:
    """Take a decision back: what was in force before it is again, and the case is open."""
    with open_services() as services:
        taken_back = services.review.undo(decision_id, reviewer)
    console.print(f"{taken_back.item_id}: open again")


@app.command()
def statistics(
    days: Annotated[int, typer.Option(min=1, max=366, help="so far back")] = 14,
    by_day: Annotated[bool, typer.Option("--by-day", help="each day by itself")] = False,
    as_json: Json = False,
) -> None:
    """What came in, waits and was decided, and how long it took, by queue."""
    with open_services() as services:
        services.catch_clock_up()
        since_ms = max(0, services.clock.now_ms() - days * DAY_MS)
        found = review_statistics(services.database, since_ms)
    if as_json:
        print_json(found)
        return
    columns = (
        ("queue", lambda f: f.queue),
        ("day", lambda f: "all" if f.day_ms is None else _day(f.day_ms)),
        ("came in", lambda f: f.inbound),
        ("decided", lambda f: f.decided),
        ("waiting now", lambda f: found.waiting.get(f.queue, 0)),
        ("median to decide", lambda f: _seconds(f.took_ms)),
        ("median wait", lambda f: _seconds(f.waited_ms)),
    )
    show(found.days if by_day else found.queues, columns, as_json=False)


@app.command()
def quality(
    days: Annotated[int | None, typer.Option(min=1, help="so far back; all if none")] = None,
    as_json: Json = False,
) -> None:
    """How well people decide: against known answers, and against each other."""
    with open_services() as services:
        services.catch_clock_up()
        since_ms = max(0, services.clock.now_ms() - days * DAY_MS) if days else 0
        found = review_quality(services.database, since_ms)
    if as_json:
        print_json(found)
    else:
        _show_quality(found)


def _show_quality(found: Quality) -> None:
    accuracy = (
        ("", lambda a: a.name),
        ("answers", lambda a: a.answers),
        ("right", lambda a: a.right),
        ("share (95%)", lambda a: _share(a.share)),
        ("too strict", lambda a: a.too_strict),
        ("too mild", lambda a: a.too_mild),
    )
    show(found.known, accuracy, as_json=False, title="known answers, by reviewer")
    show(found.known_by_queue, accuracy, as_json=False, title="known answers, by queue")
    pairs = (
        ("queue", lambda p: p.queue),
        ("pairs", lambda p: p.pairs.looks),
        ("agree (95%)", lambda p: _share(p.pairs.share)),
        ("kappa", lambda p: _number(p.pairs.kappa)),
        ("alpha", lambda p: _number(p.alpha)),
    )
    show(found.pairs, pairs, as_json=False, title="two people who do not know of each other")
    looks = (
        ("reviewer", lambda r: r.reviewer),
        ("second looks", lambda r: r.looks.looks),
        ("agree (95%)", lambda r: _share(r.looks.share)),
        ("kappa", lambda r: _number(r.looks.kappa)),
    )
    show(found.by_reviewer, looks, as_json=False, title="second looks, by reviewer")


def _share(share: Interval | NotEnough) -> str:
    if isinstance(share, NotEnough):
        return "unknown"
    return f"{share.estimate:.0%} ({share.low:.0%} to {share.high:.0%})"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _seconds(ms: float | None) -> str:
    return "unknown" if ms is None else f"{ms / 1_000:,.0f} s"


def _day(day_ms: int) -> str:
    return f"{datetime.fromtimestamp(day_ms / 1_000, UTC):%Y-%m-%d}"
