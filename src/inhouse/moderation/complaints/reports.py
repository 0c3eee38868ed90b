"""Reports: what people complain about, gathered into one case an item."""

import dataclasses
import re
from collections import Counter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.core.errors import InputError, UnknownError
from inhouse.core.ids import ItemId, UserId, new_id
from inhouse.moderation.around.circumstances import complaint_signals
from inhouse.moderation.around.reporters import complaints
from inhouse.moderation.policy.match import Number
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.recording.record import record_verdicts
from inhouse.moderation.reviewing.cases import Concern, open_case_of, open_cases
from inhouse.moderation.signals.counted import REPORTS, TRUSTED_REPORTS
from inhouse.moderation.statements.answers import (
    RECEIVED_WORDS,
    Answer,
    Decided,
    answer_one,
    latest_answers,
)
from inhouse.moderation.statements.keep import Judged
from inhouse.moderation.statements.types import REDRESS_MS
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import CHILD_ABUSE, Notice, Report, ReportStatus
from inhouse.moderation.verdicts.decide import compiled, decide_all, removing_rule, strictest
from inhouse.moderation.verdicts.rows import latest_verdicts
from inhouse.store import tables
from inhouse.store.database import Database

OTHER: Final = "other"
MOST_NOTE_CHARS: Final = 2_000
_REPORT_NUMBERS: Final[tuple[Number, ...]] = (("count", REPORTS), ("count", TRUSTED_REPORTS))
MOST_CONTACT_CHARS: Final = 320
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]+")


class Reports:
    """Takes reports; every one is kept, those that ask for a person open or join a case."""

    def __init__(self, database: Database, clock: Clock, tools: Tools) -> None:
        self.tools = tools  # may be replaced
        self._database = database
        self._clock = clock

    def file(
        self,
        item_id: str,
        reporter_id: str,
        category: str,
        note: str | None = None,
        notice: Notice | None = None,
    ) -> Report:
        """Keep a report. Raises UnknownError for an item that does not exist, InputError for a
        category the policy does not have, or a notice of illegal content that says too much."""
        self._check(category, note)
        _check_notice(notice)
        report = Report(
            report_id=new_id("report"),
            at_ms=self._clock.now_ms(),
            item_id=ItemId(item_id),
            reporter_id=UserId(reporter_id),
            category=category,
            note=note,
        )
        views = self.tools.reach.views([report.item_id])[0]

        def write(connection: Connection) -> str | None:
            case_id = self._keep(connection, report, views)
            if notice is not None:
                connection.execute(tables.notices.insert(), _notice_row(report, notice))
            return case_id

        return dataclasses.replace(report, case_id=self._database.write(write))

    def status(self, report_id: str) -> ReportStatus:
        """How far a report is, for whoever made it. Raises UnknownError."""
        table = tables.reports
        with self._database.read() as connection:
            query = sa.select(table).where(table.c.report_id == report_id)
            row = connection.execute(query).first()
            if row is None:
                raise UnknownError(f"no report has the id {report_id[:80]!r}")
            answer = latest_answers(connection, [report_id]).get(report_id)
        if answer is not None and answer.outcome == "reopened":
            return _status(row, None, answer.words)
        return _status(row, answer, RECEIVED_WORDS if answer is None else answer.words)

    def of_item(self, item_id: str) -> list[Report]:
        """Every report on an item, oldest first, without the case they went into."""
        table = tables.reports
        query = sa.select(table).where(table.c.item_id == item_id).order_by(table.c.log_offset)
        with self._database.read() as connection:
            return [
                Report(
                    report_id=row.report_id,
                    at_ms=row.at_ms,
                    item_id=ItemId(row.item_id),
                    reporter_id=UserId(row.reporter_id),
                    category=row.category,
                    note=row.note,
                )
                for row in connection.execute(query)
            ]

    def _check(self, category: str, note: str | None) -> None:
        known = tuple(dict.fromkeys((*self.tools.rules.policy.categories, CHILD_ABUSE, OTHER)))
        if category not in known:
            raise InputError(f"unknown category {category!r}; expected one of {', '.join(known)}")
        if note is not None and len(note) > MOST_NOTE_CHARS:
            raise InputError(
                f"the note has {len(note)} characters; expected at most {MOST_NOTE_CHARS}"
            )

    def _keep(self, connection: Connection, report: Report, views: int) -> str | None:
        _require_item(connection, report.item_id)
        connection.execute(tables.reports.insert(), _row(report))
        if not self._asks_for_person(connection, report.item_id):
            _answer_by_standing(connection, report)
            return None
        self._note_reports(connection, report)
        counts = _by_category(connection, report.item_id)
        concern = Concern(
            item_id=report.item_id,
            queue=counts.most_common(1)[0][0],
            kind="reported",
            reason=_reason(counts),
        )
        opened = open_cases(connection, [concern], {report.item_id: views}, report.at_ms)
        return opened[report.item_id]

    def _note_reports(self, connection: Connection, report: Report) -> None:
        """Where the policy asks how often a post was reported, put it into the evidence, so that it
        is decided by. A person's call stands whatever is reported."""
        policy = self.tools.rules.policy
        verdict = latest_verdicts(connection, [report.item_id]).get(report.item_id)
        if verdict is None or verdict.evidence.person is not None or not _is_asked(policy):
            return
        told = complaint_signals(complaints(connection, [report.item_id])[report.item_id])
        evidence = dataclasses.replace(
            verdict.evidence, signals={**verdict.evidence.signals, **told}
        )
        decisions = decide_all(evidence, policy)
        removed_by = removing_rule(decisions)
        was_removed = removing_rule(decide_all(verdict.evidence, policy)) is not None
        renewed = dataclasses.replace(
            verdict,
            evidence=evidence,
            at_ms=report.at_ms,
            decided_by=strictest(decisions.values()).decided_by,
            policy_version=policy.version,
            removed_by=None if was_removed else removed_by,
        )
        filed = Judged(verdict=renewed, decisions=decisions)
        record_verdicts(connection, [filed], policy)

    def _asks_for_person(self, connection: Connection, item_id: ItemId) -> bool:
        """Whether the item should be looked at: not where a person has decided on this text and
        too few people have reported it since."""
        if open_case_of(connection, item_id) is not None:
            return True
        verdict = latest_verdicts(connection, [item_id]).get(item_id)
        if verdict is None or verdict.evidence.person is None:
            return True
        table = tables.reports
        query = sa.select(sa.func.count(table.c.reporter_id.distinct())).where(
            table.c.item_id == item_id, table.c.at_ms > verdict.at_ms
        )
        since = connection.execute(query).scalar_one()
        return bool(since >= self.tools.settings.reopen_after)


def _is_asked(policy: Policy) -> bool:
    return not compiled(policy).asked.isdisjoint(_REPORT_NUMBERS)


def _answer_by_standing(connection: Connection, report: Report) -> None:
    """Nobody looks again: what a person decided on this text holds."""
    verdict = latest_verdicts(connection, [report.item_id])[report.item_id]
    call = verdict.evidence.person
    action = "allow" if call is None else call.action
    decided = Decided(
        item_id=report.item_id,
        at_ms=report.at_ms,
        outcome="none" if action == "allow" else "action",
        decided_by=verdict.decided_by,
        action=action,
    )
    answer_one(connection, report.report_id, decided)


def _status(row: Any, answer: Answer | None, words: str) -> ReportStatus:
    objects = answer is not None and answer.outcome == "none"
    return ReportStatus(
        report_id=row.report_id,
        at_ms=row.at_ms,
        item_id=ItemId(row.item_id),
        category=row.category,
        state="received" if answer is None else "decided",
        outcome=None if answer is None else answer.outcome,
        words=words,
        decided_ms=None if answer is None else answer.at_ms,
        redress_until_ms=answer.at_ms + REDRESS_MS if answer is not None and objects else None,
    )


def _check_notice(notice: Notice | None) -> None:
    if notice is None:
        return
    for what, value in (("name", notice.name), ("email", notice.email)):
        if value is not None and not 0 < len(value.strip()) <= MOST_CONTACT_CHARS:
            raise InputError(
                f"the {what} has {len(value)} characters; expected 1 to {MOST_CONTACT_CHARS}"
            )
    if notice.email is not None and not _EMAIL.fullmatch(notice.email.strip()):
        raise InputError("the email is no address; expected name@domain, or leave it out")


def _notice_row(report: Report, notice: Notice) -> dict[str, object]:
    told = dataclasses.asdict(notice)
    return {"report_id": report.report_id, "item_id": report.item_id, "at_ms": report.at_ms, **told}


def _require_item(connection: Connection, item_id: str) -> None:
    table = tables.items
    query = sa.select(table.c.item_id).where(table.c.item_id == item_id)
    if connection.execute(query).first() is None:
        raise UnknownError(f"no item has the id {item_id!r}")


def _by_category(connection: Connection, item_id: str) -> Counter[str]:
    """How many different people reported the item, by category."""
    table = tables.reports
    query = (
        sa.select(table.c.category, sa.func.count(table.c.reporter_id.distinct()).label("people"))
        .where(table.c.item_id == item_id)
        .group_by(table.c.category)
        .order_by(table.c.category)
    )
    return Counter({row.category: row.people for row in connection.execute(query)})


def _reason(counts: Counter[str]) -> str:
    return "reported for " + ", ".join(f"{name} by {n}" for name, n in counts.most_common())


def _row(report: Report) -> dict[str, object]:
    columns = tables.reports.c.keys()
    return {name: value for name, value in dataclasses.asdict(report).items() if name in columns}
