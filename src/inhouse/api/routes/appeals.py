"""/v1/appeals"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, seen_at_once, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.moderation.types import Appeal, AppealState

router = APIRouter(prefix="/v1/appeals", tags=["moderation"])
Use = Annotated[Services, Depends(services_of)]


@dataclass(frozen=True, kw_only=True)
class AppealBody:
    """A creator's objection."""

    item_id: str
    user_id: str  # the item's creator
    words: str  # why it should be shown


@dataclass(frozen=True, kw_only=True)
class AppealRuling:
    """What became of it."""

    reviewer: str  # never the person whose decision is appealed
    outcome: str  # uphold or overturn
    answer: str  # what the creator is told


@router.post("", responses=documented(Appeal), dependencies=[Depends(needs("events"))])
def open_appeal(body: AppealBody, use: Use) -> Response:
    """Object to the restriction of one's own post."""
    return answer(use.appeals.open(body.item_id, body.user_id, body.words))


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
    """Uphold the restriction or overturn it; an overturned one teaches the models."""
    ruling = (body.reviewer, body.outcome, body.answer)
    return answer(await seen_at_once(use, lambda: use.appeals.decide(appeal_id, *ruling)))
