"""Routes in the store: appended, never edited, each with who decided it and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.models.cutover.stages import (
    CUTOVER,
    SHARES,
    Candidate,
    Evidence,
    Measuring,
    Step,
    accepted,
    disagreeing,
    measuring_of,
    next_step,
)
from inhouse.models.cutover.watch import Bounds, Crossed, Watched, bounds_of, crossed
from inhouse.models.cutover.watching import Held, Watch, begin, held_of
from inhouse.models.harvest.labels import Labels
from inhouse.models.owned.registry import ModelVersion, Registry
from inhouse.models.parity.agreement import Agreement
from inhouse.models.parity.beside import Beside
from inhouse.models.parity.gate import Parity
from inhouse.models.parity.margins import Margins
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Route, Stage
from inhouse.store import chain, tables
from inhouse.store.database import Database

# Stages of routes that were stored before the ramp had its present steps: the next lower one.
_FORMER: Final[dict[str, Stage]] = {"ramp10": "ramp5"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteChange:
    """A route and the decision that made it."""

    route: Route
    at_ms: int
    decided_by: str  # cutover, or person:NAME
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """A person answers for a version that the gate did not let pass."""

    task: str
    version: str
    by: str  # who
    reason: str  # in their words
    at_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """A version that is watched, as of the last look."""

    held: Held
    watched: Watched
    bounds: Bounds
    bar: float  # kappa it must keep


class Routes:
    """The routes of one community."""

    def __init__(self, database: Database, vendors: Sequence[str]) -> None:
        """vendors: names of the rented deployments, the preferred one first."""
        self._database = database
        self._vendors = tuple(vendors)
        self._watch = Watch(database)

    def current(self, task: str) -> Route:
        """The route in force: the latest stored one, with the vendors that are configured now."""
        change = self._latest(task)
        return self._with_vendors(change.route if change else _new_route(task))

    def history(self, task: str) -> list[RouteChange]:
        """Every change, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(_changes_of(task)).mappings().all()
        return [_change(row) for row in rows]

    def set(self, change: RouteChange, *, afresh: bool = False) -> None:
        """Append a change. afresh: what was seen of the version so far no longer counts."""
        row = {
            "task": change.route.task,
            "at_ms": change.at_ms,
            "body": msgspec.json.encode(change.route).decode(),
            "decided_by": change.decided_by,
            "reason": change.reason,
        }
        told: dict[str, object] = {
            "task": change.route.task,
            "stage": change.route.stage,
            "primary": change.route.primary,
            "owned": change.route.owned,
            "held_by": change.route.held_by,
            "incumbent": change.route.incumbent,
        }
        if change.decided_by == CUTOVER:  # a person's words are not for the chain
            told["reason"] = change.reason
        entry = chain.Entry(at_ms=change.at_ms, what="model", actor=change.decided_by, details=told)

        def write(connection: Connection) -> None:
            connection.execute(tables.routes.insert(), row)
            begin(connection, change.route, change.at_ms, afresh=afresh)
            chain.append(connection, [entry])

        self._database.write(write)

    def step(self, task: str, registry: Registry, settings: ModelSettings, now_ms: int) -> Step:
        """Look at the evidence and go one step, or stay; a change is stored."""
        route = self.current(task)
        for held in held_of(route):
            self._watch.look(held, self.bounds(held, registry, settings))
        step = next_step(route, self.evidence(route, registry, settings))
        if step.route != route:
            self.set(
                RouteChange(route=step.route, at_ms=now_ms, decided_by=CUTOVER, reason=step.reason)
            )
        return step

    def accept(self, acceptance: Acceptance, measuring: Measuring) -> Route:
        """Let a version pass on a person's word, whatever its report says."""
        task = acceptance.task
        route = accepted(self.current(task), acceptance.version, measuring)
        self.set(
            RouteChange(
                route=route,
                at_ms=acceptance.at_ms,
                decided_by=f"person:{acceptance.by}",
                reason=acceptance.reason,
            )
        )
        return route

    def evidence(self, route: Route, registry: Registry, settings: ModelSettings) -> Evidence:
        """What is known, as of the last look, about the way to a model of one's own."""
        sights = self.watched(route, registry, settings)
        first = sights[0] if sights else None
        return Evidence(
            labels=sum(Labels(self._database).counts(route.task).values()),
            least_labels=settings.least_labels,
            candidate=_candidate(registry, route.task),
            live=None if first is None or not first.watched.live.pairs else first.watched.live,
            bar=settings.least_agreement if first is None else first.bar,
            measuring=measuring_of(settings),
            crossed=None if first is None else crossed(first.watched, first.bounds),
            incumbent_crossed=_over(sights[1]) if len(sights) > 1 else None,
        )

    def watched(
        self, route: Route, registry: Registry, settings: ModelSettings
    ) -> tuple[Sight, ...]:
        """What was seen of the routed version, and of the one that it is to replace, since their
        stages began."""
        return tuple(self._sight(held, registry, settings) for held in held_of(route))

    def bounds(self, held: Held, registry: Registry, settings: ModelSettings) -> Bounds:
        """What a version must keep, at the margin that was signed."""
        applied = Margins(self._database).applied(held.task, settings)
        found = registry.version(held.version)
        bounds = bounds_of(report_in(found), _expected(found, held), applied)
        return bounds if held.reference is None else replace(bounds, against=held.reference)

    def _sight(self, held: Held, registry: Registry, settings: ModelSettings) -> Sight:
        bounds = self.bounds(held, registry, settings)
        return Sight(
            held=held,
            watched=self._watch.seen(held, bounds),
            bounds=bounds,
            bar=self._bar(held, registry, settings),
        )

    def _bar(self, held: Held, registry: Registry, settings: ModelSettings) -> float:
        """What live agreement must keep: the bar of the gate, or, for a version that people let
        pass below it, what it had on the held-out labels less the margin."""
        found = registry.version(held.version)
        report, expected = report_in(found), _expected(found, held)
        if held.reference is None:
            kappa = None if report is None else report.kappa
        else:
            kappa = None if expected is None else expected.kappa
        if kappa is None:
            return settings.least_agreement
        margin = Margins(self._database).applied(held.task, settings).margin
        return min(settings.least_agreement, kappa - margin)

    def _latest(self, task: str) -> RouteChange | None:
        with self._database.read() as connection:
            row = connection.execute(_changes_of(task).limit(1)).mappings().first()
        return None if row is None else _change(row)

    def _with_vendors(self, route: Route) -> Route:
        """Deployments that are no longer configured are left out; new ones become fallbacks."""
        kept = [name for name in (route.primary, *route.fallbacks) if name in self._vendors]
        added = [name for name in self._vendors if name not in kept]
        names = [name for name in (*kept, *added) if name is not None]
        return replace(route, primary=names[0] if names else None, fallbacks=tuple(names[1:]))


def _new_route(task: str) -> Route:
    return Route(task=task, stage="rented", primary=None)


def _changes_of(task: str) -> "sa.Select[Any]":
    table = tables.routes
    return sa.select(table).where(table.c.task == task).order_by(table.c.log_offset.desc())


def _change(row: Any) -> RouteChange:
    return RouteChange(
        route=_route_of(row["body"]),
        at_ms=row["at_ms"],
        decided_by=row["decided_by"],
        reason=row["reason"],
    )


def _route_of(body: str) -> Route:
    told = msgspec.json.decode(body)
    former = _FORMER.get(told["stage"])
    if former is not None:
        told |= {"stage": former, "owned_share": min(told["owned_share"], SHARES[former])}
    return msgspec.convert(told, type=Route)


def in_force(database: Database, task: str) -> str | None:
    """The version that serves a task which has arrived at models of its own, else None."""
    route = Routes(database, ()).current(task)
    return route.relied_on if route.has_arrived else None


def _over(sight: Sight) -> Crossed | None:
    return crossed(sight.watched, sight.bounds) or disagreeing(sight.watched.live, sight.bar)


def report_in(version: ModelVersion) -> Parity | None:
    """What was found of a version before it was let in."""
    return None if version.parity is None else msgspec.json.decode(version.parity, type=Parity)


def beside_in(version: ModelVersion) -> Beside | None:
    """What was found of a version beside the one that served then."""
    return None if version.beside is None else msgspec.json.decode(version.beside, type=Beside)


def _expected(version: ModelVersion, held: Held) -> Agreement | None:
    """How far it agreed on held-out texts with whom it is held against; None where nobody knows."""
    if held.reference is None:
        report = report_in(version)
        return None if report is None else report.agreement
    beside = beside_in(version)
    return beside.agreement if beside and beside.version == held.reference else None


def _candidate(registry: Registry, task: str) -> Candidate | None:
    versions = registry.versions(task)
    report = report_in(versions[0]) if versions else None
    if report is None:
        return None
    return Candidate(
        version=versions[0].version,
        verdict=report.verdict,
        reason=report.reason,
        beside=beside_in(versions[0]),
    )
