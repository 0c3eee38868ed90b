"""From rented to owned and back: the state machine as a table, the shares, the store."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tests.models.models_texts import register, small_model

from inhouse.models.asking.routing import Plan, place_of, plan
from inhouse.models.cutover.routes import Acceptance, RouteChange, Routes
from inhouse.models.cutover.stages import (
    SHARES,
    Candidate,
    Evidence,
    Measuring,
    Step,
    next_step,
    with_stage,
)
from inhouse.models.cutover.watch import Crossed
from inhouse.models.harvest.comparisons import Comparison, add_comparisons
from inhouse.models.harvest.labels import Labels
from inhouse.models.owned.registry import ModelVersion, Registry
from inhouse.models.parity.agreement import ANY, Agreement
from inhouse.models.parity.gate import Finding, Parity, Verdict
from inhouse.models.settings import ModelSettings
from inhouse.models.types import OWNED, STAGES, Label, Route, Stage
from inhouse.store import tables
from inhouse.store.database import Database

RENTED = Route(task="text_harm", stage="rented", primary="main", fallbacks=("spare",))
GOOD = Agreement(category=ANY, both=90, missed=5, extra=5, neither=900)
FAIR = Agreement(category=ANY, both=25, missed=10, extra=5, neither=400)  # interval around the bar
POOR = Agreement(category=ANY, both=10, missed=150, extra=50, neither=900)
WEAK = Agreement(category=ANY, both=20, missed=18, extra=8, neither=400)  # below the bar, unsure
FEW = Agreement(category=ANY, both=3, missed=0, extra=0, neither=30)
MEASURING = Measuring(watch_share=0.02)
SLOW = Crossed(kind="latency", reason="too slow")
WORSE = Crossed(kind="quality", reason="too many missed")


def candidate(verdict: Verdict = "pass", version: str = "v1") -> Candidate:
    """A trained version."""
    return Candidate(version=version, verdict=verdict, reason="so says the report")


EVIDENCE = Evidence(
    labels=1_000,
    least_labels=300,
    candidate=candidate(),
    live=None,
    bar=0.6,
    measuring=MEASURING,
)


def at(stage: Stage, owned: str | None = "v1", primary: str | None = "main") -> Route:
    """A route on its way."""
    return replace(with_stage(RENTED, stage, MEASURING), owned=owned, primary=primary)


@pytest.mark.parametrize(
    ("route", "evidence", "stage", "reason"),
    [
        (
            RENTED,
            replace(EVIDENCE, candidate=None, labels=120),
            "rented",
            "120 labels so far, training starts at 300",
        ),
        (RENTED, replace(EVIDENCE, candidate=candidate("not_enough")), "rented", "so says"),
        (RENTED, replace(EVIDENCE, candidate=candidate("fail")), "rented", "so says"),
        (RENTED, EVIDENCE, "shadow", "parity passed: so says"),
        (
            replace(RENTED, rejected=("v1",)),
            EVIDENCE,
            "rented",
            "v1 failed on live traffic; a newer one is needed",
        ),
        (
            replace(RENTED, rejected=("v1",)),
            replace(EVIDENCE, candidate=candidate(version="v2")),
            "shadow",
            "parity passed",
        ),
        (at("shadow"), EVIDENCE, "shadow", "no text was answered by both models yet"),
        (
            at("shadow"),
            replace(EVIDENCE, live=FEW),
            "shadow",
            "live agreement unknown after 33 pairs: the reference has flagged",
        ),
        (at("shadow"), replace(EVIDENCE, live=GOOD), "ramp1", "live agreement 0.942 ("),
        (at("shadow"), replace(EVIDENCE, live=FAIR), "shadow", "live agreement"),
        (at("shadow"), replace(EVIDENCE, live=WEAK), "shadow", "live agreement"),
        (at("shadow"), replace(EVIDENCE, live=POOR), "rented", "rolled back: live agreement"),
        (at("ramp1"), replace(EVIDENCE, live=GOOD), "ramp5", "live agreement"),
        (at("ramp1"), replace(EVIDENCE, live=WEAK), "ramp1", "live agreement"),
        (at("ramp1"), replace(EVIDENCE, live=POOR), "shadow", "rolled back: live agreement"),
        (at("ramp5"), replace(EVIDENCE, live=GOOD), "ramp25", "live agreement"),
        (at("ramp25"), replace(EVIDENCE, live=GOOD), "ramp50", "live agreement"),
        (at("ramp50"), replace(EVIDENCE, live=GOOD), "owned", "live agreement"),
        (at("ramp50"), replace(EVIDENCE, live=POOR), "shadow", "rolled back"),
        (at("owned"), replace(EVIDENCE, live=GOOD), "owned", "live agreement"),
        (at("owned"), replace(EVIDENCE, live=POOR), "shadow", "rolled back"),
        (
            at("ramp25"),
            replace(EVIDENCE, live=GOOD, crossed=SLOW),
            "shadow",
            "rolled back: too slow",
        ),
        (at("shadow"), replace(EVIDENCE, live=GOOD, crossed=SLOW), "shadow", "too slow; live"),
        (at("shadow"), replace(EVIDENCE, crossed=WORSE), "rented", "rolled back: too many missed"),
        (
            replace(at("ramp5"), held_by="person:ann"),
            replace(EVIDENCE, live=GOOD),
            "ramp5",
            "held by person:ann; `inhouse models resume text_harm` lets it go on; live agreement",
        ),
        (
            replace(at("ramp5"), held_by="person:ann"),
            replace(EVIDENCE, live=POOR),
            "shadow",
            "rolled back",
        ),
        (
            replace(at("shadow"), held_by="cutover"),
            replace(EVIDENCE, candidate=candidate(version="v2"), live=GOOD),
            "shadow",
            "v2 takes the place of v1",
        ),
        (
            replace(at("owned"), held_by="person:ann"),
            replace(EVIDENCE, candidate=candidate(version="v2"), live=GOOD),
            "owned",
            "live agreement",
        ),
        (
            replace(RENTED, held_by="person:ann"),
            EVIDENCE,
            "rented",
            "held by person:ann; `inhouse models resume text_harm` lets it go on",
        ),
        (at("owned"), replace(EVIDENCE, live=POOR, bar=0.01), "owned", "live agreement"),
        (at("shadow"), replace(EVIDENCE, candidate=candidate(version="v2")), "shadow", "no text"),
        (
            at("owned"),
            replace(EVIDENCE, candidate=candidate(version="v2")),
            "owned",
            "v2 passed parity; it is yet to be held against v1",
        ),
        (
            at("owned"),
            replace(EVIDENCE, candidate=candidate("fail", "v2"), live=GOOD),
            "owned",
            "live agreement",
        ),
        (at("rented", owned=None, primary=None), EVIDENCE, "owned", "parity passed"),
        (
            at("owned", primary=None),
            EVIDENCE,
            "owned",
            "no rented model is configured to compare with",
        ),
    ],
)
def test_steps(route: Route, evidence: Evidence, stage: Stage, reason: str) -> None:
    """Forwards on evidence, backwards on disagreement, else it stays and says why."""
    step = next_step(route, evidence)
    assert (stage, True) == (step.route.stage, step.reason.startswith(reason))


def test_a_version_that_failed_live_is_not_tried_again() -> None:
    """Back at rented it is struck off, and the shares are those of the stage."""
    step = next_step(at("shadow"), replace(EVIDENCE, live=POOR))
    assert step.route == replace(RENTED, rejected=("v1",))
    assert next_step(step.route, EVIDENCE).route.stage == "rented"


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_has_its_shares(stage: Stage) -> None:
    """Watching begins when the owned model answers anybody, and the holdout stays rented."""
    measuring = Measuring(watch_share=0.02, shadow_share=0.5, holdout_share=0.1)
    route, share = with_stage(RENTED, stage, measuring), SHARES[stage]
    assert min(share, 0.9) == route.owned_share
    assert (0.02 if share else 0.0) == route.watch_share
    assert (0.0 if stage == "rented" else 0.5) == route.shadow_share


_LIVE = st.sampled_from([None, FEW, GOOD, FAIR, WEAK, POOR])
_CANDIDATES = st.one_of(
    st.none(),
    st.builds(
        candidate,
        st.sampled_from(["pass", "fail", "not_enough"]),
        st.sampled_from(["v1", "v2", "v3"]),
    ),
)


_EVENTS = st.lists(st.tuples(_LIVE, _CANDIDATES, st.sampled_from([None, SLOW, WORSE])), max_size=20)


@given(_EVENTS)
def test_no_stage_is_skipped(
    events: list[tuple[Agreement | None, Candidate | None, Crossed | None]],
) -> None:
    """Whatever the evidence, with a rented model the stage moves forwards by one at most, never
    while something has crossed its bound or holds it; backwards it leaves nobody with the owned
    model; and an owned share always has an owned model."""
    route = RENTED
    for live, found, over in events:
        step = next_step(route, replace(EVIDENCE, live=live, candidate=found, crossed=over))
        moved = STAGES.index(step.route.stage) - STAGES.index(route.stage)
        assert moved <= 1
        if moved > 0:
            assert route.stage == "rented" or over is None
            assert route.held_by is None
        if moved < 0:
            assert step.route.owned_share == 0
        assert (step.route.owned is None) == (step.route.stage == "rented")
        assert SHARES[step.route.stage] == step.route.owned_share
        route = step.route


def test_plans_of_each_stage() -> None:
    """Who is asked, in which order, and who is asked besides."""
    assert Plan(candidates=("main", "spare")) == plan(RENTED, "r")
    assert Plan(candidates=("main", "spare", OWNED), shadows=(OWNED,)) == plan(at("shadow"), "r")
    watched = replace(at("owned"), watch_share=1.0)
    assert Plan(candidates=(OWNED, "main", "spare"), shadows=("main",)) == plan(watched, "r")
    alone = replace(at("owned", primary=None), fallbacks=())
    assert Plan(candidates=(OWNED,)) == plan(alone, "r")


def test_shares_nest_and_are_kept() -> None:
    """Who is answered by the owned model at a stage is so at every later one, about as many as the
    share says; the holdout never is."""
    refs = [f"item-{n}" for n in range(4_000)]
    measuring = replace(MEASURING, holdout_share=0.1)
    before: set[str] = set()
    for stage in STAGES[2:]:
        route = replace(with_stage(RENTED, stage, measuring), owned="v1")
        now = {ref for ref in refs if plan(route, ref).candidates[0] == OWNED}
        assert before < now
        assert abs(len(now) - 4_000 * min(0.9, SHARES[stage])) < 150
        before = now
    assert {"main"} == {plan(route, ref).candidates[0] for ref in refs if ref not in before}


def test_purposes_fall_independently() -> None:
    """Who is served says nothing of who is checked."""
    places = [(place_of("t", "owned", str(n)), place_of("t", "shadow", str(n))) for n in range(999)]
    both = sum(a < 0.5 and b < 0.5 for a, b in places)
    assert abs(both - 250) < 60


def test_the_share_that_is_shadowed_is_of_those_it_is_meant_for() -> None:
    """Of the texts the rented model answers, half are asked of the owned one too."""
    route = replace(at("ramp50"), shadow_share=0.5)
    ways = [plan(route, f"item-{n}") for n in range(2_000)]
    rented = [way for way in ways if way.candidates[0] == "main"]
    shadowed = sum(way.shadows == (OWNED,) for way in rented)
    assert abs(shadowed / len(rented) - 0.5) < 0.07


def _comparison(number: int, own: bool, rented: bool, **more: object) -> Comparison:
    values = {"task": "text_harm", "at_ms": 10, "ref": str(number), "student": "v1", "teacher": "t"}
    return Comparison(
        student_scores={"hate": 0.9 if own else 0.1},
        teacher_scores={"hate": 0.9 if rented else 0.1},
        **{**values, **more},  # type: ignore[arg-type]
    )


def _compare(database: Database, *comparisons: Comparison) -> None:
    database.write(lambda connection: add_comparisons(connection, comparisons))


def test_live_agreement_is_of_this_version_since_then(
    any_database: Database, tmp_path: Path
) -> None:
    """Other versions, other tasks and earlier pairs do not count, on both databases."""
    routes, registry = Routes(any_database, ["main"]), Registry(any_database, tmp_path)
    _trained(registry)
    _compare(any_database, _comparison(1, True, True))
    routes.step("text_harm", registry, ModelSettings(), 9)
    _compare(
        any_database,
        _comparison(2, True, True, student="v0"),
        _comparison(3, True, True, task="other"),
        _comparison(4, True, True),
        _comparison(5, False, True),
        _comparison(6, False, False),
    )
    route = routes.step("text_harm", registry, ModelSettings(), 10).route
    told = routes.evidence(route, registry, ModelSettings()).live
    assert Agreement(category=ANY, both=1, missed=1, extra=0, neither=1) == told


def test_a_new_task_is_rented_from_the_first_vendor(database: Database) -> None:
    """Nothing stored yet: the configured vendors in their order."""
    assert Routes(database, ["main", "spare"]).current("text_harm") == RENTED


def test_routes_are_appended_and_the_latest_holds(any_database: Database) -> None:
    """Every change is kept with who and why, on both databases."""
    routes = Routes(any_database, ["main", "spare"])
    changes = [
        RouteChange(route=at(stage), at_ms=n, decided_by="person:ann", reason=f"because {n}")
        for n, stage in enumerate(("shadow", "ramp5"))
    ]
    for change in changes:
        routes.set(change)
    assert at("ramp5") == routes.current("text_harm")
    assert changes[::-1] == routes.history("text_harm")
    assert routes.history("other") == []


def test_vendors_that_are_gone_are_left_out(database: Database) -> None:
    """A route never names a deployment that is not configured; new ones stand in last."""
    Routes(database, ["main", "spare"]).set(
        RouteChange(route=at("shadow"), at_ms=1, decided_by="x", reason="y")
    )
    changed = Routes(database, ["new", "spare"]).current("text_harm")
    assert (changed.primary, changed.fallbacks) == ("spare", ("new",))
    assert (
        Routes(database, []).current("text_harm").primary,
        Routes(database, []).current("text_harm").fallbacks,
    ) == (None, ())


def _report(verdict: Verdict, kappa: float) -> str:
    finding = Finding(
        category=ANY,
        reference="teacher",
        question="agreement",
        verdict=verdict,
        n=900,
        estimate=kappa,
        low=kappa,
        high=kappa,
        bar=0.6,
        more_needed=0,
    )
    report = Parity(
        verdict=verdict, reason="told", held_out=900, more_needed=0, findings=(finding,)
    )
    return msgspec.json.encode(report).decode()


def _trained(registry: Registry, verdict: Verdict = "pass", kappa: float = 0.9) -> None:
    version: ModelVersion = register(registry, small_model(), "v1")
    registry.put(replace(version, parity=_report(verdict, kappa)))


def test_the_whole_way_in_the_store(database: Database, tmp_path: Path) -> None:
    """Labels, a version that passed, agreement on live traffic: each step is stored once."""
    routes, registry = Routes(database, ["main"]), Registry(database, tmp_path)
    settings = ModelSettings()

    def step(now_ms: int) -> Step:
        return routes.step("text_harm", registry, settings, now_ms)

    assert step(1).reason == "0 labels so far, training starts at 300"
    _trained(registry)
    assert step(2).route.stage == "shadow"
    for stage, now_ms in (("ramp1", 30), ("ramp5", 50), ("ramp25", 70), ("ramp50", 90)):
        stayed = step(now_ms - 10)
        assert stayed.reason == "no text was answered by both models yet"
        pairs = [_comparison(n, n < 25, n < 25, at_ms=now_ms) for n in range(200)]
        _compare(database, *pairs)
        assert stage == step(now_ms).route.stage
    bad = [_comparison(n, False, n < 90, at_ms=99) for n in range(900)]
    _compare(database, *bad)
    back = step(100).route
    assert (back.stage, back.owned_share, back.held_by) == ("shadow", 0.0, "cutover")
    assert [change.route.stage for change in routes.history("text_harm")] == [
        "shadow",
        "ramp50",
        "ramp25",
        "ramp5",
        "ramp1",
        "shadow",
    ]
    assert {"cutover"} == {change.decided_by for change in routes.history("text_harm")}
    with database.read() as connection:
        last = connection.execute(
            sa.select(tables.audit.c.details).order_by(tables.audit.c.number.desc())
        ).scalar()
    assert "rolled back: live agreement" in str(last)


def test_routes_of_the_former_ramp_are_read_on(database: Database) -> None:
    """A tenth becomes the next lower step, a half stays what it was; nobody is moved by reading
    to the owned model."""
    routes = Routes(database, ["main"])
    routes.set(RouteChange(route=at("ramp50"), at_ms=1, decided_by="cutover", reason="r"))
    with database.read() as connection:
        body = connection.execute(sa.select(tables.routes.c.body)).scalar_one()
    former = body.replace("ramp50", "ramp10").replace('"owned_share":0.5', '"owned_share":0.1')
    former = former.replace(',"held_by":null', "")
    row = {"task": "text_harm", "at_ms": 2, "body": former, "decided_by": "cutover", "reason": "r"}
    database.write(lambda connection: connection.execute(tables.routes.insert(), row))
    read = routes.current("text_harm")
    assert (read.stage, read.owned_share, read.owned, read.held_by) == ("ramp5", 0.05, "v1", None)
    assert routes.history("text_harm")[1].route.stage == "ramp50"


@pytest.mark.parametrize(
    ("vendors", "stage", "share"), [([], "owned", 1.0), (["main"], "shadow", 0.0)]
)
def test_a_person_may_let_a_version_pass(
    database: Database, vendors: list[str], stage: str, share: float
) -> None:
    """It serves where nothing is rented, else it shows itself in the shadow; their word is kept."""
    routes = Routes(database, vendors)
    routes.set(
        RouteChange(
            route=replace(routes.current("text_harm"), rejected=("v1", "v0")),
            at_ms=1,
            decided_by="cutover",
            reason="rolled back",
        )
    )

    route = routes.accept(
        Acceptance(task="text_harm", version="v1", by="ann", reason="labels are noisy", at_ms=2),
        MEASURING,
    )

    assert (route.stage, route.owned_share, route.owned, route.rejected) == (
        stage,
        share,
        "v1",
        ("v0",),
    )
    assert routes.history("text_harm")[0] == RouteChange(
        route=route, at_ms=2, decided_by="person:ann", reason="labels are noisy"
    )


def test_what_people_let_pass_is_held_to_what_it_had(database: Database, tmp_path: Path) -> None:
    """A version better than a noisy rented model need not agree with it more than it ever did."""
    routes, registry = Routes(database, ["main"]), Registry(database, tmp_path)
    _trained(registry, kappa=0.45)
    route = routes.step("text_harm", registry, ModelSettings(), 1).route
    told = routes.evidence(route, registry, ModelSettings())
    assert pytest.approx(0.40) == told.bar
    assert routes.evidence(RENTED, registry, ModelSettings()).bar == 0.6


def test_evidence_counts_the_labels(database: Database, tmp_path: Path) -> None:
    """Of the task, from all sources."""
    Labels(database).add(
        [
            Label(task="text_harm", ref=str(n), text="t", scores={}, source="s", terms="", at_ms=1)
            for n in range(7)
        ]
    )
    routes, registry = Routes(database, []), Registry(database, tmp_path)
    told = routes.evidence(RENTED, registry, ModelSettings())
    assert (told.labels, told.least_labels, told.candidate, told.live) == (7, 300, None, None)
