"""/v1/users/{id} and what a person may ask of their own data; /v1/erasures"""

import asyncio
from concurrent.futures import Future
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from fastapi.responses import StreamingResponse

from inhouse.api.context import needs, seen_at_once, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.app.people.controls import Controls, controls_of, link_session, note
from inhouse.app.people.erasure import Eraser
from inhouse.app.people.export import export_lines
from inhouse.catalog.erasures import Erasure
from inhouse.core.errors import InputError
from inhouse.core.ids import ID_RULE, UserId, is_valid_id
from inhouse.events.types import Appended

router = APIRouter(prefix="/v1", tags=["privacy"])
Use = Annotated[Services, Depends(services_of)]
LINES = "application/x-ndjson"


def _person(user_id: Annotated[str, Path(description="whose")]) -> UserId:
    if not is_valid_id(user_id):
        raise InputError(f"user: got {user_id[:80]!r}, expected {ID_RULE}")
    return UserId(user_id)


Person = Annotated[UserId, Depends(_person)]
_EVENTS = [Depends(needs("events"))]
_PRIVACY = [Depends(needs("privacy"))]


@router.get(
    "/users/{user_id}/controls",
    responses=documented(Controls),
    dependencies=[Depends(needs("feed"))],
)
async def get_controls(person: Person, use: Use) -> Response:
    """What the person asked for and did not take back."""
    return answer(controls_of(use.state, person))


@router.post("/users/{user_id}/reset", responses=documented(Controls), dependencies=_EVENTS)
async def reset(person: Person, use: Use) -> Response:
    """Reset the taste: what was done before no longer counts for ranking, retrieval or learning.

    What was seen stays seen; follows, mutes and blocks stay. As an event of kind `reset`.
    """
    return await _in_force(use, person, note(use, person, "reset"))


@router.post("/users/{user_id}/pause", responses=documented(Controls), dependencies=_EVENTS)
async def pause(person: Person, use: Use) -> Response:
    """Pause personalisation: pages use follows, mutes, blocks and the age alone, and nothing that
    is done meanwhile is learned from. As an event of kind `pause`."""
    return await _in_force(use, person, note(use, person, "pause"))


@router.post("/users/{user_id}/resume", responses=documented(Controls), dependencies=_EVENTS)
async def resume(person: Person, use: Use) -> Response:
    """Resume personalisation with what was known before the pause."""
    return await _in_force(use, person, note(use, person, "resume"))


@router.post(
    "/users/{user_id}/link/{session_id}",
    responses=documented(Controls),
    dependencies=[Depends(needs("users"))],
)
async def link(
    person: Person,
    session_id: Annotated[str, Path(description="`session:` and the app's name for it")],
    use: Use,
) -> Response:
    """Say that an anonymous session was this person: what it did and saw is theirs from now on.

    Nothing else ever joins a session to a person.
    """
    return await _in_force(use, person, link_session(use, person, session_id))


@router.get(
    "/users/{user_id}/export",
    response_class=StreamingResponse,
    responses={200: {"content": {LINES: {}}, "description": "JSON lines, `end` is the last"}},
    dependencies=_PRIVACY,
)
async def export(person: Person, use: Use) -> StreamingResponse:
    """Everything held on a person, as JSON lines: profile, events, pages, posts, reports, appeals,
    verdicts and decisions on their posts, experiments, labels. The last line, `end`, counts them.
    """
    return StreamingResponse(export_lines(use, person), media_type=LINES)


@router.delete("/users/{user_id}", responses=documented(Erasure), dependencies=_PRIVACY)
async def erase(person: Person, use: Use) -> Response:
    """Erase a person: history, pages, posts, labels, files, what models rehearse from. For good.

    Answers with a receipt that names nobody. Ask again after any failure; who is erased already is
    erased once more, of nothing. The same id is a new person from then on.
    """
    eraser = Eraser(use)
    erasure_id = await seen_at_once(use, lambda: eraser.wipe(person))
    return answer(await asyncio.to_thread(eraser.finish, erasure_id))


@router.get("/erasures/{erasure_id}", responses=documented(Erasure), dependencies=_PRIVACY)
async def get_erasure(erasure_id: str, use: Use) -> Response:
    """The receipt of an erasure. `told`: gone but for what the learner has yet to drop; `done`."""
    return answer(use.catalog.erasures.get(erasure_id)[0])


async def _in_force(use: Services, person: UserId, logged: "Future[Appended]") -> Response:
    """What is in force once that is durable and this process has heard of it."""
    await asyncio.wrap_future(logged)
    use.feeds.follower.catch_up()
    return answer(controls_of(use.state, person))
