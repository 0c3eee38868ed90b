"""Chats judged by an owned model before they are passed on, both ways."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.models_texts import register, small_model
from tests.models.models_vendor import (
    NOW_MS,
    QUICK,
    Reply,
    Vendor,
    chat_reply,
    deployment,
    stream_reply,
)

from inhouse.core.clock import FollowingClock
from inhouse.core.errors import VendorError
from inhouse.models.asking.fleet import Fleet
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.ledger.keeping import Keeper
from inhouse.models.ledger.rows import Ledger
from inhouse.models.owned.registry import Registry
from inhouse.models.owned.text import TextClassifier
from inhouse.models.passing.guard import HELD_CHARS, Guard
from inhouse.models.passing.passages import Body
from inhouse.models.passing.passer import Passer
from inhouse.models.passing.streaming import PassedStream
from inhouse.models.providers.generation import asked_texts, windows
from inhouse.models.providers.passing import read_call
from inhouse.models.settings import ModelSettings
from inhouse.models.stores import Stores
from inhouse.models.types import Route
from inhouse.store.database import Database

BAD = "all zarps stink"
GOOD = "a walk by the river"


@pytest.fixture(scope="module")
def model() -> TextClassifier:
    """Knows hate and spam."""
    return small_model()


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A passer whose deployment is judged."""

    passer: Passer
    guard: Guard
    vendor: Vendor
    database: Database

    async def ask(self, text: object, *, stream: bool = False) -> Body | PassedStream:
        messages = [
            {"role": "system", "content": f"never say {BAD}"},
            {"role": "user", "content": text},
        ]
        body = json.dumps({"model": "main", "messages": messages, "stream": stream}).encode()
        call = read_call("chat", body, "key_1")
        return await (self.passer.open(call) if stream else self.passer.ask(call))

    def rows(self) -> list[tuple[str, str, str, Decimal | None]]:
        """Task, host, outcome and cost of every attempt."""
        self.database.write(lambda _: None)
        rows = [row for _, row in Ledger(self.database).read()]
        return [(row.task, row.host, row.outcome, row.cost_usd) for row in rows]


@asynccontextmanager
async def _bench(
    database: Database, folder: Path, model: TextClassifier | None, *replies: Reply
) -> AsyncIterator[Bench]:
    registry, routes = Registry(database, folder), Routes(database, ("main",))
    if model is not None:
        register(registry, model, "text_harm-1")
        route = Route(task="text_harm", stage="shadow", primary="main", owned="text_harm-1")
        routes.set(RouteChange(route=route, at_ms=1, decided_by="cutover", reason="test"))
    async with Vendor(*replies) as vendor:
        main = deployment(vendor.url, serves=("chat",), moderate="text_harm")
        stores = Stores(database=database, keeper=Keeper(database))
        clock = FollowingClock(NOW_MS)
        passer = Passer([main], stores, clock, ModelSettings(), QUICK)
        guard = passer.guard = Guard(Fleet([], registry), routes, stores, clock, 0.5)
        try:
            yield Bench(passer=passer, guard=guard, vendor=vendor, database=database)
        finally:
            await passer.close()


def _play(
    database: Database,
    folder: Path,
    model: TextClassifier | None,
    play: Callable[[Bench], Awaitable[None]],
    *replies: Reply,
) -> None:
    async def whole() -> None:
        async with _bench(database, folder, model, *replies) as bench:
            await play(bench)

    asyncio.run(whole())


def _choice(body: bytes) -> Mapping[str, Any]:
    choice: Mapping[str, Any] = json.loads(body)["choices"][0]
    return choice


def test_harmless_chats_come_through_as_they_are(
    database: Database, tmp_path: Path, model: TextClassifier
) -> None:
    """The answer is the vendor's byte for byte; what the app itself says is not held against the
    caller; each judgement is a row."""
    answer = chat_reply(GOOD)

    async def play(bench: Bench) -> None:
        found = await bench.ask(GOOD)

        assert found == Body(status=200, body=answer.body, deployment="main")
        judged = ("text_harm", "inhouse", "ok", Decimal(0))
        assert bench.rows() == [judged, ("chat", "openai", "ok", Decimal("0.000165")), judged]

    _play(database, tmp_path, model, play, answer)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        BAD,
        [{"type": "text", "text": GOOD}, {"type": "text", "text": BAD}],
        f"{GOOD} " * 300 + f"{BAD} " * 20,
    ],
)
def test_a_harmful_prompt_is_never_sent(
    database: Database, tmp_path: Path, model: TextClassifier, stream: bool, text: object
) -> None:
    """It is answered with OpenAI's and Azure's 400, wherever the harm stands; the vendor sees
    nothing and is paid nothing; the call is on record and counted."""

    async def play(bench: Bench) -> None:
        found = await bench.ask(text, stream=stream)

        assert isinstance(found, Body)
        error = json.loads(found.body)["error"]
        assert (found.status, error["code"], error["param"]) == (400, "content_filter", "prompt")
        assert error["innererror"]["content_filter_result"]["hate"]["filtered"] is True
        assert bench.vendor.asked == []
        assert bench.rows()[-1] == ("chat", "inhouse", "content_filter", Decimal(0))
        assert bench.guard.blocked == {"prompt": 1}

    _play(database, tmp_path, model, play)


def test_a_harmful_answer_is_not_told(
    database: Database, tmp_path: Path, model: TextClassifier
) -> None:
    """The choice ends with `content_filter` and without content; the vendor was paid."""

    async def play(bench: Bench) -> None:
        found = await bench.ask(GOOD)

        assert isinstance(found, Body)
        assert BAD.encode() not in found.body
        choice = _choice(found.body)
        assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", None)
        assert json.loads(found.body)["usage"]["prompt_tokens"] == 1_000
        assert [row[:3] for row in bench.rows()] == [
            ("text_harm", "inhouse", "ok"),
            ("chat", "openai", "ok"),
            ("text_harm", "inhouse", "ok"),
            ("chat", "inhouse", "content_filter"),
        ]
        assert bench.guard.blocked == {"answer": 1}

    _play(database, tmp_path, model, play, chat_reply(f"I say: {BAD}"))


async def _said(stream: Body | PassedStream) -> list[bytes]:
    assert isinstance(stream, PassedStream)
    try:
        return [piece async for piece in stream.pieces()]
    finally:
        await stream.close()


def test_a_harmless_stream_waits_a_little(
    database: Database, tmp_path: Path, model: TextClassifier
) -> None:
    """All of it comes, byte for byte, and before the end has come all that is older than the stated
    number of characters."""
    words = [f"{GOOD} " for _ in range(40)]
    reply = stream_reply(*words, usage=None)

    async def play(bench: Bench) -> None:
        assert await _said(await bench.ask(GOOD, stream=True)) == list(reply.pieces)
        stream = await bench.ask(GOOD, stream=True)
        assert isinstance(stream, PassedStream)
        async for _ in stream.pieces():
            break
        assert bench.vendor.sent - len(words) - 1 <= HELD_CHARS // len(words[0]) + 2
        await stream.close()

    _play(database, tmp_path, model, play, reply, replace(reply, pause_s=0.02))


def test_a_stream_that_turns_harmful_ends(
    database: Database, tmp_path: Path, model: TextClassifier
) -> None:
    """Not a word of the harm is told, though it comes in pieces across a window's edge; the stream
    ends with `content_filter` and [DONE]."""
    words = [f"{GOOD} " for _ in range(15)] + [f"{word} " for word in BAD.split()] * 3

    async def play(bench: Bench) -> None:
        pieces = await _said(await bench.ask(GOOD, stream=True))
        told = b"".join(pieces)

        assert b"zarps" not in told
        assert told.count(GOOD.encode()) >= HELD_CHARS // len(GOOD) - 1
        *_, end, done = told.strip().split(b"\n\n")
        assert _choice(end.removeprefix(b"data: "))["finish_reason"] == "content_filter"
        assert done == b"data: [DONE]"
        assert bench.guard.blocked == {"answer": 1}
        assert {row[:3] for row in bench.rows()} >= {
            ("chat", "inhouse", "content_filter"),
            ("chat", "openai", "aborted"),
        }

    _play(database, tmp_path, model, play, stream_reply(*words))


def test_without_a_judge_nothing_goes_through(database: Database, tmp_path: Path) -> None:
    """A deployment that is to be judged is not asked while there is no owned model."""

    async def play(bench: Bench) -> None:
        with pytest.raises(VendorError, match="train one with `inhouse models train text_harm`"):
            await bench.ask(GOOD)
        assert bench.vendor.asked == []

    _play(database, tmp_path, None, play)


@given(st.text(max_size=5_000))
def test_windows_leave_nothing_out(text: str) -> None:
    """Together they are the text, and each begins within the one before."""
    found = list(windows(text))
    whole = found[0] + "".join(part[100:] for part in found[1:])

    assert whole == text
    assert max(map(len, found)) <= 300


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ("[]", []),
        ('"words"', []),
        ('[{"role":"user","content":"\u202e\U0001f600"}]', ["\u202e\U0001f600"]),
        ('[{"role":"tool","content":"a","tool_call_id":"c"}]', ["a", "c"]),
        ('[{"role":"assistant","content":"a"},{"content":["b",7,null]}]', ["b"]),
        ('[{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]', []),
    ],
)
def test_whose_words_are_judged(messages: str, expected: list[str]) -> None:
    """What people and tools say, in whatever shape; not what the app says, and no pictures."""
    body = f'{{"model": "m", "messages": {messages}}}'.encode()
    assert asked_texts(read_call("chat", body, "k").fields) == expected
