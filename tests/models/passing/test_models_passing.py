"""Calls passed on: whole and in pieces, what is kept of them, and what vendors' failures do."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.models_vendor import (
    NOW_MS,
    QUICK,
    Reply,
    Vendor,
    chat_reply,
    deployment,
    error_reply,
    filter_reply,
    stream_reply,
)

from inhouse.core.clock import FollowingClock
from inhouse.core.errors import BusyError, InputError, UnknownError, VendorError
from inhouse.models.ledger.keeping import Keeper
from inhouse.models.ledger.rows import Ledger
from inhouse.models.passing.passages import Body, Passage
from inhouse.models.passing.passer import Passer
from inhouse.models.passing.streaming import PassedStream
from inhouse.models.providers.passing import Events, Passed, read_call, read_event, request_to
from inhouse.models.settings import ModelSettings
from inhouse.models.stores import Stores
from inhouse.models.types import Attempt, Deployment, Service, Usage
from inhouse.store.database import Database

ALL: tuple[Service, ...] = ("scores", "chat", "embeddings")
USED = Usage(tokens_in=1_000, tokens_cached=200, tokens_out=50)
HELLO = b'{"model": "main", "messages": [{"role": "user", "content": "hello"}], "seed": 7}'
STREAM = HELLO.replace(b'"seed": 7', b'"stream": true')


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A passer over two deployments of one vendor, `main` and its stand-in `other`."""

    passer: Passer
    vendor: Vendor
    database: Database

    def rows(self) -> list[Attempt]:
        """The whole ledger, once what waits is written."""
        self.database.write(lambda _: None)
        return [attempt for _, attempt in Ledger(self.database).read()]

    def outcomes(self) -> list[tuple[str, str]]:
        """Who was asked, and what became of it."""
        return [(row.deployment, row.outcome) for row in self.rows()]


@asynccontextmanager
async def _bench(
    database: Database, *replies: Any, settings: ModelSettings | None = None, **more: Any
) -> AsyncIterator[Bench]:
    async with Vendor(*replies) as vendor:
        main = deployment(vendor.url, serves=ALL, stand_ins=("other",), **more)
        other = deployment(vendor.url, "other", serves=ALL, model="gpt-4o", key="")
        stores = Stores(database=database, keeper=Keeper(database))
        clock = FollowingClock(NOW_MS)
        passer = Passer([main, other], stores, clock, settings or ModelSettings(), QUICK)
        yield Bench(passer=passer, vendor=vendor, database=database)
        await passer.close()


def _play(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(play())


def _call(body: bytes = HELLO, service: Service = "chat") -> Passed:
    return read_call(service, body, "key_1")


async def _read(found: PassedStream | Body) -> bytes:
    assert isinstance(found, PassedStream)
    try:
        return b"".join([piece async for piece in found.pieces()])
    finally:
        await found.close()


def test_a_call_goes_through_as_it_came(database: Database) -> None:
    """The vendor sees the caller's fields under its own model's name and key; the answer is byte
    for byte the vendor's; the row has whose call it was, tokens and price."""

    async def play() -> None:
        answer = chat_reply("hi")
        async with _bench(database, answer) as bench:
            found = await bench.passer.ask(_call())
            (row,) = bench.rows()

            assert found == Body(status=200, body=answer.body, deployment="main")
            assert bench.vendor.asked == [{**json.loads(HELLO), "model": "gpt-4o-mini"}]
            assert bench.vendor.paths == ["/v1/chat/completions"]
            assert bench.vendor.headers[0]["Authorization"] == "Bearer sk-secret"
            assert (row.task, row.role, row.outcome, row.key_id) == (
                "chat",
                "primary",
                "ok",
                "key_1",
            )
            assert (row.inputs, row.answered, row.usage) == (1, 1, USED)
            assert row.cost_usd == Decimal("0.000165")

    _play(play)


def test_tokens_are_kept_by_kind(database: Database) -> None:
    """Reasoning and audio are told apart; sound is priced by the list, and under a contract that
    names no price for it the cost is unknown."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 80,
        "prompt_tokens_details": {"cached_tokens": 10, "audio_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 5},
    }

    async def play() -> None:
        async with _bench(database, chat_reply("hi", usage=usage)) as bench:
            await bench.passer.ask(_call())
            (row,) = bench.rows()
            assert row.usage == Usage(
                tokens_in=100,
                tokens_cached=10,
                tokens_out=80,
                tokens_reasoning=20,
                tokens_audio_in=30,
                tokens_audio_out=5,
            )

    _play(play)


def test_an_embedding_goes_to_its_own_address(database: Database) -> None:
    """By the name of the model too; a deployment that does not serve it is not known for it."""

    async def play() -> None:
        reply = Reply(body=b'{"data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}}')
        async with _bench(database, reply) as bench:
            body = b'{"model": "gpt-4o", "input": "x"}'
            found = await bench.passer.ask(_call(body, "embeddings"))
            (row,) = bench.rows()

            assert (found.status, found.deployment) == (200, "other")
            assert bench.vendor.paths == ["/v1/embeddings"]
            assert "Authorization" not in bench.vendor.headers[0]
            assert (row.task, row.usage) == ("embeddings", Usage(tokens_in=8))
            with pytest.raises(
                UnknownError, match="no model 'gpt-9' here for chat; known are main,"
            ):
                await bench.passer.ask(_call(b'{"model": "gpt-9"}'))

    _play(play)


def test_a_failing_vendor_is_asked_again_and_then_another(database: Database) -> None:
    """Each attempt is a row; the caller sees one answer, and who gave it."""

    async def play() -> None:
        replies = [error_reply(500), error_reply(429), error_reply(503), chat_reply("hi")]
        async with _bench(database, *replies) as bench:
            found = await bench.passer.ask(_call())

            assert (found.status, found.deployment) == (200, "other")
            assert bench.outcomes() == [
                ("main", "server_error"),
                ("main", "rate_limited"),
                ("main", "server_error"),
                ("other", "ok"),
            ]
            assert [row.role for row in bench.rows()] == ["primary"] * 3 + ["fallback"]
            assert len({row.call_id for row in bench.rows()}) == 1

    _play(play)


def test_a_wrong_call_is_answered_by_the_vendor_itself(database: Database) -> None:
    """A 400 goes to the caller as it is, and to nobody else; a filter's is evidence in the ledger;
    a refused key of ours is tried elsewhere and never shown."""

    async def play() -> None:
        wrong = error_reply(400, code="bad", param="seed")
        replies = [wrong, filter_reply(), error_reply(401), chat_reply("hi")]
        async with _bench(database, *replies) as bench:
            refused = await bench.passer.ask(_call())
            filtered = await bench.passer.ask(_call())
            answered = await bench.passer.ask(_call())

            assert (refused.status, refused.body) == (400, wrong.body)
            assert (filtered.status, filtered.body) == (400, filter_reply().body)
            assert answered.status == 200
            assert bench.outcomes() == [
                ("main", "refused"),
                ("main", "content_filter"),
                ("main", "denied"),
                ("other", "ok"),
            ]

    _play(play)


def test_nobody_answers(database: Database) -> None:
    """Full vendors are told apart from failing ones, with the wish to wait; a broken deployment is
    left alone from then on."""

    async def play() -> None:
        full = error_reply(429, {"retry-after": "7"})
        async with _bench(database, full, full, settings=ModelSettings(deadline_ms=2_000)) as bench:
            with pytest.raises(BusyError, match="all of main, other are full") as busy:
                await bench.passer.ask(_call())
            assert busy.value.retry_after_s == 7

        async with _bench(database, *[error_reply(500)] * 20) as bench:
            with pytest.raises(VendorError, match="'main': main, other: server_error"):
                await bench.passer.ask(_call())
            with pytest.raises(VendorError):
                await bench.passer.ask(_call())
            asked = len(bench.vendor.asked)
            with pytest.raises(VendorError, match="not asked, for they failed just now"):
                await bench.passer.ask(_call())
            assert len(bench.vendor.asked) == asked

    _play(play)


def test_a_stream_goes_through_piece_by_piece(database: Database) -> None:
    """Byte for byte, but for the usage that the caller did not ask for; the row has it."""

    async def play() -> None:
        reply = stream_reply("one ", "two")
        async with _bench(database, reply, reply) as bench:
            told = await _read(await bench.passer.open(_call(STREAM)))
            wanting = STREAM[:-1] + b', "stream_options": {"include_usage": true}}'
            with_usage = await _read(await bench.passer.open(_call(wanting)))

            assert told == b"".join((*reply.pieces[:2], reply.pieces[3]))
            assert with_usage == b"".join(reply.pieces)
            assert [a["stream_options"] for a in bench.vendor.asked] == [
                {"include_usage": True}
            ] * 2
            assert [(row.outcome, row.usage) for row in bench.rows()] == [("ok", USED)] * 2

    _play(play)


@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        (error_reply(500), "server_error"),
        (Reply(pieces=(b'data: {"error": {"message": "no"}}\n\n',)), "bad_answer"),
        (Reply(pieces=(b"data: half",), cut=True), "unreachable"),
        (Reply(body=b""), "bad_answer"),
    ],
)
def test_before_the_first_piece_another_is_asked(
    database: Database, first: Reply, outcome: str
) -> None:
    """The caller sees nothing of the attempts that failed."""

    async def play() -> None:
        async with _bench(database, first, first, first, stream_reply("hi")) as bench:
            told = await _read(await bench.passer.open(_call(STREAM)))

            assert told.endswith(b"data: [DONE]\n\n")
            assert bench.outcomes() == [("main", outcome)] * 3 + [("other", "ok")]

    _play(play)


def test_after_the_first_piece_nobody_else_is_asked(database: Database) -> None:
    """A stream that breaks off is an error, its row says so, and what it cost is unknown."""

    async def play() -> None:
        cut = replace(stream_reply("one "), cut=True)
        async with _bench(database, replace(cut, pieces=cut.pieces[:1])) as bench:
            found = await bench.passer.open(_call(STREAM))
            with pytest.raises(VendorError, match="the answer of main broke off before its end"):
                await _read(found)
            (row,) = bench.rows()

            assert (row.outcome, row.usage, row.cost_usd) == ("broken", None, None)
            assert len(bench.vendor.asked) == 1

    _play(play)


def test_who_leaves_takes_the_call_along(database: Database) -> None:
    """Before the answer and in the middle of a stream that goes on for long: the vendor is let go,
    and the row has an estimate instead of a cost, by the bytes sent and the pieces that came."""

    async def play() -> None:
        slow = stream_reply(*("word " for _ in range(200)), pause_s=0.02)
        bounds = ModelSettings(drain_ms=200)
        async with _bench(database, Reply(delay_s=9.0), slow, settings=bounds) as bench:
            asking = asyncio.create_task(bench.passer.ask(_call()))
            await bench.vendor.arrived.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            found = await bench.passer.open(_call(STREAM))
            assert isinstance(found, PassedStream)
            async for _ in found.pieces():
                break
            await found.close()
            await asyncio.wait_for(bench.vendor.left.wait(), 5)
            before, streamed = bench.rows()

            assert bench.vendor.sent < 100
            assert [(row.outcome, row.cost_usd, row.usage) for row in (before, streamed)] == [
                ("aborted", None, None)
            ] * 2
            assert before.estimate_usd == -(-len(HELLO) // 4) * Decimal("0.15") / 1_000_000
            assert streamed.estimate_usd is not None
            words = (streamed.estimate_usd - before.estimate_usd) / Decimal("0.0000006")
            assert 2 <= words <= bench.vendor.sent + 2

    _play(play)


def test_a_stream_whose_caller_left_is_heard_to_its_end(database: Database) -> None:
    """The usage comes a moment later and with it the cost; nothing waits for it but the row. Where
    the process stops before, the row is kept all the same."""

    async def play() -> None:
        reply = stream_reply(*("word " for _ in range(10)), pause_s=0.02)
        async with _bench(database, reply, reply) as bench:
            for _ in range(2):
                found = await bench.passer.open(_call(STREAM))
                assert isinstance(found, PassedStream)
                reading = asyncio.create_task(_read(found))
                await asyncio.sleep(0.05)
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
                if not bench.rows():
                    await asyncio.sleep(0.5)
            await bench.passer.close()
            heard, stopped = bench.rows()

            assert (heard.outcome, heard.answered, heard.usage) == ("aborted", 0, USED)
            assert (heard.cost_usd, heard.estimate_usd) == (Decimal("0.000165"), None)
            assert (stopped.outcome, stopped.usage, stopped.cost_usd) == ("aborted", None, None)
            assert stopped.estimate_usd is not None

    _play(play)


def test_an_answer_nobody_waits_for_is_paid_and_not_asked_again(database: Database) -> None:
    """The caller has left: what comes all the same has its cost, a failure is not tried again."""

    async def play() -> None:
        async with _bench(database, chat_reply("hi"), error_reply(500)) as bench:
            gone = _call()
            gone.caller.left = True
            # What is under way when they leave.
            passage = Passage(
                call_id="c",
                call=gone,
                task="chat",
                deployment=deployment(bench.vendor.url),
                role="primary",
                started=0.0,
                timeout_ms=5_000,
            )
            await bench.passer._whole(passage)
            with pytest.raises(VendorError, match="not asked"):
                await bench.passer.ask(gone)
            (row,) = bench.rows()

            assert (row.outcome, row.answered, row.cost_usd) == ("aborted", 0, Decimal("0.000165"))
            assert len(bench.vendor.asked) == 1

    _play(play)


def test_one_deadline_bounds_all_attempts(database: Database) -> None:
    """A vendor that hangs is left for the other in time, and a hanging other ends the call."""
    settings = ModelSettings(timeout_ms=200, deadline_ms=600)

    async def play() -> None:
        async with _bench(database, *[Reply(delay_s=9.0)] * 9, settings=settings) as bench:
            started = asyncio.get_running_loop().time()
            with pytest.raises(VendorError, match="timeout"):
                await bench.passer.ask(_call())

            assert asyncio.get_running_loop().time() - started < 1.0
            assert {outcome for _, outcome in bench.outcomes()} == {"timeout"}
            assert {name for name, _ in bench.outcomes()} == {"main", "other"}

    _play(play)


def test_azure_is_asked_in_its_own_way(tmp_path: Path) -> None:
    """Its addresses and header; fields that a model refuses are left out."""

    def request(**more: Any) -> tuple[str, str, dict[str, Any]]:
        given: Deployment = deployment("https://r.openai.azure.com", dialect="azure", **more)
        made = request_to(given, _call())
        return made.url, made.headers["api-key"], json.loads(made.body)

    url, key, body = request(api_version="2024-10-21", model="my model", omit=("seed",))
    v1, _, _ = request()

    assert url == (
        "https://r.openai.azure.com/openai/deployments/my%20model/chat/completions"
        "?api-version=2024-10-21"
    )
    assert v1 == "https://r.openai.azure.com/openai/v1/chat/completions"
    assert (key, body["model"]) == ("sk-secret", "my model")
    assert "seed" not in body


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"model": 3}', b"{}", b'{"model": "m"', b"\xff"])
def test_a_body_without_a_model_is_refused(body: bytes) -> None:
    """Whatever it is, it is told as an error of the caller."""
    with pytest.raises(InputError, match="expected JSON with a `model`"):
        read_call("chat", body, "key_1")


@given(st.lists(st.integers(1, 40), max_size=30), st.sampled_from([b"\n\n", b"\r\n\r\n"]))
def test_a_stream_is_cut_into_the_same_events_however_it_comes(
    sizes: list[int], joint: bytes
) -> None:
    """Nothing is lost, doubled or changed, wherever the pieces end."""
    events = [b"data: " + json.dumps({"n": n}).encode() + joint for n in range(20)]
    whole, reader, found = b"".join(events), Events(), []
    for size in (*sizes, len(whole)):
        piece, whole = whole[:size], whole[size:]
        found += [event.raw for event in reader.feed(piece)]

    assert found == events


def test_a_text_that_speaks_of_usage_is_a_text() -> None:
    """Only the vendor's own field is read; an event without end is refused."""
    said = json.dumps({"choices": [{"delta": {"content": '{"usage": {"prompt_tokens": 9}}'}}]})

    assert read_event(f"data: {said}\n\n".encode()).usage is None
    assert read_event(b'data: {"choices": [], "usage": null}\n\n').only_usage is False
    with pytest.raises(ValueError, match="without end"):
        list(Events().feed(b"x" * 5_000_000))
