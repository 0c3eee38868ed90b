"""/v1/events"""

import asyncio
import dataclasses
from typing import Final

from fastapi import APIRouter, Depends, Request, Response

from inhouse.api.context import admit, meters_of, needs, services_of
from inhouse.api.lane import Fast
from inhouse.api.wire import EventsAnswer, answer, documented, takes
from inhouse.events.types import Event

router = APIRouter(prefix="/v1/events", tags=["events"], dependencies=[Depends(needs("events"))])


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class EventsBody:
    """A batch of events."""

    events: list[Event]


@router.post("", responses=documented(EventsAnswer), openapi_extra=takes(EventsBody))
async def append_events(request: Request) -> Response:
    """Append what people did. Once answered it is durable, and the next feed reflects it.

    Send a batch again after any failure: an id that was stored before is counted as repeated.
    """
    await admit(request, "events")
    use, meters = await services_of(request), await meters_of(request)
    batch = use.read_events(await request.body())
    appended = await asyncio.wrap_future(use.log.submit(batch.good))
    use.feeds.follower.stored(batch.good, appended)
    meters.events(stored=appended.stored, repeated=appended.repeated, rejected=len(batch.rejected))
    return answer(
        EventsAnswer(
            stored=appended.stored,
            repeated=appended.repeated,
            rejected=batch.rejected,
            last_offset=appended.last_offset,
        )
    )


FAST: Final = {("POST", "/v1/events"): Fast(path="/v1/events", handle=append_events)}
