"""One reviewer at work: which case lies before them, what was decided, when a break is due."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from inhouse.app.build import Services
from inhouse.console.moderation.model import CaseFacts, Queue, gather_case, queues
from inhouse.console.moments import community_now
from inhouse.core.errors import ConflictError
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.types import Action, Case, ReviewDecision

BREAK_AFTER: Final = 25
OTHER: Final = "other"
_LOOKED_AHEAD: Final = 20


@dataclass
class Tally:
    """What was done since the last break."""

    decided: int = 0
    since_s: float = field(default_factory=time.monotonic)


class Desk:
    """Not thread-safe: the page does one thing after the other."""

    def __init__(
        self,
        services: Services,
        reviewer: str,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reviewer = reviewer
        self.queue: str | None = None  # looked at alone; None is all of them
        self.facts: CaseFacts | None = None  # the case on the table
        self.queues: list[Queue] = []  # how full the queues were when last looked at
        self.category = OTHER  # what a restriction would be for
        self._services = services
        self._review = services.review
        self._now_s = now_s
        self._skipped: set[str] = set()
        self._done: list[ReviewDecision] = []
        self._tally = Tally(since_s=now_s())

    @property
    def categories(self) -> tuple[str, ...]:
        """What a restriction can be for, in the order of the number keys."""
        return (*self._services.policy.categories, OTHER)

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

    def choose_queue(self, queue: str | None) -> None:
        """Look at one queue alone, or at all."""
        self.put_back()
        self.queue = queue
        self._skipped.clear()
        self._next()

    def decide(self, action: Action, note: str | None = None) -> ReviewDecision | None:
        """Decide the case on the table and take the next. None where somebody was faster."""
        if self.facts is None:
            return None
        category = None if action == "allow" else self.category
        community_now(self._services)
        try:
            decision = self._review.decide(
                self.facts.case.case_id, self.reviewer, action, category, note
            )
        except ConflictError:
            self._next()
            return None
        self._done.append(decision)
        self._tally.decided += 1
        self._next()
        return decision

    def skip(self) -> None:
        """Put the case back and take another; it is not shown here again until none is left."""
        if self.facts is None:
            return
        self._skipped.add(self.facts.case.case_id)
        self.put_back()
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
        self._lay(self._review.take(decision.case_id, self.reviewer))
        self._count()
        return decision

    def put_back(self) -> None:
        """Leave the case on the table to others."""
        if self.facts is not None:
            case_id, self.facts = self.facts.case.case_id, None
            # Where its lock ran out and somebody else has it, it is not ours to put back.
            with contextlib.suppress(ConflictError):
                self._review.release(case_id, self.reviewer)

    def keep(self) -> None:
        """Hold the case for longer once half of its time is gone."""
        if self.facts is None:
            return
        until_ms = self.facts.case.locked_until_ms or 0
        left_ms = until_ms - community_now(self._services)
        if left_ms < self._services.settings.moderation.lock_ms / 2:
            try:
                self._lay(self._review.renew(self.facts.case.case_id, self.reviewer))
            except ConflictError:
                self._next()

    @property
    def break_due(self) -> bool:
        """Whether it is time to look at something else."""
        return self._tally.decided >= BREAK_AFTER

    def rested(self) -> tuple[int, float]:
        """Begin to count anew; returns decisions and seconds since the break before."""
        done = self._tally.decided, self._now_s() - self._tally.since_s
        self._tally = Tally(since_s=self._now_s())
        return done

    def _count(self) -> None:
        self.queues = queues(self._services.database, community_now(self._services))

    def _next(self) -> None:
        self._take_next()
        self._count()

    def _take_next(self) -> None:
        """The case that is ours already, else the most urgent free one that was not skipped."""
        self.facts = None
        community_now(self._services)
        if not self._skipped:
            self._lay(self._review.next(self.reviewer, self.queue))
            return
        wanted = CaseFilter(queue=self.queue, free_for=self.reviewer)
        for case in self._review.queue(wanted, limit=len(self._skipped) + _LOOKED_AHEAD):
            if case.case_id not in self._skipped and self._take(case.case_id):
                return
        self._skipped.clear()  # only skipped ones are left: round again, the next time

    def _take(self, case_id: str) -> bool:
        try:
            self._lay(self._review.take(case_id, self.reviewer))
        except ConflictError:
            return False
        return True

    def _lay(self, case: Case | None) -> None:
        self.facts = None if case is None else gather_case(self._services, case)
        if case is not None:
            self.category = case.queue if case.queue in self.categories else OTHER
