"""OpenAI's chat completions, which most vendors and local servers speak too.

Several short posts go into one request as a JSON document; the answer must be JSON of a strict
schema with a probability for every category of every post. Anything else is a `bad_answer`.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from inhouse.models.providers.transport import HttpRequest, HttpResponse
from inhouse.models.providers.wire import (
    ChatUsage,
    Reading,
    decoded,
    failure_of,
    joined,
    retry_after_ms,
)
from inhouse.models.types import Deployment, Scores, Task, TaskInput, Usage


class ChatWire:
    """POST {url}/chat/completions with a bearer key."""

    most_chars: Final = 6_000

    def request(
        self, deployment: Deployment, task: Task, inputs: Sequence[TaskInput]
    ) -> HttpRequest:
        headers = {"content-type": "application/json"}
        if deployment.key:
            headers["authorization"] = f"Bearer {deployment.key}"
        return HttpRequest(
            url=joined(deployment.url, "chat", "completions"),
            headers=headers,
            body=chat_body(deployment, task, inputs),
        )

    def read(self, task: Task, inputs: Sequence[TaskInput], response: HttpResponse) -> Reading:
        return read_chat(task, len(inputs), response)


def chat_body(deployment: Deployment, task: Task, inputs: Sequence[TaskInput]) -> bytes:
    """The request's JSON, without the fields this deployment refuses."""
    posts = [{"id": number, "text": given.text} for number, given in enumerate(inputs)]
    body: dict[str, Any] = {
        "model": deployment.model,
        "messages": [
            {"role": "system", "content": f"{task.instructions}\n{_FORM}"},
            {"role": "user", "content": json.dumps({"posts": posts}, ensure_ascii=False)},
        ],
        "temperature": 0,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": task.name, "strict": True, "schema": _schema(task)},
        },
    }
    kept = {name: value for name, value in body.items() if name not in deployment.omit}
    return msgspec.json.encode(kept)


_FORM: Final = (
    'Answer only with JSON: {"posts": [{"id": 0, "scores": {"category": 0.0, ...}}, ...]}, '
    "one entry for each post with its id, in order, every category named."
)


def _schema(task: Task) -> dict[str, Any]:
    number = {"type": "number"}
    scores = _object(dict.fromkeys(task.categories, number))
    post = _object({"id": {"type": "integer"}, "scores": scores})
    return _object({"posts": {"type": "array", "items": post}})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


class Message(msgspec.Struct):
    """The model's words."""

    content: str | None = None
    refusal: str | None = None


class Choice(msgspec.Struct):
    """One completion."""

    message: Message = msgspec.field(default_factory=Message)
    finish_reason: str | None = None


class Completion(msgspec.Struct):
    """A chat answer, as far as we read it."""

    choices: list[Choice]
    usage: ChatUsage | None = None


class _Post(msgspec.Struct):
    id: int
    scores: dict[str, float]


class _Posts(msgspec.Struct):
    posts: list[_Post]


def read_chat(task: Task, count: int, response: HttpResponse) -> Reading:
    """What a chat answer to `count` posts means."""
    failure = failure_of(response)
    if failure is not None:
        return Reading(outcome=failure, retry_after_ms=retry_after_ms(response.headers))
    completion = decoded(response.body, Completion)
    if completion is None or not completion.choices:
        return Reading(outcome="bad_answer", usage=usage_of(response.body))
    usage = completion.usage.usage() if completion.usage else None
    choice = completion.choices[0]
    if choice.finish_reason == "content_filter":
        return Reading(outcome="content_filter", usage=usage)
    scores = scores_of(task, count, choice.message.content or "")
    return Reading(outcome="bad_answer" if scores is None else "ok", scores=scores, usage=usage)


class _OnlyUsage(msgspec.Struct):
    usage: ChatUsage


def usage_of(body: bytes) -> Usage | None:
    """The usage of an answer that makes no other sense: it is paid for all the same."""
    found = decoded(body, _OnlyUsage)
    return found.usage.usage() if found else None


def scores_of(task: Task, count: int, content: str) -> tuple[Scores, ...] | None:
    """The scores in a model's words, or None unless they are exactly what was asked for.

    >>> from inhouse.models.tasks import TEXT_HARM
    >>> scores_of(TEXT_HARM, 1, "no idea") is None
    True
    """
    found = decoded(content.encode(), _Posts)
    if found is None or [post.id for post in found.posts] != list(range(count)):
        return None
    wanted = set(task.categories)
    for post in found.posts:
        if post.scores.keys() != wanted or not all(0 <= p <= 1 for p in post.scores.values()):
            return None
    return tuple(post.scores for post in found.posts)
