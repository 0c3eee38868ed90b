"""Parity once more: the newest version is judged again, by the worker when people said enough."""

from inhouse.app.build import Services
from inhouse.app.owning.parity_facts import CatalogFacts
from inhouse.models.cutover.routes import beside_in, report_in
from inhouse.models.harvest.labels import Labels
from inhouse.models.parity.rejudging import Known, is_due
from inhouse.models.parity.report import ParityReport
from inhouse.models.tasks import judging
from inhouse.models.training.judging import Judge
from inhouse.models.types import Task


def due(services: Services) -> Task | None:
    """The first task whose newest version is to be judged again."""
    return next((task for task in judging(services.tasks) if _is_due(services, task)), None)


def judge_again(services: Services, task: Task, *, with_texts: bool = False) -> ParityReport:
    """Make the report whole and let the gate read it. with_texts: with the words of its cases."""
    judge = Judge(services.database, services.registry, services.settings.models)
    facts, now_ms = CatalogFacts(services.catalog), services.clock.now_ms()
    report = judge.report(task, facts, now_ms, with_texts=with_texts)
    judge.put(report)
    return report


def _is_due(services: Services, task: Task) -> bool:
    newest = next(iter(services.registry.versions(task.name)), None)
    report = None if newest is None else report_in(newest)
    if newest is None or report is None:
        return False
    route = services.routes.current(task.name)
    serves = route.relied_on if route.has_arrived else None
    known = Known(
        report=report,
        fresh=Labels(services.database).of_people_after(task.name, report.labels_to),
        serves=None if serves == newest.version else serves,
        beside=beside_in(newest),
        is_routed=route.owned == newest.version,
    )
    minutes = services.settings.models.judge_again_minutes
    return is_due(known, services.clock.now_ms(), minutes)
