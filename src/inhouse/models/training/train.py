"""From labels to a registered model: train on the earlier ones, judge by the later ones."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from inhouse.core.clock import Clock
from inhouse.models.harvest.dataset import DataSet, examples_data, teachers_of
from inhouse.models.harvest.labels import Example, Labels, examples, without_terms
from inhouse.models.owned.files import save_text_model, weights_of
from inhouse.models.owned.fit import fit_text
from inhouse.models.owned.hashing import VERSION
from inhouse.models.owned.registry import ModelVersion, Registry
from inhouse.models.owned.text import Doubles
from inhouse.models.parity.gate import parity
from inhouse.models.parity.margins import Margins
from inhouse.models.settings import ModelSettings, names_in
from inhouse.models.types import CategoryMetrics, ModelCard, Scores, Task
from inhouse.stats.calibration import expected_calibration_error
from inhouse.stats.classification import average_precision, recall_at_fpr
from inhouse.stats.types import NotEnough
from inhouse.store.database import Database

_SEED: Final = 20
_FPR: Final = 0.01


def train_task(
    database: Database,
    task: Task,
    folder: Path,
    clock: Clock,
    settings: ModelSettings,
    traffic: Sequence[str] = (),
) -> ModelVersion | NotEnough:
    """Train the task's owned model from the labels there are, judge it, and register it.

    folder: where models lie. traffic: texts as it will be asked about (see `fit_text`). The model
    that is judged is the model that is registered. The same labels and traffic give the same
    version, and later ones a new report on it where they left it as it is.
    """
    labels = Labels(database)
    labels_to, there_are = labels.last_offset(task.name), sum(labels.counts(task.name).values())
    data = task_data(database, task.name, settings)
    earlier, later = data.rows("train"), data.rows("validation", "test")
    if (found := len(earlier) + len(later)) < settings.least_labels:
        return NotEnough(reason="too few labelled texts", have=found, need=settings.least_labels)
    texts = [example.text for example in earlier]
    targets = targets_of(earlier, task.categories)
    model = fit_text(texts, targets, task.categories, _SEED, traffic)
    if isinstance(model, NotEnough):
        return model
    weights = weights_of(model)
    p = model.probabilities([example.text for example in later])
    told = Told(later=later, categories=model.categories, p=p)
    sha256 = hashlib.sha256(weights).hexdigest()
    card = replace(
        card_of(task, data, told, clock.now_ms()),
        version=f"{task.name}-{sha256[:16]}",
        sha256=sha256,
        features=VERSION,
        labels=there_are,
    )
    margins = Margins(database)
    signed = margins.of(task.name) is not None
    report = parity(later, told.scores(), margins.applied(task.name, settings), signed=signed)
    report = replace(report, made_ms=card.created_ms, labels_to=labels_to)
    save_text_model(folder / card.version, weights, card)
    version = ModelVersion(
        version=card.version,
        task=task.name,
        created_ms=card.created_ms,
        card=card,
        parity=msgspec.json.encode(report).decode(),
    )
    Registry(database, folder).put(version)
    return version


def task_data(database: Database, task: str, settings: ModelSettings) -> DataSet[Example]:
    """What there is to learn a task from, and to judge by."""
    return examples_data(task_examples(database, task, settings))


def task_examples(database: Database, task: str, settings: ModelSettings) -> list[Example]:
    """The texts that the task's latest labels speak of, but for labels under the terms of the
    setting `without_terms`."""
    labels = Labels(database).latest(task, settings.most_labels)
    return examples(without_terms(labels, names_in(settings.without_terms)))


def targets_of(found: Sequence[Example], categories: Sequence[str]) -> Doubles:
    """What to learn, [examples, categories], NaN where nobody spoke."""
    return _table([[one.target(category) for category in categories] for one in found], categories)


def truths_of(found: Sequence[Example], categories: Sequence[str]) -> Doubles:
    """What to judge by, [examples, categories], NaN where neither people nor models spoke."""
    return _table([[one.truth(category) for category in categories] for one in found], categories)


def _table(rows: list[list[float | None]], categories: Sequence[str]) -> Doubles:
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(categories))


def metrics_of(p: Doubles, truth: Doubles) -> CategoryMetrics:
    """How well one category is told. p, truth: one value a text, truth NaN where unknown."""
    known = ~np.isnan(truth)
    yes, told = truth[known] >= 0.5, p[known]
    auprc, recall = average_precision(yes, told), recall_at_fpr(yes, told, _FPR)
    ece = expected_calibration_error(told, yes)
    return CategoryMetrics(
        positives=int(yes.sum()),
        negatives=int((~yes).sum()),
        auprc=None if isinstance(auprc, NotEnough) else auprc,
        recall_at_1pct_fpr=None if isinstance(recall, NotEnough) else recall.recall,
        ece=None if isinstance(ece, NotEnough) else ece,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a model says of the texts that came too late to teach it."""

    later: Sequence[Example]
    categories: tuple[str, ...]  # that it learned
    p: Doubles  # [later, categories]

    def scores(self) -> list[Scores]:
        """By name, for each text in order."""
        return [dict(zip(self.categories, row, strict=True)) for row in self.p.tolist()]


def card_of(task: Task, data: DataSet[Example], told: Told, now_ms: int) -> ModelCard:
    """What a judging model is made of and how good it is; its files are yet to be named."""
    truth = truths_of(told.later, told.categories)
    taught = targets_of(data.rows("train"), task.categories)
    teachers = teachers_of(data.sides["train"])
    return ModelCard(
        version="",
        task=task.name,
        created_ms=now_ms,
        categories=told.categories,
        trained_on=data.facts.train,
        positives=_counts(task, taught >= 0.5),
        negatives=_counts(task, taught < 0.5),
        sources=_added((teacher.source, teacher.labels) for teacher in teachers),
        terms=_added((teacher.terms, teacher.labels) for teacher in teachers),
        metrics={
            category: metrics_of(told.p[:, place], truth[:, place])
            for place, category in enumerate(told.categories)
        },
        sha256="",
        features=0,
        teachers=teachers,
        data=data.facts,
    )


def _added(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for name, count in counts:
        total[name] += count
    return dict(sorted(total.items()))


def _counts(task: Task, which: "np.typing.NDArray[np.bool_]") -> dict[str, int]:
    return dict(zip(task.categories, which.sum(axis=0).tolist(), strict=True))
