"""/v1/engagement and /v1/bill: what the console shows, for programs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.core.clock import DAY_MS
from inhouse.engagement.types import Engagement
from inhouse.models.ledger.bill import Bill, bill

router = APIRouter(prefix="/v1", tags=["insight"], dependencies=[Depends(needs("insight"))])
Use = Annotated[Services, Depends(services_of)]
MOST_DAYS = 400


@router.get("/engagement", responses=documented(Engagement))
def get_engagement(
    use: Use, days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="how far back")] = 30
) -> Response:
    """Who came, who came back, what they saw, day by day."""
    return answer(use.metrics.engagement(use.clock.now_ms(), days))


@router.get("/bill", responses=documented(Bill))
def get_bill(
    use: Use, days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="how far back")] = 30
) -> Response:
    """What AI calls cost, by time, vendor, task and model; each vendor's share."""
    now_ms = use.clock.now_ms()
    return answer(bill(use.database, now_ms - days * DAY_MS, now_ms + 1))
