"""From labels to a registered model: train on the earlier ones, judge by the later ones."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from inhouse.core.clock import Clock
from inhouse.models.harvest import Example, Labels, examples, provenance, split_by_time
from inhouse.models.margins import Margins
from inhouse.models.owned.files import save_text_model, weights_of
from inhouse.models.owned.fit import fit_text
from inhouse.models.owned.hashing import VERSION
from inhouse.models.owned.registry import ModelVersion, Registry
from inhouse.models.owned.text import Doubles, TextClassifier
from inhouse.models.parity import parity
from inhouse.models.settings import ModelSettings
from inhouse.models.types import CategoryMetrics, ModelCard, Task
from inhouse.stats.calibration import expected_calibration_error
from inhouse.stats.classification import average_precision, recall_at_fpr
from inhouse.stats.types import NotEnough
from inhouse.store.database import Database

LATER_SHARE: Final = 0.3  # of the labelled texts, the latest: held out to judge the model
_SEED: Final = 20
_FPR: Final = 0.01


def train_task(
    database: Database, task: Task, folder: Path, clock: Clock, settings: ModelSettings
) -> ModelVersion | NotEnough:
    """Train the task's owned model from the labels there are, judge it, and register it.

    folder: where models lie. The model that is judged is the model that is registered. The same
    labels give the same version, and later ones a new report on it where they left it as it is.
    """
    labels = Labels(database).latest(task.name, settings.most_labels)
    found = examples(labels)
    if len(found) < settings.least_labels:
        return NotEnough(
            reason="too few labelled texts", have=len(found), need=settings.least_labels
        )
    earlier, later = split_by_time(found, LATER_SHARE)
    texts = [example.text for example in earlier]
    model = fit_text(texts, targets_of(earlier, task.categories), task.categories, _SEED)
    if isinstance(model, NotEnough):
        return model
    weights = weights_of(model)
    p = model.probabilities([example.text for example in later])
    card = _card(task, earlier, clock.now_ms(), _Weighed(model, weights, later, p))
    student = [dict(zip(model.categories, row, strict=True)) for row in p.tolist()]
    margins = Margins(database)
    signed = margins.of(task.name) is not None
    report = parity(later, student, margins.applied(task.name, settings), signed=signed)
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


class _Weighed(NamedTuple):
    """A model, its file, and what it says of the held-out texts."""

    model: TextClassifier
    weights: bytes
    later: Sequence[Example]
    p: Doubles  # [later, model.categories]


def _card(task: Task, earlier: Sequence[Example], now_ms: int, weighed: _Weighed) -> ModelCard:
    categories = weighed.model.categories
    sha256 = hashlib.sha256(weighed.weights).hexdigest()
    truth = truths_of(weighed.later, categories)
    taught = targets_of(earlier, task.categories)
    sources, terms = provenance(earlier)
    return ModelCard(
        version=f"{task.name}-{sha256[:16]}",
        task=task.name,
        created_ms=now_ms,
        categories=categories,
        trained_on=len(earlier),
        positives=_counts(task, taught >= 0.5),
        negatives=_counts(task, taught < 0.5),
        sources=sources,
        terms=terms,
        metrics={
            category: metrics_of(weighed.p[:, place], truth[:, place])
            for place, category in enumerate(categories)
        },
        sha256=sha256,
        features=VERSION,
    )


def _counts(task: Task, which: "np.typing.NDArray[np.bool_]") -> dict[str, int]:
    return dict(zip(task.categories, which.sum(axis=0).tolist(), strict=True))
