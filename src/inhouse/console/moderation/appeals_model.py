"""What the page of appeals shows: who objects to what, and everything its decision rested on."""

from dataclasses import dataclass

from inhouse.app.build import Services
from inhouse.console.moderation.model import CaseFacts, gather_case
from inhouse.moderation.statements.types import Statement
from inhouse.moderation.types import Appeal, Case
from inhouse.moderation.verdicts.decide import decide_all, strictest


@dataclass(frozen=True, kw_only=True, slots=True)
class AppealFacts:
    """One appeal on the table."""

    appeal: Appeal
    around: CaseFacts  # the post and the case that was decided, or what rules said of it
    had_case: bool  # False where rules alone decided
    statement: Statement | None  # what the author was told; None where nothing restricts the post
    barred: frozenset[str]  # who may not decide

    @property
    def by_author(self) -> bool:
        """Whether the author objects, and not somebody who reported the post."""
        return self.appeal.report_id is None


def gather_appeal(services: Services, appeal_id: str) -> AppealFacts:
    """Everything about one appeal. Raises UnknownError."""
    appeal = services.appeals.get(appeal_id)
    case = services.review.case_of(appeal.item_id)
    holding = [s for s in services.statements.of_item(appeal.item_id) if s.state == "in_force"]
    return AppealFacts(
        appeal=appeal,
        around=gather_case(services, case or _in_its_place(services, appeal)),
        had_case=case is not None,
        statement=holding[0] if holding else None,
        barred=services.appeals.barred(appeal.item_id),
    )


def _in_its_place(services: Services, appeal: Appeal) -> Case:
    """Where nobody was ever asked: what the case would have been."""
    verdict = services.verdicts.latest([appeal.item_id]).get(appeal.item_id)
    rule = strictest(decide_all(verdict.evidence, services.policy).values()) if verdict else None
    return Case(
        case_id="",
        item_id=appeal.item_id,
        queue=(rule.category if rule else None) or "other",
        reason=rule.decided_by if rule else "nothing has judged it",
        priority=0.0,
        state="closed",
        opened_ms=verdict.at_ms if verdict else 0,
    )
