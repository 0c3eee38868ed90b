"""Judging the newest version of a task again, on the labels there are now."""

from dataclasses import replace

import msgspec

from inhouse.core.errors import InputError, SnapshotError
from inhouse.models.cutover.routes import in_force
from inhouse.models.harvest.labels import Labels
from inhouse.models.owned.registry import ModelVersion, Registry
from inhouse.models.parity.beside import Beside, Both, beside_of, unreadable
from inhouse.models.parity.margins import Margins
from inhouse.models.parity.report import (
    About,
    Case,
    Facts,
    Judged,
    NoFacts,
    ParityReport,
    cases_of,
    report_of,
)
from inhouse.models.settings import ModelSettings
from inhouse.models.training.train import task_data
from inhouse.models.types import Task
from inhouse.store.database import Database


class Judge:
    """Holds versions of one community against people and rented models."""

    def __init__(self, database: Database, registry: Registry, settings: ModelSettings) -> None:
        self._database = database
        self._registry = registry
        self._settings = settings

    def report(
        self, task: Task, facts: Facts, now_ms: int, *, with_texts: bool = False
    ) -> ParityReport:
        """The whole report on the newest version. Raises InputError where nothing was trained."""
        labels_to = Labels(self._database).last_offset(task.name)
        version, judged = self._judged(task)
        margins = Margins(self._database)
        applied = margins.applied(task.name, self._settings)
        about = About(
            task=task.name,
            version=version.version,
            made_ms=now_ms,
            signed=margins.of(task.name),
            labels_to=labels_to,
            with_texts=with_texts,
        )
        report = report_of(about, judged, facts, applied)
        return replace(report, beside=self._beside(version, judged, applied))

    def put(self, report: ParityReport) -> None:
        """Let the gate read it: the version passes, or does not, by this report from now on."""
        version = self._registry.version(report.version)
        told, beside = msgspec.json.encode(report.overall).decode(), report.beside
        kept = None if beside is None else msgspec.json.encode(beside).decode()
        self._registry.put(replace(version, parity=told, beside=kept))

    def differences(self, task: Task) -> list[Case]:
        """The held-out texts on which both models differ and that people have not judged, the
        widest apart first: what people are asked to settle parity."""
        _, judged = self._judged(task)
        found = cases_of(judged, NoFacts().of(()), self._settings.flag_at)
        return [case for case in found if case.people is None]

    def _beside(
        self, version: ModelVersion, judged: Judged, settings: ModelSettings
    ) -> Beside | None:
        """The version beside the one that serves; None where none does, or it does itself."""
        serves = in_force(self._database, version.task)
        if serves is None or serves == version.version:
            return None
        texts = [one.text for one in judged.held_out]
        try:
            older = self._registry.load(serves).scores(texts) if texts else []
        except SnapshotError:
            return unreadable(serves)
        both = Both(held_out=judged.held_out, newer=judged.student, older=older)
        return beside_of(serves, both, settings)

    def _judged(self, task: Task) -> tuple[ModelVersion, Judged]:
        versions = self._registry.versions(task.name)
        if not versions:
            raise InputError(
                f"no model is trained for {task.name}; train one with `inhouse models train "
                f"{task.name}`"
            )
        later = task_data(self._database, task.name, self._settings).rows("validation", "test")
        model = self._registry.load(versions[0].version)
        scores = model.scores([one.text for one in later]) if later else []
        return versions[0], Judged(held_out=later, student=scores)
