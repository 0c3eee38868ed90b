"""/v1/prevalence: how much of each category there is, from posts that were drawn at random."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.moderation.measuring.prevalence import PrevalenceReport

router = APIRouter(
    prefix="/v1/prevalence", tags=["moderation"], dependencies=[Depends(needs("moderation"))]
)


@router.get("", responses=documented(PrevalenceReport))
def get_prevalence(
    use: Annotated[Services, Depends(services_of)],
    sample_id: Annotated[
        str | None, Query(max_length=128, description="which; the latest where none is named")
    ] = None,
) -> Response:
    """Shares of posts and of views, precision and recall, with 95 % intervals; `NotEnough` where
    sampled posts still wait for a reviewer."""
    return answer(use.prevalence(sample_id))
