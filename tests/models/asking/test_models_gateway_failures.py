"""Vendors that fail: who is asked again, who stands in, and what the caller hears."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import structlog
from tests.models.asking.gateway_world import NOWHERE, ask, outcomes_of, put_on_route
from tests.models.models_vendor import (
    QUICK,
    Reply,
    Vendor,
    chat_reply,
    deployment,
    error_reply,
    filter_reply,
    inputs_of,
    scores_for,
    world_of,
)

from inhouse.models.asking.gateway import ask_now
from inhouse.models.asking.resilience import Patience
from inhouse.models.harvest.labels import Labels
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import INHOUSE, Outcome, TaskInput, UnansweredError
from inhouse.store.database import Database


@pytest.mark.parametrize(
    ("replies", "outcomes"),
    [
        ([error_reply(429, {"retry-after-ms": "5"})], ["rate_limited", "ok"]),
        ([error_reply(500), error_reply(503)], ["server_error", "server_error", "ok"]),
        ([Reply(delay_s=5.0)], ["timeout", "ok"]),
        ([chat_reply("sorry"), Reply(body=b"<html>")], ["bad_answer", "bad_answer", "ok"]),
    ],
)
def test_passing_failures_are_asked_again(
    database: Database, tmp_path: Path, replies: list[Reply], outcomes: list[Outcome]
) -> None:
    """429 with a wish, 5xx, silence and nonsense: another try, and a row for each."""
    settings = ModelSettings(timeout_ms=150)

    async def play() -> None:
        async with Vendor(*replies) as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)], settings)
            (answer,) = await ask(world, inputs_of("spam"))
            assert scores_for("spam") == answer.scores
            assert outcomes == outcomes_of(world)
            assert len({row.call_id for row in world.rows()}) == 1

    asyncio.run(play())


def test_only_what_failed_is_asked_again(database: Database, tmp_path: Path) -> None:
    """The texts of the request that was answered are not paid for twice."""

    async def play() -> None:
        async with Vendor(error_reply(500)) as vendor:
            main = deployment(vendor.url, batch=1)
            world = world_of(database, tmp_path, [main], ModelSettings(in_flight=1))
            answers = await ask(world, inputs_of("one", "two"))
            assert [(row.outcome, row.answered) for row in world.rows()] == [
                ("server_error", 0),
                ("ok", 1),
                ("ok", 1),
            ]
            assert [answer.ref for answer in answers] == ["p0", "p1"]

    asyncio.run(play())


def test_of_a_split_request_only_the_failed_part_is_asked_again(
    database: Database, tmp_path: Path
) -> None:
    """A filter forced the texts apart: the one with its evidence is not sent a third time."""

    async def play() -> None:
        replies = [filter_reply(), filter_reply(), error_reply(500)]
        async with Vendor(*replies) as vendor:
            azure = deployment(vendor.url, dialect="azure", host="azure")
            world = world_of(database, tmp_path, [azure])
            answers = await ask(world, inputs_of("vile", "a walk"))
            assert [answer.filtered for answer in answers] == [True, False]
            assert [(row.inputs, row.outcome) for row in world.rows()] == [
                (2, "content_filter"),
                (1, "content_filter"),
                (1, "server_error"),
                (1, "ok"),
            ]
            assert "vile" not in json.dumps(vendor.asked[3])

    asyncio.run(play())


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_not_asked_again(database: Database, tmp_path: Path, status: int) -> None:
    """It would be refused again; with nobody else the caller hears who was asked."""

    async def play() -> None:
        async with Vendor(*[error_reply(status)] * 9) as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            with pytest.raises(UnansweredError) as caught:
                await ask(world, inputs_of("text"))
            assert str(caught.value) == "nobody answered 1 of 1 inputs of text_harm; asked: main"
            assert len(world.rows()) == 1

    asyncio.run(play())


def test_a_dead_vendor_is_stood_in_for(database: Database, tmp_path: Path) -> None:
    """The next vendor answers as a fallback, and every attempt is a row."""

    async def play() -> None:
        async with Vendor() as vendor:
            dead = deployment(NOWHERE, "dead", model="gpt-4o")
            world = world_of(database, tmp_path, [dead, deployment(vendor.url, "spare")])
            (answer,) = await ask(world, inputs_of("spam"))
            assert ("gpt-4o-mini", scores_for("spam")) == (answer.model, answer.scores)
            rows = [(row.deployment, row.role, row.outcome) for row in world.rows()]
            assert rows[-1] == ("spare", "fallback", "ok")
            assert {("dead", "primary", "unreachable")} == set(rows[:-1])
            assert {Decimal(0)} == {row.cost_usd for row in world.rows()[:-1]}

    asyncio.run(play())


def test_a_dead_vendor_is_stood_in_for_by_the_owned_model(
    database: Database, tmp_path: Path
) -> None:
    """It is the last to fall back on, costs no vendor anything and teaches nothing."""

    async def play() -> None:
        world = world_of(database, tmp_path, [deployment(NOWHERE, "dead")])
        put_on_route(world, stage="shadow", shadow_share=1.0)
        answers = await ask(world, inputs_of("cheap pillz now", "a walk by the river"))
        assert [answer.host for answer in answers] == [INHOUSE, INHOUSE]
        assert answers[0].scores["spam"] > 0.5 > answers[1].scores["spam"]
        assert (Decimal(0), "owned", "fallback") == (
            world.rows()[-1].cost_usd,
            world.rows()[-1].price_version,
            world.rows()[-1].role,
        )

    asyncio.run(play())
    assert Labels(database).latest("text_harm", 10) == []


def test_the_breaker_spares_a_dead_vendor(database: Database, tmp_path: Path) -> None:
    """After some failures in a row it is not asked at all any more."""

    async def play() -> None:
        async with Vendor() as vendor:
            dead = deployment(NOWHERE, "dead")
            spare = deployment(vendor.url, "spare")
            settings = ModelSettings(in_flight=1)
            world = world_of(database, tmp_path, [dead, spare], settings)
            for number in range(6):
                await world.gateway.ask(TEXT_HARM, [TaskInput(ref=f"r{number}", text="x")])
            await world.gateway.close()
            asked = [row.deployment for row in world.rows()]
            assert (QUICK.breaker.failures, 6) == (asked.count("dead"), asked.count("spare"))

    asyncio.run(play())


def test_a_full_deployment_is_not_waited_for_where_another_is_free(
    database: Database, tmp_path: Path
) -> None:
    """A 429 with a long wish goes to the fallback at once, and so do those who come after."""

    async def play() -> None:
        async with Vendor(error_reply(429, {"retry-after-ms": "5000"})) as full, Vendor() as free:
            deployments = [deployment(full.url, "full"), deployment(free.url, "free")]
            world = world_of(database, tmp_path, deployments)
            await world.gateway.ask(TEXT_HARM, inputs_of("text"))
            await ask(world, inputs_of("another"))
            assert [(row.deployment, row.outcome) for row in world.rows()] == [
                ("full", "rate_limited"),
                ("free", "ok"),
                ("free", "ok"),
            ]

    asyncio.run(play())


def test_a_silent_vendor_leaves_time_for_the_next(database: Database, tmp_path: Path) -> None:
    """It may use its share of the deadline, not all of it."""
    settings = ModelSettings(timeout_ms=5_000, deadline_ms=600)

    async def play() -> None:
        async with Vendor(Reply(delay_s=9.0)) as silent, Vendor() as spare:
            deployments = [deployment(silent.url, "silent"), deployment(spare.url, "spare")]
            world = world_of(database, tmp_path, deployments, settings)
            (answer,) = await ask(world, inputs_of("spam"))
            assert scores_for("spam") == answer.scores
            assert outcomes_of(world) == ["timeout", "ok"]
            assert world.rows()[0].cost_usd is None

    asyncio.run(play())


def test_a_filtered_text_is_answered_by_its_evidence(database: Database, tmp_path: Path) -> None:
    """Azure's refusal is a result: no retry, no fallback, no breaker, and a label."""

    async def play() -> None:
        async with Vendor(*[filter_reply()] * 9) as vendor:
            azure = deployment(vendor.url, dialect="azure", host="azure")
            world = world_of(database, tmp_path, [azure])
            for number in range(6):
                (answer,) = await world.gateway.ask(
                    TEXT_HARM, [TaskInput(ref=f"r{number}", text="vile")]
                )
                assert answer.filtered
                assert answer.scores == {"hate": 0.95, "sexual": 0.05, "violence": 0.35}
            await world.gateway.close()
            assert [(row.outcome, row.cost_usd) for row in world.rows()] == [
                ("content_filter", None)
            ] * 6

    asyncio.run(play())
    assert len(Labels(database).latest("text_harm", 10)) == 6


def test_some_answers_are_not_lost_with_the_others(database: Database, tmp_path: Path) -> None:
    """The error carries what was answered and names what was not."""

    async def play() -> None:
        async with Vendor(error_reply(400)) as vendor:
            main = deployment(vendor.url, batch=1)
            world = world_of(database, tmp_path, [main], ModelSettings(in_flight=1))
            with pytest.raises(UnansweredError) as caught:
                await ask(world, inputs_of("one", "two"))
            assert caught.value.missing == ("p0",)
            assert [answer.ref for answer in caught.value.answered] == ["p1"]

    asyncio.run(play())


def test_without_any_model_the_caller_hears_it(database: Database, tmp_path: Path) -> None:
    """Nothing is configured, nothing trained."""
    world = world_of(database, tmp_path, [])
    with pytest.raises(UnansweredError, match="nobody, for no model is configured or trained"):
        ask_now(world.gateway, TEXT_HARM, inputs_of("text"))


def test_a_damaged_owned_model_is_stepped_over(database: Database, tmp_path: Path) -> None:
    """The rented one answers, and the log says what is wrong."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            put_on_route(world, stage="owned", owned_share=1.0)
            (tmp_path / "v1" / "model.safetensors").write_bytes(b"torn")
            with structlog.testing.capture_logs() as logs:
                (answer,) = await ask(world, inputs_of("spam"))
            assert answer.host == "openai"
            assert {"owned_model_unusable"} == {log["event"] for log in logs}

    asyncio.run(play())


def test_nobody_is_asked_without_end(database: Database, tmp_path: Path) -> None:
    """A vendor that always fails is given up within the attempts of the policy."""
    patience = Patience(retry=replace(QUICK.retry, most_attempts=2), breaker=QUICK.breaker)

    async def play() -> None:
        async with Vendor(*[error_reply(500)] * 20) as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)], patience=patience)
            with pytest.raises(UnansweredError):
                await ask(world, inputs_of("text"))
            assert outcomes_of(world) == ["server_error"] * 2

    asyncio.run(play())
