"""A causal model for the feed: trained on a log in batch, and published where it helps.

Whether it helps is asked before it is trained on everything (`gate.py`): of the first nine
tenths of what was wanted a causal model and a taste model are learned, and asked is what people
wanted next. Only where the sum of both finds more is a causal model of everything published, for
the learner to take up.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from inhouse.core.clock import Clock
from inhouse.core.errors import InputError, SnapshotError
from inhouse.core.files import write_atomically
from inhouse.core.ids import CausalId
from inhouse.core.random import stream
from inhouse.features.items import ItemTable
from inhouse.features.ports import Logs
from inhouse.learning.causal.beside import Beside, BesideFacts, new_causal_id
from inhouse.learning.causal.fit import (
    Fitting,
    SequenceFit,
    fit_sequences,
    fit_whole,
    training_for,
    whole_checkpoint,
)
from inhouse.learning.causal.fit import Progress as Fitted
from inhouse.learning.causal.serving import CausalWeights
from inhouse.learning.causal.steps import SequenceTraining
from inhouse.learning.causal_run.gate import Comparison, compare, ranks_by_weight
from inhouse.learning.causal_run.log_wants import Chosen, LogWants, WhatWasWanted, read_wanted
from inhouse.learning.sequences.flat import Catalogue, Longs, Sequences, timed_codes
from inhouse.learning.settings import LearningSettings
from inhouse.learning.snapshots.snapshot import SnapshotStore
from inhouse.learning.taste.arrays import TasteWeights
from inhouse.learning.training.course import Progress, no_progress, training_of
from inhouse.learning.training.train import train_taste
from inhouse.stats.types import Interval

T = TypeVar("T")

FEWEST_WANTS: Final = 1_000
FEWEST_ASKED: Final = 50  # people
_MOST_ASKED: Final = 10_000  # people
_LEARNED: Final = 0.9  # share of the wants
_READ: Final = 64  # actions, as many as the feed reads
_PIN, _CHECKPOINT = "log.json", "learned.safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class CausalReport:
    """What came of training a causal model for the feed."""

    log_offset: int  # events up to there
    wants: int
    people: int
    items: int
    fit: SequenceFit  # how training on the first nine tenths went
    comparison: Comparison
    published: CausalId | None  # None where it did not help


@dataclass(frozen=True, kw_only=True, slots=True)
class Workplace:
    """Where a run reads, publishes, and keeps what it goes on from."""

    logs: Logs
    store: SnapshotStore
    clock: Clock
    folder: Path  # of checkpoints, which go in the end


def train_causal(
    place: Workplace, settings: LearningSettings, progress: Progress = no_progress
) -> CausalReport:
    """Train on what the log tells, ask, and publish where it passed.

    Killed and called again it goes on from its checkpoints, with the log up to where it was when
    the first run read it. Raises InputError where there is too little to learn or to ask.
    """
    run = _Run(place, settings, progress)
    learned, fit = run.learn_first()
    ranks = ranks_by_weight(run.material, run.learn_taste(), learned)
    comparison = compare(ranks, settings.seed)
    published = run.publish(fit.best_epoch, comparison) if comparison.passed else None
    run.clear()
    wants = run.material.wants
    return CausalReport(
        log_offset=run.until,
        wants=len(wants.users),
        people=len(np.unique(wants.users)),
        items=run.material.table.count,
        fit=fit,
        comparison=comparison,
        published=published,
    )


class _Run:
    """One log, cut in two, and what is made of it."""

    def __init__(self, place: Workplace, settings: LearningSettings, progress: Progress) -> None:
        self._place, self._settings, self._tell = place, settings, progress
        self._checkpoint = place.folder / _CHECKPOINT
        pinned = self._pinned()
        self.until = place.logs.events.last_offset() if pinned is None else pinned[0]
        found = self._read(Chosen())
        wants = found.wants
        if len(wants.users) < FEWEST_WANTS:
            raise InputError(
                f"people wanted posts {len(wants.users):,} times, expected {FEWEST_WANTS:,} or"
                " more; import behaviour, or wait until more is known"
            )
        border = int(len(wants.users) * _LEARNED)
        self._border = int(wants.offsets[border])  # the offset where the questions begin
        self.material = self._read(self._chosen(wants, border))
        if len(self.material.questions) < FEWEST_ASKED:
            raise InputError(
                f"{len(self.material.questions)} people wanted something both before and in the"
                f" last tenth, expected {FEWEST_ASKED} or more; wait until more of them come back"
            )
        there_ms = _newest_ms(found.table) if pinned is None else pinned[1]
        self._rows, self._catalogue = _catalogue(self.material.table, there_ms)
        self._pin(there_ms)
        place.clock.advance(int(wants.at_ms[-1]))

    def learn_first(self) -> tuple[CausalWeights, SequenceFit]:
        """A causal model of what came before the questions."""
        sequences = self._sequences(self.material.wants.offsets < self._border)
        training = self._training(sequences)
        fitting = self._fitting()
        return _resumed(
            lambda: fit_sequences(sequences, self._catalogue, training, fitting, self._fitted),
            self._checkpoint,
        )

    def learn_taste(self) -> TasteWeights:
        """A taste model of the same, or of the latest of it that a learner would remember."""
        table = self.material.table
        catalogue = Catalogue(item_ids=tuple(table.ids), content=table.content[: table.count])
        training = training_of(self._settings)
        weights, _ = train_taste(self.material.examples, catalogue, training, progress=self._tell)
        return weights

    def publish(self, epochs: int, comparison: Comparison) -> CausalId:
        """Train on everything for so many epochs, and show it to learners."""
        sequences = self._sequences(np.ones(len(self.material.wants.users), dtype=np.bool_))
        fitting = replace(self._fitting(), most_epochs=epochs)
        training = self._training(sequences)
        weights = _resumed(
            lambda: fit_whole(sequences, self._catalogue, training, fitting, self._fitted),
            whole_checkpoint(self._checkpoint),
        )
        facts = BesideFacts(
            causal_id=new_causal_id(),
            created_ms=self._place.clock.now_ms(),
            log_offset=self.until,
            weight=comparison.weight,
            metrics=_metrics(comparison),
        )
        return self._place.store.publish_causal(Beside(facts, weights))

    def clear(self) -> None:
        """Leave nothing that a later run would go on from."""
        kept = (self._checkpoint, whole_checkpoint(self._checkpoint))
        for path in (*kept, self._place.folder / _PIN):
            path.unlink(missing_ok=True)

    def _pinned(self) -> tuple[int, int] | None:
        """The log's offset and the newest post's time that a run which was killed began with."""
        path = self._place.folder / _PIN
        try:
            told = json.loads(path.read_text("utf-8"))
            return int(told["log_offset"]), int(told["there_ms"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"cannot read {path}; remove it to begin anew") from error

    def _pin(self, there_ms: int) -> None:
        told = {"log_offset": self.until, "there_ms": there_ms}
        write_atomically(self._place.folder / _PIN, json.dumps(told).encode())

    def _read(self, chosen: Chosen) -> WhatWasWanted:
        return read_wanted(self._place.logs, self.until, chosen, self._tell)

    def _chosen(self, wants: LogWants, border: int) -> Chosen:
        first = max(0, border - self._settings.memory)
        return Chosen(
            examples=frozenset(wants.offsets[first:border].tolist()),
            questions=frozenset(_asked(wants, border, self._settings.seed).tolist()),
            length=training_of(self._settings).shape.length,
        )

    def _sequences(self, which: NDArray[np.bool_]) -> Sequences:
        """What each person wanted, by numbers of the catalogue, and how long after the last."""
        wants = self.material.wants
        number = np.full(self.material.table.count, -1, dtype=np.int64)
        number[self._rows] = np.arange(len(self._rows))
        items = number[wants.items]
        kept = np.flatnonzero(which & (items >= 0))
        order = kept[np.argsort(wants.users[kept], kind="stable")]
        _, starts = np.unique(wants.users[order], return_index=True)
        starts = np.append(starts, len(order)).astype(np.int64)
        codes = timed_codes(wants.at_ms[order], starts)
        return Sequences(items=items[order], starts=starts, codes=codes)

    def _training(self, sequences: Sequences) -> SequenceTraining:
        usual = training_for(sequences, len(self._catalogue.item_ids), self._settings.seed)
        shape = replace(usual.shape, length=_READ)
        return replace(usual, shape=shape, threads=self._settings.threads)

    def _fitting(self) -> Fitting:
        return Fitting(checkpoint=self._checkpoint)

    def _fitted(self, progress: Fitted) -> None:
        self._tell(str(progress), progress.step, progress.steps)


def _resumed(train: Callable[[], T], checkpoint: Path) -> T:
    """What a training gives. It begins anew where its checkpoint is not of the same: a post was
    edited meanwhile, or somebody erased."""
    try:
        return train()
    except (InputError, SnapshotError):
        if not checkpoint.exists():
            raise
        checkpoint.unlink()
        return train()


def _asked(wants: LogWants, border: int, seed: int) -> Longs:
    """Offsets of what each person wanted first behind the border, of those known before it."""
    _, first = np.unique(wants.users[border:], return_index=True)
    places = border + np.sort(first)
    places = places[np.isin(wants.users[places], wants.users[:border])]
    if len(places) > _MOST_ASKED:
        dice = stream(seed, "causal", "asked")
        places = np.sort(dice.choice(places, _MOST_ASKED, replace=False))
    return wants.offsets[places]


def _newest_ms(table: ItemTable) -> int:
    return int(table.created_ms[: table.count].max())


def _catalogue(table: ItemTable, there_ms: int) -> tuple[Longs, Catalogue]:
    """Rows of the table by id, without posts of after that moment: in a later run the same."""
    there = np.flatnonzero(table.created_ms[: table.count] <= there_ms)
    rows = np.array(sorted(there.tolist(), key=lambda row: table.ids[row]), dtype=np.int64)
    names = tuple(table.ids[row] for row in rows.tolist())
    return rows, Catalogue(item_ids=names, content=table.content[rows])


def _metrics(comparison: Comparison) -> dict[str, float]:
    """The figures that are known, by name."""
    gain = comparison.gain.hit_rate
    told = {
        "asked": float(comparison.asked),
        "hit_rate_alone": comparison.alone.hit_rate,
        "hit_rate_both": comparison.both.hit_rate,
        "ndcg_alone": comparison.alone.ndcg,
        "ndcg_both": comparison.both.ndcg,
        "hit_rate_gain_low": gain.low if isinstance(gain, Interval) else gain,
    }
    return {name: figure for name, figure in told.items() if isinstance(figure, float)}
