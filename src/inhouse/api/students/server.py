"""The HTTP side of the role `students`.

/{community}/v1/chat/completions and /{community}/v1/embeddings in OpenAI's format, `model` a
version, the key the community's own (`app/student_door`); /healthz. It listens on this machine
alone. Nobody calls it but the gateway, which keeps the ledger, the budgets and the stand-ins.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from inhouse.api.students.shelf import Shelf
from inhouse.api.students.wire import (
    DEFAULT_TOKENS,
    DONE,
    Answering,
    Asked,
    read_chat,
    read_embeddings,
    usage_of,
    vectors_body,
)
from inhouse.app.settings import Settings
from inhouse.app.student_door import key_in
from inhouse.core.errors import (
    AccessError,
    BusyError,
    InhouseError,
    InputError,
    UnknownError,
)
from inhouse.core.ids import new_id
from inhouse.core.logs import logger
from inhouse.models.students.writer_torch import Piece, Wanted, Writer, Writing

_JSON: Final = "application/json"
_STATUS: Final[tuple[tuple[type[InhouseError], int], ...]] = (
    (AccessError, 401),
    (BusyError, 429),
    (UnknownError, 404),
    (InputError, 400),
)
_GONE: Final = 499  # nobody reads it
_TOO_LONG: Final = "context_length_exceeded"  # as OpenAI calls it
_LOG = logger("students")


class _TooLongError(InputError):
    """More tokens than the model reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Begun:
    """An answer that is being written."""

    asked: Asked
    writing: Writing
    pieces: "asyncio.Queue[Piece]"
    tokens_in: int
    words: Answering


def create_students(home: Settings) -> Starlette:
    """The app for all communities of an installation."""
    shelf = Shelf(home)
    doors = _Doors(shelf)

    @contextlib.asynccontextmanager
    async def living(_: Starlette) -> AsyncIterator[None]:
        yield
        shelf.close()

    return Starlette(
        routes=[
            Route("/{community}/v1/chat/completions", doors.chat, methods=["POST"]),
            Route("/{community}/v1/embeddings", doors.embeddings, methods=["POST"]),
            Route("/healthz", doors.health),
        ],
        exception_handlers={InhouseError: _refused},
        lifespan=living,
    )


class _Doors:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def health(self, _: Request) -> Response:
        return Response(content=b'{"status":"ok"}', media_type=_JSON)

    async def embeddings(self, request: Request) -> Response:
        community = self._admitted(request)
        asked = read_embeddings(await request.body())
        model = await self._shelf.vectors(community, asked.model)
        vectors = await asyncio.to_thread(model.vectors, asked.texts)
        tokens_in = await asyncio.to_thread(model.encoder.count_tokens, asked.texts)
        return Response(content=vectors_body(asked, vectors, tokens_in), media_type=_JSON)

    async def chat(self, request: Request) -> Response:
        community = self._admitted(request)
        asked = read_chat(await request.body())
        writer = await self._shelf.writer(community, asked.model)
        ids = await asyncio.to_thread(writer.prompt, asked.messages)
        begun = _begun(writer, asked, ids)
        if asked.stream:
            return StreamingResponse(_events(begun), media_type="text/event-stream")
        try:
            found = await _unless_gone(request, _whole(begun))
        except ClientDisconnect:
            return Response(status_code=_GONE)
        finally:
            begun.writing.leave()
        return found

    def _admitted(self, request: Request) -> str:
        """The community, whose key the caller must have. Raises AccessError."""
        community = str(request.path_params["community"])
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        wanted = key_in(self._shelf.folder_of(community))
        if not secrets.compare_digest(given.encode(), wanted.encode()):
            raise AccessError("a wrong key; the gateway asks for you under /openai/v1")
        return community


def _begun(writer: Writer, asked: Asked, ids: Sequence[int]) -> _Begun:
    """An answer that is put in line. Raises BusyError where the line is full, InputError where the
    model does not read as much."""
    room = writer.most_tokens - len(ids)
    if room < 1 or (asked.most_tokens or 0) > room:
        raise _TooLongError(
            f"messages: {len(ids):,} tokens and an answer of {asked.most_tokens or 1:,} are "
            f"more than the {writer.most_tokens:,} that {asked.model} reads",
            field="messages",
        )
    pieces: asyncio.Queue[Piece] = asyncio.Queue()
    wanted = Wanted(
        ids=ids,
        most_tokens=asked.most_tokens or min(DEFAULT_TOKENS, room),
        temperature=asked.temperature,
        top_p=asked.top_p,
        stop=asked.stop,
        seed=asked.seed,
    )
    writing = writer.write(wanted, _heard_by(asyncio.get_running_loop(), pieces))
    return _Begun(
        asked=asked,
        writing=writing,
        pieces=pieces,
        tokens_in=len(ids),
        words=Answering(new_id("chatcmpl"), asked.model),
    )


def _heard_by(
    loop: asyncio.AbstractEventLoop, pieces: "asyncio.Queue[Piece]"
) -> Callable[[Piece], None]:
    """Carries pieces from the writer's thread; a loop that has ended hears nothing."""

    def hear(piece: Piece) -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

    return hear


async def _whole(begun: _Begun) -> Response:
    texts: list[str] = []
    while True:
        piece = await begun.pieces.get()
        texts.append(piece.text)
        if piece.ending == "failed":
            return _error(500, _told("the answer could not be written", "server_error"))
        if piece.ending is not None:
            usage = usage_of(begun.tokens_in, piece.tokens)
            body = begun.words.whole("".join(texts), piece.ending, usage)
            return Response(content=body, media_type=_JSON)


async def _events(begun: _Begun) -> AsyncIterator[bytes]:
    """Whoever goes away ends it here, and with it the writing."""
    first = True
    try:
        while True:
            piece = await begun.pieces.get()
            if piece.ending == "failed":
                yield b"data: " + _told("the answer broke off", "server_error") + b"\n\n"
                return
            yield begun.words.piece(piece.text, piece.ending, first=first)
            first = False
            if piece.ending is not None:
                if begun.asked.wants_usage:
                    yield begun.words.counted(usage_of(begun.tokens_in, piece.tokens))
                yield DONE
                return
    finally:
        begun.writing.leave()


async def _unless_gone(request: Request, answer: Coroutine[Any, Any, Response]) -> Response:
    """The answer; raises ClientDisconnect where the caller goes away before."""
    writing = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(_gone(request))
    gone.add_done_callback(lambda _: writing.cancel())
    try:
        return await writing
    except asyncio.CancelledError:
        if gone.done() and not gone.cancelled():
            raise ClientDisconnect from None
        raise
    finally:
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refused(_: Request, error: Exception) -> Response:
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 503)
    if status == 503:
        _LOG.error("student_unusable", kind=type(error).__name__, reason=str(error))
    kind = "invalid_request_error" if status < 500 else "server_error"
    field = error.field if isinstance(error, InputError) else None
    code = _TOO_LONG if isinstance(error, _TooLongError) else None
    refusal = _error(status, _told(str(error), kind, field, code))
    if isinstance(error, BusyError):
        refusal.headers["retry-after"] = str(error.retry_after_s)
    return refusal


def _error(status: int, told: bytes) -> Response:
    return Response(content=told, status_code=status, media_type=_JSON)


def _told(message: str, kind: str, field: str | None = None, code: str | None = None) -> bytes:
    told = {"message": message, "type": kind, "param": field, "code": code}
    return msgspec.json.encode({"error": told})
