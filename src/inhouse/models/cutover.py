"""From rented to owned, step by step and back: a pure state machine.

    rented ──parity──► shadow ──live──► ramp10 ──live──► ramp50 ──live──► owned
       ◄────────────────◄───────────────◄────────────────◄────────────────┘
              one stage back when live agreement falls below the bar

`parity`, the report on held-out labels, is the gate. `live` is kappa with the rented model on real
traffic since the stage began, and the guard: a stage is left forwards when there are enough pairs
and kappa is at the bar or above, backwards when an interval that holds however often one looks lies
below it.

With no rented model configured there is nobody to compare with on live traffic: a model that agrees
with people goes straight to owned.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from inhouse.models.agreement import Agreement
from inhouse.models.parity import Verdict, verdict_of
from inhouse.models.types import STAGES, Route, Stage
from inhouse.stats.types import Interval

_MOST_REJECTED: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """How a stage divides the traffic."""

    owned: float  # of the inputs, answered by the owned model
    shadow: float  # of the others, also asked of it: free, so all of them
    watched: bool  # whether some of its answers are checked with the rented model


SHARES: Final[Mapping[Stage, Shares]] = MappingProxyType(
    {
        "rented": Shares(owned=0.0, shadow=0.0, watched=False),
        "shadow": Shares(owned=0.0, shadow=1.0, watched=False),
        "ramp10": Shares(owned=0.1, shadow=1.0, watched=True),
        "ramp50": Shares(owned=0.5, shadow=1.0, watched=True),
        "owned": Shares(owned=1.0, shadow=1.0, watched=True),
    }
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
    watch_share: float  # of the owned model's answers, how many are checked


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The route to take now, and why. The same route means stay."""

    route: Route
    reason: str  # in words


def next_step(route: Route, evidence: Evidence) -> Step:
    """Decide the next route. Never skips a stage, except without any rented model."""
    if route.stage == "rented" or route.owned is None:
        return _from_rented(route, evidence)
    if route.primary is None:
        return _without_vendor(route, evidence)
    newer = _newer(route, evidence)
    return newer or _by_live(route, evidence)


def accepted(route: Route, version: str, watch_share: float) -> Route:
    """The route once a person let a version pass: into the shadow of the rented model, which still
    judges it on live traffic; into service where there is none."""
    chosen = replace(
        route, owned=version, rejected=tuple(name for name in route.rejected if name != version)
    )
    return with_stage(chosen, "owned" if route.primary is None else "shadow", watch_share)


def with_stage(route: Route, stage: Stage, watch_share: float) -> Route:
    """The route as it is at that stage."""
    shares = SHARES[stage]
    return replace(
        route,
        stage=stage,
        owned_share=shares.owned,
        shadow_share=shares.shadow,
        watch_share=watch_share if shares.watched else 0.0,
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
    return Step(
        route=accepted(route, candidate.version, evidence.watch_share),
        reason=f"parity passed: {candidate.reason}",
    )


def _without_vendor(route: Route, evidence: Evidence) -> Step:
    return _newer(route, evidence) or Step(
        route=route, reason="no rented model is configured to compare with"
    )


def _newer(route: Route, evidence: Evidence) -> Step | None:
    """Once at the end of the way, a newer version that passed takes the place of the older one;
    its live agreement is counted afresh, and a bad one goes back stage by stage. On the way the
    version stays, or it would never have time to show itself."""
    candidate = evidence.candidate
    if route.stage != "owned" or candidate is None or candidate.verdict != "pass":
        return None
    if candidate.version == route.owned or candidate.version in route.rejected:
        return None
    return Step(
        route=replace(route, owned=candidate.version),
        reason=f"{candidate.version} takes the place of {route.owned}: {candidate.reason}",
    )


def _by_live(route: Route, evidence: Evidence) -> Step:
    if evidence.live is None:
        return Step(route=route, reason="no text was answered by both models yet")
    interval = evidence.live.sequence()
    told = _told(evidence.live, evidence.bar)
    place = STAGES.index(route.stage)
    if verdict_of(interval, evidence.bar) == "fail":
        return Step(
            route=_back(route, STAGES[place - 1], evidence.watch_share),
            reason=f"rolled back: {told}",
        )
    enough = isinstance(interval, Interval) and interval.estimate >= evidence.bar
    if enough and route.stage != "owned":
        forward = with_stage(route, STAGES[place + 1], evidence.watch_share)
        return Step(route=forward, reason=told)
    return Step(route=route, reason=told)


def _back(route: Route, stage: Stage, watch_share: float) -> Route:
    back = with_stage(route, stage, watch_share)
    if stage != "rented" or route.owned is None:
        return back
    rejected = (*route.rejected, route.owned)[-_MOST_REJECTED:]
    return replace(back, owned=None, rejected=rejected)


def _told(live: Agreement, bar: float) -> str:
    interval = live.sequence()
    if not isinstance(interval, Interval):
        return f"live agreement unknown after {live.pairs:,} pairs: {interval.reason}"
    return (
        f"live agreement {interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f}, "
        f"bar {bar:.3f}) on {live.pairs:,} pairs"
    )
