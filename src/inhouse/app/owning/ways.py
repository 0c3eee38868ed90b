"""A task's way from rented to owned, for programs: where it stands, why, and what is watched."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from inhouse.app.build import Services
from inhouse.core.errors import UnknownError
from inhouse.models.cutover.routes import Sight, beside_in, report_in
from inhouse.models.cutover.stages import next_step
from inhouse.models.parity.beside import Beside
from inhouse.models.parity.gate import Parity
from inhouse.models.parity.margins import Margin, Margins
from inhouse.models.tasks import judgement_named
from inhouse.models.types import Stage
from inhouse.stats.detection import RateWatch

_CHANGES: Final = 50
Fact = Literal["missed", "extra", "failed", "slow", "drift"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Watching:
    """One thing that is watched of a version since its stage began."""

    fact: Fact  # missed, extra: against whom it is held; failed, slow: of its requests; drift: PSI
    now: float | None  # a share, or PSI; None where nothing was seen
    bound: float  # that sends it back, by a test and not at once
    seen: int  # texts or requests it rests on
    is_over: bool  # whether it was crossed


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A version on live traffic."""

    version: str
    against: str | None  # the version it is held against; None: the rented models
    pairs: int  # texts both judged since the stage began
    kappa: float | None  # agreement on them; None where chance explains everything
    bar: float  # that an interval of it must lie above before the next stage
    watched: tuple[Watching, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A step that was taken."""

    at_ms: int
    stage: Stage
    owned: str | None
    incumbent: str | None
    decided_by: str  # cutover, or person:NAME
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A task on its way."""

    task: str
    stage: Stage
    has_arrived: bool  # it runs on models of one's own, be it while one replaces another
    rented: str | None  # the deployment that is asked first
    owned: str | None  # the version on its way, or at its end
    owned_share: float  # of what is judged, answered by it
    incumbent: str | None  # the version that serves while `owned` is on its way to replace it
    incumbent_share: float  # of what is judged, answered by either of both
    held_by: str | None  # who keeps it from going forwards: cutover, person:NAME
    waits_for: str  # why it stands where it stands
    labels: int
    margin: Margin | None  # that somebody signed; None where the setting's counts
    seen: tuple[Seen, ...]  # of `owned`, then of the incumbent
    changes: tuple[Change, ...]  # the latest 50, newest first


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """The newest version and the report that the gate reads."""

    task: str
    version: str
    created_ms: int
    parity: Parity | None  # None where nobody judged it
    beside: Beside | None  # beside the version that it may replace


def way_of(services: Services, name: str) -> Way:
    """Where a task stands. Raises InputError for a task that no texts are judged by."""
    task, settings = judgement_named(name, services.tasks).name, services.settings.models
    route = services.routes.current(task)
    evidence = services.routes.evidence(route, services.registry, settings)
    sights = services.routes.watched(route, services.registry, settings)
    return Way(
        task=task,
        stage=route.stage,
        has_arrived=route.has_arrived,
        rented=route.primary,
        owned=route.owned,
        owned_share=route.owned_share,
        incumbent=route.incumbent,
        incumbent_share=route.incumbent_share,
        held_by=route.held_by,
        waits_for=next_step(route, evidence).reason,
        labels=evidence.labels,
        margin=Margins(services.database).of(task),
        seen=tuple(map(_seen, sights)),
        changes=tuple(
            Change(
                at_ms=one.at_ms,
                stage=one.route.stage,
                owned=one.route.owned,
                incumbent=one.route.incumbent,
                decided_by=one.decided_by,
                reason=one.reason,
            )
            for one in services.routes.history(task)[:_CHANGES]
        ),
    )


def judged(services: Services, name: str) -> Judged:
    """What is known of the newest version. Raises UnknownError where nothing was trained."""
    task = judgement_named(name, services.tasks).name
    newest = next(iter(services.registry.versions(task)), None)
    if newest is None:
        raise UnknownError(
            f"no model is trained for {task}; train one with `inhouse models train {task}`"
        )
    return Judged(
        task=task,
        version=newest.version,
        created_ms=newest.created_ms,
        parity=report_in(newest),
        beside=beside_in(newest),
    )


def _seen(sight: Sight) -> Seen:
    live = sight.watched.live
    return Seen(
        version=sight.held.version,
        against=sight.held.reference,
        pairs=live.pairs,
        kappa=live.kappa,
        bar=sight.bar,
        watched=tuple(_watched(sight)),
    )


def _watched(sight: Sight) -> Iterator[Watching]:
    watched = sight.watched
    rates: tuple[tuple[Fact, RateWatch | None], ...] = (
        ("missed", watched.missed),
        ("extra", watched.extra),
        ("failed", watched.errors),
        ("slow", watched.slow),
    )
    for fact, rate in rates:
        if rate is not None:
            yield Watching(
                fact=fact, now=rate.rate, bound=rate.bound, seen=rate.n, is_over=rate.alarmed
            )
    found, psi = watched.drift, sight.bounds.psi
    yield Watching(
        fact="drift",
        now=None if found is None else found.psi,
        bound=psi if found is None else psi + found.noise,
        seen=0 if found is None else found.n,
        is_over=watched.drifted,
    )
