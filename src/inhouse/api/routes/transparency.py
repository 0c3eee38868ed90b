"""/v1/transparency: what was moderated in a period"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.moderation.transparency.period import Period, PeriodReport, as_csv, report_of

router = APIRouter(
    prefix="/v1/transparency", tags=["rights"], dependencies=[Depends(needs("moderation"))]
)
_LATEST_MS = 1 << 53
Moment = Annotated[int, Query(ge=0, le=_LATEST_MS, description="ms since 1970 UTC")]


@router.get("", responses=documented(PeriodReport))
def transparency(
    use: Annotated[Services, Depends(services_of)],
    from_ms: Moment,
    until_ms: Moment,
    csv: Annotated[bool, Query(description="RFC 4180 instead of JSON")] = False,
) -> Response:
    """Notices, measures, complaints, automated means and how right they were, in the terms of
    Regulation (EU) 2024/2835."""
    found = report_of(use.database, Period(from_ms=from_ms, until_ms=until_ms))
    if csv:
        return Response(content=as_csv(found), media_type="text/csv")
    return answer(found)
