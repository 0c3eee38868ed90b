"""/v1/appeals"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, seen_at_once, services_of
from inhouse.api.vouching import vouched
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.moderation.complaints.appeals import Instead
from inhouse.moderation.types import Appeal, AppealState

router = APIRouter(prefix="/v1/appeals", tags=["moderation"])
Use = Annotated[Services, Depends(services_of)]


@dataclass(frozen=True, kw_only=True)
class AppealBody:
    """A creator's objection to a restriction, or a reporter's to there being none."""

    item_id: str
    user_id: str  # the item's creator, or who reported it
    words: str  # why it should be shown, or not
    report_id: str | None = None  # the reporter's report; None where the creator objects


@dataclass(frozen=True, kw_only=True)
class AppealRuling:
    """What became of it."""

    reviewer: str  # never the person whose decision is appealed
    outcome: str  # uphold or overturn
    answer: str  # what the person is told
    action: str | None = None  # what is done where a reporter's appeal is overturned
    category: str | None = None  # and what the post violates


@router.post("", responses=documented(Appeal), dependencies=[Depends(needs("events"))])
def open_appeal(body: AppealBody, use: Use) -> Response:
    """Object to the restriction of one's own post, or to what came of one's own report."""
    return answer(use.appeals.open(body.item_id, body.user_id, body.words, body.report_id))


@router.get("", responses=documented(list[Appeal]), dependencies=[Depends(needs("moderation"))])
def list_appeals(
    use: Use, state: Annotated[AppealState, Query(description="which")] = "open"
) -> Response:
    """Appeals, the longest-waiting first."""
    return answer(use.appeals.list(state))


@router.post(
    "/{appeal_id}/decide", responses=documented(Appeal), dependencies=[Depends(needs("moderation"))]
)
async def decide_appeal(appeal_id: str, body: AppealRuling, use: Use) -> Response:
    """Uphold the decision or overturn it; an overturned one teaches the models."""
    instead = None
    if body.action is not None or body.category is not None:
        instead = Instead(action=body.action or "", category=body.category or "")

    def write() -> Appeal:
        name = vouched(use, body.reviewer)
        return use.appeals.decide(appeal_id, name, body.outcome, body.answer, instead)

    return answer(await seen_at_once(use, write))
