"""Review: people take cases from a queue, decide, and may take back what they decided.

In a queue for two people nobody's word is in force alone: the case waits for another person, and
where the two differ for a third. Some cases are shown again because their answer is known; what is
said of them changes nothing.
"""

import dataclasses
import random
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import HOUR_MS, Clock
from inhouse.core.errors import InputError, UnknownError
from inhouse.moderation.recording.rulings import Ruling, checked_name, checked_ruling
from inhouse.moderation.reviewing.cases import case_of_row, with_reason
from inhouse.moderation.reviewing.deciding import Decider, Now, check_free
from inhouse.moderation.reviewing.gold import gold_case
from inhouse.moderation.reviewing.queues import closed_to, queue_in, queues_in
from inhouse.moderation.reviewing.records import decision_of_row, standing_opinions
from inhouse.moderation.reviewing.search import Asker, CaseFilter, find_cases
from inhouse.moderation.reviewing.table import WAITING, case_row, change, held_row, put_back
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import Case, ReviewDecision
from inhouse.store import tables
from inhouse.store.database import Database

MOST_WORDS_CHARS: Final = 2_000
# For so long somebody who skipped a case, or sent it on, is given others first.
SKIPPED_FOR_MS: Final = HOUR_MS
_MOST_SKIPPED: Final = 500
_Said = tuple[str, str, str | None]  # kind, words, queue


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueCount:
    """How full a queue is."""

    queue: str
    open: int  # cases that wait
    closed: int  # cases that were decided
    oldest_ms: int | None  # when the longest-waiting one was opened; None where none waits
    locked: int = 0  # of those that wait, on somebody's table at the moment


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseNote:
    """What was done with a case besides deciding it."""

    case_id: str
    item_id: str
    reviewer: str
    at_ms: int
    kind: str  # note, skip, escalate
    words: str  # the note, or why
    queue: str | None = None  # where it was sent


class Review:
    """The queue of one community."""

    def __init__(self, database: Database, clock: Clock, tools: Tools) -> None:
        self.tools = tools  # may be replaced
        self.chance = random.SystemRandom().random  # whether a known answer is shown; 0 to 1
        self._database = database
        self._clock = clock

    # -- looking -----------------------------------------------------------------------------------

    def queue(
        self, which: CaseFilter | None = None, limit: int = 100, offset: int = 0
    ) -> list[Case]:
        """Cases by priority, the longest-waiting of equals first."""
        which = which or CaseFilter()
        with self._database.read() as connection:
            asker = self._asker(connection, which.free_for)
            return find_cases(connection, which, asker, limit, offset)

    def case(self, case_id: str) -> Case:
        """One case. Raises UnknownError."""
        with self._database.read() as connection:
            return case_of_row(case_row(connection, case_id, locked=False))

    def case_of(self, item_id: str) -> Case | None:
        """The case that led to the latest decision on a post; None where nobody was asked."""
        table = tables.review_cases
        query = (
            sa.select(table)
            .where(table.c.item_id == item_id, table.c.state.in_(("open", "closed")))
            .order_by(table.c.closed_ms.desc().nulls_last(), table.c.opened_ms.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else case_of_row(row)

    def counts(self) -> list[QueueCount]:
        """Every queue with its cases, the fullest first."""
        c = tables.review_cases.c
        waits, decided = c.state == "open", c.state == "closed"
        on_a_table = sa.and_(waits, c.locked_until_ms > self._clock.now_ms())
        query = sa.select(
            c.queue,
            sa.func.count(sa.case((waits, 1))),
            sa.func.count(sa.case((decided, 1))),
            sa.func.min(sa.case((waits, c.opened_ms))),
            sa.func.count(sa.case((on_a_table, 1))),
        ).group_by(c.queue)
        with self._database.read() as connection:
            found = [
                QueueCount(
                    queue=row[0], open=row[1], closed=row[2], oldest_ms=row[3], locked=row[4]
                )
                for row in connection.execute(query)
            ]
        return sorted(found, key=lambda count: (-count.open, count.queue))

    def decisions(
        self, *, case_id: str | None = None, item_id: str | None = None, reviewer: str | None = None
    ) -> list[ReviewDecision]:
        """Decisions that were in force and undoings, oldest first."""
        table = tables.review_decisions
        wanted = {"case_id": case_id, "item_id": item_id, "reviewer": reviewer}
        query = sa.select(table).order_by(table.c.log_offset)
        for column, value in wanted.items():
            if value is not None:
                query = query.where(table.c[column] == value)
        with self._database.read() as connection:
            return [decision_of_row(row) for row in connection.execute(query)]

    def opinions(self, case_id: str) -> list[ReviewDecision]:
        """What was said of a case for two people and not taken back, once it is no secret any more:
        when two people differ, or when it is decided."""
        with self._database.read() as connection:
            row = case_row(connection, case_id, locked=False)
            found = standing_opinions(connection, case_id)
        told = row.gold_id is None and (row.state == "closed" or len(found) > 1)
        return found if told else []

    def notes(self, case_id: str) -> list[CaseNote]:
        """What was remarked on a case, oldest first."""
        table = tables.review_notes
        query = sa.select(table).where(table.c.case_id == case_id).order_by(table.c.log_offset)
        with self._database.read() as connection:
            return [
                CaseNote(**{n: v for n, v in row._mapping.items() if n != "log_offset"})
                for row in connection.execute(query)
            ]

    # -- taking ------------------------------------------------------------------------------------

    def next(
        self, reviewer: str, queue: str | None = None, which: CaseFilter | None = None
    ) -> Case | None:
        """The case the reviewer has on the table, else the most urgent free one of a queue or a
        filter, which is theirs until the lock runs out. None where nothing waits for them."""
        checked_name(reviewer)
        wanted = which or CaseFilter(queue=queue)
        return self._database.write(lambda connection: self._take(connection, reviewer, wanted))

    def peek(self, reviewer: str, which: CaseFilter | None = None) -> Case | None:
        """What `next` would most likely give once the case on the table is decided; nothing is
        taken."""
        with self._database.read() as connection:
            found = self._free_cases(connection, reviewer, which or CaseFilter(), 2)
        return next((case for case in found if case.locked_by != reviewer), None)

    def take(self, case_id: str, reviewer: str) -> Case:
        """Put one case on the table. Raises ConflictError where it is decided, or on somebody
        else's, or for others to decide."""
        checked_name(reviewer)

        def write(connection: Connection) -> Case:
            row = case_row(connection, case_id)
            self._check_free(connection, row, reviewer)
            return self._lock(connection, row, reviewer)

        return self._database.write(write)

    def renew(self, case_id: str, reviewer: str) -> Case:
        """Keep a case on the table for another while. Raises ConflictError where it is not."""
        return self._database.write(
            lambda connection: self._lock(
                connection, held_row(connection, case_id, reviewer), reviewer
            )
        )

    def release(self, case_id: str, reviewer: str) -> Case:
        """Put a case back into the queue undecided."""
        return self._database.write(
            lambda connection: put_back(connection, held_row(connection, case_id, reviewer))
        )

    def skip(self, case_id: str, reviewer: str, why: str = "") -> Case:
        """Put a case back and be given others first for an hour; why helps whoever takes it."""
        _check_words(why, least=0)

        def write(connection: Connection) -> Case:
            row = held_row(connection, case_id, reviewer)
            self._remark(connection, row, reviewer, ("skip", why, None))
            return put_back(connection, row)

        return self._database.write(write)

    def escalate(self, case_id: str, reviewer: str, queue: str, why: str) -> Case:
        """Send a case to another queue. Raises UnknownError for one that is neither set up nor a
        category's."""
        _check_words(why)
        known = (*self.tools.rules.policy.categories, "other", "unscored")

        def write(connection: Connection) -> Case:
            queues = queues_in(connection)
            if queue not in queues and queue not in known:
                names = ", ".join((*queues, *known))
                raise UnknownError(f"no queue is named {queue[:80]!r}; expected one of {names}")
            row = case_row(connection, case_id)
            self._check_free(connection, row, reviewer)
            self._remark(connection, row, reviewer, ("escalate", why, queue))
            if row.gold_id is not None:  # the question was put aside: it is not asked again here
                return put_back(connection, row)
            reason = with_reason(row.reason, "escalated", f"escalated from {row.queue}")
            change(connection, case_id, queue=queue, reason=reason)
            return put_back(connection, row)

        return self._database.write(write)

    def remark(self, case_id: str, reviewer: str, words: str) -> CaseNote:
        """Keep a note with a case, for whoever looks at it next."""
        _check_words(words)
        checked_name(reviewer)
        return self._database.write(
            lambda connection: self._remark(
                connection, case_row(connection, case_id), reviewer, ("note", words, None)
            )
        )

    # -- deciding ----------------------------------------------------------------------------------

    def decide(
        self, case_id: str, reviewer: str, action: str, category: str | None, note: str | None
    ) -> ReviewDecision:
        """Decide a case: a verdict, a label and the closed case, in one transaction. In a queue for
        two people the answer's `effect` says whom it waits for.

        Raises ConflictError for a case that is decided, or on somebody else's table.
        """
        ruling = self.checked(action, category, reviewer, note)
        return self._database.write(
            lambda connection: self._decider().decide(connection, case_id, ruling)
        )

    def undo(self, decision_id: str, reviewer: str) -> ReviewDecision:
        """Take a decision back: what was in force before it is again, and the case is open.

        Raises ConflictError where it was taken back already or a later one stands on it.
        """
        checked_name(reviewer)
        return self._database.write(
            lambda connection: self._decider().undo(connection, decision_id, reviewer)
        )

    def checked(self, action: str, category: str | None, reviewer: str, note: str | None) -> Ruling:
        """A ruling by the policy in force, or InputError."""
        if note is not None:
            _check_words(note, least=0)
        return checked_ruling(action, category, reviewer, note, self.tools.rules.policy)

    # -- inside a transaction ----------------------------------------------------------------------

    def _decider(self) -> Decider:
        return Decider(clock=self._clock, tools=self.tools)

    def _asker(self, connection: Connection, reviewer: str | None) -> Asker:
        closed = closed_to(reviewer, queues_in(connection)) if reviewer is not None else ()
        return Asker(now_ms=self._clock.now_ms(), closed=closed)

    def _take(self, connection: Connection, reviewer: str, which: CaseFilter) -> Case | None:
        c = tables.review_cases.c
        mine = sa.select(tables.review_cases).where(
            c.state.in_(WAITING), c.locked_by == reviewer, c.locked_until_ms > self._clock.now_ms()
        )
        row = connection.execute(mine).first()
        if row is not None:
            return self._lock(connection, row, reviewer)
        found = self._free_cases(connection, reviewer, which, 1)
        if not found:
            return None
        case = self._known_instead(connection, found[0].queue, reviewer) or found[0]
        return self._lock(connection, case_row(connection, case.case_id), reviewer)

    def _free_cases(
        self, connection: Connection, reviewer: str, which: CaseFilter, limit: int
    ) -> list[Case]:
        """The most urgent ones they may take; what they skipped lately only where nothing else
        waits."""
        wanted = dataclasses.replace(which, state="open", free_for=reviewer)
        asker = self._asker(connection, reviewer)
        skipped = self._skipped(connection, reviewer)
        found = find_cases(connection, wanted, asker, limit + len(skipped))
        new = [case for case in found if case.case_id not in skipped]
        return (new or found)[:limit]

    def _skipped(self, connection: Connection, reviewer: str) -> set[str]:
        c = tables.review_notes.c
        query = (
            sa.select(c.case_id)
            .where(
                c.reviewer == reviewer,
                c.kind.in_(("skip", "escalate")),
                c.at_ms > self._clock.now_ms() - SKIPPED_FOR_MS,
            )
            .order_by(c.log_offset.desc())
            .limit(_MOST_SKIPPED)
        )
        return set(connection.execute(query).scalars())

    def _known_instead(self, connection: Connection, queue: str, reviewer: str) -> Case | None:
        """Now and then a case whose answer is known."""
        if self.chance() >= queue_in(connection, queue).gold_share:
            return None
        return gold_case(connection, queue, reviewer, self._clock.now_ms())

    def _check_free(self, connection: Connection, row: Any, reviewer: str) -> None:
        now = Now(queue=queue_in(connection, row.queue), ms=self._clock.now_ms())
        check_free(connection, row, reviewer, now)

    def _lock(self, connection: Connection, row: Any, reviewer: str) -> Case:
        now_ms = self._clock.now_ms()
        lock_ms = queue_in(connection, row.queue).lock_ms or self.tools.settings.lock_ms
        has_it = row.locked_by == reviewer and row.taken_ms is not None
        values: dict[str, object] = {
            "locked_by": reviewer,
            "locked_until_ms": now_ms + lock_ms,
            "taken_ms": row.taken_ms if has_it else now_ms,
        }
        change(connection, row.case_id, **values)
        return case_of_row(case_row(connection, row.case_id))

    def _remark(self, connection: Connection, row: Any, reviewer: str, said: _Said) -> CaseNote:
        note = CaseNote(
            case_id=row.case_id,
            item_id=row.item_id,
            reviewer=reviewer,
            at_ms=self._clock.now_ms(),
            kind=said[0],
            words=said[1],
            queue=said[2],
        )
        connection.execute(tables.review_notes.insert(), dataclasses.asdict(note))
        return note


def _check_words(words: str, least: int = 1) -> None:
    if not least <= len(words.strip()) or len(words) > MOST_WORDS_CHARS:
        raise InputError(
            f"the words have {len(words)} characters; expected {least} to {MOST_WORDS_CHARS}"
        )
