"""OpenAI's format for a model trained here: what was asked, and what is answered. Pure.

What such a model cannot do is refused by name: an answer that passes over half of the question
would look like one.
"""

import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from inhouse.api.bodies import read_body
from inhouse.core.errors import InputError
from inhouse.models.harvest.conversations import Message
from inhouse.models.students.chat import Ending
from inhouse.models.students.pairs import ROLES

_MOST_MESSAGES: Final = 1_000
_MOST_STOPS: Final = 4
_MOST_INPUTS: Final = 2_048
_MOST_STOP_CHARS: Final = 200
DEFAULT_TOKENS: Final = 1_024  # of an answer, where the caller names no most
DONE: Final = b"data: [DONE]\n\n"


class _Part(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None


class _Options(msgspec.Struct):
    include_usage: bool = False


class _Format(msgspec.Struct):
    type: str = "text"


class _Chat(msgspec.Struct):
    model: str
    messages: list[_Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    n: int | None = None
    stream: bool | None = None
    stream_options: _Options | None = None
    response_format: _Format | None = None
    tools: list[msgspec.Raw] | None = None
    functions: list[msgspec.Raw] | None = None
    logprobs: bool | None = None
    logit_bias: dict[str, float] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A conversation to be answered."""

    model: str  # a version
    messages: tuple[Message, ...]
    most_tokens: int | None  # of the answer; None where the caller names no most
    temperature: float
    top_p: float
    stop: tuple[str, ...]
    seed: int
    stream: bool
    wants_usage: bool  # at the end of a stream


def read_chat(body: bytes) -> Asked:
    """Raises InputError that names the field."""
    told = read_body(body, _Chat)
    for field, wrong in (
        ("n", told.n not in (None, 1)),
        ("tools", bool(told.tools)),
        ("functions", bool(told.functions)),
        ("logprobs", bool(told.logprobs)),
        ("logit_bias", bool(told.logit_bias)),
        ("presence_penalty", bool(told.presence_penalty)),
        ("frequency_penalty", bool(told.frequency_penalty)),
        ("response_format", told.response_format not in (None, _Format())),
    ):
        if wrong:
            raise InputError(f"{field}: a model trained here cannot do that", field=field)
    if not 1 <= len(told.messages) <= _MOST_MESSAGES:
        raise InputError(
            f"messages: got {len(told.messages)}, expected 1 to {_MOST_MESSAGES:,}",
            field="messages",
        )
    named = told.max_tokens if told.max_completion_tokens is None else told.max_completion_tokens
    _check("max_tokens", 1 if named is None else named, 1, 1 << 20)
    temperature = 1.0 if told.temperature is None else told.temperature
    top_p = 1.0 if told.top_p is None else told.top_p
    _check("temperature", temperature, 0, 2)
    _check("top_p", top_p, 1e-6, 1)
    return Asked(
        model=told.model,
        messages=tuple(_message(one, place) for place, one in enumerate(told.messages)),
        most_tokens=named,
        temperature=temperature,
        top_p=top_p,
        stop=_stops(told.stop),
        seed=secrets.randbits(62) if told.seed is None else told.seed % (1 << 62),
        stream=bool(told.stream),
        wants_usage=told.stream_options is not None and told.stream_options.include_usage,
    )


def _check(field: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InputError(f"{field}: got {value}, expected {least:g} to {most:g}", field=field)


def _message(given: _Message, place: int) -> Message:
    where = f"messages[{place}]"
    if given.role not in ROLES:
        raise InputError(
            f"{where}.role: got {given.role[:40]!r}, expected one of {', '.join(ROLES)}",
            field=f"{where}.role",
        )
    parts = given.content if isinstance(given.content, list) else []
    strange = next((part.type for part in parts if part.type != "text"), None)
    if strange is not None:
        raise InputError(
            f"{where}.content: got a part of type {strange[:40]!r}, expected text alone",
            field=f"{where}.content",
        )
    words = "".join(part.text for part in parts) if parts else given.content
    return Message(role=given.role, content=words if isinstance(words, str) else "")


def _stops(given: str | list[str] | None) -> tuple[str, ...]:
    stops = [given] if isinstance(given, str) else (given or [])
    if len(stops) > _MOST_STOPS or not all(1 <= len(one) <= _MOST_STOP_CHARS for one in stops):
        raise InputError(
            f"stop: expected at most {_MOST_STOPS} texts of 1 to {_MOST_STOP_CHARS} characters",
            field="stop",
        )
    return tuple(stops)


class _Embed(msgspec.Struct):
    model: str
    input: str | list[str]
    encoding_format: str | None = None
    dimensions: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Placing:
    """Texts whose vectors are asked for."""

    model: str  # a version
    texts: tuple[str, ...]
    as_base64: bool  # of float32, little endian, instead of numbers


def read_embeddings(body: bytes) -> Placing:
    """Raises InputError that names the field."""
    told = read_body(body, _Embed)
    texts = [told.input] if isinstance(told.input, str) else told.input
    if not 1 <= len(texts) <= _MOST_INPUTS or not all(texts):
        raise InputError(
            f"input: expected 1 to {_MOST_INPUTS:,} texts, none of them empty", field="input"
        )
    if told.dimensions is not None:
        raise InputError("dimensions: a model trained here has its own number", field="dimensions")
    if told.encoding_format not in (None, "float", "base64"):
        raise InputError(
            f"encoding_format: got {told.encoding_format[:40]!r}, expected float or base64",
            field="encoding_format",
        )
    return Placing(model=told.model, texts=tuple(texts), as_base64=told.encoding_format == "base64")


def usage_of(tokens_in: int, tokens_out: int) -> dict[str, int]:
    """As the format counts."""
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }


class Answering:
    """One answer in the format's words."""

    def __init__(self, answer_id: str, model: str) -> None:
        self._head = {"id": answer_id, "created": int(time.time()), "model": model}

    def whole(self, text: str, ending: Ending, usage: Mapping[str, int]) -> bytes:
        """All of it at once."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": None,
            "finish_reason": ending,
        }
        return msgspec.json.encode(
            {**self._head, "object": "chat.completion", "choices": [choice], "usage": usage}
        )

    def piece(self, text: str, ending: Ending | None, *, first: bool) -> bytes:
        """A part of it as an event of a stream."""
        delta: dict[str, str] = {"role": "assistant"} if first else {}
        if text or first:
            delta["content"] = text
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": ending}
        return self._event([choice])

    def counted(self, usage: Mapping[str, int]) -> bytes:
        """What it took, as the last event before the end."""
        return self._event([], usage)

    def _event(self, choices: Sequence[object], usage: Mapping[str, int] | None = None) -> bytes:
        body = {**self._head, "object": "chat.completion.chunk", "choices": choices}
        if usage is not None:
            body["usage"] = usage
        return b"data: " + msgspec.json.encode(body) + b"\n\n"


def vectors_body(asked: Placing, vectors: npt.NDArray[np.float32], tokens_in: int) -> bytes:
    """The answer to a call for embeddings. vectors: [texts, dimensions]."""
    data = [
        {
            "object": "embedding",
            "index": place,
            "embedding": (
                base64.b64encode(row.astype("<f4").tobytes()).decode()
                if asked.as_base64
                else row.tolist()
            ),
        }
        for place, row in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens_in, "total_tokens": tokens_in}
    return msgspec.json.encode(
        {"object": "list", "data": data, "model": asked.model, "usage": usage}
    )
