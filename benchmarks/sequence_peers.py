"""What stands beside ours in `benchmarks.sequence`: two baselines, and libraries where installed.

Every peer learns from the same sequences and is judged by the same evaluator. RecTools' models run
with the sizes their authors published for leave-one-out on sets of this kind, and stop by the same
rule as ours: no better NDCG@10 on validation for so many epochs, or no time left.
"""

import copy
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.common import console
from inhouse.core.random import stream
from inhouse.learning.encoding import Histories
from inhouse.learning.examples.types import NextItems
from inhouse.learning.measuring.baselines import neighbours_of, same_for_all
from inhouse.learning.measuring.history_model import scores_of
from inhouse.learning.sequences.flat import Catalogue, Sequences, plain_codes
from inhouse.learning.sequences.holdout import HoldOut, Scores, ranked
from inhouse.learning.taste.arrays import TasteShape
from inhouse.learning.taste.train import TasteTraining
from inhouse.learning.training.train import train_taste
from inhouse.stats.ranking import ndcg

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Split:
    """One file, split for everybody alike."""

    whole: Sequences  # the last item of each is the question
    items: tuple[str, ...]  # names of the items

    @property
    def known(self) -> Sequences:
        """What is read before the question; the last item of each validates."""
        return self.whole.without_last(1)

    @property
    def learned(self) -> Sequences:
        """What gradients and counts come from."""
        return self.whole.without_last(2)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a model may train."""

    epochs: int
    seconds: float
    patience: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A trained recommender."""

    scores: Scores
    parameters: int | None = None  # numbers learned
    epochs: int | None = None  # of the weights that were kept
    told: Mapping[str, Any] = field(default_factory=dict)  # what else belongs into the file


Peer = Callable[[Split, Limits], Fitted]


def popular(split: Split, limits: Limits) -> Fitted:
    """What was wanted most. The files tell no days, so it is of all time."""
    return Fitted(scores=same_for_all(split.learned.counts(len(split.items))))


def neighbours(split: Split, limits: Limits) -> Fitted:
    """Item-item neighbours of `inhouse.learning.measuring.baselines`."""
    return Fitted(scores=neighbours_of(split.learned, len(split.items)))


def pooled(split: Split, limits: Limits) -> Fitted:
    """Our own encoder for learning online, `inhouse.learning.taste`, trained in batch."""
    catalogue = Catalogue.of_ids(split.items)
    examples = next_items(split.learned, TasteShape().length)
    training = TasteTraining(memory=len(examples), recent=0, seed=limits.seed)
    weights, fit = train_taste(examples, catalogue, training)
    parameters = sum(part.size for part in weights.arrays().values())
    return Fitted(scores=scores_of(weights), parameters=parameters, epochs=fit.best_epoch)


def next_items(sequences: Sequences, length: int) -> NextItems:
    """Every action after the first as an example, people in an order of chance."""
    order = stream(0, "sequence", "pooled").permutation(len(sequences))
    shuffled = sequences.take(order)
    person = np.repeat(np.arange(len(shuffled)), shuffled.lengths)
    place = np.arange(len(person)) - shuffled.starts[person]  # [total] in the person's sequence
    answers = np.flatnonzero(place > 0)
    back = np.arange(length, 0, -1)  # [L]
    there = back <= place[answers][:, None]  # [n, L]
    items = np.where(there, shuffled.items[np.maximum(answers[:, None] - back, 0)], -1)
    codes = plain_codes(items.shape)
    n = len(answers)
    return NextItems(
        histories=Histories(
            items=items.astype(np.int32),
            kinds=codes[..., 0],
            ages=np.zeros(items.shape, dtype=np.uint8),
            dwells=codes[..., 2],
        ),
        targets=shuffled.items[answers].astype(np.int32),
        at_ms=np.zeros(n, dtype=np.int64),
        offsets=np.arange(n, dtype=np.int64),
    )


def implicit_als(split: Split, limits: Limits) -> Fitted:
    """implicit's alternating least squares, 128 factors; a person is folded in from their items."""
    from implicit.als import AlternatingLeastSquares  # noqa: PLC0415  # an optional peer

    count = len(split.items)

    def matrix(sequences: Sequences) -> Any:
        shape = (len(sequences), count)
        ones = np.ones(len(sequences.items), dtype=np.float32)
        return sparse.csr_matrix((ones, sequences.items, sequences.starts), shape=shape)

    model = AlternatingLeastSquares(
        factors=128, num_threads=1, random_state=limits.seed, use_gpu=False
    )
    model.fit(matrix(split.learned), show_progress=False)

    def scores(histories: Sequences) -> Floats:
        people = model.recalculate_user(np.arange(len(histories)), matrix(histories))
        table: Floats = people @ model.item_factors.T
        return table

    return Fitted(scores=scores, parameters=model.item_factors.size + model.user_factors.size)


def sasrec(split: Split, limits: Limits) -> Fitted:
    """RecTools' SASRec with the whole softmax."""
    return _rectools(split, limits, {"loss": "softmax"})


def esasrec(split: Split, limits: Limits) -> Fitted:
    """RecTools' eSASRec: LiGR layers and a sampled softmax of 256 negatives."""
    from rectools.models.nn.transformers.ligr import LiGRLayers  # noqa: PLC0415

    return _rectools(
        split,
        limits,
        {
            "loss": "sampled_softmax",
            "n_negatives": 256,
            "transformer_layers_type": LiGRLayers,
            "use_key_padding_mask": True,
        },
    )


def _rectools(split: Split, limits: Limits, options: Mapping[str, Any]) -> Fitted:
    from pytorch_lightning import Trainer, seed_everything  # noqa: PLC0415
    from pytorch_lightning.callbacks import LambdaCallback  # noqa: PLC0415
    from rectools.models import SASRecModel  # noqa: PLC0415

    warnings.simplefilter("ignore")
    seed_everything(limits.seed)
    questions = HoldOut(sequences=split.known, counts=split.learned.counts(len(split.items)))
    end = time.monotonic() + limits.seconds
    judged: list[float] = []
    best: dict[str, Any] = {}

    def judge(trainer: Any, module: Any) -> None:
        ranks, _ = ranked(questions, _rectools_scores(model, split))
        module.train()
        figure = ndcg(ranks, 10)
        judged.append(figure if isinstance(figure, float) else 0.0)
        console.print(f"RecTools: epoch {len(judged)}, NDCG@10 on validation {judged[-1]:.4f}")
        if judged[-1] == max(judged):
            best.update(copy.deepcopy(module.state_dict()))
        stalled = len(judged) - 1 - int(np.argmax(judged)) >= limits.patience
        trainer.should_stop = stalled or time.monotonic() > end

    def watch(trainer: Any, *_: Any) -> None:
        trainer.should_stop = time.monotonic() > end

    def trainer() -> Any:
        return Trainer(
            max_epochs=limits.epochs,
            accelerator="cpu",
            devices=1,
            precision="bf16-mixed" if multiplies_bfloat16() else "32-true",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[LambdaCallback(on_train_epoch_end=judge, on_train_batch_end=watch)],
        )

    model = SASRecModel(
        **_published_sizes(split), **options, get_trainer_func=trainer, deterministic=True
    )
    model.fit(_rectools_dataset(split.learned))
    model.lightning_model.load_state_dict(best)
    parameters = sum(part.numel() for part in model.torch_model.parameters())
    return Fitted(
        scores=_rectools_scores(model, split),
        parameters=parameters,
        epochs=int(np.argmax(judged)) + 1,
        told={"validation": judged},
    )


def multiplies_bfloat16() -> bool:
    """Whether the processor does so itself: peers then train in it as ours does."""
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def _published_sizes(split: Split) -> dict[str, Any]:
    """The eSASRec benchmark's configurations: long histories as ML-1M, short ones as Beauty."""
    if split.known.lengths.mean() > 50:
        return {
            "n_factors": 64,
            "n_blocks": 2,
            "n_heads": 1,
            "dropout_rate": 0.1,
            "session_max_len": 200,
        }
    return {
        "n_factors": 256,
        "n_blocks": 1,
        "n_heads": 1,
        "dropout_rate": 0.2,
        "session_max_len": 50,
    }


def _rectools_dataset(sequences: Sequences) -> Any:
    import pandas as pd  # noqa: PLC0415
    from rectools import Columns  # noqa: PLC0415
    from rectools.dataset import Dataset  # noqa: PLC0415

    person = np.repeat(np.arange(len(sequences)), sequences.lengths)
    place = np.arange(len(sequences.items)) - sequences.starts[person]
    return Dataset.construct(
        pd.DataFrame(
            {
                Columns.User: person,
                Columns.Item: sequences.items,
                Columns.Weight: 1.0,
                Columns.Datetime: pd.Timestamp(0) + pd.to_timedelta(place, unit="s"),
            }
        )
    )


def _rectools_scores(model: Any, split: Split) -> Scores:
    count = len(split.items)

    def scores(histories: Sequences) -> Floats:
        prepared = model.data_preparator.transform_dataset_u2i(
            _rectools_dataset(histories), np.arange(len(histories))
        )
        loader = model.data_preparator.get_dataloader_recommend(prepared, 256)
        people, items = model.lightning_model._get_user_item_embeddings(loader, "cpu")
        known = model.data_preparator.get_known_items_sorted_internal_ids()
        columns = model.data_preparator.item_id_map.convert_to_external(known).astype(np.int64)
        rows = prepared.user_id_map.external_ids.astype(np.int64)
        table = np.full((len(histories), count), -np.inf, dtype=np.float32)
        table[np.ix_(rows, columns)] = (people @ items[known].T).detach().numpy()
        return table

    return scores


@dataclass(frozen=True, kw_only=True)
class Optional:
    """A peer of a library that may not be there."""

    package: str  # as it is imported and installed
    fit: Peer


BASELINES: Mapping[str, Peer] = {"popular": popular, "item-item neighbours": neighbours}
PEERS: Mapping[str, Optional] = {
    "sasrec": Optional(package="rectools", fit=sasrec),
    "esasrec": Optional(package="rectools", fit=esasrec),
    "pooled": Optional(package="inhouse", fit=pooled),
    "als": Optional(package="implicit", fit=implicit_als),
}


def installed(name: str) -> bool:
    """Whether a peer can run here."""
    return find_spec(PEERS[name].package) is not None
