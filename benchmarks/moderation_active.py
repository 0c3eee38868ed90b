"""What it saves to ask people about what the model is unsure of, beside asking at random.

Both begin with the same 200 labels of hate from a pool of the public sets, train, choose the next
200 texts of the pool, are told their labels, and so on. Judged on texts that are in neither. Three
pools; the reader stays out, as it does in production below 2,000 labels.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Report
from benchmarks.moderation_models import Scorer, owned
from benchmarks.moderation_sets import SHARED, Labelled, pooled
from inhouse.core.random import stream
from inhouse.models.harvest.uncertain import choose
from inhouse.stats.classification import average_precision

_ROUNDS: Final = 8
_EACH: Final = 200
_POOL: Final = 5_000
_HELD: Final = 5_000
_POOLS: Final = 3
_Next = Callable[[Labelled, Scorer, int], list[int]]


def active(quick: bool) -> Report:
    """A row for each number of labels, with both ways beside each other."""
    if not SHARED.exists():
        raise SystemExit(f"{SHARED} is not there")
    columns = ("labels", "unsure: AUPRC", "random: AUPRC", "unsure: positives", "random: positives")
    report = Report("active", columns)
    whole = pooled()
    hate = Labelled(
        name="hate",
        texts=whole.texts,
        targets=whole.targets[:, [whole.categories.index("hate")]],
        categories=("hate",),
    )
    runs = {"unsure": _unsure, "random": _random}
    pools = range(1 if quick else _POOLS)
    told = {name: [_learned(hate, ask, seed) for seed in pools] for name, ask in runs.items()}
    for turn in range(_ROUNDS):
        row: dict[str, object] = {"labels": _EACH * (turn + 1)}
        for name, of_pools in told.items():
            auprc, positives = np.mean([one[turn] for one in of_pools], axis=0)
            row |= {f"{name}: AUPRC": auprc, f"{name}: positives": round(positives)}
        report.add(**row)
    return report


def _learned(whole: Labelled, ask: _Next, seed: int) -> list[tuple[float, int]]:
    """AUPRC and positives among the labels, round by round."""
    order = stream(seed, "active").permutation(len(whole.texts))
    pool, held = whole.part(order[:_POOL]), whole.part(order[_POOL : _POOL + _HELD])
    known: NDArray[np.int64] = np.arange(_EACH)
    found = []
    for turn in range(_ROUNDS):
        train = pool.part(known)
        score = owned(train)
        auprc = average_precision(held.targets[:, 0] >= 0.5, score(held.texts)[:, 0])
        assert isinstance(auprc, float)  # both classes are held
        found.append((auprc, int((train.targets >= 0.5).sum())))
        others = np.setdiff1d(np.arange(_POOL), known)
        chosen = ask(pool.part(others), score, seed * _ROUNDS + turn)
        known = np.append(known, others[chosen])
    return found


def _unsure(left: Labelled, score: Scorer, seed: int) -> list[int]:
    return choose(left.texts, score(left.texts), _EACH, 0.5, seed)


def _random(left: Labelled, score: Scorer, seed: int) -> list[int]:
    chosen = stream(seed, "at random").choice(len(left.texts), _EACH, replace=False)
    return [int(place) for place in chosen]
