"""Calls that are passed on to a vendor as they came: who is asked, where, and what came back. Pure.

Nothing of a body is understood but the model's name, whether the answer is to come in pieces, and
the usage at its end. A stream is told to end with its usage, whether or not the caller asked for
it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from inhouse.core.decoding import UNREADABLE
from inhouse.core.errors import InputError
from inhouse.models.providers.azure import address_of, spillover_of
from inhouse.models.providers.transport import HttpRequest, HttpResponse
from inhouse.models.providers.wire import (
    ChatUsage,
    Reading,
    decoded,
    failure_of,
    joined,
    retry_after_ms,
)
from inhouse.models.types import Deployment, Service, Usage

_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "chat": ("chat", "completions"),
    "embeddings": ("embeddings",),
}
_BODY: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STREAM_OPTIONS: Final = msgspec.Raw(b'{"include_usage":true}')
_MOST_EVENT_BYTES: Final = 4 * 1024 * 1024
# What stands elsewhere may be many tokens: a large picture is 37,000 to the model that counts most.
_REFERENCES: Final = (b'"image_url"', b'"file_id"')
_PER_REFERENCE: Final = 40_000
_BYTES_A_TOKEN: Final = 4  # of English prose, braces and quotes included
DONE: Final = b"data: [DONE]"


class _Options(msgspec.Struct):
    include_usage: bool = False


class _Head(msgspec.Struct):
    model: str
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    temperature: float | None = None
    stream: bool | None = None
    stream_options: _Options | None = None


@dataclass(kw_only=True, slots=True)
class Waiting:
    """Whoever waits for an answer."""

    left: bool = False  # nobody waits any more: what is under way is still heard, for its cost


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What a caller whose calls may be kept says of one, besides its body."""

    task: str = ""  # a name of the app's own; empty where none is told
    item: str = ""  # that it is about; empty where it is about none


@dataclass(frozen=True, kw_only=True, slots=True)
class Passed:
    """A call to pass on."""

    service: Service  # chat or embeddings
    model: str  # as the caller names it
    fields: Mapping[str, msgspec.Raw]  # of the body
    stream: bool  # whether the answer is to come in pieces
    wants_usage: bool  # whether the caller asked for the usage at the end of a stream
    temperature: float | None  # as the caller asks; None where it does not say
    key_id: str  # whose call it is
    most_tokens_in: int  # that it can come to: no token is less than a byte
    most_tokens_out: int | None  # that it asks for; None where it names no most
    about: About | None = None  # for whoever keeps it; None where its key does not allow that
    caller: Waiting = field(default_factory=Waiting, compare=False)

    def seen(self, pieces: int) -> Usage:
        """About what it used so far: four bytes a token, and a token a piece of its answer."""
        return Usage(tokens_in=-(-self.most_tokens_in // _BYTES_A_TOKEN), tokens_out=pieces)


def read_call(service: Service, body: bytes, key_id: str, caller: Waiting | None = None) -> Passed:
    """From a body in OpenAI's format. Raises InputError where it names no model."""
    try:
        fields = _BODY.decode(body)
        head = msgspec.json.decode(body, type=_Head)
    except UNREADABLE as error:
        raise InputError(f"body: {error}; expected JSON with a `model`", field="model") from error
    return Passed(
        service=service,
        model=head.model,
        fields=fields,
        stream=bool(head.stream) and service == "chat",
        wants_usage=head.stream_options is not None and head.stream_options.include_usage,
        temperature=head.temperature,
        key_id=key_id,
        most_tokens_in=len(body) + _PER_REFERENCE * sum(map(body.count, _REFERENCES)),
        most_tokens_out=_most_out(service, head),
        caller=caller or Waiting(),
    )


def _most_out(service: Service, head: _Head) -> int | None:
    if service == "embeddings":
        return 0
    most = head.max_completion_tokens or head.max_tokens
    return None if most is None or most < 1 else most * max(1, head.n or 1)


def request_to(deployment: Deployment, call: Passed) -> HttpRequest:
    """The call as that deployment wants it: its model's name, without what it refuses."""
    fields = {name: raw for name, raw in call.fields.items() if name not in deployment.omit}
    fields["model"] = msgspec.Raw(msgspec.json.encode(deployment.model))
    if call.stream:
        fields["stream_options"] = _STREAM_OPTIONS
    headers = {"content-type": "application/json"}
    path = _PATHS[call.service]
    if deployment.dialect == "azure":
        headers["api-key"] = deployment.key
        url = address_of(deployment, *path)
    else:
        url = joined(deployment.url, *path)
        if deployment.key:
            headers["authorization"] = f"Bearer {deployment.key}"
    return HttpRequest(url=url, headers=headers, body=msgspec.json.encode(fields))


class _Code(msgspec.Struct):
    code: str | int | None = None


class _Refusal(msgspec.Struct):
    error: _Code


class _Whole(msgspec.Struct):
    usage: ChatUsage | None = None


def read_whole(response: HttpResponse) -> Reading:
    """What an answer that came at once means: its usage where it is one, else why not."""
    spillover = spillover_of(response.headers)
    failure = failure_of(response)
    if failure is None:
        whole = decoded(response.body, _Whole)
        if whole is None:
            return Reading(outcome="bad_answer", spillover=spillover)
        usage = whole.usage.usage() if whole.usage else None
        return Reading(outcome="ok", usage=usage, spillover=spillover)
    if failure == "refused":
        refusal = decoded(response.body, _Refusal)
        if refusal is not None and refusal.error.code == "content_filter":
            failure = "content_filter"
    return Reading(
        outcome=failure, retry_after_ms=retry_after_ms(response.headers), spillover=spillover
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event of a stream."""

    raw: bytes  # as it came, with the empty line behind it
    usage: Usage | None = None  # where it tells it
    only_usage: bool = False  # tells nothing else
    last: bool = False  # the stream is complete
    failed: bool = False  # the vendor tells of an error instead


class Events:
    """Cuts what comes in pieces into events. Whatever is passed on is passed on byte for byte."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that are complete with this piece. Raises ValueError where one has no end."""
        self._rest += piece
        while (cut := _end_of_event(self._rest)) > 0:
            raw, self._rest = self._rest[:cut], self._rest[cut:]
            yield read_event(raw)
        if len(self._rest) > _MOST_EVENT_BYTES:
            raise ValueError("an event without end")


def _end_of_event(rest: bytes) -> int:
    """Behind the first empty line; 0 where there is none."""
    plain = rest.find(b"\n\n")
    carried = rest.find(b"\r\n\r\n")
    if carried >= 0 and (plain < 0 or carried < plain):
        return carried + 4
    return plain + 2 if plain >= 0 else 0


class _Chunk(msgspec.Struct):
    usage: ChatUsage | None = None
    choices: list[msgspec.Raw] = []


def read_event(raw: bytes) -> Event:
    """What one event tells. Only those that may tell of usage are decoded: in a text's JSON the
    quotes of `"usage":` would be escaped."""
    data = raw.strip()
    if data == DONE:
        return Event(raw=raw, last=True)
    if data.startswith((b'data: {"error"', b'data:{"error"')):
        return Event(raw=raw, failed=True)
    if b'"usage":' not in data or b'"usage":null' in data:
        return Event(raw=raw)
    chunk = decoded(data.removeprefix(b"data:").strip(), _Chunk)
    if chunk is None or chunk.usage is None:
        return Event(raw=raw)
    return Event(raw=raw, usage=chunk.usage.usage(), only_usage=not chunk.choices)
