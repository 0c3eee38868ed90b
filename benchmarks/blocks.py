"""What the causal model is made of and taught by, against what else it could be.

Leave-one-out as in `benchmarks.sequence`: `--sequences FILE`, every item ranked, what a person had
does not compete, ties against the model. Same sizes, start, steps and seed for all; what differs is
one part. Each stops by the last item but one, and should be chosen by it (`validation`); the last
item's figures stand beside.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common import Report, arguments, console
from benchmarks.rival_blocks import FuxiBlock, HstuBlock, PlainBlock
from benchmarks.rival_losses import gbce
from inhouse.core.allocator import keep_freed_memory
from inhouse.learning.causal.encoder import Block, CausalEncoder, Rows
from inhouse.learning.causal.fit import read_rows, training_for
from inhouse.learning.causal.serving import CausalShape
from inhouse.learning.causal.steps import Parts, SequenceTrainer
from inhouse.learning.sequences.flat import Catalogue, Sequences, read_sequences
from inhouse.learning.sequences.holdout import HoldOut, Scores, leave_one_out, ranked
from inhouse.learning.taste.model import Dropout
from inhouse.stats.ranking import hit_rate, ndcg
from inhouse.stats.types import Interval

Floats = NDArray[np.float32]

K: Final = 10
QUICK_PEOPLE: Final = 2_000
RIVALS: Final[Mapping[str, Parts]] = {
    "ours": Parts(),
    "plain": Parts(block=PlainBlock),
    "hstu": Parts(block=HstuBlock),
    "fuxi": Parts(block=FuxiBlock),
    "gbce": Parts(loss=gbce),
}


def scores_by(
    shape: CausalShape, block: Block, learned: tuple[Floats, Mapping[str, Floats]]
) -> Scores:
    """Scores of every item by an encoder of such blocks, in torch."""
    id_part, dense = learned
    encoder = CausalEncoder(shape, torch.Generator(), block).eval()
    encoder.load_state_dict(
        {
            name.removeprefix("encoder."): torch.from_numpy(part)
            for name, part in dense.items()
            if name.startswith("encoder.")
        }
    )
    vectors = torch.from_numpy(id_part)
    whole = Dropout(0.0, np.random.default_rng(0))

    @torch.no_grad()
    def scores(histories: Sequences) -> Floats:
        read = read_rows(histories, shape.length)
        rows = Rows(
            people=torch.from_numpy(np.where(read.items >= 0, 0, -1)),
            codes=torch.from_numpy(read.codes.astype(np.int64)),
        )
        people = encoder(vectors[np.maximum(read.items, 0)], rows, whole)[:, -1]  # [n, d]
        table: Floats = (people @ vectors.T).numpy()
        return table

    return scores


class Trial:
    """One contestant, trained until validation stops it."""

    def __init__(self, name: str, known: Sequences, items: tuple[str, ...], seed: int) -> None:
        self._block = RIVALS[name].block
        training = training_for(known, len(items), seed)
        self._shape = training.shape
        self._learned = known.without_last(1)
        torch.manual_seed(seed)  # of the losses that draw
        self._trainer = SequenceTrainer(
            self._learned, Catalogue.of_ids(items), training, RIVALS[name]
        )
        self._questions = HoldOut(sequences=known, counts=self._learned.counts(len(items)))
        self._name = name

    def row(self, whole: Sequences, options: argparse.Namespace) -> dict[str, Any]:
        """Trains; then the figures of both questions."""
        began = time.process_time()
        judged: list[tuple[float, float]] = []  # NDCG, HR on validation
        best = self._trainer.averages()
        while len(judged) < options.epochs and not self._is_stalled(judged, options.patience):
            self._epoch()
            learned = self._trainer.averages()
            judged.append(self._validated(learned))
            if max(judged) == judged[-1]:
                best = learned
            console.print(f"{self._name}: epoch {len(judged)}, NDCG@10 {judged[-1][0]:.4f}")
        ndcg_best, hits_best = max(judged)
        found = leave_one_out(
            self._name,
            HoldOut(sequences=whole, counts=self._questions.counts),
            scores_by(self._shape, self._block, best),
        )
        return {
            "what": self._name,
            "validation HR@10": hits_best,
            "validation NDCG@10": ndcg_best,
            "HR@10": found.hit_rate,
            "HR@10 range": _told(found.hit_rate_range),
            "NDCG@10": found.ndcg,
            "epoch": judged.index(max(judged)) + 1,
            "parameters": self._trainer.parameters,
            "cpu_s an epoch": (time.process_time() - began) / len(judged),
        }

    @staticmethod
    def _is_stalled(judged: list[tuple[float, float]], patience: int) -> bool:
        return len(judged) - (judged.index(max(judged)) if judged else 0) > patience

    def _epoch(self) -> None:
        epoch = self._trainer.epoch
        while self._trainer.epoch == epoch:
            self._trainer.learn()

    def _validated(self, learned: tuple[Floats, Mapping[str, Floats]]) -> tuple[float, float]:
        ranks, _ = ranked(self._questions, scores_by(self._shape, self._block, learned))
        gain, hits = ndcg(ranks, K), hit_rate(ranks, K)
        if not isinstance(gain, float) or not isinstance(hits, float):
            raise SystemExit("nobody has three items: one to read, one to learn, one to ask for")
        return gain, hits


def _told(between: object) -> str | None:
    return f"{between.low:.4f} to {between.high:.4f}" if isinstance(between, Interval) else None


def main() -> None:
    """One row each."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--sequences", type=Path, required=True, help="file, .gz or not")
        parser.add_argument("--what", nargs="+", choices=tuple(RIVALS), default=tuple(RIVALS))
        parser.add_argument("--epochs", type=int, default=40, help="at most, of each")
        parser.add_argument("--patience", type=int, default=4, help="epochs without a better one")
        parser.add_argument("--seed", type=int, default=0)

    options = arguments(__doc__ or "", extra)
    keep_freed_memory()
    named = read_sequences(options.sequences)
    whole = named.sequences
    if options.quick:
        whole, options.epochs = whole.take(np.arange(min(len(whole), QUICK_PEOPLE))), 2
    columns = ("what", "validation HR@10", "validation NDCG@10", "HR@10", "HR@10 range", "NDCG@10")
    report = Report("blocks", (*columns, "epoch", "parameters", "cpu_s an epoch"))
    for name in options.what:
        trial = Trial(name, whole.without_last(1), named.items, options.seed)
        report.add(**trial.row(whole, options))
    report.finish(options)


if __name__ == "__main__":
    main()
