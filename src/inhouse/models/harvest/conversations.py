"""What a chat call asked and was answered, read from its body and the vendor's answer. Pure.

Only what a model of text can learn is read: messages and an answer of words alone, and an answer
that came to its own end. Pictures, sound, files, tools, refusals and answers that were cut off make
no conversation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from inhouse.core.ids import is_valid_id
from inhouse.models.providers.passing import DONE, About
from inhouse.models.providers.wire import decoded

CHAT: Final = "chat"  # the task of calls that name none
TASK_FIELD: Final = "inhouse_task"  # of a call's metadata
ITEM_FIELD: Final = "inhouse_item"
_MOST_TASK_CHARS: Final = 64
_MOST_CHARS: Final = 200_000  # of all messages and the answer
_ROLES: Final = ("system", "developer", "user", "assistant")
_FINISHED: Final = "stop"


class NotKeptError(ValueError):
    """Why a call makes no conversation, as the log counts it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message of a chat."""

    role: str  # system, developer, user or assistant
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """Messages and what was answered."""

    messages: tuple[Message, ...]
    answer: str
    task: str  # a name of the app's own
    person: str | None  # the app's user, by the id or a digest of it
    item: str | None  # that it is about

    def map(self, change: Callable[[str], str]) -> "Conversation":
        """The same with every text changed."""
        messages = tuple(replace(one, content=change(one.content)) for one in self.messages)
        return replace(self, messages=messages, answer=change(self.answer))

    def gist(self) -> str:
        """See `gist_of`."""
        return gist_of(self.messages, self.answer)


def gist_of(messages: Sequence[Message], answer: str) -> str:
    """What tells a conversation from others: the last thing that was asked, and the answer. What
    went before is much the same in every turn of a chat, and in every call of a task."""
    asked = [one.content for one in messages if one.role == "user"]
    return "\n".join((*asked[-1:], answer))


class _Part(msgspec.Struct):
    type: str
    text: str | None = None


class _Asked(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: msgspec.Raw = msgspec.Raw()


class _Said(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: msgspec.Raw = msgspec.Raw()


class _Choice(msgspec.Struct):
    index: int = 0
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []


class _Head(msgspec.Struct):
    messages: list[_Asked]
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, str] | None = None


def read_conversation(
    fields: Mapping[str, msgspec.Raw], about: About, answer: Sequence[bytes], *, streamed: bool
) -> Conversation:
    """From a call's fields and the vendor's answer: its body, or the events of its stream.

    Raises NotKeptError where there is nothing to learn, or where it cannot be told whose words
    these are.
    """
    head = _head(fields)
    messages = tuple(_message(asked) for asked in head.messages)
    if not messages or messages[-1].role != "user":
        raise NotKeptError("no question")
    said = _streamed(answer) if streamed else _whole(answer)
    if sum(len(one.content) for one in messages) + len(said) > _MOST_CHARS:
        raise NotKeptError("too long")
    told = head.metadata or {}
    task = about.task or told.get(TASK_FIELD, "") or CHAT
    if not is_task_name(task):
        raise NotKeptError("no name for a task")
    return Conversation(
        messages=messages,
        answer=said,
        task=task,
        person=_id(head.safety_identifier or head.user, "no id for a person"),
        item=_id(about.item or told.get(ITEM_FIELD), "no id for an item"),
    )


def is_task_name(text: str) -> bool:
    """Whether a task may be called so."""
    return is_valid_id(text) and len(text) <= _MOST_TASK_CHARS


def _head(fields: Mapping[str, msgspec.Raw]) -> _Head:
    names = _Head.__struct_fields__
    body = msgspec.json.encode({name: raw for name, raw in fields.items() if name in names})
    head = decoded(body, _Head)
    if head is None:
        raise NotKeptError("not understood")
    return head


def _message(asked: _Asked) -> Message:
    if asked.role not in _ROLES or _is_any(asked.tool_calls) or asked.content is None:
        raise NotKeptError("not words alone")
    if isinstance(asked.content, str):
        return Message(role=asked.role, content=asked.content)
    texts = [part.text for part in asked.content if part.type == "text"]
    if len(texts) < len(asked.content) or None in texts:
        raise NotKeptError("not words alone")
    return Message(role=asked.role, content="\n".join(text for text in texts if text))


def _is_any(tool_calls: msgspec.Raw) -> bool:
    return bytes(tool_calls) not in (b"", b"null", b"[]")


def _whole(answer: Sequence[bytes]) -> str:
    found = decoded(b"".join(answer), _Answer)
    first = found.choices[0] if found is not None and found.choices else _Choice()
    if first.message is None:
        raise NotKeptError("not understood")
    return _checked(first.message, (first.message.content or "",), first.finish_reason)


def _streamed(answer: Sequence[bytes]) -> str:
    """The first choice's words, piece by piece."""
    words: list[str] = []
    said, finish = _Said(), None
    for event in answer:
        data = event.strip()
        if data == DONE or not data.startswith(b"data:"):
            continue
        chunk = decoded(data.removeprefix(b"data:").strip(), _Answer)
        if chunk is None:
            raise NotKeptError("not understood")
        for choice in chunk.choices:
            if choice.index != 0:
                continue
            finish = choice.finish_reason or finish
            delta = choice.delta or _Said()
            words.append(delta.content or "")
            said.refusal = said.refusal or delta.refusal
            said.tool_calls = delta.tool_calls if _is_any(delta.tool_calls) else said.tool_calls
    return _checked(said, words, finish)


def _checked(said: _Said, words: Sequence[str], finish: str | None) -> str:
    if said.refusal or _is_any(said.tool_calls):
        raise NotKeptError("not words alone")
    if finish != _FINISHED:
        raise NotKeptError("cut off")
    answer = "".join(words)
    if not answer.strip():
        raise NotKeptError("not words alone")
    return answer


def _id(text: str | None, why: str) -> str | None:
    if not text:
        return None
    if not is_valid_id(text):
        raise NotKeptError(why)
    return text
