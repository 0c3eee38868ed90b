"""What reporters are told (Art. 16(5) DSA): acknowledged when they report, answered when somebody
decides, and again where that decision is changed. The latest answer counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import DAY_MS
from inhouse.moderation.types import Action
from inhouse.store import chain, tables

# action: the post was restricted; none: it was not; reopened: somebody looks again.
Outcome = Literal["action", "none", "reopened"]

# A notifier's name and address are kept so long after the answer: until they have read it.
NOTICE_KEPT_MS: Final = 30 * DAY_MS
_ACTION_WORDS: Final[dict[str, str]] = {
    "limit": "it is no longer recommended",
    "warn": "it is now shown behind a warning",
    "age_gate": "it is now shown to adults only",
    "review": "it is hidden until somebody has looked at it again",
    "remove": "it is no longer shown",
}
RECEIVED_WORDS: Final = "We have received your report. A person will look at it."
_REOPENED_WORDS: Final = "We are looking again at the post you reported."
_NONE_WORDS: Final = (
    "A person looked at the post you reported and found that it breaks neither our rules nor, as "
    "far as we can tell, the law. You can object free of charge within six months; somebody else "
    "then looks at it."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a report came to."""

    report_id: str
    at_ms: int
    outcome: Outcome
    decided_by: str  # `person:NAME`
    words: str  # what the reporter is told


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """A decision on an item, for those who reported it."""

    item_id: str
    at_ms: int
    outcome: Outcome
    decided_by: str
    action: Action = "allow"


def answer_reports(connection: Connection, decided: Decided) -> int:
    """Tell everybody who reported an item, unless they were told the same; in the caller's
    transaction. Returns how many were told something."""
    reports = tables.reports.c
    query = sa.select(reports.report_id).where(reports.item_id == decided.item_id)
    return _tell(connection, list(connection.execute(query).scalars()), decided)


def answer_one(connection: Connection, report_id: str, decided: Decided) -> None:
    """Tell one reporter what was decided before they reported."""
    _tell(connection, [report_id], decided)


def latest_answers(connection: Connection, report_ids: Sequence[str]) -> dict[str, Answer]:
    """The answer that counts, of those reports that have one."""
    table = tables.report_answers
    found: dict[str, Answer] = {}
    for start in range(0, len(report_ids), 500):
        some = report_ids[start : start + 500]
        query = sa.select(table).where(table.c.report_id.in_(some)).order_by(table.c.log_offset)
        for row in connection.execute(query):
            found[row.report_id] = Answer(
                report_id=row.report_id,
                at_ms=row.at_ms,
                outcome=row.outcome,
                decided_by=row.decided_by,
                words=row.words,
            )
    return found


def forget_notifiers(connection: Connection, now_ms: int) -> int:
    """Remove names and addresses of notifiers who had their answer long enough ago. Returns how
    many there were."""
    notices, answers = tables.notices, tables.report_answers
    last = (
        sa.select(sa.func.max(answers.c.at_ms))
        .where(answers.c.report_id == notices.c.report_id)
        .scalar_subquery()
    )
    known = notices.c.name.is_not(None) | notices.c.email.is_not(None)
    update = notices.update().where(known, last < now_ms - NOTICE_KEPT_MS)
    return connection.execute(update.values(name=None, email=None)).rowcount


def _tell(connection: Connection, report_ids: Sequence[str], decided: Decided) -> int:
    before = latest_answers(connection, report_ids)
    words = _words(decided)
    told = [r for r in report_ids if _is_news(before.get(r), decided.outcome, words)]
    if not told:
        return 0
    rows = [
        {
            "report_id": report_id,
            "at_ms": decided.at_ms,
            "outcome": decided.outcome,
            "decided_by": decided.decided_by,
            "words": words,
        }
        for report_id in told
    ]
    connection.execute(tables.report_answers.insert(), rows)
    chain.append(connection, [_entry(report_id, decided) for report_id in told])
    return len(told)


def _is_news(before: Answer | None, outcome: Outcome, words: str) -> bool:
    if before is None:
        return outcome != "reopened"
    return (before.outcome, before.words) != (outcome, words)


def _words(decided: Decided) -> str:
    if decided.outcome == "reopened":
        return _REOPENED_WORDS
    if decided.outcome == "none":
        return _NONE_WORDS
    done = _ACTION_WORDS[decided.action]
    return f"We looked at the post you reported, and {done}. Thank you."


def _entry(report_id: str, decided: Decided) -> chain.Entry:
    return chain.Entry(
        at_ms=decided.at_ms,
        what="report",
        actor=decided.decided_by,
        item_id=decided.item_id,
        details={"report": report_id, "outcome": decided.outcome},
    )
