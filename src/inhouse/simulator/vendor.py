"""A stand-in for a rented vendor: OpenAI's chat completions and moderations, answered by a judge.

It is marked as simulated in the header `x-simulated`, in the name of the model it answers with and
in its account of itself at `/`. `POST /control {"mode": …}` lets it fail on purpose.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, get_args

from aiohttp import web

from inhouse.core.clock import SystemClock
from inhouse.core.random import stream
from inhouse.simulator.judge import FLAG_AT, Judge
from inhouse.simulator.topics import HARMS
from inhouse.simulator.world import World

Mode = Literal["ok", "429", "500", "dead", "slow"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
MARK: Final = "simulated"
LATENCY_SPREAD: Final = 0.35  # log standard deviation
LATENCY_PER_TEXT: Final = 0.04  # of the median, added by each text of a request
SLOW_FACTOR: Final = 50.0  # of every latency in the mode `slow`
RETRY_AFTER_MS: Final = 400  # asked for with a 429
CHARS_PER_TOKEN: Final = 4.0
TOKENS_PER_MESSAGE: Final = 4
CACHED_FROM_TOKENS: Final = 1_024  # a shorter beginning of a prompt is not cached

# OpenAI's names; ours are its whole classes, finer ones are given a share of the class.
_MODERATION_NAMES: Final[Mapping[str, tuple[str, float]]] = {
    "harassment": ("harassment", 1.0),
    "harassment/threatening": ("harassment", 0.3),
    "hate": ("hate", 1.0),
    "hate/threatening": ("hate", 0.2),
    "sexual": ("sexual", 1.0),
    "violence": ("violence", 1.0),
    "violence/graphic": ("violence", 0.1),
    "self-harm": ("self_harm", 1.0),
    "self-harm/intent": ("self_harm", 0.5),
}
_Reply = tuple[dict[str, Any], int]  # the answer's body and how many texts it judged
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Vendor:
    """Answers requests and keeps count."""

    def __init__(self, world: World, *, latency_ms: int) -> None:
        self._judge = Judge(world)
        self._latency_ms = latency_ms
        self._clock = SystemClock()
        self._random = stream(world.seed, "vendor")
        self._mode: Mode = "ok"
        self._calls = 0
        self._texts = 0

    @property
    def mode(self) -> Mode:
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Fail on purpose from now on, or stop failing (`ok`)."""
        self._mode = mode

    def account(self) -> dict[str, object]:
        """What it is and what it has done."""
        return {
            "simulated": True,
            "what": "a stand-in for a rented model; it charges nobody",
            "mode": self._mode,
            "modes": MODES,
            "calls": self._calls,
            "texts": self._texts,
        }

    async def take_time(self, texts: int) -> None:
        """As long as a real vendor would take."""
        factor = float(self._random.lognormal(0.0, LATENCY_SPREAD)) * (1 + LATENCY_PER_TEXT * texts)
        slow = SLOW_FACTOR if self._mode == "slow" else 1.0
        await asyncio.sleep(self._latency_ms * factor * slow / 1_000)

    def complete(self, body: Mapping[str, Any]) -> _Reply:
        """A chat completion. Raises ValueError where the request is not one it can answer."""
        model = _model(body)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise ValueError("messages: expected a list with the posts in its last message")
        contents = [str(m.get("content", "")) for m in messages if isinstance(m, dict)]
        posts = posts_in(contents[-1] if contents else "")
        categories = categories_in(body)
        judged = []
        for number, text in posts:
            scores = self._judge.scores(text, model)
            judged.append({"id": number, "scores": {c: scores.get(c, 0.0) for c in categories}})
        content = json.dumps({"posts": judged}, separators=(",", ":"))
        self._count(len(posts))
        answer = {
            "id": f"chatcmpl-{MARK}-{self._calls}",
            "object": "chat.completion",
            "created": self._clock.now_ms() // 1_000,
            "model": f"{model} ({MARK})",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content, "refusal": None},
                    "finish_reason": "stop",
                }
            ],
            "usage": usage_of(contents, content),
        }
        return answer, len(posts)

    def moderate(self, body: Mapping[str, Any]) -> _Reply:
        """A moderation. Raises ValueError where the request is not one it can answer."""
        model = _model(body)
        texts = texts_in(body.get("input"))
        self._count(len(texts))
        results = []
        for text in texts:
            ours = self._judge.scores(text, model)
            theirs = {n: round(ours[c] * share, 4) for n, (c, share) in _MODERATION_NAMES.items()}
            flags = {name: score >= FLAG_AT for name, score in theirs.items()}
            results.append(
                {
                    "flagged": any(flags.values()),
                    "categories": flags,
                    "category_scores": theirs,
                    "category_applied_input_types": {name: ["text"] for name in theirs},
                }
            )
        answer = {
            "id": f"modr-{MARK}-{self._calls}",
            "model": f"{model} ({MARK})",
            "results": results,
        }
        return answer, len(texts)

    def _count(self, texts: int) -> None:
        self._calls += 1
        self._texts += texts


def posts_in(content: str) -> list[tuple[int, str]]:
    """The numbered posts of a user message: `{"posts": [{"id": 0, "text": …}]}`, else one text."""
    try:
        asked = json.loads(content)
    except ValueError:
        return [(0, content)]
    posts = asked.get("posts") if isinstance(asked, dict) else None
    if not isinstance(posts, list):
        return [(0, content)]
    found = []
    for post in posts:
        if not isinstance(post, dict) or "id" not in post or "text" not in post:
            raise ValueError("posts: expected objects with `id` and `text`")
        found.append((int(post["id"]), str(post["text"])))
    return found


def categories_in(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The categories the answer's schema asks for, all it knows where there is no schema."""
    schema: Any = body
    path = ("response_format", "json_schema", "schema", "properties", "posts", "items")
    for name in (*path, "properties", "scores", "properties"):
        schema = schema.get(name) if isinstance(schema, dict) else None
    return tuple(schema) if isinstance(schema, dict) else HARMS


def texts_in(given: object) -> list[str]:
    """The texts of a moderation request: one, several, or parts of type `text`."""
    parts = [given] if isinstance(given, str) else given
    if not isinstance(parts, list) or not parts:
        raise ValueError("input: expected a text or a list of texts")
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("input: expected texts only; this stand-in sees no pictures")
    return [str(text) for text in texts]


def usage_of(prompts: list[str], answer: str) -> dict[str, Any]:
    """Tokens as the vendor would count them, at CHARS_PER_TOKEN. A long system prompt is cached."""
    counts = [math.ceil(len(text) / CHARS_PER_TOKEN) + TOKENS_PER_MESSAGE for text in prompts]
    tokens_in, tokens_out = sum(counts), math.ceil(len(answer) / CHARS_PER_TOKEN)
    cached = counts[0] if len(counts) > 1 and counts[0] >= CACHED_FROM_TOKENS else 0
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def vendor_app(vendor: Vendor) -> web.Application:
    """POST /v1/chat/completions, POST /v1/moderations, GET and POST /control, GET /"""

    async def account(_: web.Request) -> web.Response:
        return _answer(vendor.account())

    async def control(request: web.Request) -> web.Response:
        body = await _body(request)
        if body.get("mode") not in MODES:
            return _error(400, f"mode: expected one of {', '.join(MODES)}")
        vendor.set_mode(body["mode"])
        return _answer(vendor.account())

    app = web.Application(client_max_size=8 * 2**20)
    app.router.add_get("/", account)
    app.router.add_get("/control", account)
    app.router.add_post("/control", control)
    app.router.add_post("/v1/chat/completions", _route(vendor, vendor.complete))
    app.router.add_post("/v1/moderations", _route(vendor, vendor.moderate))
    return app


def _route(vendor: Vendor, reply: Callable[[Mapping[str, Any]], _Reply]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        if vendor.mode == "dead":
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if vendor.mode == "429":
            return _error(429, "rate limit reached (on purpose)", RETRY_AFTER_MS)
        if vendor.mode == "500":
            return _error(500, "server error (on purpose)")
        try:
            answer, texts = reply(await _body(request))
        except ValueError as error:
            return _error(400, str(error))
        await vendor.take_time(texts)
        return _answer(answer)

    return handle


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _model(body: Mapping[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ValueError("model: expected a name")
    return model


def _answer(body: Mapping[str, Any]) -> web.Response:
    return web.json_response(body, headers={"x-simulated": "true"})


def _error(status: int, message: str, retry_after_ms: int | None = None) -> web.Response:
    headers = {"x-simulated": "true"}
    if retry_after_ms is not None:
        headers["retry-after-ms"] = str(retry_after_ms)
        headers["retry-after"] = str(math.ceil(retry_after_ms / 1_000))
    error = {"message": message, "type": MARK, "code": str(status)}
    return web.json_response({"error": error}, status=status, headers=headers)
