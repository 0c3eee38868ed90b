"""The gateway against vendors that fail in every way: answers, rows, labels, comparisons."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import structlog
from tests.models.models_texts import register, small_model
from tests.models.models_vendor import (
    NOW_MS,
    QUICK,
    Reply,
    Vendor,
    World,
    chat_reply,
    compared,
    deployment,
    error_reply,
    filter_reply,
    inputs_of,
    scores_for,
    world_of,
)

from inhouse.core.errors import InputError, StoreError
from inhouse.models.asking.gateway import ask_now
from inhouse.models.asking.resilience import Patience
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.harvest.labels import Labels
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import (
    INHOUSE,
    Answer,
    Manner,
    Outcome,
    Route,
    TaskInput,
    UnansweredError,
)
from inhouse.store.database import Database

NOWHERE = "http://127.0.0.1:9/v1"


async def _ask(world: World, inputs: Sequence[TaskInput]) -> list[Answer]:
    try:
        return await world.gateway.ask(TEXT_HARM, inputs)
    finally:
        await world.gateway.close()


def _outcomes(world: World) -> list[Outcome]:
    return [row.outcome for row in world.rows()]


def _route(world: World, **more: object) -> None:
    """Put an owned model into the registry and on the route."""
    register(world.registry, small_model(), "v1")
    routes = Routes(world.database, world.fleet.vendors)
    route = replace(routes.current("text_harm"), owned="v1", **more)  # type: ignore[arg-type]
    routes.set(RouteChange(route=route, at_ms=NOW_MS, decided_by="person:test", reason="test"))


def test_an_answer_its_row_and_its_labels(database: Database, tmp_path: Path) -> None:
    """Scores in order, one priced row for the request, one label a text with source and terms."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            answers = await _ask(world, inputs_of("spam here", "a walk", "hate there"))
            assert [scores_for("spam"), scores_for(""), scores_for("hate")] == [
                answer.scores for answer in answers
            ]
            (row,) = world.rows()
            assert (row.outcome, row.role, row.inputs, row.answered) == ("ok", "primary", 3, 3)
            assert Decimal("0.000165") == row.cost_usd
            assert {Decimal("0.000055")} == {answer.cost_usd for answer in answers}
            assert {row.call_id} == {answer.call_id for answer in answers}
            assert len(vendor.asked) == 1

    asyncio.run(play())
    labels = Labels(database).latest("text_harm", 10)
    assert [(label.ref, label.text) for label in labels] == [
        ("p0", "spam here"),
        ("p1", "a walk"),
        ("p2", "hate there"),
    ]
    assert {("openai/openai/gpt-4o-mini", "test terms", NOW_MS)} == {
        (label.source, label.terms, label.at_ms) for label in labels
    }


def test_texts_that_must_not_be_kept_become_no_labels(database: Database, tmp_path: Path) -> None:
    """The call is answered and has its row as ever; what was said of the text is in no table."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            (answer,) = await world.gateway.ask(
                TEXT_HARM, inputs_of("spam here"), Manner(keep_texts=False)
            )
            await world.gateway.close()
            assert answer.scores["spam"] == 0.9
            assert _outcomes(world) == ["ok"]

    asyncio.run(play())
    assert Labels(database).latest("text_harm", 10) == []


def test_many_texts_are_cut_into_requests(database: Database, tmp_path: Path) -> None:
    """Each request is a row; the rows carry all texts."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url, batch=8)])
            answers = await _ask(world, inputs_of(*(f"post {n}" for n in range(50))))
            assert [f"p{n}" for n in range(50)] == [answer.ref for answer in answers]
            assert (len(world.rows()), sum(row.answered for row in world.rows())) == (7, 50)

    asyncio.run(play())


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
            (answer,) = await _ask(world, inputs_of("spam"))
            assert scores_for("spam") == answer.scores
            assert outcomes == _outcomes(world)
            assert len({row.call_id for row in world.rows()}) == 1

    asyncio.run(play())


def test_only_what_failed_is_asked_again(database: Database, tmp_path: Path) -> None:
    """The texts of the request that was answered are not paid for twice."""

    async def play() -> None:
        async with Vendor(error_reply(500)) as vendor:
            main = deployment(vendor.url, batch=1)
            world = world_of(database, tmp_path, [main], ModelSettings(in_flight=1))
            answers = await _ask(world, inputs_of("one", "two"))
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
            answers = await _ask(world, inputs_of("vile", "a walk"))
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
                await _ask(world, inputs_of("text"))
            assert str(caught.value) == "nobody answered 1 of 1 inputs of text_harm; asked: main"
            assert len(world.rows()) == 1

    asyncio.run(play())


def test_a_dead_vendor_is_stood_in_for(database: Database, tmp_path: Path) -> None:
    """The next vendor answers as a fallback, and every attempt is a row."""

    async def play() -> None:
        async with Vendor() as vendor:
            dead = deployment(NOWHERE, "dead", model="gpt-4o")
            world = world_of(database, tmp_path, [dead, deployment(vendor.url, "spare")])
            (answer,) = await _ask(world, inputs_of("spam"))
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
        _route(world, stage="shadow", shadow_share=1.0)
        answers = await _ask(world, inputs_of("cheap pillz now", "a walk by the river"))
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
            await _ask(world, inputs_of("another"))
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
            (answer,) = await _ask(world, inputs_of("spam"))
            assert scores_for("spam") == answer.scores
            assert _outcomes(world) == ["timeout", "ok"]
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
                await _ask(world, inputs_of("one", "two"))
            assert caught.value.missing == ("p0",)
            assert [answer.ref for answer in caught.value.answered] == ["p1"]

    asyncio.run(play())


def test_without_any_model_the_caller_hears_it(database: Database, tmp_path: Path) -> None:
    """Nothing is configured, nothing trained."""
    world = world_of(database, tmp_path, [])
    with pytest.raises(UnansweredError, match="nobody, for no model is configured or trained"):
        ask_now(world.gateway, TEXT_HARM, inputs_of("text"))


def test_a_ref_given_twice_is_refused(database: Database, tmp_path: Path) -> None:
    """Answers are told apart by their refs."""
    world = world_of(database, tmp_path, [])
    twice = [TaskInput(ref="a", text="x"), TaskInput(ref="a", text="y")]
    with pytest.raises(InputError) as caught:
        ask_now(world.gateway, TEXT_HARM, twice)
    assert str(caught.value) == "the ref 'a' is given twice; each input needs its own"


def test_nothing_asked_is_nothing_answered(database: Database, tmp_path: Path) -> None:
    """And no row is written."""
    world = world_of(database, tmp_path, [deployment(NOWHERE)])
    assert (ask_now(world.gateway, TEXT_HARM, []), world.rows()) == ([], [])


def test_a_shadow_is_recorded_and_never_returned(database: Database, tmp_path: Path) -> None:
    """The rented model answers the caller; the owned one's scores go into the comparisons."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            _route(world, stage="shadow", shadow_share=1.0)
            answers = await _ask(world, inputs_of("cheap pillz now", "spam"))
            assert [answer.host for answer in answers] == ["openai", "openai"]
            roles = sorted((row.role, row.host, row.answered) for row in world.rows())
            assert roles == [("primary", "openai", 2), ("shadow", INHOUSE, 2)]

    asyncio.run(play())
    rented, owned = compared(database)[0]
    assert scores_for("cheap pillz now") == rented
    assert {"hate", "spam"} == set(owned)


def test_the_owned_model_is_watched_by_the_rented_one(database: Database, tmp_path: Path) -> None:
    """Its answer is served, the rented one's becomes a label and half of a comparison."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            _route(world, stage="owned", owned_share=1.0, watch_share=1.0)
            (answer,) = await _ask(world, inputs_of("cheap pillz now"))
            assert (answer.host, answer.model) == (INHOUSE, "v1")
            assert [(row.role, row.host) for row in world.rows()] == [
                ("primary", INHOUSE),
                ("shadow", "openai"),
            ]

    asyncio.run(play())
    assert len(compared(database)) == 1
    assert len(Labels(database).latest("text_harm", 10)) == 1


def test_a_failing_shadow_disturbs_nobody(database: Database, tmp_path: Path) -> None:
    """It leaves its row, is not asked again, and the answer stands."""

    async def play() -> None:
        async with Vendor(error_reply(500)) as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            _route(world, stage="owned", owned_share=1.0, watch_share=1.0)
            assert len(await _ask(world, inputs_of("text"))) == 1
            assert _outcomes(world) == ["ok", "server_error"]

    asyncio.run(play())
    assert compared(database) == []


def test_labels_are_kept_only_where_the_terms_allow(database: Database, tmp_path: Path) -> None:
    """A deployment can say that its answers may not teach."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url, harvest=False)])
            await _ask(world, inputs_of("text"))

    asyncio.run(play())
    assert Labels(database).latest("text_harm", 10) == []


def test_a_caller_who_leaves_leaves_a_row(database: Database, tmp_path: Path) -> None:
    """The vendor may charge for it: the attempt is kept as aborted, its cost unknown."""

    async def play() -> None:
        async with Vendor(Reply(delay_s=9.0)) as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            asking = asyncio.create_task(world.gateway.ask(TEXT_HARM, inputs_of("text")))
            await vendor.arrived.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await world.gateway.close()
            database.write(lambda _: None)
            assert [(row.outcome, row.cost_usd) for row in world.rows()] == [("aborted", None)]

    asyncio.run(play())


def test_without_a_ledger_there_is_no_answer(database: Database, tmp_path: Path) -> None:
    """An answer that cannot be metered is not given."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            await world.gateway.ask(TEXT_HARM, inputs_of("text"))
            database.close()
            with pytest.raises(StoreError, match="the database is closed"):
                await _ask(world, inputs_of("text"))

    asyncio.run(play())


def test_close_flushes_what_is_under_way(database: Database, tmp_path: Path) -> None:
    """Shadows that are still out are waited for, rows and comparisons are on disk."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            _route(world, stage="owned", owned_share=1.0, watch_share=1.0)
            await world.gateway.ask(TEXT_HARM, inputs_of(*(f"post {n}" for n in range(20))))
            await world.gateway.close()
            database.close()
            assert sum(row.answered for row in world.rows() if row.role == "shadow") == 20

    asyncio.run(play())


def test_the_sync_door_works_again_and_again(database: Database, tmp_path: Path) -> None:
    """Each call has its own loop; nothing that waits outlives it."""
    world = world_of(database, tmp_path, [], ModelSettings(in_flight=2))
    _route(world, stage="owned", owned_share=1.0)
    many = [TaskInput(ref=str(number), text="a walk " * 4_000) for number in range(24)]
    for _ in range(3):
        assert {answer.model for answer in ask_now(world.gateway, TEXT_HARM, many)} == {"v1"}


def test_a_damaged_owned_model_is_stepped_over(database: Database, tmp_path: Path) -> None:
    """The rented one answers, and the log says what is wrong."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            _route(world, stage="owned", owned_share=1.0)
            (tmp_path / "v1" / "model.safetensors").write_bytes(b"torn")
            with structlog.testing.capture_logs() as logs:
                (answer,) = await _ask(world, inputs_of("spam"))
            assert answer.host == "openai"
            assert {"owned_model_unusable"} == {log["event"] for log in logs}

    asyncio.run(play())


def test_a_text_goes_the_same_way_every_time(database: Database, tmp_path: Path) -> None:
    """Half of the texts go to the owned model, always the same half."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            _route(world, stage="ramp50", owned_share=0.5)
            inputs = inputs_of(*(f"post {n}" for n in range(200)))
            first = [a.host for a in await world.gateway.ask(TEXT_HARM, inputs)]
            again = [a.host for a in await world.gateway.ask(TEXT_HARM, inputs)]
            await world.gateway.close()
            assert first == again
            assert 70 < first.count(INHOUSE) < 130

    asyncio.run(play())


def test_neither_secrets_nor_texts_are_logged(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Failures are logged by deployment, outcome and status alone."""

    async def play() -> None:
        replies = [error_reply(500), chat_reply("leaked words"), error_reply(400)]
        async with Vendor(*replies) as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            with structlog.testing.capture_logs() as logs, pytest.raises(UnansweredError):
                await _ask(world, inputs_of("very private words"))
            told = json.dumps(logs) + "".join(capsys.readouterr())
            assert len(logs) == 3
            assert not [word for word in ("sk-secret", "private", "leaked") if word in told]

    asyncio.run(play())


def test_nobody_is_asked_without_end(database: Database, tmp_path: Path) -> None:
    """A vendor that always fails is given up within the attempts of the policy."""
    patience = Patience(retry=replace(QUICK.retry, most_attempts=2), breaker=QUICK.breaker)

    async def play() -> None:
        async with Vendor(*[error_reply(500)] * 20) as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)], patience=patience)
            with pytest.raises(UnansweredError):
                await _ask(world, inputs_of("text"))
            assert _outcomes(world) == ["server_error"] * 2

    asyncio.run(play())


def test_routes_are_read_anew_after_a_moment(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision of another process counts without a restart."""
    monkeypatch.setattr("inhouse.models.asking.gateway._ROUTE_AGE_S", 0.0)

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            (rented,) = await world.gateway.ask(TEXT_HARM, inputs_of("text"))
            _route(world, stage="owned", owned_share=1.0)
            (owned,) = await world.gateway.ask(TEXT_HARM, inputs_of("text"))
            await world.gateway.close()
            assert (rented.host, owned.host) == ("openai", INHOUSE)

    asyncio.run(play())


def test_a_route_without_vendors_asks_the_owned_model(database: Database, tmp_path: Path) -> None:
    """Nothing is rented any more, and nothing changes for the caller."""
    world = world_of(database, tmp_path, [])
    _route(world, stage="owned", owned_share=1.0)
    assert Route(task="text_harm", stage="owned", primary=None, owned="v1", owned_share=1.0) == (
        Routes(database, []).current("text_harm")
    )
    (answer,) = ask_now(world.gateway, TEXT_HARM, inputs_of("a walk"))
    assert answer.host == INHOUSE
