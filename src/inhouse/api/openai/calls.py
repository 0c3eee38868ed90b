"""/openai/v1/chat/completions, embeddings and models: calls that are passed on to models.

`model` names a deployment of vendors.toml or the model that it runs, a task of tasks.toml, or a
version that was trained here. The key of the caller is ours; the vendor's stays here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from starlette.types import Receive, Scope, Send

from inhouse.api.context import admit, context_of, needs, services_of
from inhouse.api.lane import Fast
from inhouse.api.wire import JSON, answer
from inhouse.app.build import Services
from inhouse.core.errors import UnknownError, VendorError
from inhouse.models.passing import Body, PassedStream
from inhouse.models.providers.passing import read_call
from inhouse.models.types import INHOUSE, Service

router = APIRouter(prefix="/openai/v1", tags=["others' formats"])
_MODELS = [Depends(needs("models"))]
CHAT: Final = "/openai/v1/chat/completions"
EMBEDDINGS: Final = "/openai/v1/embeddings"
WHO: Final = "x-inhouse-deployment"
_EVENTS: Final = b"text/event-stream; charset=utf-8"
_GONE: Final = 499  # nobody reads it
T = TypeVar("T")
_ANY_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["model"],
                    "properties": {"model": {"type": "string"}},
                }
            }
        },
    }
}
_ANY_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "the vendor's answer as it came"},
    429: {"description": "vendors are full, or too many ask at once; see `retry-after`"},
    502: {"description": "nobody answered"},
}


@router.post(
    "/chat/completions", responses=_ANY_ANSWER, openapi_extra=_ANY_BODY, dependencies=_MODELS
)
async def chat(request: Request) -> Response:
    """Pass a chat call on, answered at once or, with `stream`, in pieces. Retried, and with
    `stand_ins` asked of others, until the first piece is there; every attempt is in the ledger."""
    return await _pass_on("chat", request)


@router.post("/embeddings", responses=_ANY_ANSWER, openapi_extra=_ANY_BODY, dependencies=_MODELS)
async def embeddings(request: Request) -> Response:
    """Pass a call for embeddings on, as chat calls are."""
    return await _pass_on("embeddings", request)


_PATHS: Final[dict[str, Callable[[Request], Awaitable[Response]]]] = {
    CHAT: chat,
    EMBEDDINGS: embeddings,
}
FAST: Final = {("POST", path): Fast(path=path, handle=handle) for path, handle in _PATHS.items()}


@router.get("/models", dependencies=_MODELS)
async def list_models(use: Annotated[Services, Depends(services_of)]) -> Response:
    """What calls may name as their model, and the tasks that texts are judged by."""
    return answer({"object": "list", "data": await _models(use)})


@router.get("/models/{name:path}", dependencies=_MODELS)
async def get_model(name: str, use: Annotated[Services, Depends(services_of)]) -> Response:
    """One of them."""
    found = next((model for model in await _models(use) if model["id"] == name), None)
    if found is None:
        raise UnknownError(f"the model {name[:80]!r} does not exist here", field="model")
    return answer(found)


async def _models(use: Services) -> list[dict[str, object]]:
    """When a rented model was made is not known; the format wants a number."""
    if use.students is not None:
        await use.students.look()
    named = {one.name: one.owner for one in use.passer.models()}
    named |= {task: INHOUSE for task in use.tasks if task not in named}
    return [
        {"id": name, "object": "model", "created": 0, "owned_by": owner}
        for name, owner in named.items()
    ]


async def _pass_on(service: Service, request: Request) -> Response:
    key = await admit(request, "models")
    call = read_call(service, await request.body(), key.key_id)
    passer, places = (await services_of(request)).passer, context_of(request).places
    places.take()
    streamed = False
    try:
        asked = passer.open(call) if call.stream else passer.ask(call)
        found = await _unless_gone(request, asked)
        if isinstance(found, PassedStream):
            streamed = True
            return _Streamed(found, places.give_back)
        if found is None:
            return Response(status_code=_GONE)
        return Response(
            content=found.body,
            status_code=found.status,
            media_type=JSON,
            headers={WHO: found.deployment},
        )
    finally:
        if not streamed:
            places.give_back()


async def _unless_gone(
    request: Request, asked: "Awaitable[Body] | Awaitable[PassedStream | Body]"
) -> "PassedStream | Body | None":
    """What is asked; None where the caller goes away before, and takes the question along.

    Asked in this very task: one of its own costs as much as a tenth of a call.
    """
    this, left = asyncio.current_task(), False
    assert this is not None

    def leave(_: "asyncio.Task[None]") -> None:
        nonlocal left
        left = this.cancel()

    gone = asyncio.ensure_future(_gone(request.receive))
    gone.add_done_callback(leave)
    try:
        return await asked
    except asyncio.CancelledError:
        if not left:
            raise
        this.uncancel()
        return None
    finally:
        gone.remove_done_callback(leave)
        gone.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Streamed(Response):
    """A stream on its way through. It is let go of however it ends."""

    def __init__(self, stream: PassedStream, let_go: Callable[[], None]) -> None:
        self.status_code, self.background = 200, None
        self._stream, self._let_go = stream, let_go
        self.raw_headers = [
            (b"content-type", _EVENTS),
            (b"cache-control", b"no-cache"),
            (WHO.encode(), stream.deployment.encode()),
        ]

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
        await send(
            {"type": "http.response.start", "status": 200, "headers": list(self.raw_headers)}
        )
        try:
            async for piece in self._stream.pieces():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except VendorError as error:
            told = {"message": str(error), "type": "server_error", "param": None, "code": "broken"}
            piece = b"data: " + msgspec.json.encode({"error": told}) + b"\n\n"
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
