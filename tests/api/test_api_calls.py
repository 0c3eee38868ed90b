"""Chat, embeddings and models through the gateway, by the official client against a server that
runs, with a vendor of the tests behind it."""

import asyncio
import json
import os
import socket
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion
from starlette.testclient import TestClient
from tests.api.calls_world import HELLO, VENDORS, WHOLE, metrics_of, rows_of, through
from tests.api.wire_world import ROLES
from tests.models.models_texts import register, small_model
from tests.models.models_vendor import Reply, Vendor, chat_reply, error_reply, stream_reply

from inhouse.app.build import Services, open_services
from inhouse.app.settings import load_settings
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.harvest.pairs import Pairs
from inhouse.models.ledger.bill import Saved, bill
from inhouse.models.ledger.rows import Ledger
from inhouse.models.types import Route

_MODULES = {"api": "inhouse.api", "gateway": "inhouse.api.gateway"}


@pytest.fixture(autouse=True, params=ROLES)
def role(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which role answers: what holds of one holds of the other."""
    monkeypatch.setenv("TESTED_ROLE", request.param)
    return str(request.param)


def test_a_chat_by_the_official_client(services: Services) -> None:
    """The answer is the vendor's, the row names the key, and the caller's key never leaves."""

    async def play(client: Any, vendor: Any) -> None:
        raw = await client.chat.completions.with_raw_response.create(model="main", messages=HELLO)
        found: ChatCompletion = raw.parse()

        assert found.choices[0].message.content == "hi"
        assert found.usage is not None
        assert raw.headers["x-inhouse-deployment"] == "main"
        assert vendor.asked[0]["model"] == "gpt-4o-mini"
        assert "inh_" not in json.dumps([dict(headers) for headers in vendor.headers])

    through(services, play, chat_reply("hi", **WHOLE))
    assert rows_of(services) == [("chat", "main", "ok")]
    ((_, row),) = Ledger(services.database).read()
    assert row.key_id == services.keys.list()[0].key_id


def test_calls_are_kept_where_the_key_allows_it(services: Services) -> None:
    """Whole and in pieces, without personal data, under the name of the task and with the terms of
    whoever answered; a stand-in that does not allow it keeps nothing, nor does another key."""
    asked: Any = [{"role": "user", "content": "a title for ann@example.com please"}]
    end: Any = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    streamed = stream_reply("Green ", "tea")
    streamed = replace(
        streamed,
        pieces=(
            *streamed.pieces[:-1],
            f"data: {json.dumps(end)}\n\n".encode(),
            streamed.pieces[-1],
        ),
    )

    async def play(client: Any, vendor: Any) -> None:
        create = client.chat.completions.create
        await create(model="main", messages=asked)  # the key does not allow it yet
        services.keys.keep_calls(services.keys.list()[0].key_id, keep=True)
        await asyncio.sleep(2.1)
        headers = {"x-inhouse-task": "titles", "x-inhouse-item": "i7"}
        await create(model="main", messages=asked, extra_headers=headers, user="u1")
        stream = await create(
            model="main",
            messages=HELLO,
            stream=True,
            safety_identifier="u2",
            metadata={"inhouse_task": "greetings"},
        )
        assert [chunk async for chunk in stream][-1].choices[0].finish_reason == "stop"
        await create(model="other", messages=asked)
        with pytest.raises(openai.BadRequestError, match="x-inhouse-task: got 'two words'"):
            await create(
                model="main", messages=asked, extra_headers={"x-inhouse-task": "two words"}
            )

    through(services, play, chat_reply("no"), chat_reply("Tea"), streamed, chat_reply("no"))
    services.call_harvest.close()
    (title,), (greeting,) = (
        Pairs(services.database).latest(task, 9) for task in ("titles", "greetings")
    )

    assert Pairs(services.database).counts() == {"greetings": 1, "titles": 1}
    assert [one.content for one in title.messages] == ["a title for [email] please"]
    assert (title.answer, title.person, title.ref) == ("Tea", "u1", "i7")
    assert (greeting.answer, greeting.person, greeting.ref) == ("Green tea", "u2", None)
    assert {one.terms for one in (title, greeting)} == {"openai-2026-01-01"}
    calls = {attempt.call_id for _, attempt in Ledger(services.database).read()}
    assert {title.call_id, greeting.call_id} < calls


def test_a_stream_by_the_official_client(services: Services) -> None:
    """Each word comes as it is said, not at the end; usage only for whoever asks for it."""

    async def play(client: Any, vendor: Any) -> None:
        said, sent = [], []
        stream = await client.chat.completions.create(model="main", messages=HELLO, stream=True)
        async for chunk in stream:
            assert chunk.choices
            said.append(chunk.choices[0].delta.content)
            sent.append(vendor.sent)
        wanted = await client.chat.completions.create(
            model="main", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in wanted]

        assert said == ["one ", "two ", "three"]
        assert sent[0] < 3
        assert chunks[-1].usage.prompt_tokens == 1_000

    slow = stream_reply("one ", "two ", "three", pause_s=0.1)
    through(services, play, slow, replace(slow, pause_s=0.0))
    assert rows_of(services) == [("chat", "main", "ok")] * 2


def test_a_broken_stream_is_an_error_of_its_own(services: Services) -> None:
    """What was said is there, then the client raises; nobody else was asked."""

    async def play(client: Any, vendor: Any) -> None:
        said = []
        stream = await client.chat.completions.create(model="main", messages=HELLO, stream=True)

        async def listen() -> None:
            async for chunk in stream:
                said.append(chunk.choices[0].delta.content)

        with pytest.raises(openai.APIError, match="broke off before its end"):
            await listen()
        assert said == ["one "]

    broken = replace(stream_reply("one "), pieces=stream_reply("one ").pieces[:1], cut=True)
    through(services, play, broken)
    assert rows_of(services) == [("chat", "main", "broken")]


def test_before_the_first_word_a_stand_in_answers(services: Services) -> None:
    """A stream whose vendor fails at once comes from the other one."""

    async def play(client: Any, vendor: Any) -> None:
        raw = await client.chat.completions.with_raw_response.create(
            model="main", messages=HELLO, stream=True
        )
        said = [chunk.choices[0].delta.content async for chunk in raw.parse()]

        assert raw.headers["x-inhouse-deployment"] == "other"
        assert said == ["hi"]

    through(services, play, error_reply(401), stream_reply("hi"))
    assert rows_of(services) == [("chat", "main", "denied"), ("chat", "other", "ok")]


def test_chats_that_are_judged(services: Services) -> None:
    """A harmful prompt is the client's own error and never sent, a harmful answer has no words and
    says why, a stream stops before the harm; metrics count them."""
    register(services.registry, small_model(), "text_harm-1")
    route = Route(task="text_harm", stage="owned", primary="main", owned="text_harm-1")
    change = RouteChange(route=route, at_ms=1, decided_by="cutover", reason="test")
    Routes(services.database, ("main",)).set(change)
    bad: Any = [{"role": "user", "content": "all zarps stink"}]

    async def play(client: Any, vendor: Any) -> None:
        create = client.chat.completions.create
        with pytest.raises(openai.BadRequestError) as refused:
            await create(model="main", messages=bad)
        assert (refused.value.code, vendor.asked) == ("content_filter", [])
        answer = await create(model="main", messages=HELLO)
        choice = answer.choices[0]
        assert (choice.finish_reason, choice.message.content) == ("content_filter", None)
        chunks = [c async for c in await create(model="main", messages=HELLO, stream=True)]
        assert "zarps" not in "".join(c.choices[0].delta.content or "" for c in chunks)
        assert chunks[-1].choices[0].finish_reason == "content_filter"
        metrics = await metrics_of(client)
        for fact, count in (("prompts_blocked", 1.0), ("answers_blocked", 2.0)):
            assert f'inhouse_state{{fact="{fact}"}} {count}' in metrics

    said = [f"{word} " for word in ["all", "zarps", "stink"]]
    judged = VENDORS.replace("stand_ins", 'moderate = "text_harm"\nstand_ins', 1)
    through(
        services,
        play,
        chat_reply("all zarps stink", **WHOLE),
        stream_reply(*said),
        vendors=judged,
    )


def test_who_hangs_up_takes_the_call_along(services: Services) -> None:
    """Before the answer and in the middle of a stream the vendor notices; places are free again."""

    async def play(client: Any, vendor: Any) -> None:
        asking = asyncio.create_task(client.chat.completions.create(model="main", messages=HELLO))
        await vendor.arrived.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        stream = await client.chat.completions.create(model="main", messages=HELLO, stream=True)
        async for _ in stream:
            break
        await stream.close()
        await asyncio.wait_for(vendor.left.wait(), 5)
        while len(rows_of(services)) < 2:
            await asyncio.sleep(0.02)

    words = stream_reply(*("word " for _ in range(200)), pause_s=0.05)
    through(services, play, Reply(delay_s=9.0), words)
    assert rows_of(services) == [("chat", "main", "aborted")] * 2


def test_what_a_caller_leaves_behind_is_paid(services: Services) -> None:
    """Both answers come a moment after their caller has left: their cost is known all the same, no
    failure is tried again for nobody, and neither is counted as answered."""

    async def play(client: Any, vendor: Any) -> None:
        asking = asyncio.create_task(client.chat.completions.create(model="main", messages=HELLO))
        await vendor.arrived.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        stream = await client.chat.completions.create(model="main", messages=HELLO, stream=True)
        async for _ in stream:
            break
        await stream.close()
        while len(rows_of(services)) < 2:
            await asyncio.sleep(0.02)

    words = stream_reply(*("word " for _ in range(10)), pause_s=0.05)
    through(services, play, replace(chat_reply("hi", **WHOLE), delay_s=0.5), words)
    rows = [attempt for _, attempt in Ledger(services.database).read()]
    assert [(row.outcome, row.answered, row.cost_usd) for row in rows] == [
        ("aborted", 0, Decimal("0.000165"))
    ] * 2


def test_embeddings_and_models_by_the_official_client(services: Services) -> None:
    """Vectors come through in the form the client asks for; models are those that can be named."""
    body = {
        "object": "list",
        "model": "gpt-4o-mini",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }

    async def play(client: Any, vendor: Any) -> None:
        told = await client.embeddings.create(model="main", input="hello", encoding_format="float")
        models = await client.models.list()
        one = await client.models.retrieve("other")

        assert told.data[0].embedding == [0.5, 0.25]
        assert [(model.id, model.owned_by) for model in models.data] == [
            ("main", "openai"),
            ("other", "openai"),
            ("text_harm", "inhouse"),
        ]
        assert one.object == "model"
        for model in ("other", "nobody"):
            with pytest.raises(openai.NotFoundError) as unknown:
                await client.embeddings.create(model=model, input="hello")
            assert unknown.value.code == "model_not_found"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("nobody")

    through(services, play, Reply(body=json.dumps(body).encode()))
    assert rows_of(services) == [("embeddings", "main", "ok")]


def test_vendors_failures_are_the_exceptions_it_knows(services: Services) -> None:
    """The vendor's own refusal as it is; nobody there is 502; a full vendor 429 with its wish."""

    async def play(client: Any, vendor: Any) -> None:
        with pytest.raises(openai.BadRequestError) as wrong:
            await client.chat.completions.create(model="main", messages=HELLO)
        with pytest.raises(openai.InternalServerError) as nobody:
            await client.chat.completions.create(model="main", messages=HELLO)
        with pytest.raises(openai.RateLimitError) as full:
            await client.chat.completions.create(model="other", messages=HELLO)

        assert (wrong.value.code, wrong.value.param) == ("too_long", "messages")
        assert (nobody.value.status_code, nobody.value.code) == (502, "vendor_failed")
        assert full.value.response.headers["retry-after"] == "90"

    refusal = error_reply(400, code="too_long", param="messages", type="invalid_request_error")
    full = error_reply(429, {"retry-after": "90"})
    through(services, play, refusal, error_reply(403), error_reply(403), full)


def test_a_spent_budget_is_the_exception_it_knows(services: Services) -> None:
    """The first call fits, the next one does not: no vendor is asked, and the code is theirs."""

    async def play(client: Any, vendor: Any) -> None:
        services.budgets.set(services.keys.list()[0].key_id, Decimal("0.0007"), "month")
        asked = {"model": "main", "messages": HELLO, "max_completion_tokens": 1_000}
        await client.chat.completions.create(**asked)
        with pytest.raises(openai.RateLimitError, match=r"left of 0\.0007 a month") as spent:
            await client.chat.completions.create(**asked)

        assert (spent.value.code, spent.value.type) == ("insufficient_quota",) * 2
        assert len(vendor.asked) == 1

    through(services, play, chat_reply("hi", **WHOLE))


def test_a_rate_limit_is_the_exception_it_knows(services: Services) -> None:
    """Two calls a minute: the third is told when to come back, every answer how the key stands, and
    no vendor is asked; one in a stream too."""

    async def play(client: Any, vendor: Any) -> None:
        services.limits.set(services.keys.list()[0].key_id, 2, 1_000_000)
        raw = client.chat.completions.with_raw_response
        first = await raw.create(model="main", messages=HELLO)
        second = await raw.create(model="main", messages=HELLO, stream=True)
        async for _ in second.parse():
            pass
        with pytest.raises(openai.RateLimitError, match="2 calls a minute and 0 are left") as full:
            await client.chat.completions.create(model="main", messages=HELLO)
        told = full.value.response.headers

        assert [one.headers["x-ratelimit-remaining-requests"] for one in (first, second)] == [
            "1",
            "0",
        ]
        assert first.headers["x-ratelimit-limit-tokens"] == "1000000"
        assert int(second.headers["x-ratelimit-remaining-tokens"]) < 999_000  # 1,050 of the first
        assert full.value.code == "rate_limit_exceeded"
        assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == (
            "2",
            "0",
        )
        assert 55 <= int(told["retry-after"]) <= 61
        assert len(vendor.asked) == 2

    through(services, play, chat_reply("hi", **WHOLE), stream_reply("hi"))


def test_a_kept_answer_costs_nothing(services: Services) -> None:
    """The same call again comes from memory, byte for byte, and says so; the bill knows what was
    saved, and metrics count it."""
    keeping = VENDORS.replace('stand_ins = ["other"]', 'stand_ins = ["other"]\ncache_s = 60')

    async def play(client: Any, vendor: Any) -> None:
        raw = client.chat.completions.with_raw_response
        asked = {"model": "main", "messages": HELLO, "temperature": 0}
        found = [await raw.create(**asked) for _ in range(3)]
        metrics = await metrics_of(client)

        assert [one.headers.get("x-inhouse-cache") for one in found] == [None, "hit", "hit"]
        assert len({one.content for one in found}) == 1
        assert len(vendor.asked) == 1
        assert 'inhouse_model_cache_hits_total{deployment="main"} 2.0' in metrics
        attempts = 'deployment="main",outcome="ok",service="chat"'
        assert f"inhouse_model_attempts_total{{{attempts}}} 1.0" in metrics

    through(services, play, chat_reply("hi", **WHOLE), vendors=keeping)
    found = bill(services.database, 0, 1 << 50)
    assert found.saved == Saved(calls=2, usd=Decimal("0.000330"))
    assert [(line.attempts, line.spend_usd) for line in found.models] == [(3, Decimal("0.000165"))]


def test_a_call_needs_a_key_a_body_and_a_place(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In OpenAI's shape, before anybody is asked; without vendors the message says what to do."""
    path = "/openai/v1/chat/completions"
    _, narrow = services.keys.create("narrow", ["feed"])
    no_model = client.post(path, json={"messages": HELLO})
    unknown = client.post(path, json={"model": "main", "messages": HELLO})
    refused = client.post(path, json={}, headers={"authorization": f"Bearer {narrow}"})
    places = client.app.state.context.house.of_key(None).places  # type: ignore[attr-defined]
    monkeypatch.setattr(places, "_most", 0)
    full = client.post(path, json={"model": "main"})

    assert (no_model.status_code, no_model.json()["error"]["param"]) == (400, "model")
    assert unknown.json()["error"] == {
        "message": "no model 'main' here for chat; known are none: list some in vendors.toml",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "missing_scope")
    assert (full.status_code, full.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert places._taken == 0


@pytest.mark.slow
def test_no_row_is_lost_when_the_server_is_told_to_stop(tmp_path: Path, role: str) -> None:
    """Forty calls from ten callers, answered in moments; SIGTERM at once: forty rows are there."""
    port = _free_port()
    environment = {
        "INHOUSE_STORE_FOLDER": str(tmp_path / "data"),
        "INHOUSE_MODELS_VENDORS": str(tmp_path / "vendors.toml"),
        "INHOUSE_API_PORT": str(port),
        "INHOUSE_API_GATEWAY_PORT": str(port),
    }
    settings = load_settings(environment, tmp_path / "none.toml")
    with open_services(settings) as services:
        _, secret = services.keys.create("app", ["models"])

    async def play() -> None:
        async with Vendor(*[chat_reply("hi", **WHOLE)] * 40) as vendor:
            (tmp_path / "vendors.toml").write_text(VENDORS.format(url=vendor.url))
            server = await asyncio.create_subprocess_exec(
                sys.executable, "-m", _MODULES[role], env={**os.environ, **environment}
            )
            async with openai.AsyncOpenAI(
                base_url=f"http://127.0.0.1:{port}/openai/v1", api_key=secret, max_retries=0
            ) as client:
                while not await _is_up(client):
                    assert server.returncode is None
                    await asyncio.sleep(0.1)

                async def caller() -> None:
                    for _ in range(4):
                        await client.chat.completions.create(model="main", messages=HELLO)

                await asyncio.gather(*(caller() for _ in range(10)))
                server.terminate()
                await asyncio.wait_for(server.wait(), 60)

    asyncio.run(play())
    with open_services(settings) as services:
        assert rows_of(services) == [("chat", "main", "ok")] * 40


async def _is_up(client: openai.AsyncOpenAI) -> bool:
    try:
        await client.models.list()
    except openai.APIConnectionError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
