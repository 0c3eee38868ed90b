"""/v1/engagement, /v1/bill, /v1/dependence: what the console shows, for programs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.app.owning.dependence import Dependence, Rates, dependence
from inhouse.core.clock import DAY_MS
from inhouse.engagement.types import Engagement
from inhouse.models.ledger.bill import Bill, bill

router = APIRouter(prefix="/v1", tags=["insight"], dependencies=[Depends(needs("insight"))])
Use = Annotated[Services, Depends(services_of)]
MOST_DAYS = 400
_PRICE = Query(ge=0, le=100_000, allow_inf_nan=False)
_SPEED = Query(ge=0.001, le=1e9, allow_inf_nan=False)
Price = Annotated[float | None, _PRICE]
Speed = Annotated[float | None, _SPEED]


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


def _rates(
    cpu_usd_per_hour: Price = None,
    cpu_per_s: Speed = None,
    gpu_usd_per_hour: Price = None,
    gpu_per_s: Speed = None,
) -> Rates:
    """As a dependency: what machines cost and do, as the caller says."""
    return Rates(
        cpu_usd_per_hour=cpu_usd_per_hour,
        cpu_per_s=cpu_per_s,
        gpu_usd_per_hour=gpu_usd_per_hour,
        gpu_per_s=gpu_per_s,
    )


@router.get("/dependence", responses=documented(Dependence))
def get_dependence(
    use: Use,
    rates: Annotated[Rates, Depends(_rates)],
    days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="how far back")] = 30,
) -> Response:
    """On whom the community depends: shares and concentration by vendor at both layers, each task's
    readiness to leave (0 to 5), the latest drills, models that end, spending and its forecast, and
    the libraries inhouse rests on; with what a machine costs an hour, owning against renting. The
    same as `inhouse bill dependence --json`."""
    return answer(dependence(use, use.clock.now_ms(), days, rates))
