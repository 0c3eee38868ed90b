"""A vendor on loopback that does as it is told: an OpenAI-compatible server for tests."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestServer

from inhouse.core.clock import FollowingClock
from inhouse.models.asking.fleet import Fleet, open_fleet
from inhouse.models.asking.gateway import Gateway
from inhouse.models.asking.resilience import BreakerPolicy, Patience, RetryPolicy
from inhouse.models.ledger.rows import Ledger
from inhouse.models.owned.registry import Registry
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Attempt, Deployment, Scores, TaskInput
from inhouse.store import tables
from inhouse.store.database import Database

NOW_MS = 1_767_225_600_000  # 2026-01-01
USAGE = {
    "prompt_tokens": 1_000,
    "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 200},
}
QUICK = Patience(
    retry=RetryPolicy(most_attempts=3, first_ms=2, most_ms=4, patience_ms=200),
    breaker=BreakerPolicy(failures=4, first_ms=60_000, most_ms=60_000, probe_ms=1_000),
)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer of the vendor."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    pieces: Sequence[bytes] = ()  # of a stream, instead of a body
    pause_s: float = 0.0  # before each piece but the first
    cut: bool = False  # whether the connection is cut behind the last piece


def scores_for(text: str) -> dict[str, float]:
    """What this vendor thinks: a category is found where its name is in the text."""
    return {name: 0.9 if name in text else 0.1 for name in TEXT_HARM.categories}


def chat_reply(content: str, **more: Any) -> Reply:
    """A completion with that content."""
    message = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    body = {"choices": [{**message, **more.pop("choice", {})}], "usage": USAGE, **more}
    return Reply(body=json.dumps(body).encode())


def good_chat(request: Mapping[str, Any]) -> Reply:
    """The right answer to a chat request of ours."""
    posts = json.loads(request["messages"][-1]["content"])["posts"]
    return good_chat_of(*(post["text"] for post in posts))


def good_chat_of(*texts: str, **more: Any) -> Reply:
    """The right answer about those texts."""
    judged = [{"id": number, "scores": scores_for(text)} for number, text in enumerate(texts)]
    return chat_reply(json.dumps({"posts": judged}), **more)


def good_moderations(request: Mapping[str, Any]) -> Reply:
    """The right answer to a moderations request."""
    results = []
    for text in request["input"]:
        ours = scores_for(text)
        theirs = {name.replace("_", "-"): p for name, p in ours.items() if name != "spam"}
        results.append({"flagged": False, "category_scores": theirs})
    return Reply(body=json.dumps({"id": "modr-1", "results": results}).encode())


def stream_reply(*words: str, usage: Mapping[str, Any] | None = USAGE, **more: Any) -> Reply:
    """A chat answer in pieces, a word each, then the usage and the end."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
    events = [_event(json.dumps(_CHUNK | chunk)) for chunk in chunks]
    if usage is not None:
        events.append(_event(json.dumps(_CHUNK | {"choices": [], "usage": usage})))
    return Reply(pieces=(*events, _event("[DONE]")), **more)


_CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini"}


def _event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()


def error_reply(status: int, headers: Mapping[str, str] | None = None, **error: Any) -> Reply:
    """A vendor's error."""
    body = json.dumps({"error": {"message": "no", **error}}).encode()
    return Reply(status=status, headers=headers or {}, body=body)


def filter_reply() -> Reply:
    """Azure's filter, refusing hate."""
    findings = {
        "hate": {"filtered": True, "severity": "high"},
        "sexual": {"filtered": False, "severity": "safe"},
        "violence": {"filtered": False, "severity": "low"},
        "jailbreak": {"filtered": False, "detected": False},
        "custom_blocklists": {"filtered": False, "details": []},
    }
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": findings}
    return error_reply(400, code="content_filter", innererror=inner)


def compared(database: Database) -> list[tuple[Scores, Scores]]:
    """(rented, owned) scores of every comparison, oldest first."""
    table = tables.comparisons
    query = sa.select(table.c.teacher_scores, table.c.student_scores).order_by(table.c.log_offset)
    with database.read() as connection:
        return [
            (json.loads(teacher), json.loads(own)) for teacher, own in connection.execute(query)
        ]


Script = Callable[[Mapping[str, Any]], Reply]


class Vendor:
    """Serves scripted replies first, then right answers; remembers what it was asked."""

    def __init__(self, *replies: Reply | Script) -> None:
        self.replies: list[Reply | Script] = list(replies)
        self.asked: list[Mapping[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.paths: list[str] = []
        self.arrived = asyncio.Event()
        self.sent = 0  # pieces of streams
        self.left = asyncio.Event()  # a caller went away in the middle of a stream
        app = web.Application()
        app.router.add_post("/{path:.*}", self._serve)
        self._server = TestServer(app)

    async def __aenter__(self) -> "Vendor":
        await self._server.start_server()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("/v1"))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.asked.append(asked)
        self.headers.append(dict(request.headers))
        self.paths.append(request.path_qs)
        self.arrived.set()
        reply = self.replies.pop(0) if self.replies else None
        if reply is None:
            reply = good_moderations(asked) if "input" in asked else good_chat(asked)
        elif callable(reply):
            reply = reply(asked)
        await asyncio.sleep(reply.delay_s)
        if reply.pieces:
            return await self._stream(request, reply)
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    async def _stream(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            for number, piece in enumerate(reply.pieces):
                await asyncio.sleep(reply.pause_s if number else 0)
                await response.write(piece)
                self.sent += 1
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise
        if reply.cut and request.transport is not None:
            request.transport.abort()
        return response


def deployment(url: str, name: str = "main", **more: Any) -> Deployment:
    """A rented deployment at that address, with a known list price."""
    values = {"host": "openai", "owner": "openai", "model": "gpt-4o-mini", "key": "sk-secret"}
    return Deployment(name=name, url=url, **{**values, "terms": "test terms", **more})


@dataclass(frozen=True, kw_only=True)
class World:
    """A gateway and what is behind it."""

    gateway: Gateway
    fleet: Fleet
    database: Database
    registry: Registry

    def rows(self) -> list[Attempt]:
        """The whole ledger."""
        return [attempt for _, attempt in Ledger(self.database).read()]


def world_of(
    database: Database,
    folder: Path,
    deployments: Sequence[Deployment],
    settings: ModelSettings | None = None,
    patience: Patience = QUICK,
) -> World:
    """A gateway over HTTP to those deployments."""
    registry = Registry(database, folder)
    fleet = open_fleet(deployments, registry)
    gateway = Gateway(
        database, FollowingClock(NOW_MS), fleet, settings or ModelSettings(), patience
    )
    return World(gateway=gateway, fleet=fleet, database=database, registry=registry)


def inputs_of(*texts: str) -> list[TaskInput]:
    """Inputs with refs p0, p1, …"""
    return [TaskInput(ref=f"p{number}", text=text) for number, text in enumerate(texts)]
