"""From rented to owned, step by step, and back at once: a pure state machine.

    rented ─parity► shadow ─live► ramp1 ─live► ramp5 ─live► ramp25 ─live► ramp50 ─live► owned
       ◄──quality─────┘ ◄───────────┴────────────┴── any bound crossed ──┴──────────────┘

`parity`, the report on held-out labels, is the gate. `live` is kappa with the rented model on real
traffic since the stage began: a stage is left forwards where an interval that holds however often
one looks (Howard, Ramdas, McAuliffe & Sekhon 2021, Annals of Statistics 49:1055; the asymptotic one
of stats.sequential) lies above the bar, and nothing that is watched has crossed its bound. Where
something has (see `watch`), or where that interval lies below the bar, the owned model answers
nobody from the next look on: back to the shadow in one step, and held there until a person resumes
or a newer version passes parity. A version that disagrees in the shadow too is struck off.

With no rented model configured there is nobody to compare with on live traffic: a model that agrees
with people goes straight to owned.

A newer version that is to replace one that is owned takes the same way, from the shadow on, against
that one in place of the rented model:

    v1 owned ─v2: parity, not worse─► v2 in v1's shadow ─live► v2 1 … 50%, v1 the rest ─► v2 owned
        ◄────────quality────────────────┘ ◄─── any bound crossed ───┘

Until the end v1 answers what v2 does not, and is watched as before; where it crosses a bound of its
own the rented model takes over, and v2 goes on from the shadow of that one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from inhouse.models.cutover.watch import Crossed
from inhouse.models.parity.agreement import Agreement
from inhouse.models.parity.beside import Beside
from inhouse.models.parity.gate import Verdict, verdict_of
from inhouse.models.settings import ModelSettings
from inhouse.models.types import STAGES, Route, Stage
from inhouse.stats.types import Interval

CUTOVER: Final = "cutover"  # who decides where no person does
_MOST_REJECTED: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Measuring:
    """How much is asked only to know."""

    watch_share: float  # of the owned model's answers, how many the rented one is asked besides
    shadow_share: float = 1.0  # of the rented model's answers, how many the owned one is
    holdout_share: float = 0.0  # of all, what the rented model goes on answering for ever


# How much of what is judged the owned model answers, whom the holdout leaves to it.
SHARES: Final[Mapping[Stage, float]] = MappingProxyType(
    {
        "rented": 0.0,
        "shadow": 0.0,
        "ramp1": 0.01,
        "ramp5": 0.05,
        "ramp25": 0.25,
        "ramp50": 0.5,
        "owned": 1.0,
    }
)


def measuring_of(settings: ModelSettings) -> Measuring:
    """As the operator set it."""
    return Measuring(
        watch_share=settings.watch_share,
        shadow_share=settings.shadow_share,
        holdout_share=settings.holdout_share,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """The newest trained version of the task."""

    version: str
    verdict: Verdict  # of its parity report
    reason: str  # in words
    beside: Beside | None = None  # beside the version in force; None where they were not compared


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """All that a step may rest on."""

    labels: int  # labelled texts so far
    least_labels: int  # before a model is trained
    candidate: Candidate | None  # None where nothing was trained yet
    live: Agreement | None  # of the routed version with whom it is held against, in this stage
    bar: float  # kappa it must keep
    measuring: Measuring
    crossed: Crossed | None = None  # what is watched of it and is over its bound
    incumbent_crossed: Crossed | None = None  # the same of the version that it is to replace


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The route to take now, and why. The same route means stay."""

    route: Route
    reason: str  # in words


def next_step(route: Route, evidence: Evidence) -> Step:
    """Decide the next route. Forwards it never skips a stage, except without any rented model."""
    if route.stage == "rented" or route.owned is None:
        return _from_rented(route, evidence)
    if route.incumbent is not None and evidence.incumbent_crossed is not None and route.primary:
        return _both_out(route, evidence, evidence.incumbent_crossed)
    if route.primary is None and route.incumbent is None:
        return _without_vendor(route, evidence)
    bad = evidence.crossed or disagreeing(evidence.live, evidence.bar)
    if bad is not None and (route.stage != "shadow" or bad.kind == "quality"):
        return Step(route=_back(route, evidence), reason=f"rolled back: {bad.reason}")
    return _newer(route, evidence) or _onwards(route, evidence, bad)


def accepted(route: Route, version: str, measuring: Measuring) -> Route:
    """The route once a person let a version pass: into the shadow of the version in force, or of
    the rented model, which still judges it on live traffic; into service where there is neither."""
    before = _in_force(route)
    chosen = replace(
        route,
        owned=version,
        incumbent=None if before == version else before,
        rejected=tuple(name for name in route.rejected if name != version),
        held_by=None,
    )
    alone = before == version or (before is None and route.primary is None)
    return with_stage(chosen, "owned" if alone else "shadow", measuring)


def with_stage(route: Route, stage: Stage, measuring: Measuring) -> Route:
    """The route as it is at that stage. At the end of the way nothing is to be replaced."""
    most = 1.0 if route.primary is None else 1.0 - measuring.holdout_share
    share = min(SHARES[stage], most)
    incumbent = None if stage in ("rented", "owned") else route.incumbent
    return replace(
        route,
        stage=stage,
        owned_share=share,
        shadow_share=0.0 if stage == "rented" else measuring.shadow_share,
        watch_share=measuring.watch_share if share or incumbent else 0.0,
        incumbent=incumbent,
        incumbent_share=most if incumbent else 0.0,
    )


def _from_rented(route: Route, evidence: Evidence) -> Step:
    candidate = evidence.candidate
    if candidate is None:
        return Step(
            route=route,
            reason=f"{evidence.labels:,} labels so far, training starts at "
            f"{evidence.least_labels:,}",
        )
    if candidate.version in route.rejected:
        return Step(
            route=route, reason=f"{candidate.version} failed on live traffic; a newer one is needed"
        )
    if candidate.verdict != "pass":
        return Step(route=route, reason=candidate.reason)
    if route.held_by is not None:
        return Step(route=route, reason=_held(route))
    return Step(
        route=accepted(route, candidate.version, evidence.measuring),
        reason=f"parity passed: {candidate.reason}",
    )


def _without_vendor(route: Route, evidence: Evidence) -> Step:
    return _newer(route, evidence) or Step(
        route=route, reason="no rented model is configured to compare with"
    )


def _newer(route: Route, evidence: Evidence) -> Step | None:
    """Once at the end of the way, or back from it, a newer version that passed takes the place of
    the older one, in the shadow. On the way the version stays, or it would never have time to show
    itself."""
    candidate = evidence.candidate
    ended = route.stage == "owned" and route.held_by is None
    rolled_back = route.stage == "shadow" and route.held_by == CUTOVER
    if not (ended or rolled_back) or candidate is None or candidate.verdict != "pass":
        return None
    if candidate.version in (route.owned, route.incumbent, *route.rejected):
        return None
    before = _in_force(route)
    chosen = replace(route, owned=candidate.version, incumbent=before, held_by=None)
    if before is not None:
        return _to_replace(route, with_stage(chosen, "shadow", evidence.measuring), candidate)
    return Step(
        route=chosen,
        reason=f"{candidate.version} takes the place of {route.owned}: {candidate.reason}",
    )


def _in_force(route: Route) -> str | None:
    """The version that serves; None where rented models do."""
    return route.incumbent or (route.owned if route.stage == "owned" else None)


def _to_replace(route: Route, begun: Route, candidate: Candidate) -> Step:
    """Begin to replace the version in force, unless the newer one is worse. Where the files of the
    older one cannot be read there is nothing to go back to, and the newer one serves at once."""
    beside, before = candidate.beside, begun.incumbent
    if beside is None or beside.version != before:
        reason = f"{candidate.version} passed parity; it is yet to be held against {before}"
        return Step(route=route, reason=reason)
    if beside.verdict == "fail":
        return Step(
            route=route,
            reason=f"{candidate.version} does not replace {before}, which serves: {beside.reason}",
        )
    if beside.agreement is None and route.stage == "owned":
        return Step(
            route=replace(route, owned=candidate.version),
            reason=f"{candidate.version} takes the place of {before}: {beside.reason}",
        )
    return Step(
        route=begun, reason=f"{candidate.version} is to replace {before}: {candidate.reason}"
    )


def _both_out(route: Route, evidence: Evidence, crossed: Crossed) -> Step:
    """The version in force is bad itself: rented models answer, and the one that was to replace it
    shows itself in their shadow."""
    alone = replace(route, incumbent=None)
    return Step(
        route=with_stage(alone, "shadow", evidence.measuring),
        reason=f"rolled back: {route.incumbent}, which served: {crossed.reason}",
    )


def _onwards(route: Route, evidence: Evidence, bad: Crossed | None) -> Step:
    """A stage forwards where the evidence allows it, else no step."""
    if evidence.live is None or not evidence.live.pairs:
        return Step(route=route, reason="no text was answered by both models yet")
    told = _told(evidence.live, evidence.bar)
    if bad is not None:
        return Step(route=route, reason=f"{bad.reason}; {told}")
    shown = verdict_of(evidence.live.sequence(), evidence.bar) == "pass"
    if not shown or route.stage == "owned":
        return Step(route=route, reason=told)
    if route.held_by is not None:
        return Step(route=route, reason=f"{_held(route)}; {told}")
    stage = STAGES[STAGES.index(route.stage) + 1]
    return Step(route=with_stage(route, stage, evidence.measuring), reason=told)


def _held(route: Route) -> str:
    return f"held by {route.held_by}; `inhouse models resume {route.task}` lets it go on"


def disagreeing(live: Agreement | None, bar: float) -> Crossed | None:
    """Live agreement that lies below the bar; None where it does not."""
    if live is None or verdict_of(live.sequence(), bar) != "fail":
        return None
    return Crossed(kind="quality", reason=_told(live, bar))


def _back(route: Route, evidence: Evidence) -> Route:
    """To where the owned model answers nobody: in one step, for what is wrong with it is wrong at
    every share. What it was to replace, or else the rented model, answers everybody."""
    if route.stage != "shadow":
        return replace(with_stage(route, "shadow", evidence.measuring), held_by=CUTOVER)
    failed = () if route.owned is None else (route.owned,)
    before = route.incumbent
    return replace(
        with_stage(route, "rented" if before is None else "owned", evidence.measuring),
        owned=before,
        rejected=(*route.rejected, *failed)[-_MOST_REJECTED:],
        # What the cutover held is gone; what a person holds stays held.
        held_by=None if route.held_by == CUTOVER else route.held_by,
    )


def _told(live: Agreement, bar: float) -> str:
    interval = live.sequence()
    if not isinstance(interval, Interval):
        return f"live agreement unknown after {live.pairs:,} pairs: {interval.reason}"
    return (
        f"live agreement {interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f}, "
        f"bar {bar:.3f}) on {live.pairs:,} pairs"
    )
