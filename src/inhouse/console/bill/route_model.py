"""How far each task has come from rented to owned, with the evidence behind each step."""

from dataclasses import dataclass
from typing import Final

import msgspec
import sqlalchemy as sa

from inhouse.app.build import Services
from inhouse.core.clock import DAY_MS
from inhouse.models.bounds.shadow_budget import ShadowSpend, shadow_spend
from inhouse.models.cutover.routes import RouteChange, Sight
from inhouse.models.cutover.stages import Evidence, next_step
from inhouse.models.parity.gate import Parity
from inhouse.models.parity.margins import Margin, Margins
from inhouse.models.tasks import judging
from inhouse.models.types import ModelCard, Route
from inhouse.store import tables
from inhouse.store.database import Database

_RATE_MS: Final = 3 * DAY_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskFacts:
    """One task on its way."""

    task: str
    now_ms: int
    route: Route  # in force
    changes: tuple[RouteChange, ...]  # newest first
    evidence: Evidence  # what the next step rests on
    waits_for: str  # why it stands where it stands, in words
    card: ModelCard | None  # of the newest trained version
    parity: Parity | None  # of the newest trained version
    labels_a_day: float  # over the last three days
    sights: tuple[Sight, ...] = ()  # of the routed version, then of the one it is to replace
    margin: Margin | None = None  # that somebody signed; None where the setting's counts
    checking: ShadowSpend | None = None  # what asking only to check has cost today
    checking_usd_a_day: float = 0.0  # what it may; 0 sets no bound

    @property
    def rolled_back(self) -> RouteChange | None:
        """The latest time that the owned model was taken out of service; None if it never was."""
        for later, earlier in zip(self.changes, self.changes[1:], strict=False):
            if later.route.owned_share == 0 < earlier.route.owned_share or (
                later.route.owned == earlier.route.incumbent is not None
            ):
                return later
        return None

    @property
    def owned_since_ms(self) -> int | None:
        """Since when the task runs on a model of one's own; None while it does not."""
        if not self.route.has_arrived:
            return None
        since = None
        for change in self.changes:
            if not change.route.has_arrived:
                break
            since = change.at_ms
        return since


def gather_tasks(services: Services, now_ms: int) -> tuple[TaskFacts, ...]:
    """Every task that texts are judged by."""
    return tuple(_task(services, task.name, now_ms) for task in judging(services.tasks))


def _task(services: Services, name: str, now_ms: int) -> TaskFacts:
    route = services.routes.current(name)
    evidence = services.routes.evidence(route, services.registry, services.settings.models)
    settings = services.settings.models
    sights = services.routes.watched(route, services.registry, settings)
    newest = next(iter(services.registry.versions(name)), None)
    report = newest.parity if newest else None
    return TaskFacts(
        task=name,
        now_ms=now_ms,
        route=route,
        changes=tuple(services.routes.history(name)),
        evidence=evidence,
        waits_for=next_step(route, evidence).reason,
        card=newest.card if newest else None,
        parity=msgspec.json.decode(report, type=Parity) if report else None,
        labels_a_day=_labels_a_day(services.database, name, now_ms),
        sights=sights,
        margin=Margins(services.database).of(name),
        checking=shadow_spend(services.database, now_ms),
        checking_usd_a_day=settings.shadow_usd_a_day,
    )


def _labels_a_day(database: Database, task: str, now_ms: int) -> float:
    labels = tables.labels.c
    since_ms = now_ms - _RATE_MS
    query = sa.select(sa.func.count(), sa.func.min(labels.at_ms)).where(
        labels.task == task, labels.at_ms > since_ms
    )
    with database.read() as connection:
        row = connection.execute(query).one()
    count, first_ms = int(row[0]), row[1]
    if not count:
        return 0.0
    # A community younger than three days has had less time to label in.
    spread_ms = max(now_ms - first_ms, DAY_MS // 24)
    return count * DAY_MS / int(spread_ms)


def learned_by_ms(facts: TaskFacts) -> int | None:
    """When, at the present rate, enough labels will be there for the step that is waited for.

    None where no labels are lacking, where none arrive, or where nobody can tell how many it takes.
    """
    if facts.route.has_arrived or not facts.labels_a_day:
        return None
    evidence = facts.evidence
    lacking = evidence.least_labels - evidence.labels
    if evidence.candidate is not None:
        needed = facts.parity.more_needed if facts.parity else None
        if needed is None:
            return None
        lacking = needed
    if lacking <= 0:
        return None
    return facts.now_ms + round(DAY_MS * lacking / facts.labels_a_day)
