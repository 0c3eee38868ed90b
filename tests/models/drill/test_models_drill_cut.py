"""Vendors cut off in one place: what callers get, and that every process hears of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from tests.models.drill.drill_world import CUT, HASTY, a_drill, gateway_of, two_vendors
from tests.models.models_texts import register, small_model
from tests.models.models_vendor import NOW_MS, QUICK, deployment, inputs_of, stream_reply

from inhouse.core.clock import FollowingClock, SystemClock
from inhouse.core.errors import VendorError
from inhouse.models.asking.fleet import open_fleet
from inhouse.models.asking.gateway import Gateway
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.drill.book import DrillBook
from inhouse.models.drill.watch import DrillWatch
from inhouse.models.ledger.keeping import Keeper
from inhouse.models.ledger.rows import Ledger
from inhouse.models.owned.registry import Registry
from inhouse.models.passing.passer import Passer
from inhouse.models.passing.streaming import PassedStream
from inhouse.models.providers.faults import FAULTS, Fault, Heard, Switch
from inhouse.models.providers.passing import Passed, read_call
from inhouse.models.settings import ModelSettings
from inhouse.models.stores import Stores
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Band, Cascade, Outcome, Route
from inhouse.store.database import Database

OUTCOMES: dict[Fault, Outcome] = {
    "refused": "unreachable",
    "slow": "timeout",
    "429": "rate_limited",
    "wrong": "bad_answer",
    "mid-stream": "unreachable",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_cut_vendor_is_never_reached(database: Database, tmp_path: Path, fault: Fault) -> None:
    """Each kind of fault is the outcome it stands for, the vendor sees nothing, and the other
    vendor answers; with the switch back the first one does."""

    async def play() -> None:
        async with two_vendors() as (vendor, deployments):
            switch = Switch(cut=replace(CUT, fault=fault))
            gateway = gateway_of(database, tmp_path, deployments, switch)
            (answer,) = await gateway.ask(TEXT_HARM, inputs_of("hate"))
            rows = [row for _, row in Ledger(database).read()]
            switch.cut = None
            fresh = gateway_of(database, tmp_path, deployments, switch)
            (again,) = await fresh.ask(TEXT_HARM, inputs_of("hate"))
            await gateway.close()
            await fresh.close()

            assert (answer.host, again.host) == ("elsewhere", "openai")
            assert {row.outcome for row in rows if row.host == "openai"} == {OUTCOMES[fault]}
            assert len(vendor.asked) == 2

    asyncio.run(play())


def test_the_layers_differ(database: Database) -> None:
    """Whoever runs a model and whoever made it are cut off apart; what runs here is nobody's."""
    azure = deployment("http://x", host="azure", owner="openai")
    local = deployment("http://x", host="local", owner="openai")
    by_owner = replace(CUT, layer="owner")

    assert [cut.hits(azure) for cut in (CUT, by_owner)] == [False, True]
    assert [cut.hits(local) for cut in (replace(CUT, vendor="local"), by_owner)] == [False, False]


@pytest.mark.parametrize(("fault", "whole"), [("refused", True), ("mid-stream", False)])
def test_a_stream_that_is_cut(database: Database, fault: Fault, whole: bool) -> None:
    """Before the first piece a stand-in speaks; behind it the stream breaks and the call counts as
    unanswered. No word is made up."""

    async def play() -> None:
        async with two_vendors() as (vendor, deployments):
            vendor.replies = [stream_reply("hi")]
            heard: list[tuple[int, int]] = []

            class Ear(Switch):
                def hear(self, told: Heard) -> None:
                    heard.append((told.asked, told.answered))

            switch = Ear(cut=replace(CUT, fault=fault))
            switch.listens = True
            stores = Stores(database=database, keeper=Keeper(database), switch=switch)
            passer = Passer(deployments, stores, FollowingClock(NOW_MS), HASTY, QUICK)
            stream = await passer.open(a_stream())
            assert isinstance(stream, PassedStream)
            pieces = [piece async for piece in _read(stream)]
            await passer.close()

            assert heard == [(1, int(whole))]
            assert (b"hi" in b"".join(pieces)) == whole
            assert b'"content":""' in pieces[0] or whole
            assert len(vendor.asked) == int(whole)

    asyncio.run(play())


def a_stream() -> Passed:
    """A chat that is to come in pieces."""
    return read_call("chat", b'{"model": "main", "messages": [], "stream": true}', "key_1")


async def _read(stream: PassedStream) -> AsyncIterator[bytes]:
    try:
        async for piece in stream.pieces():
            yield piece
    except VendorError:
        return
    finally:
        await stream.close()


def test_every_process_hears_of_a_drill_and_of_its_end(database: Database, tmp_path: Path) -> None:
    """A live drill is in force where it was not begun, within two seconds; so is its end."""

    async def play() -> None:
        async with two_vendors() as (_, deployments):
            watch = DrillWatch(
                database, lambda switch: gateway_of(database, tmp_path, deployments, switch), 0.5
            )
            gateway = gateway_of(database, tmp_path, deployments, watch)
            book, now_ms = DrillBook(database), SystemClock().now_ms()
            drill = a_drill(started_ms=now_ms, until_ms=now_ms + 60_000, ended_ms=None)
            hosts = []
            for change in (
                lambda: None,
                lambda: book.begin(drill),
                lambda: book.end(drill.drill_id, "enough", now_ms + 2_000),
            ):
                change()
                await asyncio.sleep(1.05)
                (answer,) = await gateway.ask(TEXT_HARM, inputs_of("a walk"))
                hosts.append(answer.host)
            await gateway.close()
            database.write(lambda _: None)

            assert hosts == ["openai", "elsewhere", "openai"]
            calls = book.calls(drill.drill_id)
            assert [(one.by_vendor, bool(one.failed)) for one in calls] == [(0, True), (1, False)]
            assert book.used_again(book.drill(drill.drill_id)) == (
                calls[-1].at_ms >= now_ms + 2_000
            )

    asyncio.run(play())


def test_a_cut_ends_at_its_time_whatever_the_store_says(tmp_path: Path) -> None:
    """A process that can no longer read the store does not keep a vendor cut off."""
    now_ms = SystemClock().now_ms()
    main = deployment("http://x")
    over = Switch(cut=replace(CUT, until_ms=now_ms - 1))
    on = Switch(cut=replace(CUT, until_ms=now_ms + 60_000))

    assert (over.fault_of(main), on.fault_of(main)) == (None, "refused")


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nobody_waits_long_where_the_owned_model_can_answer(
    database: Database, tmp_path: Path, share: float
) -> None:
    """A slow vendor has `hurry_ms` and one try, as the first that is asked and as the second look
    of a cascade; the owned model's word stands."""
    registry, routes = Registry(database, tmp_path), Routes(database, ("main",))
    register(registry, small_model(), "text_harm-1")
    unsure = {"hate": Band(low=0.0, high=1.0)}
    route = Route(
        task="text_harm",
        stage="owned",
        primary="main",
        owned="text_harm-1",
        owned_share=share,
        cascade=Cascade(version="text_harm-1", bands=unsure, guarantee=""),
    )
    routes.set(RouteChange(route=route, at_ms=1, decided_by="cutover", reason="test"))
    settings = ModelSettings(timeout_ms=20_000, deadline_ms=45_000, hurry_ms=300)
    fleet = open_fleet(
        [deployment("http://127.0.0.1:9")],
        registry,
        switch=Switch(cut=replace(CUT, fault="slow")),
    )
    gateway = Gateway(database, FollowingClock(NOW_MS), fleet, settings)

    async def play() -> None:
        await gateway.ask(TEXT_HARM, inputs_of("warm"))
        started = monotonic()
        (answer,) = await gateway.ask(TEXT_HARM, inputs_of("a walk"))
        took_s = monotonic() - started
        await gateway.close()

        assert answer.host == "inhouse"
        assert 0.25 < took_s < 5.0

    asyncio.run(play())
    rows = [(row.host, row.outcome) for _, row in Ledger(database).read()]
    assert rows.count(("openai", "timeout")) == (4 if share == 0.0 else 2)
