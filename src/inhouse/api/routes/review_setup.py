"""/v1/review beside the cases: queues, known answers, many cases at once, how well and how much."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, seen_at_once, services_of
from inhouse.api.routes.review import MOST_MS, RulingBody
from inhouse.api.vouching import vouched
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.core.clock import DAY_MS
from inhouse.moderation.measuring.quality import Quality, review_quality
from inhouse.moderation.reviewing.bulk import Bulk
from inhouse.moderation.reviewing.gold import GoldItem
from inhouse.moderation.reviewing.queues import QueueSettings
from inhouse.moderation.reviewing.reviewers import ReviewerSettings
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.reviewing.statistics import Statistics, review_statistics

router = APIRouter(
    prefix="/v1/review", tags=["moderation"], dependencies=[Depends(needs("moderation"))]
)
Use = Annotated[Services, Depends(services_of)]
MOST_DAYS = 366
Since = Annotated[int, Query(ge=0, le=MOST_MS, description="only what happened since then")]


@dataclass(frozen=True, kw_only=True)
class Removed:
    """It is gone."""

    name: str


@dataclass(frozen=True, kw_only=True)
class GoldBody:
    """A decided case whose right answer is known."""

    case_id: str
    made_by: str  # who says so
    action: str  # the right one
    category: str | None = None  # what it violates; none where it is allowed


@dataclass(frozen=True, kw_only=True)
class BulkBody(RulingBody):
    """One decision on all cases that fit; at least one of the filters is needed."""

    queue: str | None = None
    rule: str | None = None  # that held the posts
    creator_id: str | None = None
    text: str | None = None  # words in title or text
    domain: str | None = None  # that the posts link to
    reason: str | None = None  # words of the case's reason


@dataclass(frozen=True, kw_only=True)
class BulkUndoBody:
    """Who takes it back."""

    reviewer: str


@router.get("/queues", responses=documented(list[QueueSettings]))
def list_queues(use: Use) -> Response:
    """Queues with settings, in the order in which they take cases. Each category has a queue of its
    own without any."""
    return answer(use.queues.list())


@router.put("/queues", responses=documented(QueueSettings))
def put_queue(body: QueueSettings, use: Use) -> Response:
    """Set a queue up, or change it, for cases that come from now on."""
    return answer(use.queues.put(body))


@router.delete("/queues/{name}", responses=documented(Removed))
def remove_queue(name: str, use: Use) -> Response:
    """Forget a queue's settings; its cases stay in it until they are decided."""
    use.queues.remove(name)
    return answer(Removed(name=name))


@router.get("/gold", responses=documented(list[GoldItem]))
def list_gold(use: Use, queue: str | None = None) -> Response:
    """Cases whose right answer is known, newest first."""
    return answer(use.gold.list(queue))


@router.post("/gold", responses=documented(GoldItem))
def add_gold(body: GoldBody, use: Use) -> Response:
    """Make a decided case a known answer. Reviewers of its queue are shown it now and then, where
    the queue has a `gold_share`; what they say changes nothing."""
    return answer(
        use.gold.add(body.case_id, vouched(use, body.made_by), body.action, body.category)
    )


@router.delete("/gold/{gold_id}", responses=documented(Removed))
def remove_gold(gold_id: str, use: Use) -> Response:
    """Show it no more. Answers to it no longer count."""
    use.gold.remove(gold_id)
    return answer(Removed(name=gold_id))


@router.get("/quality", responses=documented(Quality))
def quality(use: Use, since_ms: Since = 0) -> Response:
    """How well people decide: against known answers, and against each other."""
    return answer(review_quality(use.database, since_ms))


@router.get("/statistics", responses=documented(Statistics))
def statistics(use: Use, days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 14) -> Response:
    """What came in, waits and was decided, by queue and by day."""
    use.catch_clock_up()
    since_ms = max(0, use.clock.now_ms() - days * DAY_MS)
    return answer(review_statistics(use.database, since_ms))


@router.get("/reviewers/{name}", responses=documented(ReviewerSettings))
def get_reviewer(name: str, use: Use) -> Response:
    """What a reviewer chose for themselves, or the defaults."""
    return answer(use.reviewers.get(name))


@router.put("/reviewers/{name}", responses=documented(ReviewerSettings))
def put_reviewer(name: str, body: ReviewerSettings, use: Use) -> Response:
    """Remember what a reviewer chose."""
    return answer(use.reviewers.put(vouched(use, name), body))


@router.get("/bulk", responses=documented(list[Bulk]))
def list_bulks(use: Use) -> Response:
    """Decisions on many cases, newest first."""
    return answer(use.bulks.list())


@router.post("/bulk", responses=documented(Bulk))
def preview_bulk(body: BulkBody, use: Use) -> Response:
    """What one decision on all free cases of a filter would mean: how many, in which queues, the
    first ones. Nothing is decided; `run` does it, within a day."""
    ruling = use.review.checked(body.action, body.category, vouched(use, body.reviewer), body.note)
    which = CaseFilter(
        queue=body.queue,
        rule=body.rule,
        creator_id=body.creator_id,
        text=body.text,
        domain=body.domain,
        reason=body.reason,
    )
    return answer(use.bulks.preview(which, ruling))


@router.get("/bulk/{bulk_id}", responses=documented(Bulk))
def get_bulk(bulk_id: str, use: Use) -> Response:
    """How far one has come."""
    return answer(use.bulks.get(bulk_id))


@router.post("/bulk/{bulk_id}/run", responses=documented(Bulk))
async def run_bulk(bulk_id: str, use: Use) -> Response:
    """Decide exactly the cases that were shown. Asked again after an interruption it goes on where
    it was."""

    def write() -> Bulk:
        vouched(use, use.bulks.get(bulk_id).reviewer)
        return use.bulks.run(bulk_id)

    return answer(await seen_at_once(use, write))


@router.post("/bulk/{bulk_id}/undo", responses=documented(Bulk))
async def undo_bulk(bulk_id: str, body: BulkUndoBody, use: Use) -> Response:
    """Take back every decision of it that still stands."""
    return answer(
        await seen_at_once(use, lambda: use.bulks.undo(bulk_id, vouched(use, body.reviewer)))
    )
