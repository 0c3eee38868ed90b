"""Deciding a case and taking it back, each whole in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.core.errors import ConflictError, UnknownError
from inhouse.core.ids import new_id
from inhouse.moderation.recording.rulings import Ruling, hold, rule_on, take_back
from inhouse.moderation.reviewing.cases import GOLD, GOLD_CLOSED, case_of_row, open_case_of
from inhouse.moderation.reviewing.gold import drop_gold, keep_gold
from inhouse.moderation.reviewing.queues import QueueSettings, queue_in
from inhouse.moderation.reviewing.records import (
    effect_of,
    keep_decision,
    keep_opinion,
    standing_opinions,
    undoable_decision,
    undoable_opinion,
    unknown_decision,
)
from inhouse.moderation.reviewing.table import WAITING, case_row, change, put_back
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import UNDO, Effect, PersonCall, ReviewDecision, Verdict
from inhouse.moderation.verdicts.rows import verdict_history
from inhouse.store import tables


@dataclass(frozen=True, kw_only=True, slots=True)
class Decider:
    """What deciding needs besides the transaction."""

    clock: Clock
    tools: Tools

    def decide(
        self, connection: Connection, case_id: str, ruling: Ruling, bulk_id: str | None = None
    ) -> ReviewDecision:
        """Decide a case; `bulk_id` names the many it is one of. Raises as `Review.decide`."""
        row = case_row(connection, case_id)
        queue = queue_in(connection, row.queue)
        said = check_free(connection, row, ruling.name, Now(queue=queue, ms=self.clock.now_ms()))
        effect: Effect = effect_of(said, ruling) if queue.asks_two else "in_force"
        decision = self._decision(row, ruling, effect, bulk_id)
        if row.gold_id is not None:
            change(connection, case_id, state=GOLD_CLOSED, closed_ms=decision.at_ms)
            return keep_opinion(connection, decision, row.gold_id)
        if effect != "in_force":
            return self._wait(connection, row, ruling, decision)
        now_ms = decision.at_ms
        rule_on(connection, row.item_id, ruling, self.tools.rules.policy, now_ms)
        off = {"locked_by": None, "locked_until_ms": None, "taken_ms": None}
        change(connection, case_id, state="closed", closed_ms=now_ms, **off)
        keep_decision(connection, decision)
        _keep_known(connection, row, ruling, queue, now_ms)
        return decision

    def undo(
        self, connection: Connection, decision_id: str, reviewer: str, bulk_id: str | None = None
    ) -> ReviewDecision:
        """Take a decision or an opinion back. Raises as `Review.undo`."""
        decision = undoable_decision(connection, decision_id)
        if decision is None:
            return self._withdraw(connection, decision_id, reviewer, bulk_id)
        standing, earlier = _calls(connection, decision)
        undoing = self._undoing(decision, reviewer, bulk_id)
        take_back(connection, standing, earlier, self.tools.rules.policy, undoing.at_ms)
        drop_gold(connection, decision.item_id)
        if open_case_of(connection, decision.item_id) is None:
            change(connection, decision.case_id, state="open", closed_ms=None)
        return keep_decision(connection, undoing)

    def _withdraw(
        self, connection: Connection, opinion_id: str, reviewer: str, bulk_id: str | None
    ) -> ReviewDecision:
        """Take back an opinion: only who gave it may, while it is not part of a decision."""
        found = undoable_opinion(connection, opinion_id)
        if found is None:
            raise unknown_decision(opinion_id)
        opinion, gold_id = found
        if opinion.reviewer != reviewer:
            raise ConflictError(
                f"only {opinion.reviewer} may take this back; decide the case yourself instead"
            )
        row = case_row(connection, opinion.case_id)
        if row.state == "closed":
            raise ConflictError(
                f"others decided the case {row.case_id} since; undo that decision instead"
            )
        undoing = keep_opinion(connection, self._undoing(opinion, reviewer, bulk_id), gold_id)
        if gold_id is not None:
            change(connection, row.case_id, state=GOLD, closed_ms=None)
            return undoing
        self._let_go(connection, opinion, undoing.at_ms)
        return undoing

    def _let_go(self, connection: Connection, opinion: ReviewDecision, now_ms: int) -> None:
        """End the hold of somebody who took their opinion back; another's goes on."""
        history = verdict_history(connection, opinion.item_id)
        call = history[-1].evidence.person if history else None
        if call is None or (call.action, call.name) != ("review", opinion.reviewer):
            return
        others = [
            PersonCall(action="review", category=said.category, name=said.reviewer)
            for said in standing_opinions(connection, opinion.case_id)
            if said.action == "remove"
        ]
        earlier = others[-1] if others else _before_holds(connection, opinion, history)
        take_back(connection, history[-1], earlier, self.tools.rules.policy, now_ms)

    def _wait(
        self, connection: Connection, row: Any, ruling: Ruling, opinion: ReviewDecision
    ) -> ReviewDecision:
        """Keep an opinion; where it asks for removal the post is hidden until others spoke."""
        keep_opinion(connection, opinion)
        if ruling.action == "remove":
            hold(connection, row.item_id, ruling, self.tools.rules.policy, opinion.at_ms)
        put_back(connection, row)
        return opinion

    def _decision(
        self, row: Any, ruling: Ruling, effect: Effect, bulk_id: str | None
    ) -> ReviewDecision:
        now_ms = self.clock.now_ms()
        took = row.taken_ms is not None and row.locked_by == ruling.name
        return ReviewDecision(
            decision_id=new_id("decision"),
            case_id=row.case_id,
            item_id=row.item_id,
            reviewer=ruling.name,
            at_ms=now_ms,
            action=ruling.action,
            category=ruling.category,
            note=ruling.note,
            bulk_id=bulk_id,
            took_ms=now_ms - row.taken_ms if took else None,
            effect=effect,
        )

    def _undoing(
        self, decision: ReviewDecision, reviewer: str, bulk_id: str | None
    ) -> ReviewDecision:
        return ReviewDecision(
            decision_id=new_id("decision"),
            case_id=decision.case_id,
            item_id=decision.item_id,
            reviewer=reviewer,
            at_ms=self.clock.now_ms(),
            action=UNDO,
            category=None,
            undoes=decision.decision_id,
            bulk_id=bulk_id,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Now:
    """By what it is checked whether somebody may decide a case."""

    queue: QueueSettings  # of the case
    ms: int  # the time


def check_free(connection: Connection, row: Any, reviewer: str, now: Now) -> list[ReviewDecision]:
    """What was said of a case so far. Raises ConflictError where somebody may not decide it now."""
    case_id = row.case_id
    if row.state not in WAITING:
        raise ConflictError(
            f"the case {case_id} is decided already; undo that decision to change it"
        )
    if row.state == GOLD and row.locked_by != reviewer:
        raise UnknownError(f"no case has the id {case_id!r}")
    until_ms = row.locked_until_ms or 0
    if row.locked_by not in (None, reviewer) and until_ms > now.ms:
        raise ConflictError(
            f"the case {case_id} is on the table of {row.locked_by} until {until_ms}; "
            "take another or wait"
        )
    allowed = now.queue.reviewers
    if allowed and reviewer not in allowed:
        raise ConflictError(
            f"the queue {row.queue} is reviewed by {', '.join(allowed)}; ask to be one of them"
        )
    said = standing_opinions(connection, case_id)
    if any(one.reviewer == reviewer for one in said):
        raise ConflictError(
            f"{reviewer} has said what they think of the case {case_id}; somebody else must "
            "look at it, or take your word back first"
        )
    return said


def _keep_known(
    connection: Connection, row: Any, ruling: Ruling, queue: QueueSettings, now_ms: int
) -> None:
    """What two people agreed on without knowing of each other is a known answer."""
    if not queue.asks_two or not queue.gold_share:
        return
    said = standing_opinions(connection, row.case_id)
    if [(one.action, one.category) for one in said] == [(ruling.action, ruling.category)]:
        keep_gold(connection, case_of_row(row), ruling, "agreed", now_ms)


def _before_holds(
    connection: Connection, opinion: ReviewDecision, history: Sequence[Verdict]
) -> PersonCall | None:
    """The call in force before anybody asked on this case for the post to be hidden."""
    table = tables.review_opinions
    query = sa.select(sa.func.min(table.c.at_ms)).where(table.c.case_id == opinion.case_id)
    since_ms = connection.execute(query).scalar_one()
    calls = [verdict.evidence.person for verdict in history]
    first = next(
        place
        for place, (verdict, call) in enumerate(zip(history, calls, strict=True))
        if call is not None and call.action == "review" and verdict.at_ms >= since_ms
    )
    return calls[first - 1] if first else None


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
    undone = sa.select(table.c.undoes).where(
        table.c.undoes.is_not(None), table.c.item_id == decision.item_id
    )
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
