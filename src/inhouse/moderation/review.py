"""Review: people take cases from a queue, decide, and may take back what they decided."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.core.errors import ConflictError, UnknownError
from inhouse.core.ids import new_id
from inhouse.moderation.cases import case_of_row, open_case_of
from inhouse.moderation.rulings import Ruling, checked_name, checked_ruling, rule_on, take_back
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import (
    UNDO,
    Case,
    CaseState,
    PersonCall,
    ReviewDecision,
    Verdict,
)
from inhouse.moderation.verdicts import verdict_history
from inhouse.store import tables
from inhouse.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseFilter:
    """Which cases; what is None does not matter."""

    state: CaseState | None = "open"
    queue: str | None = None
    item_id: str | None = None
    reason: str | None = None  # words that the reason contains
    least_priority: float | None = None
    free_for: str | None = None  # a reviewer: without cases that somebody else has on the table


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueCount:
    """How full a queue is."""

    queue: str
    open: int  # cases that wait
    closed: int  # cases that were decided
    oldest_ms: int | None  # when the longest-waiting one was opened; None where none waits


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkPreview:
    """What a bulk decision would do: nothing has happened yet."""

    cases: tuple[Case, ...]  # exactly these would be decided
    by_queue: Mapping[str, int]
    ruling: Ruling


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkOutcome:
    """What a bulk decision did."""

    decisions: tuple[ReviewDecision, ...]
    skipped: tuple[str, ...]  # cases that somebody decided or took meanwhile


class Review:
    """The queue of one community."""

    def __init__(self, database: Database, clock: Clock, tools: Tools) -> None:
        self.tools = tools  # may be replaced
        self._database = database
        self._clock = clock

    # -- looking -----------------------------------------------------------------------------------

    def queue(
        self, which: CaseFilter | None = None, limit: int = 100, offset: int = 0
    ) -> list[Case]:
        """Cases by priority, the longest-waiting of equals first."""
        query = self._query(which or CaseFilter()).limit(limit).offset(offset)
        with self._database.read() as connection:
            return [case_of_row(row) for row in connection.execute(query)]

    def case(self, case_id: str) -> Case:
        """One case. Raises UnknownError."""
        with self._database.read() as connection:
            return _case(connection, case_id, locked=False)

    def counts(self) -> list[QueueCount]:
        """Every queue with its cases, the fullest first."""
        table = tables.review_cases
        waits = table.c.state == "open"
        query = sa.select(
            table.c.queue,
            sa.func.count(sa.case((waits, 1))),
            sa.func.count(sa.case((~waits, 1))),
            sa.func.min(sa.case((waits, table.c.opened_ms))),
        ).group_by(table.c.queue)
        with self._database.read() as connection:
            found = [
                QueueCount(queue=row[0], open=row[1], closed=row[2], oldest_ms=row[3])
                for row in connection.execute(query)
            ]
        return sorted(found, key=lambda count: (-count.open, count.queue))

    def decisions(
        self, *, case_id: str | None = None, item_id: str | None = None, reviewer: str | None = None
    ) -> list[ReviewDecision]:
        """Decisions and undoings, oldest first."""
        table = tables.review_decisions
        wanted = {"case_id": case_id, "item_id": item_id, "reviewer": reviewer}
        query = sa.select(table).order_by(table.c.log_offset)
        for column, value in wanted.items():
            if value is not None:
                query = query.where(table.c[column] == value)
        with self._database.read() as connection:
            return [_decision_of_row(row) for row in connection.execute(query)]

    # -- taking ------------------------------------------------------------------------------------

    def next(self, reviewer: str, queue: str | None = None) -> Case | None:
        """The case the reviewer has on the table, else the most urgent free one, which is theirs
        until the lock runs out. None where nothing waits."""
        checked_name(reviewer)
        return self._database.write(lambda connection: self._take(connection, reviewer, queue))

    def take(self, case_id: str, reviewer: str) -> Case:
        """Put one case on the table. Raises ConflictError where it is decided, or on somebody
        else's."""
        checked_name(reviewer)

        def write(connection: Connection) -> Case:
            case = _case(connection, case_id)
            self._check_free(case, reviewer)
            return self._lock(connection, case, reviewer)

        return self._database.write(write)

    def renew(self, case_id: str, reviewer: str) -> Case:
        """Keep a case on the table for another while. Raises ConflictError where it is not."""
        return self._database.write(
            lambda connection: self._lock(
                connection, self._held(connection, case_id, reviewer), reviewer
            )
        )

    def release(self, case_id: str, reviewer: str) -> Case:
        """Put a case back into the queue undecided."""
        return self._database.write(
            lambda connection: _unlock(connection, self._held(connection, case_id, reviewer))
        )

    # -- deciding ----------------------------------------------------------------------------------

    def decide(
        self, case_id: str, reviewer: str, action: str, category: str | None, note: str | None
    ) -> ReviewDecision:
        """Decide a case: a verdict, a label and the closed case, in one transaction.

        Raises ConflictError for a case that is decided, or on somebody else's table.
        """
        ruling = checked_ruling(action, category, reviewer, note, self.tools.rules.policy)
        return self._database.write(lambda connection: self._decide(connection, case_id, ruling))

    def undo(self, decision_id: str, reviewer: str) -> ReviewDecision:
        """Take a decision back: what was in force before it is again, and the case is open.

        Raises ConflictError where it was taken back already or a later one stands on it.
        """
        checked_name(reviewer)
        return self._database.write(
            lambda connection: self._undo(connection, decision_id, reviewer)
        )

    def preview(
        self, which: CaseFilter, reviewer: str, action: str, category: str | None, note: str | None
    ) -> BulkPreview:
        """What deciding all open cases of a filter in one way would mean."""
        ruling = checked_ruling(action, category, reviewer, note, self.tools.rules.policy)
        chosen = dataclasses.replace(which, state="open", free_for=reviewer)
        with self._database.read() as connection:
            cases = tuple(case_of_row(row) for row in connection.execute(self._query(chosen)))
        by_queue = Counter(case.queue for case in cases)
        return BulkPreview(cases=cases, by_queue=dict(by_queue.most_common()), ruling=ruling)

    def decide_all(self, preview: BulkPreview) -> BulkOutcome:
        """Decide exactly the cases that were shown; each can be undone by itself."""

        def write(connection: Connection) -> BulkOutcome:
            decisions, skipped = [], []
            for case in preview.cases:
                try:
                    decisions.append(self._decide(connection, case.case_id, preview.ruling))
                except ConflictError:
                    skipped.append(case.case_id)
            return BulkOutcome(decisions=tuple(decisions), skipped=tuple(skipped))

        return self._database.write(write)

    # -- inside a transaction ----------------------------------------------------------------------

    def _query(self, which: CaseFilter) -> "sa.Select[Any]":
        table = tables.review_cases
        query = sa.select(table).order_by(
            table.c.priority.desc(), table.c.opened_ms, table.c.case_id
        )
        if which.state is not None:
            query = query.where(table.c.state == which.state)
        if which.queue is not None:
            query = query.where(table.c.queue == which.queue)
        if which.item_id is not None:
            query = query.where(table.c.item_id == which.item_id)
        if which.reason is not None:
            query = query.where(table.c.reason.contains(which.reason, autoescape=True))
        if which.least_priority is not None:
            query = query.where(table.c.priority >= which.least_priority)
        if which.free_for is not None:
            query = query.where(self._free(which.free_for))
        return query

    def _free(self, reviewer: str) -> "sa.ColumnElement[bool]":
        table = tables.review_cases
        return sa.or_(
            table.c.locked_by.is_(None),
            table.c.locked_by == reviewer,
            table.c.locked_until_ms <= self._clock.now_ms(),
        )

    def _take(self, connection: Connection, reviewer: str, queue: str | None) -> Case | None:
        table = tables.review_cases
        mine = sa.select(table).where(
            table.c.state == "open",
            table.c.locked_by == reviewer,
            table.c.locked_until_ms > self._clock.now_ms(),
        )
        query = self._query(CaseFilter(queue=queue, free_for=reviewer)).limit(1)
        row = (
            connection.execute(mine).first()
            or connection.execute(query.with_for_update(skip_locked=True)).first()
        )
        return None if row is None else self._lock(connection, case_of_row(row), reviewer)

    def _lock(self, connection: Connection, case: Case, reviewer: str) -> Case:
        until_ms = self._clock.now_ms() + self.tools.settings.lock_ms
        return _set(connection, case, locked_by=reviewer, locked_until_ms=until_ms)

    def _held(self, connection: Connection, case_id: str, reviewer: str) -> Case:
        case = _case(connection, case_id)
        if case.state != "open" or case.locked_by != reviewer:
            raise ConflictError(
                f"the case {case_id} is not on the table of {reviewer}; take it first"
            )
        return case

    def _decide(self, connection: Connection, case_id: str, ruling: Ruling) -> ReviewDecision:
        case = _case(connection, case_id)
        self._check_free(case, ruling.name)
        now_ms = self._clock.now_ms()
        rule_on(connection, case.item_id, ruling, self.tools.rules.policy, now_ms)
        _set(
            connection, case, state="closed", closed_ms=now_ms, locked_by=None, locked_until_ms=None
        )
        decision = ReviewDecision(
            decision_id=new_id("decision"),
            case_id=case_id,
            item_id=case.item_id,
            reviewer=ruling.name,
            at_ms=now_ms,
            action=ruling.action,
            category=ruling.category,
            note=ruling.note,
        )
        return _keep_decision(connection, decision)

    def _check_free(self, case: Case, reviewer: str) -> None:
        if case.state != "open":
            raise ConflictError(
                f"the case {case.case_id} is decided already; undo that decision to change it"
            )
        until_ms = case.locked_until_ms or 0
        if case.locked_by not in (None, reviewer) and until_ms > self._clock.now_ms():
            raise ConflictError(
                f"the case {case.case_id} is on the table of {case.locked_by} until {until_ms}; "
                "take another or wait"
            )

    def _undo(self, connection: Connection, decision_id: str, reviewer: str) -> ReviewDecision:
        decision = _undoable(connection, decision_id)
        standing, earlier = _calls(connection, decision)
        now_ms = self._clock.now_ms()
        take_back(connection, standing, earlier, self.tools.rules.policy, now_ms)
        case = _case(connection, decision.case_id)
        if open_case_of(connection, case.item_id) is None:
            _set(connection, case, state="open", closed_ms=None)
        undoing = ReviewDecision(
            decision_id=new_id("decision"),
            case_id=decision.case_id,
            item_id=decision.item_id,
            reviewer=reviewer,
            at_ms=now_ms,
            action=UNDO,
            category=None,
            undoes=decision_id,
        )
        return _keep_decision(connection, undoing)


def _case(connection: Connection, case_id: str, *, locked: bool = True) -> Case:
    table = tables.review_cases
    query = sa.select(table).where(table.c.case_id == case_id)
    row = connection.execute(query.with_for_update() if locked else query).first()
    if row is None:
        raise UnknownError(f"no case has the id {case_id!r}")
    return case_of_row(row)


def _set(connection: Connection, case: Case, **values: object) -> Case:
    table = tables.review_cases
    connection.execute(table.update().where(table.c.case_id == case.case_id).values(**values))
    return Case(**{**dataclasses.asdict(case), **values})


def _unlock(connection: Connection, case: Case) -> Case:
    return _set(connection, case, locked_by=None, locked_until_ms=None)


def _keep_decision(connection: Connection, decision: ReviewDecision) -> ReviewDecision:
    connection.execute(tables.review_decisions.insert(), dataclasses.asdict(decision))
    return decision


def _decision_of_row(row: Any) -> ReviewDecision:
    values = {name: value for name, value in row._mapping.items() if name != "log_offset"}
    return ReviewDecision(**values)


def _undoable(connection: Connection, decision_id: str) -> ReviewDecision:
    table = tables.review_decisions
    row = connection.execute(sa.select(table).where(table.c.decision_id == decision_id)).first()
    if row is None:
        raise UnknownError(f"no decision has the id {decision_id!r}")
    if row.action == UNDO:
        raise ConflictError("an undoing cannot be undone; decide the case anew")
    query = sa.select(table.c.decision_id).where(table.c.undoes == decision_id)
    if connection.execute(query).first() is not None:
        raise ConflictError(f"the decision {decision_id} was undone already")
    return _decision_of_row(row)


def _calls(connection: Connection, decision: ReviewDecision) -> tuple[Verdict, PersonCall | None]:
    """The item's latest verdict, and the call that was in force before the decision."""
    history = verdict_history(connection, decision.item_id)
    told = decision.action, decision.category, decision.reviewer
    places = [i for i, v in enumerate(history) if v.at_ms == decision.at_ms and _told(v) == told]
    if not places or _told(history[-1]) != told or _has_later(connection, decision):
        raise ConflictError(
            f"the decision {decision.decision_id} no longer stands: the item was decided on or "
            "edited later; decide it anew"
        )
    return history[-1], history[places[-1] - 1].evidence.person if places[-1] else None


def _has_later(connection: Connection, decision: ReviewDecision) -> bool:
    """Whether a later decision on the item has not been taken back."""
    table = tables.review_decisions
    own = sa.select(table.c.log_offset).where(table.c.decision_id == decision.decision_id)
    undone = sa.select(table.c.undoes).where(table.c.undoes.is_not(None))
    later = sa.select(table.c.decision_id).where(
        table.c.item_id == decision.item_id,
        table.c.log_offset > own.scalar_subquery(),
        table.c.action != UNDO,
        table.c.decision_id.not_in(undone),
    )
    return connection.execute(later).first() is not None


def _told(verdict: Verdict) -> tuple[str, str | None, str] | None:
    call = verdict.evidence.person
    return None if call is None else (call.action, call.category, call.name)
