"""The gateway against vendors that fail in every way: answers, rows, labels, comparisons."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest
import structlog
from tests.models.asking.gateway_world import NOWHERE, ask, outcomes_of, put_on_route
from tests.models.models_vendor import (
    NOW_MS,
    Reply,
    Vendor,
    chat_reply,
    compared,
    deployment,
    error_reply,
    inputs_of,
    scores_for,
    world_of,
)

from inhouse.core.errors import InputError, StoreError
from inhouse.models.asking.gateway import ask_now
from inhouse.models.cutover.routes import Routes
from inhouse.models.harvest.labels import Labels
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import INHOUSE, Manner, Route, TaskInput, UnansweredError
from inhouse.store.database import Database


def test_an_answer_its_row_and_its_labels(database: Database, tmp_path: Path) -> None:
    """Scores in order, one priced row for the request, one label a text with source and terms."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            answers = await ask(world, inputs_of("spam here", "a walk", "hate there"))
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
            assert outcomes_of(world) == ["ok"]

    asyncio.run(play())
    assert Labels(database).latest("text_harm", 10) == []


def test_many_texts_are_cut_into_requests(database: Database, tmp_path: Path) -> None:
    """Each request is a row; the rows carry all texts."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url, batch=8)])
            answers = await ask(world, inputs_of(*(f"post {n}" for n in range(50))))
            assert [f"p{n}" for n in range(50)] == [answer.ref for answer in answers]
            assert (len(world.rows()), sum(row.answered for row in world.rows())) == (7, 50)

    asyncio.run(play())


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
            put_on_route(world, stage="shadow", shadow_share=1.0)
            answers = await ask(world, inputs_of("cheap pillz now", "spam"))
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
            put_on_route(world, stage="owned", owned_share=1.0, watch_share=1.0)
            (answer,) = await ask(world, inputs_of("cheap pillz now"))
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
            put_on_route(world, stage="owned", owned_share=1.0, watch_share=1.0)
            assert len(await ask(world, inputs_of("text"))) == 1
            assert outcomes_of(world) == ["ok", "server_error"]

    asyncio.run(play())
    assert compared(database) == []


def test_labels_are_kept_only_where_the_terms_allow(database: Database, tmp_path: Path) -> None:
    """A deployment can say that its answers may not teach."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url, harvest=False)])
            await ask(world, inputs_of("text"))

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
                await ask(world, inputs_of("text"))

    asyncio.run(play())


def test_close_flushes_what_is_under_way(database: Database, tmp_path: Path) -> None:
    """Shadows that are still out are waited for, rows and comparisons are on disk."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            put_on_route(world, stage="owned", owned_share=1.0, watch_share=1.0)
            await world.gateway.ask(TEXT_HARM, inputs_of(*(f"post {n}" for n in range(20))))
            await world.gateway.close()
            database.close()
            assert sum(row.answered for row in world.rows() if row.role == "shadow") == 20

    asyncio.run(play())


def test_the_sync_door_works_again_and_again(database: Database, tmp_path: Path) -> None:
    """Each call has its own loop; nothing that waits outlives it."""
    world = world_of(database, tmp_path, [], ModelSettings(in_flight=2))
    put_on_route(world, stage="owned", owned_share=1.0)
    many = [TaskInput(ref=str(number), text="a walk " * 4_000) for number in range(24)]
    for _ in range(3):
        assert {answer.model for answer in ask_now(world.gateway, TEXT_HARM, many)} == {"v1"}


def test_a_text_goes_the_same_way_every_time(database: Database, tmp_path: Path) -> None:
    """Half of the texts go to the owned model, always the same half."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            put_on_route(world, stage="ramp50", owned_share=0.5)
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
                await ask(world, inputs_of("very private words"))
            told = json.dumps(logs) + "".join(capsys.readouterr())
            assert len(logs) == 3
            assert not [word for word in ("sk-secret", "private", "leaked") if word in told]

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
            put_on_route(world, stage="owned", owned_share=1.0)
            (owned,) = await world.gateway.ask(TEXT_HARM, inputs_of("text"))
            await world.gateway.close()
            assert (rented.host, owned.host) == ("openai", INHOUSE)

    asyncio.run(play())


def test_a_route_without_vendors_asks_the_owned_model(database: Database, tmp_path: Path) -> None:
    """Nothing is rented any more, and nothing changes for the caller."""
    world = world_of(database, tmp_path, [])
    put_on_route(world, stage="owned", owned_share=1.0)
    assert Route(task="text_harm", stage="owned", primary=None, owned="v1", owned_share=1.0) == (
        Routes(database, []).current("text_harm")
    )
    (answer,) = ask_now(world.gateway, TEXT_HARM, inputs_of("a walk"))
    assert answer.host == INHOUSE
