"""inhouse moderate audit: what was decided, by whom, on which versions."""

import datetime
import json
import sys
from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.cli.output import Json, console, plain, show
from inhouse.core.errors import InputError
from inhouse.moderation.recording.audit import KINDS, AuditFilter, AuditRow

Day = Annotated[str | None, typer.Option(help="day, YYYY-MM-DD in UTC")]


def audit(
    what: Annotated[str | None, typer.Option(help=f"only {', '.join(KINDS)}")] = None,
    actor: Annotated[str | None, typer.Option(help="only by rule:NAME, person:NAME, …")] = None,
    item: Annotated[str | None, typer.Option(help="only about this post")] = None,
    user: Annotated[str | None, typer.Option(help="only about this account")] = None,
    since: Day = None,
    until: Day = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="the newest so many")] = 50,
    lines: Annotated[
        bool, typer.Option("--lines", help="all of them as JSON lines, oldest first")
    ] = False,
    head: Annotated[
        bool, typer.Option("--head", help="only where the chain ends, to be noted elsewhere")
    ] = False,
    as_json: Json = False,
) -> None:
    """List decisions, export them, or print the chain's head; `inhouse doctor` checks the chain."""
    which = AuditFilter(
        what=what,
        actor=actor,
        item_id=item,
        user_id=user,
        from_ms=day_ms(since),
        until_ms=day_ms(until),
    )
    with open_services() as services:
        if head:
            typer.echo(str(services.audit.head()))
            return
        if lines:
            for row in services.audit.rows(which):
                sys.stdout.write(json.dumps(plain(row), ensure_ascii=False) + "\n")
            return
        rows = services.audit.latest(which, limit)
    columns = (
        ("number", lambda r: r.number),
        ("at", lambda r: time_of(r.at_ms)),
        ("what", lambda r: r.what),
        ("by", lambda r: r.actor),
        ("of", lambda r: r.item_id or r.user_id or ""),
        ("told", _told),
    )
    show(rows, columns, as_json=as_json)
    if not as_json and len(rows) == limit:
        console.print(f"the newest {limit}; more with --limit or --lines")


def _told(row: AuditRow) -> str:
    if row.details is None:
        return "blanked by an erasure"
    return ", ".join(f"{name} {value}" for name, value in row.details.items() if value is not None)


def day_ms(day: str | None) -> int | None:
    """The beginning of a day in UTC, in milliseconds. Raises InputError.

    >>> day_ms("1970-01-02")
    86400000
    """
    if day is None:
        return None
    try:
        begins = datetime.datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
    except ValueError as error:
        raise InputError(f"day {day[:40]!r}; expected YYYY-MM-DD, as 2026-11-27") from error
    return round(begins.timestamp() * 1_000)


def time_of(at_ms: int) -> str:
    """A moment in words a table has room for.

    >>> time_of(0)
    '1970-01-01 00:00:00'
    """
    return datetime.datetime.fromtimestamp(at_ms / 1_000, datetime.UTC).strftime(
        "%Y-%m-%d %H:%M:%S"
    )
