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
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from inhouse.models.cutover.watch import Crossed
from inhouse.models.parity.agreement import Agreement
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """All that a step may rest on."""

    labels: int  # labelled texts so far
    least_labels: int  # before a model is trained
    candidate: Candidate | None  # None where nothing was trained yet
    live: Agreement | None  # of the routed version with the rented model, since the stage began
    bar: float  # kappa it must keep
    measuring: Measuring
    crossed: Crossed | None = None  # what is watched of it and is over its bound


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The route to take now, and why. The same route means stay."""

    route: Route
    reason: str  # in words


def next_step(route: Route, evidence: Evidence) -> Step:
    """Decide the next route. Forwards it never skips a stage, except without any rented model."""
    if route.stage == "rented" or route.owned is None:
        return _from_rented(route, evidence)
    if route.primary is None:
        return _without_vendor(route, evidence)
    bad = evidence.crossed or _disagreeing(evidence)
    if bad is not None and (route.stage != "shadow" or bad.kind == "quality"):
        return Step(route=_back(route, evidence), reason=f"rolled back: {bad.reason}")
    return _newer(route, evidence) or _onwards(route, evidence, bad)


def accepted(route: Route, version: str, measuring: Measuring) -> Route:
    """The route once a person let a version pass: into the shadow of the rented model, which still
    judges it on live traffic; into service where there is none."""
    chosen = replace(
        route,
        owned=version,
        rejected=tuple(name for name in route.rejected if name != version),
        held_by=None,
    )
    return with_stage(chosen, "owned" if route.primary is None else "shadow", measuring)


def with_stage(route: Route, stage: Stage, measuring: Measuring) -> Route:
    """The route as it is at that stage."""
    share = SHARES[stage]
    if route.primary is not None:
        share = min(share, 1.0 - measuring.holdout_share)
    return replace(
        route,
        stage=stage,
        owned_share=share,
        shadow_share=0.0 if stage == "rented" else measuring.shadow_share,
        watch_share=measuring.watch_share if share else 0.0,
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
    the older one; its live agreement is counted afresh, and a bad one goes back. On the way the
    version stays, or it would never have time to show itself."""
    candidate = evidence.candidate
    ended = route.stage == "owned" and route.held_by is None
    rolled_back = route.stage == "shadow" and route.held_by == CUTOVER
    if not (ended or rolled_back) or candidate is None or candidate.verdict != "pass":
        return None
    if candidate.version == route.owned or candidate.version in route.rejected:
        return None
    return Step(
        route=replace(route, owned=candidate.version, held_by=None),
        reason=f"{candidate.version} takes the place of {route.owned}: {candidate.reason}",
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


def _disagreeing(evidence: Evidence) -> Crossed | None:
    live = evidence.live
    if live is None or verdict_of(live.sequence(), evidence.bar) != "fail":
        return None
    return Crossed(kind="quality", reason=_told(live, evidence.bar))


def _back(route: Route, evidence: Evidence) -> Route:
    """To where the owned model answers nobody: in one step, for what is wrong with it is wrong at
    every share."""
    if route.stage != "shadow":
        return replace(with_stage(route, "shadow", evidence.measuring), held_by=CUTOVER)
    failed = () if route.owned is None else (route.owned,)
    return replace(
        with_stage(route, "rented", evidence.measuring),
        owned=None,
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
