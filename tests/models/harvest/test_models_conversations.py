"""Conversations: read from bodies and answers, whole or in pieces, words alone."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.models_vendor import chat_reply, stream_reply

from inhouse.models.harvest.conversations import (
    Conversation,
    Message,
    NotKeptError,
    is_task_name,
    read_conversation,
)
from inhouse.models.providers.passing import About, Events, read_call

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]


def _read(body: dict[str, Any], *answer: bytes, about: About | None = None) -> Conversation:
    call = read_call("chat", json.dumps({"model": "m", **body}).encode(), "key_1")
    return read_conversation(call.fields, about or About(), answer, streamed=call.stream)


def _streamed(*words: str, **choice: Any) -> list[bytes]:
    pieces = list(stream_reply(*words).pieces)
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", **choice}]}
    return [*pieces[:-2], f"data: {json.dumps(end)}\n\n".encode(), *pieces[-2:]]


def test_a_whole_answer_is_read() -> None:
    """Messages, answer, and what the caller says of itself in the body."""
    body = {
        "messages": HELLO,
        "safety_identifier": "u1",
        "user": "old",
        "metadata": {"inhouse_task": "titles", "inhouse_item": "i7", "other": "x"},
    }
    assert _read(body, chat_reply("hi").body) == Conversation(
        messages=(
            Message(role="system", content="Be brief."),
            Message(role="user", content="hello"),
        ),
        answer="hi",
        task="titles",
        person="u1",
        item="i7",
    )


def test_headers_come_before_the_body() -> None:
    """And a call that names nothing is of the task `chat`, of nobody, about nothing."""
    body = {"messages": HELLO, "metadata": {"inhouse_task": "titles"}}
    named = _read(body, chat_reply("hi").body, about=About(task="topics", item="i1"))
    plain = _read({"messages": HELLO}, chat_reply("hi").body)

    assert (named.task, named.item) == ("topics", "i1")
    assert (plain.task, plain.person, plain.item) == ("chat", None, None)


@given(st.lists(st.text(max_size=5), max_size=10), st.integers(1, 60))
def test_a_stream_says_what_a_whole_answer_says(words: list[str], size: int) -> None:
    """However it is cut into words and pieces."""
    whole, reader, events = b"".join(_streamed("so: ", *words)), Events(), []
    for start in range(0, len(whole), size):
        events += [event.raw for event in reader.feed(whole[start : start + size])]
    found = _read({"messages": HELLO, "stream": True}, *events)

    assert found == _read({"messages": HELLO}, chat_reply("so: " + "".join(words)).body)


def test_parts_of_text_are_text() -> None:
    """As clients send them."""
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    found = _read({"messages": [{"role": "user", "content": parts}]}, chat_reply("hi").body)
    assert found.messages == (Message(role="user", content="one\ntwo"),)


_IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]
_TOOL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"messages": []}, "no question"),
        ({}, "not understood"),
        ({"messages": "hello"}, "not understood"),
        ({"messages": [{"role": "user", "content": 7}]}, "not understood"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "x"}]}, "no question"),
        ({"messages": [{"role": "user", "content": _IMAGE}]}, "not words alone"),
        ({"messages": [*HELLO, _TOOL, HELLO[1]]}, "not words alone"),
        ({"messages": [{"role": "tool", "content": "x"}, HELLO[1]]}, "not words alone"),
        ({"messages": [{"role": "user", "content": "x" * 200_000}]}, "too long"),
        ({"messages": HELLO, "user": "two words"}, "no id for a person"),
        ({"messages": HELLO, "metadata": {"inhouse_task": "two words"}}, "no name for a task"),
        ({"messages": HELLO, "metadata": {"inhouse_item": "🙂"}}, "no id for an item"),
    ],
)
def test_calls_that_teach_nothing(body: dict[str, Any], why: str) -> None:
    """Not understood, not words alone, or not to be told whose they are."""
    with pytest.raises(NotKeptError, match=why):
        _read(body, chat_reply("hi").body)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (chat_reply("hi", choice={"finish_reason": "length"}).body, "cut off"),
        (chat_reply("hi", choice={"finish_reason": "content_filter"}).body, "cut off"),
        (chat_reply(" ").body, "not words alone"),
        (b'{"choices": []}', "not understood"),
        (b"[1]", "not understood"),
        (b"\xff", "not understood"),
    ],
)
def test_answers_that_teach_nothing(answer: bytes, why: str) -> None:
    """Cut off, empty, or not an answer."""
    with pytest.raises(NotKeptError, match=why):
        _read({"messages": HELLO}, answer)


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (_streamed("a", finish_reason="length"), "cut off"),
        (_streamed("a")[:-3], "cut off"),
        (_streamed("a", delta={"tool_calls": [{"index": 0}]}), "not words alone"),
        (_streamed("a", delta={"refusal": "no"}), "not words alone"),
        ([b"data: nonsense\n\n"], "not understood"),
        ([], "cut off"),
    ],
)
def test_streams_that_teach_nothing(events: list[bytes], why: str) -> None:
    """The same of those in pieces."""
    with pytest.raises(NotKeptError, match=why):
        _read({"messages": HELLO, "stream": True}, *events)


def test_what_tells_conversations_apart() -> None:
    """The last question and the answer, not the turns before; and every text can be changed."""
    turns = [*HELLO, {"role": "assistant", "content": "yes?"}, {"role": "user", "content": "why"}]
    found = _read({"messages": turns}, chat_reply("because").body)
    loud = found.map(str.upper)

    assert found.gist() == "why\nbecause"
    assert [one.content for one in loud.messages] == ["BE BRIEF.", "HELLO", "YES?", "WHY"]
    assert loud.answer == "BECAUSE"
    assert [is_task_name(name) for name in ("a", "x" * 64, "x" * 65, "", "a b")] == [
        True,
        True,
        False,
        False,
        False,
    ]
