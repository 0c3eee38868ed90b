"""/healthz, /readyz and /metrics: for load balancers and Prometheus, without a key.

Nothing is told there of a community that has a name, only how many there are. /v1/state tells of
one, and needs its key.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from inhouse.api.context import house_of, meters_of, needs, services_of, turns_of
from inhouse.api.house import House
from inhouse.api.meters import EXPOSITION, Meters
from inhouse.api.turns import Turns
from inhouse.api.wire import Health, answer, documented
from inhouse.app.build import Services
from inhouse.app.roles.lag import lag_of
from inhouse.core.errors import StoreError
from inhouse.moderation.judging.breaker import open_breakers

router = APIRouter(tags=["health"])
_ASKED: Final = ["GET", "HEAD"]  # as load balancers do, some one way and some the other


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What the process holds of one community."""

    items: int
    people: int
    log_offset: int  # how much of the log is in the state
    snapshot_id: str | None  # the model in use
    policy_version: str  # of the moderation policy in force here
    keeping_rules: bool  # whether it goes by earlier rules, for changed files have faults


def _state(use: Services) -> State:
    state = use.feeds.follower.state
    return State(
        items=state.items.count,
        people=len(state.people),
        log_offset=state.log_offset,
        snapshot_id=use.feeds.feed.snapshot_id,
        policy_version=use.policy.version,
        keeping_rules=use.rules_watch.trouble is not None,
    )


def _health(house: House[Services]) -> Health:
    state = _state(house.home) if house.home else None
    return Health(
        ok=True,
        items=None if state is None else state.items,
        people=None if state is None else state.people,
        log_offset=None if state is None else state.log_offset,
        snapshot_id=None if state is None else state.snapshot_id,
        communities=len(house),
        failing=house.failing,
        keeping_rules=house.keeping_rules,
    )


@router.api_route("/healthz", methods=_ASKED, include_in_schema=False)
@router.head("/v1/healthz", include_in_schema=False)
@router.get("/v1/healthz", response_model=Health)
async def healthz(house: Annotated[House[Services], Depends(house_of)]) -> Response:
    """The process is alive."""
    return answer(_health(house))


@router.api_route("/readyz", methods=_ASKED, include_in_schema=False)
@router.head("/v1/readyz", include_in_schema=False)
@router.get("/v1/readyz", response_model=Health)
async def readyz(house: Annotated[House[Services], Depends(house_of)]) -> Response:
    """The process can answer feeds: the store answers and the state is loaded. Where there are
    several communities, those of one at least."""
    if house.failing == len(house):
        raise StoreError("no community can be served at the moment; the log says why")
    if house.alone and house.home:
        house.home.check()
    return answer(_health(house))


@router.get("/v1/state", responses=documented(State), dependencies=[Depends(needs("feed"))])
async def get_state(use: Annotated[Services, Depends(services_of)]) -> Response:
    """What the process holds of the community that the key is of."""
    return answer(_state(use))


@router.get("/metrics", include_in_schema=False)
@router.get("/v1/metrics", response_class=Response)
async def metrics(
    house: Annotated[House[Services], Depends(house_of)],
    meters: Annotated[Meters, Depends(meters_of)],
    turns: Annotated[Turns, Depends(turns_of)],
) -> Response:
    """Prometheus metrics of this process. Requests, events and pages are those of all communities
    together; the state is that of the one without a name. None carries a community's name."""
    meters.state(
        {
            "communities": len(house),
            "communities_failing": house.failing,
            "keeping_rules": house.keeping_rules,
            "loops_crashed": house.crashes,
        }
    )
    meters.level(turns.shedder.level)
    if house.home:
        _measure(house.home, meters)
    return Response(content=meters.text(), media_type=EXPOSITION)


def _measure(home: Services, meters: Meters) -> None:
    state = home.feeds.follower.state
    meters.state(
        {
            "items": state.items.count,
            "people": len(state.people),
            "log_offset": state.log_offset,
            "change_offset": state.change_offset,
            "page_offset": state.page_offset,
            "pages_not_logged": home.feeds.lost_pages,
            **home.generation_blocked(),
            **_in_the_store(home),
        }
    )
    recall = home.feeds.feed.recall
    if recall is not None:
        meters.state({"retrieval_recall": recall})


def _in_the_store(home: Services) -> dict[str, float]:
    """What only the store knows. Where it refuses, that is told and the rest of the metrics too:
    nobody needs them more than whoever looks at such a night."""
    try:
        lag = lag_of(home.database)
        opened = len(open_breakers(home.database))
    except StoreError:
        return {"store_answers": 0}
    return {
        "store_answers": 1,
        "posts_awaiting": lag.posts_awaiting,
        "events_not_learned": lag.events_not_learned,
        "breakers_open": opened,
    }
