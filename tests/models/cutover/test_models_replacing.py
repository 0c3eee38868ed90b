"""A newer version that is to replace one that serves: its own way, and back to the one before."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.models.models_texts import (
    CATEGORIES,
    Knowing,
    harvest,
    posts,
    register,
    truth_of,
)
from tests.models.models_vendor import (
    NOW_MS,
)

from inhouse.core.clock import FollowingClock
from inhouse.core.errors import ConflictError
from inhouse.models.asking.fleet import Fleet
from inhouse.models.asking.gateway import Gateway
from inhouse.models.asking.routing import Plan, plan
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.cutover.stages import (
    CUTOVER,
    Candidate,
    Evidence,
    Measuring,
    accepted,
    measuring_of,
    next_step,
    with_stage,
)
from inhouse.models.cutover.steering import Ruling, roll_back
from inhouse.models.cutover.watch import Crossed
from inhouse.models.cutover.watching import held_of
from inhouse.models.harvest.labels import Example, Labels
from inhouse.models.owned.fit import fit_text
from inhouse.models.owned.registry import Registry
from inhouse.models.owned.text import TextClassifier
from inhouse.models.parity.agreement import ANY, Agreement, agreement
from inhouse.models.parity.beside import Beside, Both, beside_of
from inhouse.models.parity.gate import Parity
from inhouse.models.parity.report import NoFacts
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.training.judging import Judge
from inhouse.models.types import (
    INCUMBENT,
    INHOUSE,
    OWNED,
    STAGES,
    Answer,
    Route,
    Stage,
    TaskInput,
)
from inhouse.store.database import Database

MEASURING = Measuring(watch_share=0.02, holdout_share=0.01)
GOOD = Agreement(category=ANY, both=90, missed=5, extra=5, neither=900)
POOR = Agreement(category=ANY, both=10, missed=150, extra=50, neither=900)
SLOW = Crossed(kind="latency", reason="too slow")
V1 = with_stage(
    Route(task="text_harm", stage="rented", primary="main", owned="v1"), "owned", MEASURING
)
BESIDE = Beside(version="v1", verdict="pass", reason="as good", agreement=GOOD)
V2 = Candidate(version="v2", verdict="pass", reason="so says the report", beside=BESIDE)
EVIDENCE = Evidence(
    labels=1_000, least_labels=300, candidate=V2, live=None, bar=0.6, measuring=MEASURING
)


def on_way(stage: Stage, primary: str | None = "main") -> Route:
    """v2 on its way to replace v1."""
    route = replace(V1, owned="v2", incumbent="v1", primary=primary)
    return with_stage(route, stage, MEASURING)


def test_a_better_version_takes_every_step() -> None:
    """From the shadow of the one that serves to the end of the way, one stage at a time; until then
    the vendor answers the holdout alone."""
    step = next_step(V1, EVIDENCE)
    assert step.reason == "v2 is to replace v1: so says the report"
    route, seen = step.route, []
    while route.stage != "owned":
        assert route.has_arrived
        assert (route.incumbent, route.incumbent_share, route.watch_share) == ("v1", 0.99, 0.02)
        seen.append((route.stage, route.owned_share))
        assert next_step(route, EVIDENCE).route == route, "without pairs it stays"
        route = next_step(route, replace(EVIDENCE, live=GOOD)).route
    assert seen == [
        ("shadow", 0.0),
        ("ramp1", 0.01),
        ("ramp5", 0.05),
        ("ramp25", 0.25),
        ("ramp50", 0.5),
    ]
    assert route == replace(V1, owned="v2")


@pytest.mark.parametrize("stage", STAGES[2:-1])
def test_what_crosses_a_bound_gives_way_to_the_version_before(stage: Stage) -> None:
    """At any share: the one before answers all but the holdout; bad in the shadow too, it is struck
    off and the one before serves as if nothing had been."""
    bad = replace(EVIDENCE, crossed=SLOW)
    back = next_step(on_way(stage), bad)
    assert back.reason == "rolled back: too slow"
    assert back.route == replace(on_way("shadow"), held_by=CUTOVER)
    assert next_step(back.route, bad).route == back.route, "what is slow harms nobody in the shadow"
    struck = next_step(back.route, replace(EVIDENCE, live=POOR))
    assert struck.reason.startswith("rolled back: live agreement")
    assert struck.route == replace(V1, rejected=("v2",))
    assert next_step(struck.route, EVIDENCE).route == struck.route


def test_a_bad_version_in_force_gives_way_to_the_vendor() -> None:
    """While it is being replaced it is watched as before; the newer one begins in the vendor's
    shadow. Without a vendor there is nobody else, and the way goes on."""
    evidence = replace(EVIDENCE, incumbent_crossed=SLOW)
    step = next_step(on_way("ramp25"), evidence)
    assert step.reason == "rolled back: v1, which served: too slow"
    alone = replace(on_way("shadow"), incumbent=None, incumbent_share=0.0, watch_share=0.0)
    assert step.route == alone
    without = on_way("ramp25", primary=None)
    assert next_step(without, replace(evidence, live=GOOD)).route.stage == "ramp50"


def test_without_a_vendor_the_way_is_the_same() -> None:
    """The version in force is somebody to compare with."""
    begun = next_step(replace(V1, primary=None, owned_share=1.0), EVIDENCE).route
    assert (begun.stage, begun.incumbent, begun.incumbent_share) == ("shadow", "v1", 1.0)
    assert next_step(begun, replace(EVIDENCE, live=GOOD)).route.stage == "ramp1"


@pytest.mark.parametrize(
    ("beside", "owned", "reason"),
    [
        (None, "v1", "v2 passed parity; it is yet to be held against v1"),
        (replace(BESIDE, version="v0"), "v1", "v2 passed parity; it is yet to be held against v1"),
        (
            replace(BESIDE, verdict="fail", reason="worse by far"),
            "v1",
            "v2 does not replace v1, which serves: worse by far",
        ),
        (
            replace(BESIDE, agreement=None, reason="the files of v1 cannot be read"),
            "v2",
            "v2 takes the place of v1: the files of v1 cannot be read",
        ),
    ],
)
def test_only_what_is_as_good_may_replace(beside: Beside | None, owned: str, reason: str) -> None:
    """It waits for the comparison, and one that is worse stays out; where the older one is damaged
    the newer one serves at once."""
    step = next_step(V1, replace(EVIDENCE, candidate=replace(V2, beside=beside)))
    assert (step.route, step.reason) == (replace(V1, owned=owned), reason)


def test_a_still_newer_version_takes_the_place_of_one_rolled_back() -> None:
    """The one in force stays in force."""
    v3 = replace(V2, version="v3")
    held = replace(on_way("shadow"), held_by=CUTOVER)
    step = next_step(held, replace(EVIDENCE, candidate=v3))
    assert step.route == replace(on_way("shadow"), owned="v3")
    assert next_step(on_way("ramp5"), replace(EVIDENCE, candidate=v3)).route == on_way("ramp5")


def test_a_person_lets_a_version_pass_beside_the_one_in_force() -> None:
    """Into its shadow, not the vendor's; the one in force itself stays where it is."""
    assert accepted(V1, "v2", MEASURING) == on_way("shadow")
    assert accepted(on_way("ramp5"), "v3", MEASURING) == replace(on_way("shadow"), owned="v3")
    assert accepted(on_way("ramp5"), "v1", MEASURING) == V1


def test_a_person_rolls_back_step_by_step(database: Database) -> None:
    """First to the version before, then to the vendor, each on record; then nothing is left."""
    routes = Routes(database, ["main"])
    routes.set(RouteChange(route=on_way("ramp5"), at_ms=1, decided_by="cutover", reason="so"))
    ruling = Ruling(task="text_harm", by="ann", reason="I saw something", at_ms=2)
    held = replace(on_way("shadow"), held_by="person:ann")
    assert roll_back(routes, ruling, MEASURING) == held
    rented = roll_back(routes, ruling, MEASURING)
    assert (rented.stage, rented.owned, rented.incumbent, rented.owned_share) == (
        "shadow",
        "v1",
        None,
        0.0,
    )
    with pytest.raises(ConflictError, match="no owned model answers text_harm"):
        roll_back(routes, ruling, MEASURING)


def test_plans_while_one_replaces_another() -> None:
    """Who is asked, and who besides: each text has one way, and the vendor's share stays small."""
    route = replace(on_way("ramp25"), fallbacks=("spare",), shadow_share=1.0, watch_share=0.1)
    ways = [plan(route, f"item-{n}") for n in range(6_000)]
    counts = {way: ways.count(way) for way in set(ways)}
    newer = Plan(candidates=(OWNED, INCUMBENT, "main", "spare"), shadows=(INCUMBENT,))
    older = Plan(candidates=(INCUMBENT, "main", "spare", OWNED), shadows=(OWNED,))
    watched = replace(older, shadows=(OWNED, "main"))
    held_out = Plan(candidates=("main", "spare", INCUMBENT, OWNED), shadows=(INCUMBENT,))
    assert set(counts) == {newer, older, watched, held_out}
    assert abs(counts[newer] - 1_500) < 150
    assert abs(counts[watched] - 444) < 80
    assert abs(counts[held_out] - 60) < 35
    before = {n for n in range(6_000) if plan(V1, f"item-{n}").candidates[0] == "main"}
    assert {n for n, way in enumerate(ways) if way == held_out} == before, "the holdout is kept"


def _example(ref: str, teacher: bool, people: bool | None = None) -> Example:
    return Example(
        ref=ref,
        text=ref,
        at_ms=1,
        teacher={"hate": float(teacher)},
        people={} if people is None else {"hate": float(people)},
        sources=(),
        terms=(),
        banks={},
    )


def test_beside_is_told_by_people_then_by_the_rented_model() -> None:
    """400 texts, a quarter harmful: the older one misses every tenth harmful one. As good passes,
    a newer one that misses half of them fails, and few texts settle nothing."""
    held_out = [_example(str(n), n % 4 == 0) for n in range(400)]
    yes, no = {"hate": 0.9}, {"hate": 0.1}
    older = [yes if n % 4 == 0 and n % 40 else no for n in range(400)]
    bad = [yes if n % 8 == 0 else no for n in range(400)]
    truth = [yes if n % 4 == 0 else no for n in range(400)]

    def told(newer: list[dict[str, float]], n: int = 400) -> Beside:
        both = Both(held_out=held_out[:n], newer=newer[:n], older=older[:n])
        return beside_of("v1", both, ModelSettings())

    good = told(truth)
    assert (good.verdict, good.version) == ("pass", "v1")
    assert good.agreement == agreement(ANY, list(zip(older, truth, strict=True)), 0.5)
    worse = told(bad)
    assert worse.verdict == "fail"
    assert worse.reason.startswith(
        "right about what is harmful, compared with the version that serves, is -0.400 ("
    )
    assert told(bad, 12).verdict == "not_enough"
    assert told(bad, 0).reason.count("is unknown after 0 texts") == 2
    people = [
        replace(one, people={"hate": float(p["hate"] > 0.5)})
        for one, p in zip(held_out, bad, strict=True)
    ]
    both = Both(held_out=people, newer=bad, older=older)
    assert beside_of("v1", both, ModelSettings()).verdict == "pass", "people say the newer is right"


TEXTS, TRUTH = posts(8_000, seed=5)
KNOWN = truth_of(TEXTS, TRUTH)
_A_LOOK = 50  # posts between two looks, which are two seconds apart: 25 posts a second


def _student(wrong: float, seed: int) -> TextClassifier:
    """Taught with that share of the labels the wrong way round."""
    texts, truth = posts(900, seed=seed)
    truth[: int(900 * wrong)] = 1 - truth[: int(900 * wrong)]
    model = fit_text(texts, truth, CATEGORIES, seed=1)
    assert isinstance(model, TextClassifier)
    return model


def _world(database: Database, folder: Path) -> tuple[Registry, Routes]:
    """v1, somewhat confused, serves; v2, taught better, passed parity and was held against it."""
    registry = Registry(database, folder)
    Labels(database).add(harvest(1_000, seed=9))
    held = Agreement(category=ANY, both=270, missed=30, extra=10, neither=690)
    report = Parity(
        verdict="pass", reason="", held_out=1_000, more_needed=0, findings=(), agreement=held
    )
    told = msgspec.json.encode(report).decode()
    for at_ms, (version, wrong) in enumerate((("v1", 0.2), ("v2", 0.0))):
        known = register(registry, _student(wrong, seed=6 + at_ms), version)
        registry.put(replace(known, created_ms=at_ms, parity=told))
    routes = Routes(database, ["teacher"])
    route = replace(routes.current("text_harm"), owned="v1")
    route = with_stage(route, "owned", measuring_of(ModelSettings()))
    routes.set(RouteChange(route=route, at_ms=NOW_MS, decided_by="t", reason="t"))
    judge = Judge(database, registry, ModelSettings())
    judged = judge.report(TEXT_HARM, NoFacts(), NOW_MS)
    assert judged.beside is not None
    assert (judged.version, judged.beside.version, judged.beside.verdict) == ("v2", "v1", "pass")
    judge.put(judged)
    return registry, routes


async def _play(
    database: Database, registry: Registry, texts: Sequence[str], until: Stage
) -> tuple[list[Answer], int]:
    """Posts in simulated time, a look after every fifty; whoever looks is another each time, as if
    the one before had been killed. Returns the answers, and how many posts it took."""
    clock, fleet = FollowingClock(NOW_MS), Fleet([Knowing(KNOWN)], registry)
    judged: list[Answer] = []
    gateway = Gateway(database, clock, fleet, ModelSettings())
    for start in range(0, len(texts), _A_LOOK):
        some = texts[start : start + _A_LOOK]
        given = [TaskInput(ref=f"p{start + n}", text=text) for n, text in enumerate(some)]
        judged += await gateway.ask(TEXT_HARM, given)
        await gateway.drain()
        clock.advance(clock.now_ms() + 2_000)
        looking = Routes(database, fleet.vendors)
        step = looking.step("text_harm", registry, ModelSettings(), clock.now_ms())
        gateway._known_routes.clear()  # what a process knows is two seconds old at most
        if step.route.stage == until:
            break
    await gateway.close()
    return judged, len(judged)


def test_a_better_second_version_goes_to_the_end(any_database: Database, tmp_path: Path) -> None:
    """From the first look on beside the one that serves, through all stages to 100%; the vendor
    answers the holdout alone, and nothing is seen of a restart."""
    registry, routes = _world(any_database, tmp_path)
    first = routes.step("text_harm", registry, ModelSettings(), NOW_MS).route
    assert (first.stage, first.owned, first.incumbent) == ("shadow", "v2", "v1")
    assert [held.version for held in held_of(first)] == ["v2", "v1"]
    judged, _ = asyncio.run(_play(any_database, registry, TEXTS, "owned"))
    last = routes.current("text_harm")
    assert (last.stage, last.owned, last.incumbent) == ("owned", "v2", None)
    assert [change.route.stage for change in routes.history("text_harm")][::-1][1:] == list(
        STAGES[1:]
    )
    rented = sum(answer.host != INHOUSE for answer in judged)
    assert rented / len(judged) < 0.03
    assert {"v1", "v2"} == {answer.model for answer in judged if answer.host == INHOUSE}


@pytest.mark.parametrize("stage", ["ramp1", "ramp50"])
def test_a_worse_second_version_is_gone_within_a_minute(
    database: Database, tmp_path: Path, stage: Stage
) -> None:
    """Once it answers it turns out to have been taught the opposite: back to the version before,
    not to the vendor, in under a minute of 25 posts a second; in the shadow it is struck off."""
    registry, routes = _world(database, tmp_path)
    started = routes.step("text_harm", registry, ModelSettings(), NOW_MS).route
    ramped = replace(with_stage(started, stage, measuring_of(ModelSettings())))
    routes.set(RouteChange(route=ramped, at_ms=NOW_MS, decided_by="t", reason="t"))
    before = registry.version("v2")
    register(registry, _student(1.0, seed=8), "v2")  # its files are not what was judged
    registry.put(before)

    judged, posts_until = asyncio.run(_play(database, registry, TEXTS, "shadow"))
    back = routes.history("text_harm")[0]
    assert posts_until / (_A_LOOK / 2) < 60, "seconds"
    assert back.reason.startswith("rolled back: ")
    assert " that v1 lets pass it flags, above the bound of " in back.reason
    assert (back.route.incumbent, back.route.owned_share, back.route.held_by) == (
        "v1",
        0.0,
        CUTOVER,
    )
    if stage == "ramp1":
        assert sum(answer.model == "v2" for answer in judged) <= 5
    after, _ = asyncio.run(_play(database, registry, TEXTS[:1_000], "owned"))
    last = routes.current("text_harm")
    assert (last.stage, last.owned, last.incumbent, last.rejected) == ("owned", "v1", None, ("v2",))
    assert sum(answer.model == "v1" for answer in after) / len(after) > 0.95
