"""/v1/models/{task}/route and parity: how far a task has come, and a person's word on it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from inhouse.api.bodies import read_body
from inhouse.api.context import needs, services_of
from inhouse.api.vouching import vouched
from inhouse.api.wire import answer, documented, takes
from inhouse.app.build import Services
from inhouse.app.owning.ways import Judged, Way, judged, way_of
from inhouse.models.cutover.stages import measuring_of
from inhouse.models.cutover.steering import Ruling, hold, resume, roll_back
from inhouse.models.parity.margins import Margin, Margins
from inhouse.models.tasks import judgement_named

router = APIRouter(prefix="/v1/models", tags=["models"])
_READS: Final = [Depends(needs("insight"))]
_STEERS: Final = [Depends(needs("routes"))]
Use = Annotated[Services, Depends(services_of)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """Who decides, and why."""

    by: str  # a person's name, for the record
    because: str  # 1 to 500 characters


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A margin, and who answers for it."""

    margin: float  # 0.001 to 0.5: how much less often than the rented model it may be right
    by: str  # a person's name


@router.get("/{task}/route", responses=documented(Way), dependencies=_READS)
def get_route(task: str, use: Use) -> Response:
    """Who answers a task, what its next step waits for, what is watched of its models against
    which bounds, and every step so far with who decided it and why."""
    return answer(way_of(use, task))


@router.get("/{task}/parity", responses=documented(Judged), dependencies=_READS)
def get_parity(task: str, use: Use) -> Response:
    """The report on the newest version that the gate reads, with when it was made and on how many
    texts; `beside` holds it against the version that serves. Slices and cases are in the whole
    report: `inhouse models parity --json`, or the console."""
    return answer(judged(use, task))


@router.post(
    "/{task}/hold", responses=documented(Way), openapi_extra=takes(Word), dependencies=_STEERS
)
async def hold_route(task: str, request: Request, use: Use) -> Response:
    """Keep a task at its stage until somebody resumes it. What crosses a bound goes back all the
    same. 409 where a person holds it already."""
    return await _ruled(task, request, use, lambda ruling: hold(use.routes, ruling))


@router.post(
    "/{task}/rollback", responses=documented(Way), openapi_extra=takes(Word), dependencies=_STEERS
)
async def roll_route_back(task: str, request: Request, use: Use) -> Response:
    """Take the owned model out of service, and hold it in the shadow of whoever serves instead: the
    version that it was to replace, else the rented model. Serving processes follow within two
    seconds. 409 where there is nothing to take out, or nobody to serve instead."""
    measuring = measuring_of(use.settings.models)
    return await _ruled(task, request, use, lambda ruling: roll_back(use.routes, ruling, measuring))


@router.post(
    "/{task}/resume", responses=documented(Way), openapi_extra=takes(Word), dependencies=_STEERS
)
async def resume_route(task: str, request: Request, use: Use) -> Response:
    """Let the evidence decide again, from now on, after a hold or a rollback. 409 where nothing
    holds the task."""
    return await _ruled(task, request, use, lambda ruling: resume(use.routes, ruling))


@router.post(
    "/{task}/margin",
    responses=documented(Way),
    openapi_extra=takes(Signature),
    dependencies=_STEERS,
)
async def sign_margin(task: str, request: Request, use: Use) -> Response:
    """Sign how much less often than the rented model an owned one may be right. It is in every
    report from then on, with the name, and people alone decide whether it is kept."""
    name = judgement_named(task, use.tasks).name
    given = read_body(await request.body(), Signature)

    def sign() -> Way:
        now_ms = use.clock.now_ms()
        signed = Margin(
            task=name, margin=given.margin, signed_by=vouched(use, given.by), at_ms=now_ms
        )
        Margins(use.database).sign(signed)
        return way_of(use, name)

    return answer(await asyncio.to_thread(sign))


async def _ruled(
    task: str, request: Request, use: Services, act: Callable[[Ruling], object]
) -> Response:
    name = judgement_named(task, use.tasks).name
    word = read_body(await request.body(), Word)

    def rule() -> Way:
        now_ms = use.clock.now_ms()
        act(Ruling(task=name, by=vouched(use, word.by), reason=word.because, at_ms=now_ms))
        return way_of(use, name)

    return answer(await asyncio.to_thread(rule))
