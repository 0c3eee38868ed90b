"""/healthz, /readyz and /metrics: for load balancers and Prometheus, without a key."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from inhouse.api.context import meters_of, services_of, turns_of
from inhouse.api.meters import Meters
from inhouse.api.turns import Turns
from inhouse.api.wire import answer
from inhouse.app.build import Services

router = APIRouter(tags=["health"])
EXPOSITION: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """Whether the process can do its work."""

    ok: bool
    items: int  # in the state
    people: int  # in the state
    log_offset: int  # how much of the log is in the state
    snapshot_id: str | None  # the model in use


def _health(use: Services) -> Health:
    state = use.feeds.follower.state
    return Health(
        ok=True,
        items=state.items.count,
        people=len(state.people),
        log_offset=state.log_offset,
        snapshot_id=use.feeds.feed.snapshot_id,
    )


@router.get("/healthz", include_in_schema=False)
@router.get("/v1/healthz", response_model=Health)
async def healthz(use: Annotated[Services, Depends(services_of)]) -> Response:
    """The process is alive."""
    return answer(_health(use))


@router.get("/readyz", include_in_schema=False)
@router.get("/v1/readyz", response_model=Health)
async def readyz(use: Annotated[Services, Depends(services_of)]) -> Response:
    """The process can answer feeds: the store answers and the state is loaded."""
    use.log.last_offset()
    return answer(_health(use))


@router.get("/metrics", include_in_schema=False)
@router.get("/v1/metrics", response_class=Response)
async def metrics(
    use: Annotated[Services, Depends(services_of)],
    meters: Annotated[Meters, Depends(meters_of)],
    turns: Annotated[Turns, Depends(turns_of)],
) -> Response:
    """Prometheus metrics of this process."""
    state = use.feeds.follower.state
    meters.state(
        {
            "items": state.items.count,
            "people": len(state.people),
            "log_offset": state.log_offset,
            "change_offset": state.change_offset,
            "page_offset": state.page_offset,
        }
    )
    meters.level(turns.shedder.level)
    recall = use.feeds.feed.recall
    if recall is not None:
        meters.state({"retrieval_recall": recall})
    return Response(content=meters.text(), media_type=EXPOSITION)
