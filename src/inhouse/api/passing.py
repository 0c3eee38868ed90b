"""Calls that are passed on to rented models, as raw ASGI: one home for every role that takes them.

The key of the caller is ours; the vendor's stays here. Where a caller leaves, the answer is
read on for a moment, for what it cost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from inhouse.api.admission import admitted, bearer_in
from inhouse.api.errors import answer_to, crashed
from inhouse.api.house import House
from inhouse.api.lane import Raw
from inhouse.app.parts import Parts
from inhouse.core.errors import InhouseError, InputError, UnknownError, VendorError
from inhouse.core.ids import ID_RULE, is_valid_id
from inhouse.models.bounds.limits import Standing
from inhouse.models.harvest.conversations import is_task_name
from inhouse.models.passing.passages import Body
from inhouse.models.passing.streaming import PassedStream
from inhouse.models.providers.passing import About, Waiting, read_call
from inhouse.models.types import INHOUSE, Service

PATHS: Final[Mapping[Service, str]] = {
    "chat": "/openai/v1/chat/completions",
    "embeddings": "/openai/v1/embeddings",
}
WHO: Final = b"x-inhouse-deployment"
TASK: Final = b"x-inhouse-task"  # where calls may be kept: what the call is for
ITEM: Final = b"x-inhouse-item"  # and which item it is about
SCOPE: Final = "models"
_GONE: Final = 499  # nobody reads it
_JSON: Final = (b"content-type", b"application/json")
_EVENTS: Final = (b"content-type", b"text/event-stream; charset=utf-8")
_CACHED: Final = (b"x-inhouse-cache", b"hit")
_FRESH: Final = (b"cache-control", b"no-cache")
_WATCH_AFTER_S: Final = 0.02  # watching takes a task, and most of a short call's time with it


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A call as it was sent."""

    service: Service
    headers: Iterable[tuple[bytes, bytes]]  # names in lower case
    body: bytes
    request_id: str
    caller: Waiting = field(default_factory=Waiting)  # who leaves says so there


class Calls:
    """Takes calls, and answers each."""

    def __init__(self, house: House[Any]) -> None:
        self._house = house

    @property
    def drain_s(self) -> float:
        """How long what is asked goes on when its caller has left, for what it cost."""
        return self._house.settings.models.drain_ms / 1_000

    def fast(self) -> dict[tuple[str, str], Raw]:
        """For the lane."""
        return {
            ("POST", path): Raw(path=path, app=self.app(service)) for service, path in PATHS.items()
        }

    def app(self, service: Service) -> ASGIApp:
        """What answers calls for a service."""

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            body = await _body(receive)
            if body is not None:
                asked = Asked(
                    service=service,
                    headers=scope["headers"],
                    body=body,
                    request_id=scope["state"]["request_id"],
                )
                answering = self.answer(asked)
                found = await _unless_gone(receive, answering, asked.caller, self.drain_s)
                await (found or Response(status_code=_GONE))(scope, receive, send)

        return handle

    async def answer(self, asked: Asked) -> "Answering":
        """The answer, an error's too. Cancelled some time after the caller has left."""
        try:
            return await self._pass_on(asked)
        except InhouseError as error:
            return answer_to(PATHS[asked.service], asked.request_id, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told of it
            return crashed(PATHS[asked.service], asked.request_id, error)

    async def _pass_on(self, asked: Asked) -> "Whole | Streamed":
        served, key = admitted(self._house, bearer_in(asked.headers), SCOPE)
        call = read_call(asked.service, asked.body, key.key_id, asked.caller)
        if key.keeps_calls:
            call = replace(call, about=_about(asked.headers))
        passer, places = served.services.passer, served.places
        places.take()
        found: PassedStream | Body | None = None
        try:
            found = await (passer.open(call) if call.stream else passer.ask(call))
        finally:
            if not isinstance(found, PassedStream):
                places.give_back()
        if isinstance(found, PassedStream):
            return Streamed(found, places.give_back)
        return Whole(found)


async def models_of(parts: Parts) -> list[dict[str, object]]:
    """What calls may name as their model, and the tasks that texts are judged by.

    When a rented model was made is not known; the format wants a number.
    """
    if parts.students is not None:
        await parts.students.look()
    named = {one.name: one.owner for one in parts.passer.models()}
    named |= {task: INHOUSE for task in parts.tasks if task not in named}
    return [
        {"id": name, "object": "model", "created": 0, "owned_by": owner}
        for name, owner in named.items()
    ]


async def model_named(parts: Parts, name: str) -> dict[str, object]:
    """One of them. Raises UnknownError."""
    found = next((model for model in await models_of(parts) if model["id"] == name), None)
    if found is None:
        raise UnknownError(f"the model {name[:80]!r} does not exist here", field="model")
    return found


def _about(headers: Iterable[tuple[bytes, bytes]]) -> About:
    """What the caller says of a call that may be kept. Raises InputError for what is no name."""
    told = {name: value.decode("latin-1") for name, value in headers if name in (TASK, ITEM)}
    task, item = told.get(TASK, ""), told.get(ITEM, "")
    if task and not is_task_name(task):
        raise InputError(
            f"{TASK.decode()}: got {task[:80]!r}, expected a name: {ID_RULE}, at most 64 here"
        )
    if item and not is_valid_id(item):
        raise InputError(
            f"{ITEM.decode()}: got {item[:80]!r}, expected the id of an item: {ID_RULE}"
        )
    return About(task=task, item=item)


async def _body(receive: Receive) -> bytes | None:
    """All of a request's body; None where the caller left before its end."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        piece: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return b"".join((*pieces, piece)) if pieces else piece
        pieces.append(piece)


async def _unless_gone(
    receive: Receive, asked: "Awaitable[Answering]", caller: Waiting, drain_s: float
) -> "Answering | None":
    """What is asked; None where the caller goes away, and the answer does not come soon after: it
    is waited for that long, for what it cost.

    Asked in this very task, and watched by another only where it takes a while: a task costs as
    much as a tenth of a call.
    """
    this, left = asyncio.current_task(), False
    assert this is not None
    gone: asyncio.Task[None] | None = None
    ending: asyncio.TimerHandle | None = None

    def end() -> None:
        nonlocal left
        left = this.cancel()

    def leave(_: "asyncio.Task[None]") -> None:
        nonlocal ending
        caller.left = True
        ending = asyncio.get_running_loop().call_later(drain_s, end)

    def watch() -> None:
        nonlocal gone
        gone = asyncio.ensure_future(_gone(receive))
        gone.add_done_callback(leave)

    watching = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, watch)
    try:
        return await asked
    except asyncio.CancelledError:
        if not left:
            raise
        this.uncancel()
        return None
    finally:
        watching.cancel()
        if ending is not None:
            ending.cancel()
        if gone is not None:
            gone.remove_done_callback(leave)
            gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Whole:
    """A vendor's answer, as it came."""

    def __init__(self, body: Body) -> None:
        self.status, self.body = body.status, body.body
        self._found = body

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """All but its length."""
        found = self._found
        cached = (_CACHED,) if found.cached else ()
        return [_JSON, (WHO, found.deployment.encode()), *cached, *_standing(found.standing)]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [*self.headers, (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def _standing(standing: Standing | None) -> list[tuple[bytes, bytes]]:
    told = {} if standing is None else standing.headers()
    return [(name.encode(), value.encode()) for name, value in told.items()]


class Streamed:
    """A stream on its way through. It is let go of however it ends."""

    def __init__(self, stream: PassedStream, let_go: Callable[[], None]) -> None:
        self._stream, self._let_go = stream, let_go

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pumping = asyncio.ensure_future(self._pump(send))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((pumping, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            pumping.cancel()
            gone.cancel()
            await asyncio.gather(pumping, gone, return_exceptions=True)
            self._let_go()
            await self._stream.close()
        if not pumping.cancelled():
            pumping.result()

    async def _pump(self, send: Send) -> None:
        who = (WHO, self._stream.deployment.encode())
        headers = [_EVENTS, _FRESH, who, *_standing(self._stream.standing)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            async for piece in self._stream.pieces():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except VendorError as error:
            told = {"message": str(error), "type": "server_error", "param": None, "code": "broken"}
            piece = b"data: " + msgspec.json.encode({"error": told}) + b"\n\n"
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


Answering = Whole | Streamed | Response
