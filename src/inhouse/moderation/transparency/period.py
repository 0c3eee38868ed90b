"""The transparency report of a period (Art. 15 and 24 DSA): counted from what is stored.

The sections are those of the templates of Regulation (EU) 2024/2835: notices, measures of one's own
accord, complaints, automated means with indicators of their accuracy. Who is asked for more (people
who moderate, languages, orders of authorities) adds it: that is in no table.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import InputError
from inhouse.moderation.sealing.sealed_calls import is_of_call
from inhouse.moderation.statements.keep import statement_of_row
from inhouse.moderation.statements.types import Statement
from inhouse.stats.intervals import wilson
from inhouse.stats.types import Interval, NotEnough
from inhouse.store import tables
from inhouse.store.database import Database

Counts = dict[str, int]
_AT_ONCE: Final = 2_000
_RULE: Final = "rule:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """A stretch of time."""

    from_ms: int
    until_ms: int  # not counting this moment

    def __post_init__(self) -> None:
        if self.from_ms >= self.until_ms:
            raise InputError(
                f"the period ends at {self.until_ms} ms, not after its begin at {self.from_ms}; "
                "give a later end"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Notices:
    """What people reported."""

    received: int
    illegal: int  # of them, notices of illegal content (Art. 16)
    by_category: Counts
    decided: int  # of those received in the period
    action: int  # of those decided, with a restriction
    median_ms: float | None  # from report to first answer; None where none was answered


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """Restrictions: statements of reasons made in the period."""

    made: int
    by_category: Counts
    by_kind: Counts  # removed, demoted, …; one statement may have several
    by_ground: Counts  # terms, illegal
    by_source: Counts  # own, report, notice
    by_decision: Counts  # fully, partially or not automated
    by_decider: Counts  # rules by name; people together


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaints:
    """Appeals."""

    received: int
    of_reporters: int  # of them, against there being no restriction
    decided: int  # in the period
    reversed: int  # of them, granted
    reversal: Interval | NotEnough  # share of the decided that were granted, 95%
    median_ms: float | None  # from appeal to outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Automated:
    """What programs did, and how right they were."""

    judged: int  # posts that got a verdict
    decisions: int  # restrictions that a program alone decided
    looked_at: int  # of them, those that a person looked at, by appeal, report or queue
    reversed: int  # of those, taken back
    error: Interval | NotEnough  # share of the looked-at that were taken back, 95%


@dataclass(frozen=True, kw_only=True, slots=True)
class PeriodReport:
    """Everything that is counted of a period."""

    period: Period
    notices: Notices
    measures: Measures
    complaints: Complaints
    automated: Automated
    accounts: Counts  # restrictions of accounts, by kind
    sealed: int  # posts sealed as child sexual abuse material


def report_of(database: Database, period: Period) -> PeriodReport:
    """Count a period."""
    with database.read() as connection:
        told = list(_statements(connection, period))
        posts = [statement for statement in told if statement.item_id or not _of_account(statement)]
        return PeriodReport(
            period=period,
            notices=_notices(connection, period),
            measures=_measures(posts),
            complaints=_complaints(connection, period),
            automated=_automated(connection, period, posts),
            accounts=_count(kind for s in told if _of_account(s) for kind in s.kinds),
            sealed=_sealed_posts(connection, period),
        )


def as_csv(report: PeriodReport) -> str:
    """RFC 4180, one figure a line: section, indicator, scope, value."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(("section", "indicator", "scope", "value"))
    for section in ("notices", "measures", "complaints", "automated"):
        part = getattr(report, section)
        for indicator in part.__dataclass_fields__:
            _write(writer, section, indicator, getattr(part, indicator))
    _write(writer, "accounts", "restricted", report.accounts)
    _write(writer, "sealed", "posts", report.sealed)
    return file.getvalue()


def _write(writer: Any, section: str, indicator: str, value: object) -> None:
    if isinstance(value, dict):
        for scope, number in value.items():
            writer.writerow((section, indicator, scope, number))
    elif isinstance(value, Interval):
        for scope in ("estimate", "low", "high"):
            writer.writerow((section, indicator, scope, f"{getattr(value, scope):.6f}"))
    elif isinstance(value, NotEnough) or value is None:
        writer.writerow((section, indicator, "total", ""))
    else:
        writer.writerow((section, indicator, "total", value))


def _statements(connection: Connection, period: Period) -> Iterator[Statement]:
    table = tables.statements
    after = ""
    while True:
        query = (
            sa.select(table)
            .where(_within(table.c.at_ms, period), table.c.statement_id > after)
            .order_by(table.c.statement_id)
            .limit(_AT_ONCE)
        )
        rows = connection.execute(query).all()
        yield from map(statement_of_row, rows)
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].statement_id


def _of_account(statement: Statement) -> bool:
    return statement.kinds[0].startswith("account")


def _notices(connection: Connection, period: Period) -> Notices:
    reports, answers, notices = tables.reports, tables.report_answers, tables.notices
    first = (
        sa.select(answers.c.report_id, sa.func.min(answers.c.log_offset).label("place"))
        .group_by(answers.c.report_id)
        .subquery()
    )
    query = (
        sa.select(reports.c.at_ms, reports.c.category, answers.c.at_ms, answers.c.outcome)
        .select_from(reports)
        .outerjoin(first, first.c.report_id == reports.c.report_id)
        .outerjoin(answers, answers.c.log_offset == first.c.place)
        .where(_within(reports.c.at_ms, period))
    )
    rows = connection.execute(query).all()
    answered = [(at_ms, answer_ms, outcome) for at_ms, _, answer_ms, outcome in rows if outcome]
    illegal = sa.select(sa.func.count()).where(_within(notices.c.at_ms, period), notices.c.illegal)
    return Notices(
        received=len(rows),
        illegal=connection.execute(illegal).scalar_one(),
        by_category=_count(row[1] for row in rows),
        decided=len(answered),
        action=sum(outcome == "action" for _, _, outcome in answered),
        median_ms=_median([answer_ms - at_ms for at_ms, answer_ms, _ in answered]),
    )


def _measures(posts: Sequence[Statement]) -> Measures:
    return Measures(
        made=len(posts),
        by_category=_count(s.category for s in posts),
        by_kind=_count(kind for s in posts for kind in s.kinds),
        by_ground=_count(s.reasons.ground for s in posts),
        by_source=_count(s.reasons.source for s in posts),
        by_decision=_count(s.reasons.automated_decision for s in posts),
        by_decider=_count(s.decided_by if _by_rule(s) else "person" for s in posts),
    )


def _complaints(connection: Connection, period: Period) -> Complaints:
    table = tables.appeals
    received = connection.execute(
        sa.select(table.c.report_id).where(_within(table.c.at_ms, period))
    ).scalars()
    reports = list(received)
    decided = connection.execute(
        sa.select(table.c.at_ms, table.c.decided_ms, table.c.state).where(
            _within(table.c.decided_ms, period)
        )
    ).all()
    granted = sum(state == "overturned" for _, _, state in decided)
    return Complaints(
        received=len(reports),
        of_reporters=sum(report is not None for report in reports),
        decided=len(decided),
        reversed=granted,
        reversal=wilson(granted, len(decided)),
        median_ms=_median([decided_ms - at_ms for at_ms, decided_ms, _ in decided]),
    )


def _automated(connection: Connection, period: Period, posts: Sequence[Statement]) -> Automated:
    """A person looked where they restricted the same text themselves, took the restriction back or
    upheld it on appeal."""
    verdicts = tables.verdicts
    judged = sa.select(sa.func.count(verdicts.c.item_id.distinct())).where(
        _within(verdicts.c.at_ms, period)
    )
    alone = [s for s in posts if s.reasons.automated_decision == "fully"]
    seen = _confirmed(connection, period)
    back = sum(s.state == "reversed" for s in alone)
    looked = back + sum(s.state != "reversed" and s.statement_id in seen for s in alone)
    return Automated(
        judged=connection.execute(judged).scalar_one(),
        decisions=len(alone),
        looked_at=looked,
        reversed=back,
        error=wilson(back, looked),
    )


def _confirmed(connection: Connection, period: Period) -> frozenset[str]:
    """Statements of the period by rules that a person confirmed."""
    rule, later = tables.statements.alias("rule"), tables.statements.alias("later")
    appeals = tables.appeals
    of_rules = sa.and_(_within(rule.c.at_ms, period), rule.c.decided_by.startswith(_RULE))
    replaced = (
        sa.select(rule.c.statement_id)
        .join(later, (later.c.item_id == rule.c.item_id) & (later.c.text_key == rule.c.text_key))
        .where(of_rules, later.c.at_ms >= rule.c.at_ms, later.c.decided_by.startswith("person:"))
    )
    upheld = (
        sa.select(rule.c.statement_id)
        .join(appeals, appeals.c.item_id == rule.c.item_id)
        .where(
            of_rules,
            appeals.c.report_id.is_(None),
            appeals.c.state == "upheld",
            appeals.c.at_ms >= rule.c.at_ms,
        )
    )
    return frozenset(connection.execute(sa.union(replaced, upheld)).scalars())


def _by_rule(statement: Statement) -> bool:
    return statement.decided_by.startswith(_RULE)


def _sealed_posts(connection: Connection, period: Period) -> int:
    """What calls brought is no post of this platform's."""
    table = tables.sealed
    query = sa.select(sa.func.count()).where(_within(table.c.at_ms, period))
    return connection.execute(query.where(~is_of_call(table.c.item_id))).scalar_one()


def _within(column: "sa.ColumnElement[Any]", period: Period) -> "sa.ColumnElement[bool]":
    return (column >= period.from_ms) & (column < period.until_ms)


def _count(values: Iterator[str]) -> Counts:
    """The most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])))


def _median(times_ms: Sequence[int]) -> float | None:
    return float(median(times_ms)) if times_ms else None
