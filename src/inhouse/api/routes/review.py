"""/v1/review: the moderators' queue, case by case. What is set up and measured: `review_setup`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, seen_at_once, services_of
from inhouse.api.vouching import vouched
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.moderation.reviewing.context import CaseContext
from inhouse.moderation.reviewing.review import CaseNote, QueueCount
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.types import Case, CaseState, ReviewDecision

router = APIRouter(
    prefix="/v1/review", tags=["moderation"], dependencies=[Depends(needs("moderation"))]
)
Use = Annotated[Services, Depends(services_of)]
MOST_CASES = 500
MOST_OFFSET = 1_000_000_000
MOST_MS = 1 << 53


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


@dataclass(frozen=True, kw_only=True)
class SkipBody:
    """A case that somebody leaves to others."""

    reviewer: str
    why: str = ""  # helps whoever takes it


@dataclass(frozen=True, kw_only=True)
class EscalateBody:
    """A case that belongs to others."""

    reviewer: str
    queue: str  # where it should go
    why: str


@dataclass(frozen=True, kw_only=True)
class NoteBody:
    """Words that stay with a case."""

    reviewer: str
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueAnswer:
    """The queue, most urgent first, and how full each part of it is."""

    cases: list[Case]
    counts: list[QueueCount]


@dataclass(frozen=True, kw_only=True, slots=True)
class NextAnswer:
    """The case that is now on the reviewer's table."""

    case: Case | None  # None where nothing waits


@dataclass(frozen=True, kw_only=True)
class Found:
    """As dependency: which cases are asked for."""

    queue: Annotated[str | None, Query(description="only this queue")] = None
    item_id: Annotated[str | None, Query(description="only of this post")] = None
    rule: Annotated[str | None, Query(description="only what this rule held")] = None
    creator_id: Annotated[str | None, Query(description="only posts of theirs")] = None
    text: Annotated[str | None, Query(description="words in the title or text")] = None
    domain: Annotated[str | None, Query(description="that link there")] = None
    opened_before_ms: Annotated[int | None, Query(ge=0, le=MOST_MS)] = None
    opened_after_ms: Annotated[int | None, Query(ge=0, le=MOST_MS)] = None


@router.get("", responses=documented(QueueAnswer))
def get_queue(
    use: Use,
    found: Annotated[Found, Depends()],
    state: Annotated[CaseState, Query(description="open or closed")] = "open",
    limit: Annotated[int, Query(ge=1, le=MOST_CASES)] = 100,
    offset: Annotated[int, Query(ge=0, le=MOST_OFFSET)] = 0,
) -> Response:
    """Cases by expected harm, the longest-waiting of equals first. With `item_id` it says whether a
    post is queued already."""
    which = CaseFilter(
        state=state,
        queue=found.queue,
        item_id=found.item_id,
        rule=found.rule,
        creator_id=found.creator_id,
        text=found.text,
        domain=found.domain,
        opened_before_ms=found.opened_before_ms,
        opened_after_ms=found.opened_after_ms,
    )
    cases = use.review.queue(which, limit, offset)
    return answer(QueueAnswer(cases=cases, counts=use.review.counts()))


@router.post("/next", responses=documented(NextAnswer))
def next_case(body: ReviewerBody, use: Use) -> Response:
    """Take the most urgent free case; it is the reviewer's until the lock runs out."""
    return answer(NextAnswer(case=use.review.next(vouched(use, body.reviewer), body.queue)))


@router.get("/{case_id}", responses=documented(CaseContext))
def get_case(case_id: str, use: Use) -> Response:
    """A case with all around it: the post, reports without who made them, the creator's past, the
    verdicts there were, decided cases like it."""
    return answer(use.around(use.review.case(case_id)))


@router.post("/{case_id}/take", responses=documented(Case))
def take(case_id: str, body: ReviewerBody, use: Use) -> Response:
    """Put this case on the reviewer's table."""
    return answer(use.review.take(case_id, vouched(use, body.reviewer)))


@router.post("/{case_id}/renew", responses=documented(Case))
def renew(case_id: str, body: ReviewerBody, use: Use) -> Response:
    """Keep a case on the table for another while."""
    return answer(use.review.renew(case_id, vouched(use, body.reviewer)))


@router.post("/{case_id}/decide", responses=documented(ReviewDecision))
async def decide(case_id: str, body: RulingBody, use: Use) -> Response:
    """Decide a case: a verdict, a label for the models, and the closed case, all or nothing. In a
    queue for two people `effect` says whom it waits for."""

    def write() -> ReviewDecision:
        name = vouched(use, body.reviewer)
        return use.review.decide(case_id, name, body.action, body.category, body.note)

    return answer(await seen_at_once(use, write))


@router.post("/{case_id}/release", responses=documented(Case))
def release(case_id: str, body: ReviewerBody, use: Use) -> Response:
    """Put a case back into the queue undecided."""
    return answer(use.review.release(case_id, vouched(use, body.reviewer)))


@router.post("/{case_id}/skip", responses=documented(Case))
def skip(case_id: str, body: SkipBody, use: Use) -> Response:
    """Leave a case to others; for an hour the reviewer is given others first."""
    return answer(use.review.skip(case_id, vouched(use, body.reviewer), body.why))


@router.post("/{case_id}/escalate", responses=documented(Case))
def escalate(case_id: str, body: EscalateBody, use: Use) -> Response:
    """Send a case to another queue."""
    return answer(use.review.escalate(case_id, vouched(use, body.reviewer), body.queue, body.why))


@router.post("/{case_id}/notes", responses=documented(CaseNote))
def remark(case_id: str, body: NoteBody, use: Use) -> Response:
    """Keep words with a case, for whoever looks at it next."""
    return answer(use.review.remark(case_id, vouched(use, body.reviewer), body.words))


@router.post("/{case_id}/undo", responses=documented(ReviewDecision))
async def undo(case_id: str, body: UndoBody, use: Use) -> Response:
    """Take a decision back: what was in force before it is again, and the case is open."""
    use.review.case(case_id)
    return answer(
        await seen_at_once(
            use, lambda: use.review.undo(body.decision_id, vouched(use, body.reviewer))
        )
    )
