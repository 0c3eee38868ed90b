"""From labels to a registered encoder that judges: taught on the earlier, judged by the later."""

import importlib
from dataclasses import replace
from typing import Any, Final

import msgspec

from inhouse.models.harvest.labels import Labels
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.parity.gate import parity
from inhouse.models.parity.margins import Margins
from inhouse.models.students.course import Course, Work
from inhouse.models.students.workplace import Base, Made, Workplace, made_version
from inhouse.models.training.train import Told, card_of, targets_of, task_data
from inhouse.models.types import Task
from inhouse.stats.types import NotEnough

_TEACHER: Final = "inhouse.models.students.encoder_torch"  # never imported here: it loads torch
_RATE: Final = 3e-5


def train_encoder(
    place: Workplace, task: Task, base: Base, course: Course | None = None
) -> ModelVersion | NotEnough:
    """Teach heads on an encoder's vectors, or all of the encoder, and register what was judged.

    The labels, their split and the report are those of every judging model. course: of the whole
    encoder; else as the settings say.
    """
    settings = place.settings
    labels = Labels(place.database)
    labels_to, there_are = labels.last_offset(task.name), sum(labels.counts(task.name).values())
    data = task_data(place.database, task.name, settings)
    earlier, later = data.rows("train"), data.rows("validation", "test")
    if (found := len(earlier) + len(later)) < settings.least_labels:
        return NotEnough(reason="too few labelled texts", have=found, need=settings.least_labels)
    how = course or Course(rounds=settings.student_rounds, rate=_RATE)

    def teach(work: Work) -> Made | NotEnough:
        torch_side: Any = importlib.import_module(_TEACHER)
        labelled = torch_side.Labelled(
            texts=[one.text for one in earlier],
            targets=targets_of(earlier, task.categories),
            categories=task.categories,
        )
        texts = [one.text for one in later]
        taught: Any = torch_side.teach_encoder(work, labelled, texts, place.tell)
        if isinstance(taught, NotEnough):
            return taught
        head, p, is_whole = taught
        told = Told(later=later, categories=head.categories, p=p)
        card = replace(
            card_of(task, data, told, place.clock.now_ms()),
            student="encoder",
            method="full" if is_whole else "heads",
            base=base.name,
            base_terms=base.terms,
            labels=there_are,
        )
        margins = Margins(place.database)
        signed = margins.of(task.name) is not None
        report = parity(later, told.scores(), margins.applied(task.name, settings), signed=signed)
        report = replace(report, made_ms=card.created_ms, labels_to=labels_to)
        return card, msgspec.json.encode(report).decode()

    return made_version(place, task, (base, how, data.facts.sha256), teach)
