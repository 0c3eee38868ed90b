"""Leave-one-out on a file of sequences: the last item of each person is asked for.

Every item is ranked, what a person had does not compete, ties stand against the model. The last
item but one is for validation: it decides when training stops, of ours and of the peers alike; it
is read in the end, but never learned from, except in the row "ours, whole": the same training once
more, for as many epochs as were best, on the last item but one too, as `inhouse train` does it for
a model that is to be used. No time of the asked item is used. Popularity and
item-item neighbours always stand beside; RecTools and implicit do where they are installed.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import Report, arguments, console
from benchmarks.sequence_peers import BASELINES, PEERS, Fitted, Limits, Peer, Split, installed
from inhouse.core.allocator import keep_freed_memory
from inhouse.learning.causal.fit import (
    Fitting,
    Progress,
    fit_sequences,
    fit_whole,
    training_for,
)
from inhouse.learning.causal.steps import SequenceTraining
from inhouse.learning.measuring.history_model import scores_of
from inhouse.learning.sequences.flat import Catalogue, Sequences, read_sequences
from inhouse.learning.sequences.holdout import HoldOut, HoldOutReport, leave_one_out
from inhouse.stats.types import Interval, NotEnough

COLUMNS = (
    "what",
    "HR@10",
    "NDCG@10",
    "MRR",
    "HR@50",
    "coverage",
    "novelty_bits",
    "HR@10_debiased",
    "HR@10_cold_people",
    "HR@10_rare_items",
    "HR@10_new_items",
    "parameters",
    "epochs",
    "seconds",
)
USUAL_PEERS = ("sasrec", "esasrec", "als")
QUICK_PEOPLE, QUICK_SECONDS = 2_000, 15.0


class Ours:
    """The causal model of `inhouse.learning`, its sizes by rule."""

    def __init__(self, checkpoint: Path | None) -> None:
        self._checkpoint = checkpoint
        self._epochs = 0  # that were best

    def fit(self, split: Split, limits: Limits) -> Fitted:
        """Stopped early by the last item but one, which is not learned from."""
        catalogue, training = self._how(split, limits)
        end = time.monotonic() + limits.seconds
        fitting = Fitting(
            most_epochs=limits.epochs,
            patience=limits.patience,
            enough=lambda: time.monotonic() > end,
            checkpoint=self._checkpoint,
        )
        weights, told = fit_sequences(split.known, catalogue, training, fitting, _tell)
        self._epochs = told.best_epoch
        return Fitted(
            scores=scores_of(weights),
            parameters=told.parameters,
            epochs=told.best_epoch,
            told={
                "training": asdict(training),
                "losses": told.losses,
                "validation": told.judged,
            },
        )

    def fit_whole(self, split: Split, limits: Limits) -> Fitted:
        """For as many epochs on that item too."""
        catalogue, training = self._how(split, limits)
        fitting = Fitting(most_epochs=self._epochs, checkpoint=self._checkpoint)
        weights = fit_whole(split.known, catalogue, training, fitting, _tell)
        parameters = sum(part.size for part in weights.arrays().values())
        return Fitted(scores=scores_of(weights), parameters=parameters, epochs=self._epochs)

    def _how(self, split: Split, limits: Limits) -> tuple[Catalogue, SequenceTraining]:
        return Catalogue.of_ids(split.items), training_for(
            split.known, len(split.items), limits.seed
        )


def _tell(progress: Progress) -> None:
    if progress.step == progress.steps:
        console.print(f"ours: {progress}")


def measured(name: str, peer: Peer, split: Split, limits: Limits) -> dict[str, Any]:
    """One row: train, then answer every question."""
    started = time.perf_counter()
    fitted = peer(split, limits)
    seconds = time.perf_counter() - started
    questions = HoldOut(
        sequences=split.whole, counts=split.learned.counts(len(split.items)), seed=limits.seed
    )
    found = leave_one_out(name, questions, fitted.scores)
    return {
        **_figures(found),
        "parameters": fitted.parameters,
        "epochs": fitted.epochs,
        "seconds": seconds,
        "seed": limits.seed,
        **fitted.told,
    }


def _figures(found: HoldOutReport) -> dict[str, Any]:
    return {
        "what": found.name,
        "questions": found.n,
        "HR@10": _estimate(found.hit_rate),
        "HR@10_range": _range(found.hit_rate_range),
        "NDCG@10": _estimate(found.ndcg),
        "NDCG@10_range": _range(found.ndcg_range),
        "MRR": _estimate(found.mrr),
        "HR@50": _estimate(found.hit_rate_far),
        "coverage": found.coverage,
        "novelty_bits": _estimate(found.novelty),
        "HR@10_debiased": _estimate(found.hit_rate_debiased),
        "HR@10_cold_people": _estimate(found.hit_rate_cold_people),
        "HR@10_rare_items": _estimate(found.hit_rate_rare_items),
        "HR@10_new_items": _estimate(found.hit_rate_new_items),
    }


def _estimate(value: float | NotEnough) -> float | None:
    return None if isinstance(value, NotEnough) else value


def _range(value: Interval | NotEnough) -> tuple[float, float] | None:
    return (value.low, value.high) if isinstance(value, Interval) else None


def _split(path: Path, most: int | None) -> Split:
    """The file's sequences; of `most` people, their items numbered anew, where it has more."""
    named = read_sequences(path)
    if most is None or len(named.sequences) <= most:
        return Split(whole=named.sequences, items=named.items)
    whole = named.sequences.take(np.arange(most))
    used, numbers = np.unique(whole.items, return_inverse=True)
    return Split(
        whole=Sequences(items=numbers.astype(np.int64), starts=whole.starts),
        items=tuple(named.items[item] for item in used),
    )


def _contestants(options: argparse.Namespace) -> Iterator[tuple[str, Peer]]:
    yield from BASELINES.items()
    model = Ours(options.checkpoint)
    yield "ours", model.fit
    yield "ours, whole", model.fit_whole
    for name in options.peers:
        if installed(name):
            yield _titled(name), PEERS[name].fit
        else:
            console.print(f"{name}: {PEERS[name].package} is not installed, left out")


def _titled(name: str) -> str:
    try:
        return f"{name} ({PEERS[name].package} {version(PEERS[name].package)})"
    except PackageNotFoundError:
        return name


def main() -> None:
    """Measure all of them on one split."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--sequences", type=Path, required=True, help="file, .gz or not")
        parser.add_argument(
            "--peers", nargs="*", choices=tuple(PEERS), default=USUAL_PEERS, help="beside ours"
        )
        parser.add_argument("--epochs", type=int, default=100, help="at most, of each model")
        parser.add_argument("--patience", type=int, default=5, help="epochs without a better one")
        parser.add_argument("--seconds", type=float, default=3_600, help="at most, of each model")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--checkpoint", type=Path, help="where ours keeps its state")

    options = arguments(__doc__ or "", extra)
    keep_freed_memory()
    split = _split(options.sequences, QUICK_PEOPLE if options.quick else None)
    limits = Limits(
        epochs=options.epochs,
        seconds=min(options.seconds, QUICK_SECONDS) if options.quick else options.seconds,
        patience=options.patience,
        seed=options.seed,
    )
    console.print(
        f"{options.sequences.name}: {len(split.whole):,} people, {len(split.items):,} items,"
        f" {len(split.whole.items):,} actions"
    )
    report = Report("sequence", COLUMNS)
    for name, peer in _contestants(options):
        report.add(**measured(name, peer, split, limits))
    report.finish(options)


if __name__ == "__main__":
    main()
