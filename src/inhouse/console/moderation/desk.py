"""One reviewer at work: which case lies before them, what was decided, when a break is due."""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from inhouse.app.build import Services
from inhouse.console.moderation.model import CaseFacts, gather_case
from inhouse.console.moments import community_now
from inhouse.core.errors import ConflictError, UnknownError
from inhouse.moderation.reviewing.queues import closed_to
from inhouse.moderation.reviewing.review import QueueCount
from inhouse.moderation.reviewing.reviewers import ReviewerSettings
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.types import Action, Case, ReviewDecision

OTHER: Final = "other"
SNOOZE_S: Final = 600.0
_FRESH_S: Final = 30.0  # so long facts gathered ahead are worth showing
_MOST_DRAFTS: Final = 50
_MINUTE_S: Final = 60.0


@dataclass
class Tally:
    """What was done since the last break."""

    decided: int = 0
    hard: int = 0  # of them removed, or sent on to others
    since_s: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """A case that went to somebody else while it lay here."""

    why: str  # in words
    draft: str  # what was typed for it


class Desk:
    """Not thread-safe: the page does one thing after the other."""

    def __init__(
        self,
        services: Services,
        reviewer: str,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reviewer = reviewer
        self.own: ReviewerSettings = services.reviewers.get(reviewer)
        self.which = CaseFilter()  # looked at alone; without anything in it all of them
        self.facts: CaseFacts | None = None  # the case on the table
        self.queues: list[QueueCount] = []  # how full the queues were when last looked at
        self.category = OTHER  # what a restriction would be for
        self.draft = ""  # what was typed for the case on the table
        self.lost: Lost | None = None  # the last one that went to somebody else
        self._services = services
        self._review = services.review
        self._now_s = now_s
        self._done: list[ReviewDecision] = []
        self._drafts: dict[str, str] = {}
        self._ahead: tuple[float, CaseFacts] | None = None
        self._tally = Tally(since_s=now_s())
        self._quiet_until_s = 0.0

    @property
    def categories(self) -> tuple[str, ...]:
        """What a restriction can be for, in the order of the number keys."""
        return (*self._services.policy.categories, OTHER)

    @property
    def queue_names(self) -> list[str]:
        """Where a case may be sent."""
        set_up = [queue.name for queue in self._services.queues.list()]
        return list(dict.fromkeys((*set_up, *self.categories)))

    @property
    def last(self) -> ReviewDecision | None:
        """What `undo` would take back."""
        return self._done[-1] if self._done else None

    def look(self) -> bool:
        """Count the queues, and take the next case if none is on the table; says whether there is
        one."""
        if self.facts is None:
            self._next()
        else:
            self._count()
        return self.facts is not None

    def search(self, which: CaseFilter) -> None:
        """Look at what fits alone, or, without anything in the filter, at all."""
        self.put_back()
        self.which = which
        self._next()

    def decide(self, action: Action, note: str | None = None) -> ReviewDecision | None:
        """Decide the case on the table and take the next. None where somebody was faster: then
        `lost` says who, and what was typed is kept."""
        if self.facts is None:
            return None
        self.draft = note or ""
        category = None if action == "allow" else self.category
        community_now(self._services)
        try:
            decision = self._review.decide(
                self.facts.case.case_id, self.reviewer, action, category, note
            )
        except (ConflictError, UnknownError):
            self._lose()
            return None
        self._done.append(decision)
        self._tally.decided += 1
        self._tally.hard += action == "remove"
        self._leave()
        self._next()
        return decision

    def skip(self, why: str = "") -> None:
        """Leave the case to others; for an hour others come first here."""
        if self.facts is None:
            return
        with contextlib.suppress(ConflictError):
            self._review.skip(self.facts.case.case_id, self.reviewer, why)
        self._leave()
        self._next()

    def escalate(self, queue: str, why: str) -> None:
        """Send the case to another queue."""
        if self.facts is None:
            return
        self._review.escalate(self.facts.case.case_id, self.reviewer, queue, why)
        self._tally.hard += 1
        self._leave()
        self._next()

    def undo(self) -> ReviewDecision | None:
        """Take the last decision back and lay its case on the table again.

        Raises ConflictError where it no longer stands.
        """
        if self.last is None:
            return None
        decision = self._done.pop()
        community_now(self._services)
        self._review.undo(decision.decision_id, self.reviewer)
        self.put_back()
        self._tally.decided = max(0, self._tally.decided - 1)
        self._tally.hard = max(0, self._tally.hard - (decision.action == "remove"))
        self._lay(self._review.take(decision.case_id, self.reviewer))
        self._count()
        return decision

    def put_back(self) -> None:
        """Leave the case on the table to others; what was typed for it is kept."""
        if self.facts is not None:
            case_id, self.facts = self.facts.case.case_id, None
            self._keep_draft(case_id)
            # Where its lock ran out and somebody else has it, it is not ours to put back.
            with contextlib.suppress(ConflictError):
                self._review.release(case_id, self.reviewer)

    def keep(self) -> None:
        """Somebody is at work here: hold the case for longer once half of its time is gone, or take
        it again where it is over. Where somebody else has it by now, `lost` says so."""
        if self.facts is None:
            return
        until_ms = self.facts.case.locked_until_ms or 0
        if until_ms - community_now(self._services) >= self.facts.lock_ms / 2:
            return
        case_id = self.facts.case.case_id
        try:
            self._relay(self._review.take(case_id, self.reviewer))
        except (ConflictError, UnknownError):
            self._lose()

    def look_ahead(self) -> None:
        """Gather the facts of the case that will most likely be next, without taking it."""
        case = self._review.peek(self.reviewer, self.which)
        if case is not None:
            self._ahead = self._now_s(), gather_case(self._services, case)

    def now_ms(self) -> int:
        """The community's time."""
        return community_now(self._services)

    def choose(self, own: ReviewerSettings) -> None:
        """Remember how this reviewer wants to work."""
        self.own = self._services.reviewers.put(self.reviewer, own)

    # -- breaks ------------------------------------------------------------------------------------

    @property
    def break_due(self) -> bool:
        """Whether it is time to look at something else: after the minutes or the hard cases that
        the reviewer chose, unless they asked to be reminded later."""
        if self._now_s() < self._quiet_until_s or not self._tally.decided:
            return False
        worked_s = self._now_s() - self._tally.since_s
        minutes, hard = self.own.break_after_minutes, self.own.break_after_hard
        return bool(
            (minutes and worked_s >= minutes * _MINUTE_S) or (hard and self._tally.hard >= hard)
        )

    @property
    def tally(self) -> tuple[int, int, float]:
        """Decisions, hard ones, and seconds since the last break."""
        return self._tally.decided, self._tally.hard, self._now_s() - self._tally.since_s

    def rested(self) -> None:
        """Begin to count anew."""
        self._tally = Tally(since_s=self._now_s())

    def snooze(self) -> None:
        """Be reminded in ten minutes."""
        self._quiet_until_s = self._now_s() + SNOOZE_S

    # -- inside ------------------------------------------------------------------------------------

    def _count(self) -> None:
        community_now(self._services)
        closed = closed_to(self.reviewer, {q.name: q for q in self._services.queues.list()})
        self.queues = [q for q in self._review.counts() if q.open and q.queue not in closed]

    def _next(self) -> None:
        community_now(self._services)
        self._lay(self._review.next(self.reviewer, which=self.which))
        self._count()

    def _lose(self) -> None:
        """Say who has the case, keep what was typed, and go on with the next."""
        if self.facts is None:
            return
        case_id = self.facts.case.case_id
        self.lost = Lost(why=self._why_lost(case_id), draft=self.draft)
        self._keep_draft(case_id)
        self.facts = None
        self._next()

    def _why_lost(self, case_id: str) -> str:
        try:
            case = self._review.case(case_id)
        except UnknownError:
            return "It is not there any more."
        if case.state == "closed":
            decided = self._review.decisions(case_id=case_id)
            who = decided[-1].reviewer if decided else "somebody else"
            return f"Your time on it ran out, and {who} decided it meanwhile."
        if case.locked_by not in (None, self.reviewer):
            return f"Your time on it ran out, and {case.locked_by} has it on the table now."
        return "It is for somebody else to decide now."

    def _leave(self) -> None:
        """The case is dealt with: what was typed for it went with it."""
        if self.facts is not None:
            self._drafts.pop(self.facts.case.case_id, None)
        self.facts, self.draft = None, ""

    def _keep_draft(self, case_id: str) -> None:
        self._drafts.pop(case_id, None)
        if self.draft.strip():
            self._drafts[case_id] = self.draft
        while len(self._drafts) > _MOST_DRAFTS:
            del self._drafts[next(iter(self._drafts))]
        self.draft = ""

    def _relay(self, case: Case) -> None:
        """The same case, held for longer."""
        if self.facts is not None:
            around = dataclasses.replace(self.facts.around, case=case)
            now_ms = community_now(self._services)
            self.facts = dataclasses.replace(self.facts, around=around, now_ms=now_ms)

    def _lay(self, case: Case | None) -> None:
        self.facts = None if case is None else self._facts_of(case)
        self.draft = "" if case is None else self._drafts.get(case.case_id, "")
        if case is not None:
            self.category = case.queue if case.queue in self.categories else OTHER

    def _facts_of(self, case: Case) -> CaseFacts:
        at_s, ahead = self._ahead or (0.0, None)
        self._ahead = None
        if ahead is None or ahead.case.case_id != case.case_id or self._now_s() - at_s > _FRESH_S:
            return gather_case(self._services, case)
        around = dataclasses.replace(ahead.around, case=case)
        return dataclasses.replace(ahead, around=around, now_ms=community_now(self._services))
