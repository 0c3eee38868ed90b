"""The words in chat calls and in their answers, and what callers are told instead of harmful ones.
Pure.

Read are all texts that people or tools may have written: messages of the roles `system`,
`developer` and `assistant` are the app's own or were answered, and judged, before. Of an answer
everything that a model wrote is read: content, refusals, reasoning and the arguments of tools.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from inhouse.models.providers.wire import decoded

WINDOW_CHARS: Final = 300  # of a long text that are judged at once
OVERLAP_CHARS: Final = 100  # that a window shares with the one before
_OWN_ROLES: Final = frozenset(("system", "developer", "assistant"))
_NOT_WORDS: Final = frozenset(
    ("id", "type", "role", "name", "index", "url", "image_url", "input_audio", "file", "audio")
)
_FILTERED: Final = "content_filter"


def asked_texts(fields: Mapping[str, msgspec.Raw]) -> list[str]:
    """What people and tools say in a chat call; nothing where it has no messages."""
    raw = fields.get("messages")
    messages = decoded(bytes(raw), list[dict[str, Any]]) if raw is not None else None
    return [
        text
        for message in messages or ()
        if message.get("role") not in _OWN_ROLES
        for text in _strings(message)
    ]


def answered_texts(body: bytes) -> list[list[str]]:
    """What each choice of an answer says."""
    whole = decoded(body, dict[str, Any]) or {}
    return [list(_strings(choice.get("message"))) for choice in _choices(whole)]


def said_in(event: bytes) -> str:
    """What one event of a stream adds to what is said, all choices together."""
    chunk = decoded(event.strip().removeprefix(b"data:").strip(), dict[str, Any]) or {}
    return "".join(text for choice in _choices(chunk) for text in _strings(choice.get("delta")))


def windows(text: str) -> Iterator[str]:
    """A text in parts that a model can judge; each begins within the one before.

    >>> [len(part) for part in windows("x" * 450)]
    [300, 250]
    """
    step = WINDOW_CHARS - OVERLAP_CHARS
    for start in range(0, max(1, len(text) - OVERLAP_CHARS), step):
        yield text[start : start + WINDOW_CHARS]


def refused_prompt(category: str) -> bytes:
    """The body of the 400 that a harmful prompt is answered with."""
    finding = {category: {"filtered": True, "severity": "high"}}
    error = {
        "message": "the prompt was refused by the content filter; change it and ask again",
        "type": "invalid_request_error",
        "param": "prompt",
        "code": _FILTERED,
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": finding,
        },
    }
    return msgspec.json.encode({"error": error})


def without_choices(body: bytes, refused: Mapping[int, str]) -> bytes:
    """An answer whose refused choices say nothing, and why: by their place, the category."""
    whole = msgspec.json.decode(body)
    for place, category in refused.items():
        choice = whole["choices"][place]
        choice["message"] = {"role": "assistant", "content": None, "refusal": None}
        choice["finish_reason"] = _FILTERED
        choice["content_filter_results"] = {category: {"filtered": True, "severity": "high"}}
    return msgspec.json.encode(whole)


def refused_end(category: str, event: bytes) -> bytes:
    """The end of a stream that says no more: made after the last event, which tells its id."""
    last = decoded(event.strip().removeprefix(b"data:").strip(), dict[str, Any]) or {}
    named = {name: last[name] for name in ("id", "object", "created", "model") if name in last}
    choice = {
        "index": 0,
        "delta": {},
        "finish_reason": _FILTERED,
        "content_filter_results": {category: {"filtered": True, "severity": "high"}},
    }
    chunk = msgspec.json.encode({**named, "choices": [choice]})
    return b"data: " + chunk + b"\n\ndata: [DONE]\n\n"


def _choices(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = whole.get("choices")
    return [one for one in choices if isinstance(one, dict)] if isinstance(choices, list) else []


def _strings(given: object) -> Iterator[str]:
    """Every text in there that is somebody's words."""
    if isinstance(given, str):
        if given:
            yield given
    elif isinstance(given, list):
        for inner in given:
            yield from _strings(inner)
    elif isinstance(given, dict):
        for name, inner in given.items():
            if name not in _NOT_WORDS:
                yield from _strings(inner)
