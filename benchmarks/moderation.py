"""How well the owned text model finds harm, beside TF-IDF with logistic regression.

    python -m benchmarks.moderation            # the public sets: TweetEval, pooled folds
    python -m benchmarks.moderation --labelled posts.parquet --text text --label label --folds 5
    python -m benchmarks.moderation --attacks  # what disguises hide
    python -m benchmarks.moderation --cascade  # a larger model for the uncertain few
    python -m benchmarks.moderation --active   # labels saved by asking about what is uncertain
    python -m benchmarks.moderation --speed    # training on 50,000 texts; texts/s

Folds: every text is judged by a model that never saw it; intervals by bootstrap over texts, of the
difference too (paired). TweetEval: official splits; the threshold for macro-F1 is chosen on the
validation split, and the test split is looked at once. The owned model is trained twice more there,
each time shown one half of the test's texts without their labels, as a community has its latest
posts, to judge the other half.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Report, arguments, console
from benchmarks.moderation_active import active
from benchmarks.moderation_attacks import attacks
from benchmarks.moderation_cascade import cascade
from benchmarks.moderation_models import Scorer, Trainer, owned, trainers
from benchmarks.moderation_sets import (
    SHARED,
    Labelled,
    Targets,
    joined,
    pooled,
    read_labelled,
    tweeteval,
)
from benchmarks.moderation_speed import speed
from inhouse.core.random import stream
from inhouse.stats.calibration import expected_calibration_error
from inhouse.stats.classification import ScoreOrder, average_precision, recall_at_fpr
from inhouse.stats.types import NotEnough

COLUMNS: Final = (
    "set",
    "what",
    "model",
    "AUPRC",
    "AUPRC 95%",
    "recall at 1% FPR",
    "recall 95%",
    "macro-F1",
    "ECE",
    "train s",
    "texts/s",
)
_DRAWS: Final = 300
_FPR: Final = 0.01
_OFFICIAL: Final = ("offensive", "hate")
_AMONG: Final = "owned, half of the test unlabelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What a trainer's models said of texts they never saw."""

    p: Targets  # [texts, categories]
    train_s: float  # all folds together
    texts_per_s: float


def main() -> None:
    options = arguments(__doc__ or "", _options)
    report = Report("moderation", COLUMNS)
    if options.attacks:
        report = attacks(options.quick)
    elif options.cascade:
        report = cascade(options.quick)
    elif options.active:
        report = active(options.quick)
    elif options.speed:
        report = speed(options.quick)
    elif options.labelled is not None:
        _folds(report, read_labelled(options.labelled, options.text, options.label), options)
    elif SHARED.exists():
        for what in _OFFICIAL:
            _official(report, what, everything=options.everything)
        if not options.official:
            _folds(report, pooled(), options)
    else:
        raise SystemExit(f"{SHARED} is not there; give a file with --labelled")
    report.finish(options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labelled", type=Path, help="PARQUET of texts with one label each")
    parser.add_argument("--text", default="text", help="its column of texts")
    parser.add_argument("--label", default="label", help="its column of labels")
    parser.add_argument("--folds", type=int, default=5, help="parts, each judged by the others")
    parser.add_argument("--official", action="store_true", help="TweetEval's official splits alone")
    parser.add_argument(
        "--everything", action="store_true", help="train on the labels of all sets, not one"
    )
    for what in ("attacks", "cascade", "active", "speed"):
        parser.add_argument(f"--{what}", action="store_true", help="see above")


def _official(report: Report, what: str, *, everything: bool) -> None:
    train, held, test = (tweeteval(what, split) for split in ("train", "val", "test"))
    if everything:
        others = [tweeteval(other, "train") for other in _OFFICIAL if other != what]
        train = joined("everything", [train, *others, pooled()]).without({*held.texts, *test.texts})
    whole = [np.arange(len(test.texts))]
    halves = [
        np.flatnonzero(stream(1, "halves").permutation(len(test.texts)) % 2 == half)
        for half in (0, 1)
    ]
    ways = [(name, trainer, whole) for name, trainer in trainers().items()]
    for name, trainer, parts in [*ways, (_AMONG, owned, halves)]:
        told, said = _told(trainer, (train, held, test), parts)
        truth = test.targets[:, 0] >= 0.5
        place = train.categories.index(what)
        report.add(
            **_row(truth, told.p[:, place]),
            **{"set": test.name, "what": what, "model": name, "macro-F1": macro_f1(truth, said)},
            **{"train s": told.train_s, "texts/s": round(told.texts_per_s)},
        )


def _told(
    trainer: Callable[..., Scorer],
    splits: tuple[Labelled, Labelled, Labelled],
    parts: Sequence[NDArray[np.int64]],
) -> tuple[Judged, NDArray[np.bool_]]:
    """What is said of the test split, and of which texts yes. Where it comes in parts, each is
    judged by a model that was shown the texts of the others, without their labels."""
    train, held, test = splits
    place = train.categories.index(held.categories[0])
    p, said = (
        np.full((len(test.texts), len(train.categories)), np.nan),
        np.zeros(len(test.texts), dtype=np.bool_),
    )
    train_s = score_s = 0.0
    for rows in parts:
        others = np.setdiff1d(np.arange(len(test.texts)), rows)
        traffic = {"traffic": test.part(others).texts} if len(others) else {}
        started = time.perf_counter()
        score = trainer(train, **traffic)
        train_s += time.perf_counter() - started
        threshold = best_threshold(held.targets[:, 0] >= 0.5, score(held.texts)[:, place])
        started = time.perf_counter()
        p[rows] = score(test.part(rows).texts)
        score_s += time.perf_counter() - started
        said[rows] = p[rows, place] >= threshold
    return Judged(p=p, train_s=train_s, texts_per_s=len(test.texts) / score_s), said


def _folds(report: Report, whole: Labelled, options: argparse.Namespace) -> None:
    if options.quick:
        whole = whole.part(stream(1, "quick").permutation(len(whole.texts))[:6_000])
    judged = {
        name: _out_of_fold(trainer, whole, options.folds) for name, trainer in trainers().items()
    }
    for place, category in enumerate((*whole.categories, "pooled")):
        pick = partial(_pairs, whole, place if place < len(whole.categories) else None)
        peer = pick(judged["tf-idf + logistic regression"].p)
        for name, told in judged.items():
            truth, p = pick(told.p)
            timing = {"train s": told.train_s, "texts/s": round(told.texts_per_s)}
            report.add(
                **{"set": whole.name, "what": category, "model": name}, **_row(truth, p), **timing
            )
        truth, p = pick(judged["owned"].p)
        report.add(
            **{"set": whole.name, "what": category, "model": "owned - tf-idf"},
            **_difference(truth, p, peer[1]),
        )


def _pairs(
    whole: Labelled, place: int | None, p: Targets
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Truth and probability of one category; of all of them for None."""
    truth = whole.targets if place is None else whole.targets[:, [place]]
    told = p if place is None else p[:, [place]]
    known = ~np.isnan(truth)
    return truth[known] >= 0.5, told[known]


def _out_of_fold(trainer: Trainer, whole: Labelled, folds: int) -> Judged:
    fold_of = stream(1, "folds").permutation(len(whole.texts)) % folds
    p = np.full(whole.targets.shape, np.nan)
    train_s = score_s = 0.0
    for fold in range(folds):
        started = time.perf_counter()
        score = trainer(whole.part(np.flatnonzero(fold_of != fold)))
        train_s += time.perf_counter() - started
        held = np.flatnonzero(fold_of == fold)
        started = time.perf_counter()
        p[held] = score([whole.texts[row] for row in held])
        score_s += time.perf_counter() - started
        console.print(f"fold {fold + 1} of {folds}: {train_s:,.0f} s of training", style="dim")
    return Judged(p=p, train_s=train_s, texts_per_s=len(whole.texts) / score_s)


def _row(truth: NDArray[np.bool_], p: NDArray[np.float64]) -> dict[str, object]:
    auprc, recall = average_precision(truth, p), recall_at_fpr(truth, p, _FPR)
    assert not isinstance(auprc, NotEnough)
    assert not isinstance(recall, NotEnough)
    spread = _bootstrap(truth, lambda weights: _both(truth, p, weights))
    return {
        "AUPRC": auprc,
        "AUPRC 95%": _range(spread[:, 0]),
        "recall at 1% FPR": recall.recall,
        "recall 95%": _range(spread[:, 1]),
        "ECE": expected_calibration_error(p, truth),
    }


def _difference(
    truth: NDArray[np.bool_], ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> dict[str, object]:
    """Paired: the same draw of texts for both."""

    def apart(weights: Targets) -> tuple[float, float]:
        one, other = _both(truth, ours, weights), _both(truth, theirs, weights)
        return one[0] - other[0], one[1] - other[1]

    point = apart(np.ones(len(truth)))
    spread = _bootstrap(truth, apart)
    return {
        "AUPRC": point[0],
        "AUPRC 95%": _range(spread[:, 0]),
        "recall at 1% FPR": point[1],
        "recall 95%": _range(spread[:, 1]),
    }


def _both(
    truth: NDArray[np.bool_], p: NDArray[np.float64], weights: Targets
) -> tuple[float, float]:
    """AUPRC, and recall at 1% false positives, of texts that count so often."""
    curve = ScoreOrder(truth, p).curve(weights)
    if isinstance(curve, NotEnough):
        raise SystemExit("a draw has one class alone; give more texts")
    flagged = curve.hits + curve.misfires
    precision = np.divide(curve.hits, flagged, out=np.zeros_like(flagged), where=flagged > 0)
    auprc = float((np.diff(curve.hits, prepend=0) / curve.hits[-1] * precision).sum())
    within = curve.misfires <= _FPR * curve.misfires[-1]
    return auprc, float(curve.hits[within].max(initial=0.0) / curve.hits[-1])


def _bootstrap(
    truth: NDArray[np.bool_], statistic: Callable[[Targets], tuple[float, float]]
) -> Targets:
    random, n = stream(1, "bootstrap"), len(truth)
    return np.array(
        [
            statistic(np.bincount(random.integers(n, size=n), minlength=n).astype(np.float64))
            for _ in range(_DRAWS)
        ]
    )


def _range(drawn: Targets) -> str:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return f"{low:.3f} to {high:.3f}"


def macro_f1(truth: NDArray[np.bool_], said: NDArray[np.bool_]) -> float:
    """The mean of both sides' F1."""

    def f1(side: NDArray[np.bool_], told: NDArray[np.bool_]) -> float:
        return 2 * float((side & told).sum()) / max(1.0, float(side.sum() + told.sum()))

    return (f1(truth, said) + f1(~truth, ~said)) / 2


def best_threshold(truth: NDArray[np.bool_], p: NDArray[np.float64]) -> float:
    """Where macro-F1 is highest, of a hundred quantiles."""
    tried = np.unique(np.quantile(p, np.linspace(0.01, 0.99, 99)))
    return float(max(tried, key=lambda threshold: macro_f1(truth, p >= threshold)))


if __name__ == "__main__":
    main()
