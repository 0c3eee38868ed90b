"""Drills in shadow and in a copy, what is seen meanwhile, and the grade of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.drill.drill_world import HASTY, a_call, a_drill, a_parity, gateway_of, two_vendors
from tests.models.models_vendor import (
    NOW_MS,
    QUICK,
    Reply,
    chat_reply,
    good_chat,
    inputs_of,
    scores_for,
    stream_reply,
)

from inhouse.core.clock import FollowingClock, SystemClock
from inhouse.core.errors import ConflictError
from inhouse.models.drill.book import DrillBook, last_drills, readiness
from inhouse.models.drill.copy import Original, known_for, rehearse
from inhouse.models.drill.grading import Seen, grade_of, graded
from inhouse.models.drill.results import GRADES, DrillResult, Times
from inhouse.models.drill.watch import DrillWatch
from inhouse.models.harvest.labels import Labels
from inhouse.models.ledger.rows import Ledger
from inhouse.models.owned.registry import Registry
from inhouse.models.parity.gate import Verdict
from inhouse.models.tasks import TASKS, TEXT_HARM
from inhouse.models.types import Label
from inhouse.store.database import Database


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
