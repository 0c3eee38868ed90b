"""Drills: vendors cut off in one place, what is seen meanwhile, and the grade of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from time import monotonic
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
    good_chat,
    inputs_of,
    scores_for,
    stream_reply,
)

from inhouse.core.clock import FollowingClock, SystemClock
from inhouse.core.errors import ConflictError, VendorError
from inhouse.models.asking.fleet import open_fleet
from inhouse.models.asking.gateway import Gateway
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.drill.book import DrillBook, last_drills, readiness
from inhouse.models.drill.copy import Original, known_for, rehearse
from inhouse.models.drill.grading import Seen, grade_of, graded
from inhouse.models.drill.results import GRADES, DrillResult, Times
from inhouse.models.drill.types import Drill, Noted
from inhouse.models.drill.watch import DrillWatch
from inhouse.models.harvest.labels import Labels
from inhouse.models.ledger.keeping import Keeper
from inhouse.models.ledger.rows import Ledger
from inhouse.models.owned.registry import Registry
from inhouse.models.parity.gate import Parity, Verdict
from inhouse.models.passing.passer import Passer
from inhouse.models.passing.streaming import PassedStream
from inhouse.models.providers.faults import FAULTS, Cut, Fault, Heard, Switch
from inhouse.models.providers.passing import Passed, read_call
from inhouse.models.settings import ModelSettings
from inhouse.models.stores import Stores
from inhouse.models.tasks import TASKS, TEXT_HARM
from inhouse.models.types import Band, Cascade, Deployment, Label, Outcome, Route
from inhouse.store.database import Database

OUTCOMES: dict[Fault, Outcome] = {
    "refused": "unreachable",
    "slow": "timeout",
    "429": "rate_limited",
    "wrong": "bad_answer",
    "mid-stream": "unreachable",
}
HASTY = ModelSettings(timeout_ms=100, deadline_ms=300)
CUT = Cut(vendor="openai", layer="host", fault="refused")


def a_drill(**more: Any) -> Drill:
    """A live drill of openai that began at 1,000 and ended at 61,000."""
    values: dict[str, Any] = {
        "drill_id": "drill_1",
        "vendor": "openai",
        "layer": "host",
        "fault": "refused",
        "how": "live",
        "share": 1.0,
        "started_by": "Ada",
        "started_ms": 1_000,
        "until_ms": 61_000,
        "ended_ms": 61_000,
        "why_ended": "its time was up",
    }
    return Drill(**{**values, **more})


def a_call(at_ms: int, **more: Any) -> Noted:
    """One input, answered by somebody else within 10 ms."""
    values: dict[str, Any] = {
        "at_ms": at_ms,
        "process": "p",
        "task": "text_harm",
        "asked": 1,
        "answered": 1,
        "by_vendor": 0,
        "failed": 0,
        "latency_ms": 10.0,
        "cost_usd": Decimal("0.001"),
    }
    return Noted(**{**values, **more})


def a_parity(verdict: Verdict) -> Parity:
    """A report that says so."""
    return Parity(verdict=verdict, reason="why", held_out=9, more_needed=0, findings=())


def gateway_of(
    database: Database, folder: Path, deployments: list[Deployment], switch: Switch
) -> Gateway:
    """A hasty gateway with that switch."""
    fleet = open_fleet(deployments, Registry(database, folder), switch=switch)
    return Gateway(database, FollowingClock(NOW_MS), fleet, HASTY, QUICK)


@asynccontextmanager
async def two_vendors() -> AsyncIterator[tuple[Vendor, list[Deployment]]]:
    """One server that stands for two vendors, the second in for the first."""
    async with Vendor() as vendor:
        main = deployment(vendor.url, serves=("scores", "chat"), stand_ins=("other",))
        other = deployment(
            vendor.url, "other", host="elsewhere", owner="meta", serves=("scores", "chat")
        )
        yield vendor, [main, other]


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


def test_a_shadow_drill_serves_nobody(database: Database, tmp_path: Path) -> None:
    """Callers get the vendor's answers; beside them a gateway without it was asked the same, as
    shadows, and what both said is counted."""

    async def play() -> None:
        async with two_vendors() as (_, deployments):
            watch = DrillWatch(
                database, lambda switch: gateway_of(database, tmp_path, deployments, switch), 0.5
            )
            gateway = gateway_of(database, tmp_path, deployments, watch)
            now_ms = SystemClock().now_ms()
            book = DrillBook(database)
            book.begin(
                a_drill(how="shadow", started_ms=now_ms, until_ms=now_ms + 60_000, ended_ms=None)
            )
            answers = await gateway.ask(TEXT_HARM, inputs_of("hate", "a walk", "spam"))
            for _ in range(100):
                await asyncio.sleep(0.02)
                if book.calls("drill_1"):
                    break
            await gateway.close()
            (noted,) = book.calls("drill_1")

            assert {answer.host for answer in answers} == {"openai"}
            assert (noted.asked, noted.answered, noted.by_vendor) == (3, 3, 0)
            assert (noted.both, noted.missed, noted.extra, noted.neither) == (2, 0, 0, 1)
            assert noted.failed
            assert noted.served_ms is not None
            roles = {(row.host, row.role) for _, row in Ledger(database).read()}
            assert roles == {("openai", "primary"), ("openai", "shadow"), ("elsewhere", "shadow")}

    asyncio.run(play())


def labelled(texts: int) -> list[Label]:
    """What openai said of so many texts, a third of them hateful."""
    found = []
    for number in range(texts):
        text = f"{'hate' if number % 3 == 0 else 'walk'} number {number}"
        found.append(
            Label(
                task="text_harm",
                ref=f"p{number}",
                text=text,
                scores=scores_for(text),
                source="openai/openai/gpt-4o-mini",
                terms="test terms",
                at_ms=NOW_MS + number,
            )
        )
    return found


def talking(asked: Mapping[str, Any]) -> Reply:
    """A vendor that judges posts and answers whatever else it is asked."""
    if "posts" in asked["messages"][-1]["content"]:
        return good_chat(asked)
    return stream_reply("yes") if asked.get("stream") else chat_reply("yes")


@pytest.mark.parametrize("anybody", [True, False])
def test_a_copy_never_calls_the_vendor(database: Database, tmp_path: Path, anybody: bool) -> None:
    """Known texts are asked again without it: another vendor that says the same gets an A, and is
    in the ledger as a shadow; where nobody is left everything is lost and the grade is F."""
    Labels(database).add(labelled(90))

    async def play() -> DrillResult:
        async with two_vendors() as (vendor, deployments):
            vendor.replies = [talking] * 500
            original = Original(
                database=database,
                registry=Registry(database, tmp_path),
                tasks=TASKS,
                deployments=deployments if anybody else [replace(deployments[0], stand_ins=())],
                clock=FollowingClock(NOW_MS),
                settings=HASTY,
                patience=replace(QUICK, breaker=replace(QUICK.breaker, first_ms=300, most_ms=300)),
                most_texts=90,
                after_s=5.0,
            )
            now_ms = SystemClock().now_ms()
            drill = a_drill(how="copy", started_ms=now_ms, until_ms=now_ms + 5_000)
            known = known_for(original, drill)
            result = graded(await rehearse(original, drill, known, lambda *_: None))

            rows = [row for _, row in Ledger(database).read()]
            assert len(vendor.asked) == len(rows)
            assert {(row.host, row.role) for row in rows} <= {("elsewhere", "shadow")}
            return result

    result = asyncio.run(play())
    by_task = {task.task: task for task in result.tasks}
    judged = by_task["text_harm"]
    assert judged.recovered_ms is not None
    assert judged.recovered_ms < 5_000
    if anybody:
        assert judged.quality is not None
        assert (judged.quality.verdict, judged.lost, judged.grade) == ("pass", 0, "A")
        assert (by_task["chat"].lost, result.survivable) == (0, 1.0)
    else:
        assert (judged.by_others, judged.grade, by_task["chat"].grade) == (0, "F", "F")
        assert result.grade == "F"
        assert result.coverage is not None
        assert result.coverage < 0.05  # of a call that was still out when the vendor came back


@pytest.mark.parametrize(
    ("coverage", "verdict", "noticed_ms", "recovered_ms", "grade"),
    [
        (1.0, "pass", 900.0, 100_000.0, "A"),
        (1.0, None, None, None, "A"),
        (0.995, "pass", 900.0, None, "B"),
        (1.0, "pass", 30_000.0, None, "B"),
        (1.0, "pass", 900.0, 200_000.0, "B"),
        (1.0, "not_enough", 900.0, None, "C"),
        (1.0, "pass", 90_000.0, None, "C"),
        (1.0, "fail", 900.0, None, "D"),
        (0.6, "pass", 900.0, None, "E"),
        (0.4, "pass", 900.0, None, "F"),
        (None, None, None, None, "F"),
    ],
)
def test_the_grades(
    coverage: float | None,
    verdict: Verdict | None,
    noticed_ms: float | None,
    recovered_ms: float | None,
    grade: str,
) -> None:
    """A grade is the best whose conditions all hold; anything below A says why."""
    quality = None if verdict is None else a_parity(verdict)
    found, reasons = grade_of(coverage, quality, noticed_ms, recovered_ms)

    assert found == grade
    assert bool(reasons) == (grade != "A")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_more_answers_never_grade_worse(counts: list[tuple[int, int]]) -> None:
    """Whatever was lost, had one more input been answered the grade would be as good or better."""
    calls = [
        a_call(2_000 + n, asked=max(pair), answered=min(pair)) for n, pair in enumerate(counts)
    ]
    gaps = [place for place, call in enumerate(calls) if call.answered < call.asked]
    if not gaps:
        return
    better = list(calls)
    better[gaps[0]] = replace(calls[gaps[0]], answered=calls[gaps[0]].answered + 1)
    first, second = (graded(Seen(drill=a_drill(), calls=c, before={})) for c in (calls, better))

    assert first.grade is not None
    assert second.grade is not None
    assert GRADES.index(second.grade) <= GRADES.index(first.grade)


def test_what_a_drill_tells() -> None:
    """Counts, times and money of the time without the vendor alone; the slowest process says when
    it was noticed; the worst task gives the grade, and traffic and weight the whole share."""
    calls = [
        a_call(1_500, by_vendor=1),  # a process that had not heard of it yet
        a_call(2_010, failed=3, latency_ms=1_000.0),
        a_call(3_000, failed=3, latency_ms=990.0),
        a_call(3_100),
        a_call(5_200, process="q", failed=1, answered=0),
        a_call(10_000, process="q"),
        a_call(4_000, task="chat", answered=0, cost_usd=None),
        a_call(61_500, by_vendor=0),
        a_call(64_000, by_vendor=1),
    ]
    seen = Seen(
        drill=a_drill(),
        calls=calls,
        before={"text_harm": Times(p50_ms=8.0, p99_ms=9.0)},
        traffic={"text_harm": 1_000, "chat": 500},
        quality={"text_harm": a_parity("pass")},
    )
    result = graded(seen)
    chat, judged = result.tasks

    assert (judged.asked, judged.answered, judged.by_others, judged.lost) == (6, 5, 4, 1)
    assert (judged.noticed_ms, judged.recovered_ms) == (4_800.0, 3_000.0)
    assert (judged.during.p50_ms, judged.added_ms) == (10.0, 2.0)
    assert judged.cost_usd == Decimal("0.006")
    assert (chat.grade, judged.grade, result.grade) == ("F", "D", "F")
    assert result.coverage == pytest.approx(3_000 * 5 / 6 / 3_500)
    assert result.survivable == result.coverage
    assert result.weaker == {"text_harm": 4}


def test_results_are_kept(any_database: Database) -> None:
    """A drill is begun once, ended once, graded once; its calls go with the grade; readiness names
    the last one that a task passed."""
    book = DrillBook(any_database)
    now_ms = SystemClock().now_ms()
    drill = a_drill(started_ms=now_ms, until_ms=now_ms + 60_000, ended_ms=None, why_ended=None)
    book.begin(drill)
    with pytest.raises(ConflictError, match="a live drill of openai goes on"):
        book.begin(replace(drill, drill_id="drill_2"))
    book.waiting("drill_1", 7)
    book.waiting("drill_1", 3)
    ends = [book.end("drill_1", why, now_ms + 10) for why in ("enough", "again")]
    result = graded(
        Seen(
            drill=book.drill("drill_1"),
            calls=[a_call(now_ms + 5, latency_ms=1.0)],
            before={},
            quality={"text_harm": a_parity("pass")},
        )
    )
    kept = [book.keep(result) for _ in range(2)]
    failed = replace(result, drill=a_drill(drill_id="drill_3", how="copy", started_ms=now_ms + 99))
    worse = replace(failed, tasks=(replace(result.tasks[0], grade="F"),), grade="F")
    book.add(worse)

    assert (ends, kept) == ([True, False], [True, False])
    assert last_drills(any_database) == [worse, result]
    assert result.drill.most_waiting == 7
    assert (result.drill.why_ended, result.drill.ended_ms) == ("enough", now_ms + 10)
    assert book.calls("drill_1") == []
    assert book.open(now_ms) is None
    ready = readiness(any_database)["text_harm"]
    assert (ready.last.grade, ready.last_ms, ready.passed_ms) == ("F", now_ms + 99, now_ms)


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
