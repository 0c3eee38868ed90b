"""Routes in the store: appended, never edited, each with who decided it and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.models.comparisons import live_agreement
from inhouse.models.cutover import Candidate, Evidence, Step, accepted, next_step
from inhouse.models.harvest import Labels
from inhouse.models.owned.registry import Registry
from inhouse.models.parity import Parity
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Route
from inhouse.store import chain, tables
from inhouse.store.database import Database


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


class Routes:
    """The routes of one community."""

    def __init__(self, database: Database, vendors: Sequence[str]) -> None:
        """vendors: names of the rented deployments, the preferred one first."""
        self._database = database
        self._vendors = tuple(vendors)

    def current(self, task: str) -> Route:
        """The route in force: the latest stored one, with the vendors that are configured now."""
        change = self._latest(task)
        return self._with_vendors(change.route if change else _new_route(task))

    def history(self, task: str) -> list[RouteChange]:
        """Every change, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(_changes_of(task)).mappings().all()
        return [_change(row) for row in rows]

    def set(self, change: RouteChange) -> None:
        """Append a change."""
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
        }
        entry = chain.Entry(at_ms=change.at_ms, what="model", actor=change.decided_by, details=told)

        def write(connection: Connection) -> None:
            connection.execute(tables.routes.insert(), row)
            chain.append(connection, [entry])

        self._database.write(write)

    def step(self, task: str, registry: Registry, settings: ModelSettings, now_ms: int) -> Step:
        """Look at the evidence and go one step, or stay; a change is stored."""
        route = self.current(task)
        step = next_step(route, self.evidence(route, registry, settings))
        if step.route != route:
            self.set(
                RouteChange(
                    route=step.route, at_ms=now_ms, decided_by="cutover", reason=step.reason
                )
            )
        return step

    def accept(self, acceptance: Acceptance, watch_share: float) -> Route:
        """Let a version pass on a person's word, whatever its report says."""
        task = acceptance.task
        route = accepted(self.current(task), acceptance.version, watch_share)
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
        """What is known at the moment about the way to a model of one's own."""
        latest = self._latest(route.task)
        live = None
        if route.owned is not None and latest is not None:
            live = live_agreement(
                self._database, route.task, route.owned, latest.at_ms, settings.flag_at
            )
        return Evidence(
            labels=sum(Labels(self._database).counts(route.task).values()),
            least_labels=settings.least_labels,
            candidate=_candidate(registry, route.task),
            live=live,
            bar=self._bar(route, registry, settings),
            watch_share=settings.watch_share,
        )

    def _bar(self, route: Route, registry: Registry, settings: ModelSettings) -> float:
        """What live agreement must keep: the bar of the gate, or, for a version that people let
        pass below it, what it had on the held-out labels less the margin."""
        if route.owned is None:
            return settings.least_agreement
        report = registry.version(route.owned).parity
        kappa = None if report is None else msgspec.json.decode(report, type=Parity).kappa
        if kappa is None:
            return settings.least_agreement
        return min(settings.least_agreement, kappa - settings.margin)

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
        route=msgspec.json.decode(row["body"], type=Route),
        at_ms=row["at_ms"],
        decided_by=row["decided_by"],
        reason=row["reason"],
    )


def _candidate(registry: Registry, task: str) -> Candidate | None:
    versions = registry.versions(task)
    if not versions or versions[0].parity is None:
        return None
    report = msgspec.json.decode(versions[0].parity, type=Parity)
    return Candidate(version=versions[0].version, verdict=report.verdict, reason=report.reason)
