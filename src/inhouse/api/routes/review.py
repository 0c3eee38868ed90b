"""/v1/review: the moderators' queue."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, seen_at_once, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.moderation.review import QueueCount
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.types import Case, CaseState, ReviewDecision

router = APIRouter(
    prefix="/v1/review", tags=["moderation"], dependencies=[Depends(needs("moderation"))]
)
Use = Annotated[Services, Depends(services_of)]
MOST_CASES = 500
MOST_OFFSET = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class ReviewerBody:
    """Who is asking."""

    reviewer: str
    queue: str | None = None  # only cases of this queue


@dataclass(frozen=True, kw_only=True)
class RulingBody:
    """What a reviewer decides."""

    reviewer: str
    action: str  # allow, limit, warn, age_gate, remove
    category: str | None = None  # what it violates; none where it is allowed
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class UndoBody:
    """A decision to take back."""

    reviewer: str
    decision_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueAnswer:
    """The queue, most urgent first, and how full each part of it is."""

    cases: list[Case]
    counts: list[QueueCount]


@dataclass(frozen=True, kw_only=True, slots=True)
class NextAnswer:
    """The case that is now on the reviewer's table."""

    case: Case | None  # None where nothing waits


@router.get("", responses=documented(QueueAnswer))
def get_queue(
    use: Use,
    state: Annotated[CaseState, Query(description="open or closed")] = "open",
    queue: Annotated[str | None, Query(description="only this queue")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_CASES)] = 100,
    offset: Annotated[int, Query(ge=0, le=MOST_OFFSET)] = 0,
) -> Response:
    """Cases by expected harm, the longest-waiting of equals first."""
    cases = use.review.queue(CaseFilter(state=state, queue=queue), limit, offset)
    return answer(QueueAnswer(cases=cases, counts=use.review.counts()))


@router.post("/next", responses=documented(NextAnswer))
def next_case(body: ReviewerBody, use: Use) -> Response:
    """Take the most urgent free case; it is the reviewer's until the lock runs out."""
    return answer(NextAnswer(case=use.review.next(body.reviewer, body.queue)))


@router.post("/{case_id}/decide", responses=documented(ReviewDecision))
async def decide(case_id: str, body: RulingBody, use: Use) -> Response:
    """Decide a case: a verdict, a label for the models, and the closed case, all or nothing."""
    ruling = (body.reviewer, body.action, body.category, body.note)
    return answer(await seen_at_once(use, lambda: use.review.decide(case_id, *ruling)))


@router.post("/{case_id}/release", responses=documented(Case))
def release(case_id: str, body: ReviewerBody, use: Use) -> Response:
    """Put a case back into the queue undecided."""
    return answer(use.review.release(case_id, body.reviewer))


@router.post("/{case_id}/undo", responses=documented(ReviewDecision))
async def undo(case_id: str, body: UndoBody, use: Use) -> Response:
    """Take a decision back: what was in force before it is again, and the case is open."""
    use.review.case(case_id)
    return answer(await seen_at_once(use, lambda: use.review.undo(body.decision_id, body.reviewer)))
