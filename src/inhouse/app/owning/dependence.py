"""The report on dependence, gathered: from the ledger, the routes, the statements and the vendors'
file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import msgspec

from inhouse.app.build import Services
from inhouse.core.clock import DAY_MS, SystemClock
from inhouse.models.dependence.libraries import Library, libraries
from inhouse.models.dependence.readiness import (
    Concentrated,
    ExitFacts,
    Readiness,
    Retirement,
    VendorShare,
    concentration,
    critical_of,
    readiness,
    retirements,
    shares,
)
from inhouse.models.drill.book import last_drills
from inhouse.models.drill.book import readiness as readiness_in_drills
from inhouse.models.drill.results import DrillResult
from inhouse.models.drill.results import passed as is_passed
from inhouse.models.harvest.labels import Labels
from inhouse.models.harvest.pairs import Pairs
from inhouse.models.ledger.bill import Bill, bill
from inhouse.models.ledger.owning import BreakEven, Machine, Offer, Traffic, break_even, speed
from inhouse.models.ledger.traffic import owners_of, read_traffic, weekly_usd
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.parity.gate import Parity
from inhouse.models.tasks import judging
from inhouse.models.types import Route
from inhouse.moderation.verdicts.critical import restricted_by_model
from inhouse.stats.forecast import drift_sum
from inhouse.stats.intervals import mean_interval
from inhouse.stats.types import Interval, NotEnough

_WEEKS: Final = 26  # that the trend rests on
_AHEAD: Final = 4  # weeks
_DRILLS: Final = 5  # that are shown
_LEVEL: Final = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """What machines cost and do, as the operator says; what is not said is left out."""

    cpu_usd_per_hour: float | None = None  # this machine, or one like it
    cpu_per_s: float | None = None  # answers a second; None: as measured on the platform's traffic
    gpu_usd_per_hour: float | None = None
    gpu_per_s: float | None = None  # answers a second


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """What vendors were paid by the week, and will be if it goes on so."""

    weekly_usd: tuple[float, ...]  # whole weeks, oldest first
    last_usd: float | None  # the last four of them; None with fewer
    step_usd: Interval | NotEnough  # more from week to week
    next_usd: Interval | NotEnough  # the next four weeks


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependence:
    """On whom the community depends, how far, and what leaving takes."""

    since_ms: int  # of shares and traffic
    until_ms: int
    basis: Literal["real", "simulated"]  # whose rented calls are counted
    restrictions: int  # of posts, by programs
    shares: tuple[VendorShare, ...]
    concentration: tuple[Concentrated, ...]
    readiness: tuple[Readiness, ...]  # of each task
    drills: tuple[DrillResult, ...]  # the latest, newest first
    retirements: tuple[Retirement, ...]  # the next one first
    spending: Spending
    traffic: tuple[Traffic, ...]  # of each task, by the day
    break_even: tuple[BreakEven, ...]  # of each task and machine
    libraries: tuple[Library, ...]  # of inhouse itself


def dependence(services: Services, now_ms: int, days: int, rates: Rates) -> Dependence:
    """The report on the last `days`."""
    database, since_ms = services.database, max(0, now_ms + 1 - days * DAY_MS)
    told = bill(database, since_ms, now_ms + 1)
    simulated = told.basis == "simulated"
    by_model = restricted_by_model(database, since_ms, now_ms + 1)
    critical = critical_of(by_model, owners_of(database))
    traffic = tuple(read_traffic(database, now_ms, days, simulated=simulated))
    return Dependence(
        since_ms=since_ms,
        until_ms=now_ms + 1,
        basis=told.basis,
        restrictions=critical.restrictions,
        shares=shares(told, critical),
        concentration=concentration(told, critical),
        # Drills are dated by the machine's clock, whatever time the community lives in.
        readiness=tuple(
            readiness(facts, SystemClock().now_ms()) for facts in _exits(services, told)
        ),
        drills=tuple(last_drills(database, _DRILLS)),
        retirements=retirements(services.deployments, now_ms),
        spending=spending(weekly_usd(database, now_ms, _WEEKS, simulated=simulated)),
        traffic=traffic,
        break_even=break_evens(traffic, rates),
        libraries=libraries(),
    )


def _exits(services: Services, told: Bill) -> list[ExitFacts]:
    """Of every task that texts are judged by, of those that are answered with words or vectors, and
    of whatever else was asked for."""
    ours = [task.name for task in judging(services.tasks)]
    ours += [task.name for task in services.tasks.values() if not task.judges]
    others = sorted({line.key for line in told.tasks} - set(ours))
    drilled = readiness_in_drills(services.database)
    # Whoever failed the last drill is not ready, whatever came of those before.
    passed = {name: one.last_ms for name, one in drilled.items() if is_passed(one.last)}
    return [_exit(services, name, passed.get(name)) for name in ours] + [
        ExitFacts(
            task=name,
            labels=0,
            trained=False,
            parity=None,
            stage="rented",
            drilled_ms=passed.get(name),
        )
        for name in others
    ]


def _learned_from(services: Services, name: str, newest: ModelVersion | None) -> int:
    """Labels or pairs that are kept; what was taught from a file, or not taught at all, counts by
    the version that came of it."""
    if services.tasks[name].judges:
        return sum(Labels(services.database).counts(name).values())
    kept = Pairs(services.database).counts().get(name, 0)
    return kept or (0 if newest is None else max(1, newest.card.trained_on))


def _exit(services: Services, name: str, drilled_ms: int | None) -> ExitFacts:
    newest = next(iter(services.registry.versions(name)), None)
    report = newest.parity if newest else None
    route: Route = services.routes.current(name)
    return ExitFacts(
        task=name,
        labels=_learned_from(services, name, newest),
        trained=newest is not None,
        parity=msgspec.json.decode(report, type=Parity).verdict if report else None,
        stage="owned" if route.has_arrived else route.stage,
        drilled_ms=drilled_ms,
    )


def spending(weekly: Sequence[float]) -> Spending:
    """The trend of whole weeks. The next four cannot cost less than nothing."""
    steps = [later - earlier for earlier, later in pairwise(weekly)]
    coming = drift_sum(weekly, _AHEAD, _LEVEL)
    if isinstance(coming, Interval):
        coming = Interval(
            estimate=max(0.0, coming.estimate),
            low=max(0.0, coming.low),
            high=max(0.0, coming.high),
            level=coming.level,
        )
    return Spending(
        weekly_usd=tuple(weekly),
        last_usd=sum(weekly[-_AHEAD:]) if len(weekly) >= _AHEAD else None,
        step_usd=coming if isinstance(coming, NotEnough) else mean_interval(steps, _LEVEL),
        next_usd=coming,
    )


def break_evens(traffic: Sequence[Traffic], rates: Rates) -> tuple[BreakEven, ...]:
    """Each task on each machine whose price is known. Where a machine's speed is not said, that of
    this one is what the platform's own models showed."""
    offers = []
    if rates.cpu_usd_per_hour is not None:
        measured = speed(traffic, os.cpu_count() or 1)
        offers.append(_offer("cpu", rates.cpu_usd_per_hour, rates.cpu_per_s, measured))
    if rates.gpu_usd_per_hour is not None:
        unsaid = NotEnough(reason="nobody said how many answers a second the GPU gives")
        offers.append(_offer("gpu", rates.gpu_usd_per_hour, rates.gpu_per_s, unsaid))
    return tuple(break_even(one, offer) for one in traffic for offer in offers)


def _offer(
    machine: Machine, usd_per_hour: float, said: float | None, measured: Interval | NotEnough
) -> Offer:
    per_s = measured if said is None else Interval(estimate=said, low=said, high=said, level=_LEVEL)
    return Offer(machine=machine, usd_per_hour=usd_per_hour, per_s=per_s)
