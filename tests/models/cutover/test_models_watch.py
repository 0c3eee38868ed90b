"""What is watched of an owned model: bounds, alarms, and the store behind them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from tests.models.models_texts import register, small_model
from tests.models.models_vendor import NOW_MS, Vendor, World, deployment, inputs_of, world_of

from inhouse.core.clock import DAY_MS
from inhouse.core.errors import ConflictError, InputError
from inhouse.models.bounds.shadow_budget import shadow_spend
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.cutover.stages import Measuring, with_stage
from inhouse.models.cutover.steering import Ruling, hold, resume, roll_back
from inhouse.models.cutover.watch import (
    BLOCK,
    Bounds,
    Pair,
    Tried,
    Watched,
    after_pairs,
    after_requests,
    begun,
    bounds_of,
    crossed,
)
from inhouse.models.cutover.watching import Watch, held_of
from inhouse.models.harvest.comparisons import Comparison, add_comparisons
from inhouse.models.ledger.rows import append_attempts
from inhouse.models.owned.text import TextClassifier
from inhouse.models.parity.agreement import ANY, Agreement
from inhouse.models.parity.gate import Parity
from inhouse.models.parity.margins import Margin, Margins
from inhouse.models.providers.owned import OwnedProvider
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import INHOUSE, OWNED, Answer, Attempt, Outcome, Route, Scores, Stage
from inhouse.stats.drift import population
from inhouse.store import tables
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate

BOUNDS = Bounds(errors=0.02, latency_ms=100, psi=0.25, flag_at=0.5, missed=0.3, extra=0.1)
MEASURING = Measuring(watch_share=0.02)
YES: Scores = {"hate": 0.9}
NO: Scores = {"hate": 0.1}
ROUTE = replace(
    with_stage(Route(task="text_harm", stage="rented", primary="main"), "ramp1", MEASURING),
    owned="v1",
)
(HELD,) = held_of(ROUTE)


def _pairs(n: int, teacher: Scores, student: Scores) -> list[Pair]:
    return [Pair(teacher=teacher, student=student)] * n


def _kind(watched: Watched) -> str | None:
    found = crossed(watched, BOUNDS)
    return None if found is None else found.kind


def test_a_good_model_crosses_no_bound() -> None:
    """Within all bounds for as long as one likes, and the pairs are counted."""
    good = [*_pairs(8, YES, YES), *_pairs(2, YES, NO), *_pairs(48, NO, NO), *_pairs(2, NO, YES)]
    watched = after_pairs(begun(BOUNDS), good * 40, BOUNDS)
    watched = after_requests(watched, [Tried(outcome="ok", latency_ms=3)] * 3_000, BOUNDS)
    assert crossed(watched, BOUNDS) is None
    assert watched.live == Agreement(category=ANY, both=320, missed=80, extra=80, neither=1_920)


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        (_pairs(40, YES, NO), "15 of the last 15 that the rented model flags it misses, above"),
        (_pairs(30, NO, YES), "8 of the last 8 that the rented model lets pass it flags, above"),
    ],
)
def test_a_model_that_errs_crosses_the_bound_of_quality(pairs: list[Pair], reason: str) -> None:
    """To either side, and the reason has the figures."""
    found = crossed(after_pairs(begun(BOUNDS), pairs, BOUNDS), BOUNDS)
    assert found is not None
    assert (found.kind, found.reason[: len(reason)]) == ("quality", reason)


@pytest.mark.parametrize(
    ("tried", "kind"),
    [
        ([Tried(outcome="unreachable", latency_ms=0)] * 12, "errors"),
        ([Tried(outcome="bad_answer", latency_ms=2)] * 12, "errors"),
        ([Tried(outcome="aborted", latency_ms=2)] * 99, None),
        ([Tried(outcome="ok", latency_ms=101)] * 12, "latency"),
        ([Tried(outcome="ok", latency_ms=99)] * 99, None),
    ],
)
def test_requests_that_fail_or_take_long(tried: list[Tried], kind: str | None) -> None:
    """A caller who went away is no failure of the model."""
    assert _kind(after_requests(begun(BOUNDS), tried, BOUNDS)) == kind


def test_probabilities_that_moved_away() -> None:
    """A block like those it was judged on is no drift, one unlike them is, and stays."""
    before = population([n / 1_000 for n in range(1_000)])
    bounds = replace(BOUNDS, judged_on=before, missed=None, extra=None)
    alike = [Pair(teacher=NO, student={"hate": n / BLOCK}) for n in range(BLOCK)]
    moved = [Pair(teacher=NO, student={"hate": 0.95})] * BLOCK
    watched = after_pairs(begun(bounds), alike, bounds)
    assert crossed(watched, bounds) is None
    watched = after_pairs(after_pairs(watched, moved, bounds), alike, bounds)
    found = crossed(watched, bounds)
    assert found is not None
    assert (found.kind, "its probabilities moved away" in found.reason) == ("drift", True)


def test_bounds_come_from_the_report_and_the_margin() -> None:
    """The upper end of what it was on held-out texts, and the margin; unknown without a report."""
    held = Agreement(category=ANY, both=80, missed=20, extra=10, neither=990)
    report = Parity(
        verdict="pass", reason="", held_out=1_100, more_needed=0, findings=(), agreement=held
    )
    told = bounds_of(report, report.agreement, ModelSettings(margin=0.03))
    assert told.missed == pytest.approx(0.2889 + 0.03, abs=1e-3)
    assert told.extra == pytest.approx(0.0183 + 0.03, abs=1e-3)
    assert (bounds_of(None, None, ModelSettings()).missed, told.judged_on) == (None, None)


def _compare(database: Database, n: int, teacher: Scores, student: Scores) -> None:
    rows = [
        Comparison(
            task="text_harm",
            at_ms=1,
            ref=str(number),
            student="v1",
            teacher="t",
            student_scores=student,
            teacher_scores=teacher,
        )
        for number in range(n)
    ]
    database.write(lambda connection: add_comparisons(connection, rows))


def _requests(database: Database, outcomes: Sequence[Outcome], latency_ms: float = 2.0) -> None:
    rows = [
        Attempt(
            call_id=f"c{number}",
            at_ms=1,
            task="text_harm",
            role="primary",
            deployment=OWNED,
            host=INHOUSE,
            owner=INHOUSE,
            model="v1",
            inputs=1,
            answered=1,
            usage=None,
            cost_usd=Decimal(0),
            price_version="owned",
            latency_ms=latency_ms,
            outcome=outcome,
            simulated=False,
        )
        for number, outcome in enumerate(outcomes)
    ]
    database.write(lambda connection: append_attempts(connection, rows))


def _set(database: Database, route: Route = ROUTE) -> Routes:
    routes = Routes(database, ["main"])
    routes.set(RouteChange(route=route, at_ms=1, decided_by="cutover", reason="so"))
    return routes


def test_looks_go_on_where_the_last_one_ended(any_database: Database) -> None:
    """Nothing is counted twice or left out, on both databases; a new stage begins anew, what a
    person holds goes on."""
    _compare(any_database, 7, YES, NO)  # before the stage began
    routes, watch = _set(any_database), Watch(any_database)
    _compare(any_database, 30, YES, YES)
    _requests(any_database, ["ok"] * 9 + ["bad_answer"])
    first = watch.look(HELD, BOUNDS)
    _compare(any_database, 4_100, NO, NO)
    second = Watch(any_database).look(HELD, BOUNDS)
    assert first is not None
    assert second is not None
    assert (first.live.pairs, first.errors.n, first.errors.hits) == (30, 10, 1)
    assert (second.live.both, second.live.neither, second.errors.n) == (30, 4_100, 10)
    hold(routes, Ruling(task="text_harm", by="ann", reason="wait", at_ms=2))
    assert watch.seen(HELD, BOUNDS) == second
    further = with_stage(ROUTE, "ramp5", MEASURING)
    routes.set(RouteChange(route=further, at_ms=3, decided_by="cutover", reason="on"))
    assert watch.look(held_of(further)[0], BOUNDS) == begun(BOUNDS)


def test_a_route_from_before_is_watched_from_now_on(database: Database) -> None:
    """Routes that were stored before there was a watch get one at the first look."""
    _set(database)
    database.write(lambda connection: connection.execute(tables.route_watch.delete()))
    watch = Watch(database)
    assert watch.look(HELD, BOUNDS) == begun(BOUNDS)
    _compare(database, 3, YES, YES)
    seen = watch.look(HELD, BOUNDS)
    assert seen is not None
    assert seen.live.pairs == 3


_LOOKER = """
import sys
from inhouse.store.database import StoreSettings, open_database
from inhouse.models.cutover.watching import Watch
import test_models_watch as here
database = open_database(StoreSettings(folder=sys.argv[1]))
watch = Watch(database)
print("looking", flush=True)
while True:
    watch.look(here.HELD, here.BOUNDS)
"""


def test_a_watcher_that_is_killed_is_followed_without_a_gap(tmp_path: Path) -> None:
    """Killed again and again while pairs come, what is counted in the end is what there was."""
    database = open_database(StoreSettings(folder=str(tmp_path)))
    migrate(database)
    _set(database)
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", _LOOKER, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"looking\n"
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            _compare(database, 10, YES, YES)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    with database.read() as connection:
        there = connection.execute(sa.select(sa.func.count()).select_from(tables.comparisons))
        expected = there.scalar_one()
        counted = connection.execute(sa.select(tables.route_watch.c.body)).scalar_one()
    assert counted is not None  # the killed ones had counted something
    seen = Watch(database).look(HELD, BOUNDS)
    database.close()
    assert seen is not None
    assert seen.live == Agreement(category=ANY, both=expected, missed=0, extra=0, neither=0)


def _stage(database: Database) -> tuple[Stage, str | None]:
    route = Routes(database, ["main"]).current("text_harm")
    return route.stage, route.held_by


def test_a_person_holds_rolls_back_and_resumes(database: Database) -> None:
    """Each with name and reason on record; what makes no sense is refused with what to do."""
    routes = _set(database)

    def ruling(by: str = "ann", reason: str = "I saw something") -> Ruling:
        return Ruling(task="text_harm", by=by, reason=reason, at_ms=5)

    hold(routes, ruling())
    assert _stage(database) == ("ramp1", "person:ann")
    with pytest.raises(ConflictError, match="text_harm is held by person:ann already"):
        hold(routes, ruling("bob"))
    roll_back(routes, ruling("bob"), MEASURING)
    assert _stage(database) == ("shadow", "person:bob")
    with pytest.raises(ConflictError, match="no owned model answers text_harm"):
        roll_back(routes, ruling(), MEASURING)
    resume(routes, ruling("cem", "it was a false alarm"))
    assert _stage(database) == ("shadow", None)
    with pytest.raises(ConflictError, match="nothing holds text_harm"):
        resume(routes, ruling())
    assert [(c.decided_by, c.reason) for c in routes.history("text_harm")][:3] == [
        ("person:cem", "it was a false alarm"),
        ("person:bob", "I saw something"),
        ("person:ann", "I saw something"),
    ]
    for by, reason in (
        ("", "x"),
        ("a" * 101, "x"),
        ("a\nb", "x"),
        ("ann", " "),
        ("ann", "r" * 501),
    ):
        with pytest.raises(InputError, match="expected 1 to"):
            hold(routes, ruling(by, reason))


def test_resuming_begins_anew(database: Database) -> None:
    """What crossed a bound before no longer counts once a person lets it go on."""
    routes, watch = _set(database), Watch(database)
    roll_back(routes, Ruling(task="text_harm", by="ann", reason="r", at_ms=2), MEASURING)
    shadow = routes.current("text_harm")
    _requests(database, ["bad_answer"] * 40)
    seen = watch.look(held_of(shadow)[0], BOUNDS)
    assert seen is not None
    assert _kind(seen) == "errors"
    resume(routes, Ruling(task="text_harm", by="ann", reason="r", at_ms=3))
    assert watch.look(held_of(shadow)[0], BOUNDS) == begun(BOUNDS)


def test_a_margin_is_signed(any_database: Database) -> None:
    """The latest holds and is on the chain; before anybody signed, the setting's."""
    margins, settings = Margins(any_database), ModelSettings()
    assert margins.applied("text_harm", settings) == settings
    for n, by in enumerate(("ann", "bob")):
        margins.sign(Margin(task="text_harm", margin=0.02 + n / 100, signed_by=by, at_ms=n))
    assert margins.of("text_harm") == Margin(
        task="text_harm", margin=0.03, signed_by="bob", at_ms=1
    )
    assert margins.applied("text_harm", settings).margin == 0.03
    assert margins.of("other") is None
    with any_database.read() as connection:
        actors = connection.execute(sa.select(tables.audit.c.actor)).scalars().all()
    assert actors == ["person:ann", "person:bob"]
    for wrong in (0.0, 0.6, float("nan"), -1.0):
        with pytest.raises(InputError, match=r"expected 0.001 to 0.5, such as 0.03"):
            margins.sign(Margin(task="text_harm", margin=wrong, signed_by="ann", at_ms=1))
    with pytest.raises(InputError, match="expected 1 to 100"):
        margins.sign(Margin(task="text_harm", margin=0.1, signed_by=" ", at_ms=1))


async def _ask(world: World, *texts: str) -> list[Answer]:
    try:
        return await world.gateway.ask(TEXT_HARM, inputs_of(*texts))
    finally:
        await world.gateway.close()


def _owned(world: World, model: TextClassifier, **more: object) -> None:
    register(world.registry, model, "v1")
    routes = Routes(world.database, world.fleet.vendors)
    values = {"stage": "owned", "owned": "v1", "owned_share": 1.0, "watch_share": 1.0, **more}
    route = replace(routes.current("text_harm"), **values)  # type: ignore[arg-type]
    routes.set(RouteChange(route=route, at_ms=NOW_MS, decided_by="person:test", reason="test"))


def test_checking_never_costs_more_than_the_day_allows(database: Database, tmp_path: Path) -> None:
    """However many texts: the ledger's shadows of the day stay under the budget, texts are judged
    all the same, and the next day begins at nothing."""
    settings = ModelSettings(shadow_usd_a_day=0.03, reserve_tokens_out=1_000)

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url, batch=1)], settings)
            _owned(world, small_model())
            answers = await _ask(world, *(f"post {n}" for n in range(300)))
            assert {INHOUSE} == {answer.host for answer in answers}
            rows = [row for row in world.rows() if row.role == "shadow"]
            spent = sum((row.cost_usd or Decimal(0) for row in rows), Decimal(0))
            assert 100 < len(rows) < 300
            database.write(lambda _: None)
            told = shadow_spend(database, NOW_MS)
            assert (told.spent_usd, told.held_usd) == (spent, Decimal(0))
            assert spent <= Decimal("0.03")
            assert shadow_spend(database, NOW_MS + DAY_MS).spent_usd == 0

    asyncio.run(play())


def test_without_a_price_nothing_is_asked_only_to_check(database: Database, tmp_path: Path) -> None:
    """No budget can be kept with a vendor whose price nobody knows; without one it is asked."""

    async def play(settings: ModelSettings, folder: Path) -> int:
        async with Vendor() as vendor:
            unknown = deployment(vendor.url, model="nobody-knows-it")
            world = world_of(database, folder, [unknown], settings)
            _owned(world, small_model())
            await _ask(world, "post")
            return len(vendor.asked)

    bounded = asyncio.run(play(ModelSettings(shadow_usd_a_day=5.0), tmp_path / "a"))
    unbounded = asyncio.run(play(ModelSettings(), tmp_path / "b"))
    assert (bounded, unbounded) == (0, 1)


def test_a_model_that_is_gone_leaves_rows_that_count_as_errors(
    database: Database, tmp_path: Path
) -> None:
    """The rented one answers, and whoever watches sees the owned one fail."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            _owned(world, small_model(), watch_share=0.0)
            (tmp_path / "v1" / "model.safetensors").write_bytes(b"torn")
            (answer,) = await _ask(world, "spam")
            assert answer.host == "openai"
            assert [(row.host, row.model, row.outcome, row.answered) for row in world.rows()] == [
                (INHOUSE, "v1", "unreachable", 0),
                ("openai", "gpt-4o-mini", "ok", 1),
            ]

    asyncio.run(play())


@pytest.mark.parametrize("broken", ["nan", "shape"])
def test_broken_weights_are_a_bad_answer(broken: str) -> None:
    """No number, or a fault in the arithmetic: an outcome, as of every provider; never a crash."""

    class Broken:
        at_once_chars = 0

        def scores(self, texts: list[str]) -> list[dict[str, float]]:
            if broken == "nan":
                return [{"hate": float("nan")} for _ in texts]
            return [{"hate": float((np.zeros(2) @ np.zeros(3)).item())}]

    provider = OwnedProvider("v1", Broken())  # type: ignore[arg-type]
    (answer,) = asyncio.run(provider.answer(TEXT_HARM, inputs_of("a"), 100))
    assert (answer.outcome, answer.scores) == ("bad_answer", None)
