"""Training at one go: on arrays with early stopping, or on everything a log holds."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from inhouse.core.clock import Clock
from inhouse.core.errors import InputError
from inhouse.features.ports import Logs
from inhouse.learning.examples.types import Impressions, NextItems
from inhouse.learning.head.arrays import HeadWeights
from inhouse.learning.head.train import HeadTrainer, HeadTraining, judge_head
from inhouse.learning.sequences.flat import Catalogue
from inhouse.learning.settings import LearningSettings
from inhouse.learning.snapshots.snapshot import SnapshotStore
from inhouse.learning.taste.arrays import TasteWeights, aligned
from inhouse.learning.taste.train import TasteTrainer, TasteTraining
from inhouse.learning.training.course import Progress, no_progress
from inhouse.learning.training.learner import Learner, LearnReport

W = TypeVar("W", TasteWeights, HeadWeights)

_HELD_OUT: Final = 0.1  # latest share of the examples, which decides when to stop
_PATIENCE: Final = 3  # epochs without a better one before stopping
_MOST_EPOCHS: Final = 60
_FEWEST: Final = 50  # examples


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """How training went."""

    losses: tuple[float, ...]  # on the latest slice, before training and after each epoch
    best_epoch: int  # whose weights were kept, 0 for those it started from
    learned: int  # examples learned from
    judged: int  # examples of the latest slice


def train_taste(
    examples: NextItems,
    catalogue: Catalogue,
    training: TasteTraining,
    start: TasteWeights | None = None,
    progress: Progress = no_progress,
) -> tuple[TasteWeights, Fit]:
    """A taste model of examples in the order of time, stopped when their latest tenth says so.

    start: weights to go on from; any items, matched by id. Deterministic on one thread for a seed.
    Raises InputError below 50 examples.
    """
    first = _split(len(examples))
    trainer = TasteTrainer(training)
    trainer.grow(catalogue.content)
    if start is not None:
        trainer.resume(aligned(start, catalogue.item_ids))
    trainer.remember(examples.slice(0, first))
    held_out = examples.slice(first, len(examples))
    steps = math.ceil(first / training.batch)
    return _stopped_early(
        learn=lambda: trainer.learn(steps),
        export=lambda: trainer.export(catalogue.item_ids),
        judge=lambda weights: trainer.judge(held_out, weights).loss,
        tell=lambda epoch: progress("taste", epoch, _MOST_EPOCHS),
        sizes=(first, len(held_out)),
    )


def train_head(
    examples: Impressions,
    training: HeadTraining,
    start: HeadWeights | None = None,
    progress: Progress = no_progress,
) -> tuple[HeadWeights, Fit]:
    """A head of examples in the order of time, stopped when their latest tenth says so.

    Raises InputError below 50 examples.
    """
    first = _split(len(examples))
    trainer = HeadTrainer(training)
    trainer.remember(examples.slice(0, first))
    trainer.start(start)
    held_out = examples.slice(first, len(examples))
    steps = math.ceil(first / training.batch)
    return _stopped_early(
        learn=lambda: trainer.learn(steps),
        export=trainer.export,
        judge=lambda weights: judge_head(weights, held_out).loss,
        tell=lambda epoch: progress("head", epoch, _MOST_EPOCHS),
        sizes=(first, len(held_out)),
    )


def train_once(
    logs: Logs,
    store: SnapshotStore,
    clock: Clock,
    settings: LearningSettings,
    progress: Progress = no_progress,
) -> LearnReport:
    """Learn the whole log from the last snapshot on, and publish once at its end.

    These are the learner's own rounds, so a batch and an online model come about by the same code,
    and the head is taught with tastes that had not seen the answers.
    """
    return Learner(logs, store, clock, settings).run_to_end(progress)


def _split(n: int) -> int:
    """Where the latest slice begins."""
    if n < _FEWEST:
        raise InputError(f"{n} examples are too few to train on, expected at least {_FEWEST}")
    return n - max(1, int(n * _HELD_OUT))


def _stopped_early(
    *,
    learn: Callable[[], float],
    export: Callable[[], W],
    judge: Callable[[W], float],
    tell: Callable[[int], None],
    sizes: tuple[int, int],
) -> tuple[W, Fit]:
    """Epoch after epoch until `_PATIENCE` of them brought nothing; the best weights."""
    best = export()
    losses = [judge(best)]
    best_epoch = 0
    for epoch in range(1, _MOST_EPOCHS + 1):
        learn()
        weights = export()
        losses.append(judge(weights))
        tell(epoch)
        if losses[-1] < losses[best_epoch]:
            best, best_epoch = weights, epoch
        elif epoch - best_epoch >= _PATIENCE:
            break
    learned, judged = sizes
    fit = Fit(losses=tuple(losses), best_epoch=best_epoch, learned=learned, judged=judged)
    return best, fit
