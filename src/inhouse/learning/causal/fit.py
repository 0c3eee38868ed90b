"""A causal model of sequences from start to end: sizes by rule, early stopping, checkpoints.

Each person's last item is kept from learning and asked for after every epoch, with everything
ranked; the weights with the best NDCG@10 stay. That says how long to train: a model that is to be
used is then trained as long on everything (`fit_whole`), since what people did last tells most of
what they want next.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from inhouse.core.errors import InputError, SnapshotError
from inhouse.core.files import write_atomically
from inhouse.core.random import stream
from inhouse.core.tensors import tensor_bytes
from inhouse.learning.causal.serving import CausalShape, CausalWeights, ReadRows
from inhouse.learning.causal.steps import SequenceTrainer, SequenceTraining, place
from inhouse.learning.sequences.flat import Catalogue, Sequences, plain_codes
from inhouse.learning.sequences.holdout import HoldOut, Scores, ranked
from inhouse.learning.train_state import below, under
from inhouse.stats.ranking import ndcg

Floats = NDArray[np.float32]

_SHORTEST, _LONGEST = 64, 200  # actions read
_SPARSE: Final = 20  # actions an item
_K: Final = 10  # of the NDCG that decides


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitting:
    """When to stop, and where to keep what an interrupted run goes on from."""

    most_epochs: int = 100
    patience: int = 3  # epochs without a better one before stopping
    judged: int = 10_000  # people asked after each epoch, drawn once
    asked: Sequences | None = None  # what they are asked; None for each person's last item
    enough: Callable[[], bool] = lambda: False  # asked after each epoch: whether to stop anyhow
    checkpoint: Path | None = None  # written as the run goes on; None to keep nothing
    save_every: int = 200  # steps between two checkpoints


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run is."""

    epoch: int  # 1 for the first
    step: int  # of this epoch
    steps: int  # in this epoch
    loss: float  # mean of this epoch so far, nats
    best: float | None  # NDCG@10 of the best epoch so far, 0 before there is one; None: unasked

    def __str__(self) -> str:
        told = f"epoch {self.epoch}, loss {self.loss:.3f}"
        return f"{told}, on everything" if self.best is None else f"{told}, best {self.best:.4f}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SequenceFit:
    """How training went."""

    losses: tuple[float, ...]  # mean of each epoch, nats
    judged: tuple[float, ...]  # NDCG@10 on what each person did last, after each epoch
    best_epoch: int  # whose weights were kept, 1 for the first
    parameters: int  # numbers learned


def training_for(sequences: Sequences, item_count: int, seed: int = 0) -> SequenceTraining:
    """Sizes by rule, the same for all data.

    L covers 19 of 20 people, within 64 to 200. Dropout falls from a half where there are 20 actions
    an item or fewer to a fifth at 200, evenly in their logarithm. Longer rows come in larger steps.
    """
    reach = int(np.quantile(sequences.lengths, 0.95)) if len(sequences) else 0
    length = min(max(reach, _SHORTEST), _LONGEST)
    plenty = np.log10(max(len(sequences.items), 1) / max(item_count, 1) / _SPARSE)
    return SequenceTraining(
        shape=CausalShape(length=length),
        batch=max(2_048, 20 * length),
        dropout=float(np.clip(0.5 - 0.3 * plenty, 0.2, 0.5)),
        seed=seed,
    )


def read_rows(histories: Sequences, length: int) -> ReadRows:
    """The latest `length` actions of each, padded on the left to the longest of them."""
    latest = histories.latest(length)
    widest = int(latest.lengths.max(initial=1))
    person = np.repeat(np.arange(len(latest)), latest.lengths)
    place = np.arange(len(latest.items)) + np.repeat(widest - latest.starts[1:], latest.lengths)
    items = np.full((len(latest), widest), -1, dtype=np.int64)
    codes = plain_codes(items.shape)
    items[person, place] = latest.items
    if latest.codes is not None:
        codes[person, place] = latest.codes
    return ReadRows(items=items, codes=codes)


def fit_sequences(
    sequences: Sequences,
    catalogue: Catalogue,
    training: SequenceTraining,
    fitting: Fitting,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> tuple[CausalWeights, SequenceFit]:
    """A causal model of sequences; deterministic on one machine's processor for a seed.

    Learned is all of them where `fitting.asked` says what decides when to stop, else all but each
    person's last item, which then does.

    Killed and called again with the same arguments, it goes on from its checkpoint and comes to the
    same weights. Raises InputError where nobody has three items, or where the checkpoint was made
    with other arguments.
    """
    learned = sequences if fitting.asked is not None else sequences.without_last(1)
    if not len(learned) or learned.lengths.max() < 2:
        raise InputError("nobody has three items: one to read, one to learn and one to ask for")
    asked = sequences if fitting.asked is None else fitting.asked
    trainer = SequenceTrainer(learned, catalogue, training)
    run = _Run(trainer, fitting, _digest((learned, asked), catalogue, training))
    questions = _questions(asked, len(catalogue.item_ids), fitting.judged, training.seed)
    while not run.is_over():
        run.step()
        progress(run.progress())
        if trainer.step == 0:
            weights = trainer.weights()
            ranks, _ = ranked(questions, _scores_of(weights, catalogue))
            run.judge(weights, _figure(ranks))
    return run.best(catalogue), run.fit()


def fit_whole(
    sequences: Sequences,
    catalogue: Catalogue,
    training: SequenceTraining,
    fitting: Fitting,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> CausalWeights:
    """A causal model of all of the sequences, each person's last item too; nobody is asked.

    Trained for `fitting.most_epochs`, as `fit_sequences` found best. Deterministic and resumable
    likewise, with a checkpoint of its own beside the one of `fitting`.
    """
    checkpoint = None if fitting.checkpoint is None else whole_checkpoint(fitting.checkpoint)
    epochs = fitting.most_epochs
    fitting = replace(fitting, patience=epochs, checkpoint=checkpoint)
    trainer = SequenceTrainer(sequences, catalogue, training)
    run = _Run(trainer, fitting, _digest((sequences, sequences), catalogue, training))
    while not run.is_over():
        run.step()
        progress(replace(run.progress(), best=None))
        if trainer.step == 0:
            run.judge(trainer.weights(), trainer.epoch)  # the latest stand for the best
    return run.best(catalogue)


def whole_checkpoint(checkpoint: Path) -> Path:
    """Where `fit_whole` keeps what it goes on from."""
    return checkpoint.with_name(f"{checkpoint.name}-whole")


class _Run:
    """A run's bookkeeping: what was measured, the best weights, and the file of all that."""

    def __init__(self, trainer: SequenceTrainer, fitting: Fitting, digest: str) -> None:
        self._trainer, self._fitting, self._digest = trainer, fitting, digest
        self._losses: list[float] = []
        self._judged: list[float] = []
        self._sum = 0.0  # of the losses of this epoch's steps
        self._best: dict[str, NDArray[Any]] = {}
        if fitting.checkpoint is not None and fitting.checkpoint.exists():
            self._resume(fitting.checkpoint)

    @property
    def best_epoch(self) -> int:
        """1 for the first, 0 before there is one."""
        return int(np.argmax(self._judged)) + 1 if self._judged else 0

    def is_over(self) -> bool:
        """Whether the last epochs brought nothing, or there were enough."""
        done = len(self._judged)
        stalled = done - self.best_epoch >= self._fitting.patience
        ended = self._trainer.step == 0 and done > 0 and (stalled or self._fitting.enough())
        return done >= self._fitting.most_epochs or ended

    def step(self) -> None:
        """Learn from one batch; the file is written now and then."""
        self._sum += self._trainer.learn()
        if self._trainer.step and self._trainer.step % self._fitting.save_every == 0:
            self._save()

    def judge(self, weights: CausalWeights, figure: float) -> None:
        """Hear how the weights did at the end of an epoch."""
        self._losses.append(self._sum / self._trainer.steps_before)
        self._judged.append(figure)
        self._sum = 0.0
        if self.best_epoch == len(self._judged):
            self._best = dict(weights.arrays())
        self._save()

    def progress(self) -> Progress:
        """How far it is."""
        steps = self._trainer.step or self._trainer.steps_before
        return Progress(
            epoch=self._trainer.epoch + (self._trainer.step > 0),
            step=steps,
            steps=steps + (self._trainer.steps_left if self._trainer.step else 0),
            loss=self._sum / steps,
            best=max(self._judged, default=0.0),
        )

    def best(self, catalogue: Catalogue) -> CausalWeights:
        """The weights of the best epoch."""
        parts = dict(self._best)
        return CausalWeights(
            item_ids=catalogue.item_ids,
            shape=self._trainer.training.shape,
            id_part=parts.pop("id_part"),
            content_map=parts.pop("content_map"),
            encoder=parts,
        )

    def fit(self) -> SequenceFit:
        """How it went."""
        return SequenceFit(
            losses=tuple(self._losses),
            judged=tuple(self._judged),
            best_epoch=self.best_epoch,
            parameters=self._trainer.parameters,
        )

    def _save(self) -> None:
        if self._fitting.checkpoint is None or place()[0] > 0:
            return
        told = {
            "digest": self._digest,
            "losses": self._losses,
            "judged": self._judged,
            "sum": self._sum,
        }
        arrays = {**under("trainer", self._trainer.arrays()), **under("best", self._best)}
        write_atomically(self._fitting.checkpoint, tensor_bytes(arrays, {"run": json.dumps(told)}))

    def _resume(self, path: Path) -> None:
        try:
            with safe_open(path, "np") as file:
                told = json.loads(file.metadata()["run"])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, TypeError) as error:
            raise SnapshotError(f"cannot read the checkpoint {path}; remove it") from error
        if told["digest"] != self._digest:
            raise InputError(
                f"the checkpoint {path} was made of other sequences or settings; remove it, or name"
                " another"
            )
        self._losses, self._judged, self._sum = told["losses"], told["judged"], told["sum"]
        self._best = below("best", arrays)
        self._trainer.restore(below("trainer", arrays))


def _scores_of(weights: CausalWeights, catalogue: Catalogue) -> Scores:
    """Of many people at once, as `person` scores one."""
    vectors = weights.items(catalogue.content)

    def scores(histories: Sequences) -> Floats:
        people = weights.people(vectors, read_rows(histories, weights.shape.length))
        table: Floats = people @ vectors.T  # [n, d] @ [d, items] -> [n, items]
        return table

    return scores


def _figure(ranks: NDArray[np.int64]) -> float:
    found = ndcg(ranks, _K)
    return found if isinstance(found, float) else 0.0


def _questions(sequences: Sequences, item_count: int, most: int, seed: int) -> HoldOut:
    """What people did last; of `most` people drawn once where there are more."""
    known = sequences.without_last(1)
    if len(sequences) > most:
        drawn = stream(seed, "sequences", "judged").choice(len(sequences), most, replace=False)
        sequences = sequences.take(np.sort(drawn))
    return HoldOut(sequences=sequences, counts=known.counts(item_count), k=_K)


def _digest(
    used: tuple[Sequences, Sequences], catalogue: Catalogue, training: SequenceTraining
) -> str:
    """Of everything that decides what a step does."""
    found = hashlib.sha256(json.dumps(asdict(training), sort_keys=True).encode())
    found.update("\n".join(catalogue.item_ids).encode())
    parts = [part for each in used for part in (each.items, each.starts, each.codes)]
    for part in (*parts, catalogue.content):
        found.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
    return found.hexdigest()
