"""What did people want next? Every item ranked, ties against the model.

Leave-one-out asks for each person's last item; `time_split.py` for what people wanted after a
moment. Either is a list of sequences whose last item is the answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from inhouse.learning.sequences.flat import Longs, Sequences
from inhouse.stats.intervals import bootstrap, bootstrap_clusters
from inhouse.stats.ranking import hit_rate, mrr, ndcg, target_ranks
from inhouse.stats.types import Interval, NotEnough

Floats = NDArray[np.float32]
Scores = Callable[[Sequences], Floats]  # of n histories: float32[n, items], higher is better

_AT_ONCE: Final = 256
_DRAWS: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldOut:
    """Questions: what did each person want after all they had before?"""

    sequences: Sequences  # the last item of each is the answer
    counts: Longs  # [items] how often each stands in what the models learned from
    k: int = 10  # length of the lists
    far: int = 50  # length of the long lists
    few: int = 5  # up to so many items a person is cold and an item rare
    seed: int = 0  # of the bootstrap
    fewest: int = 2  # items of a sequence that asks anything; with 1, strangers are asked too
    people: Longs | None = None  # [n] whose each sequence is; by default each its own person's
    arrived: Longs | None = None  # [n] so many of the items compete, the first ones; all by default

    def asked(self) -> Longs:
        """The sequences that ask a question."""
        return np.flatnonzero(self.sequences.lengths >= self.fewest)


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldOutReport:
    """How one recommender did. A figure without data is a `NotEnough`."""

    name: str  # the recommender's
    n: int  # questions asked
    hit_rate: float | NotEnough  # HR@k
    hit_rate_range: Interval | NotEnough  # by bootstrap over people
    ndcg: float | NotEnough  # NDCG@k
    ndcg_range: Interval | NotEnough  # likewise
    mrr: float | NotEnough  # mean reciprocal rank
    hit_rate_far: float | NotEnough  # HR@far
    coverage: float  # share of all items that stand in at least one list
    novelty: float | NotEnough  # mean surprise of what is listed, bits: log2(people / who had it)
    hit_rate_debiased: float | NotEnough  # HR@k, each question weighing 1 / count of its answer
    hit_rate_cold_people: float | NotEnough  # HR@k of people with at most `few` items
    hit_rate_rare_items: float | NotEnough  # HR@k where the answer was learned 1 to `few` times
    hit_rate_new_items: float | NotEnough  # HR@k where it was never learned
    n_cold_people: int  # questions of such people
    n_rare_items: int  # questions with such answers
    n_new_items: int  # likewise


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One recommender against another on the same questions."""

    rival: str  # against which
    hit_rate: Interval | NotEnough  # HR@k less that of the rival, by bootstrap over people
    ndcg: Interval | NotEnough  # NDCG@k likewise


def leave_one_out(name: str, questions: HoldOut, scores: Scores) -> HoldOutReport:
    """Ask for the last item of everybody with more than one; what they had does not compete."""
    return report_on(name, questions, *ranked(questions, scores))


def report_on(name: str, questions: HoldOut, ranks: Longs, listed: Longs) -> HoldOutReport:
    """Figures of the answers that `ranked` gave."""
    sequences, counts, k = questions.sequences, questions.counts, questions.k
    asked, people = questions.asked(), _people(questions)
    learned = counts[sequences.items[sequences.starts[asked + 1] - 1]]  # [n] of the answers
    hits, gains = ranks <= k, _gains(ranks, k)
    weights = 1 / np.maximum(learned, 1)
    surprise = np.log2(max(len(sequences), 1) / np.maximum(counts, 1))
    cold = sequences.lengths[asked] - 1 <= questions.few
    rare = (learned > 0) & (learned <= questions.few)
    return HoldOutReport(
        name=name,
        n=len(ranks),
        hit_rate=hit_rate(ranks, k),
        hit_rate_range=_range(hits.astype(np.float64), people, questions.seed),
        ndcg=ndcg(ranks, k),
        ndcg_range=_range(gains, people, questions.seed),
        mrr=mrr(ranks),
        hit_rate_far=hit_rate(ranks, questions.far),
        coverage=float((listed > 0).mean()) if len(listed) else 0.0,
        novelty=_mean(surprise, listed),
        hit_rate_debiased=_mean(hits, weights),
        hit_rate_cold_people=hit_rate(ranks[cold], k),
        hit_rate_rare_items=hit_rate(ranks[rare], k),
        hit_rate_new_items=hit_rate(ranks[learned == 0], k),
        n_cold_people=int(cold.sum()),
        n_rare_items=int(rare.sum()),
        n_new_items=int((learned == 0).sum()),
    )


def difference(questions: HoldOut, ranks: Longs, rival: str, theirs: Longs) -> Difference:
    """What the ranks of one are better than those of a rival."""
    people, k, seed = _people(questions), questions.k, questions.seed
    hits = (ranks <= k).astype(np.float64) - (theirs <= k)
    return Difference(
        rival=rival,
        hit_rate=_range(hits, people, seed),
        ndcg=_range(_gains(ranks, k) - _gains(theirs, k), people, seed),
    )


def ranked(questions: HoldOut, scores: Scores) -> tuple[Longs, Longs]:
    """The rank of each answer, 1 for the best, and how often each item stood in a list."""
    sequences = questions.sequences
    asked = questions.asked()
    ranks = np.empty(len(asked), dtype=np.int64)
    listed = np.zeros(len(questions.counts), dtype=np.int64)
    order = np.argsort(sequences.lengths[asked], kind="stable")  # alike in length, so in cost
    for start in range(0, len(asked), _AT_ONCE):
        places = order[start : start + _AT_ONCE]
        part = sequences.take(asked[places])
        histories, answers = part.without_last(1), part.items[part.starts[1:] - 1]
        table = scores(histories)  # [s, items]
        people = np.repeat(np.arange(len(part)), histories.lengths)
        allowed = np.ones(table.shape, dtype=np.bool_)
        if questions.arrived is not None:
            arrived = questions.arrived[asked[places]]
            allowed = np.arange(table.shape[1]) < arrived[:, None]
        allowed[people, histories.items] = False
        ranks[places] = target_ranks(table, answers, allowed)
        np.add.at(listed, _best(np.where(allowed, table, -np.inf), questions.k), 1)
    return ranks, listed


def _best(scores: Floats, k: int) -> Longs:
    """The k best columns of each row in no order, row by row, without what is -inf."""
    best = np.argpartition(-scores, min(k, scores.shape[1] - 1), axis=1)[:, :k]  # [s, k]
    found: Longs = best[np.take_along_axis(scores, best, axis=1) > -np.inf]
    return found


def _mean(values: npt.ArrayLike, weights: npt.ArrayLike) -> float | NotEnough:
    shares = np.asarray(weights, dtype=np.float64)
    if shares.sum() == 0:
        return NotEnough(reason="no rows to average", have=0, need=1)
    return float(np.average(np.asarray(values, dtype=np.float64), weights=shares))


def _gains(ranks: Longs, k: int) -> NDArray[np.float64]:
    return np.where(ranks <= k, 1 / np.log2(ranks + 1), 0.0)


def _people(questions: HoldOut) -> Longs | None:
    return None if questions.people is None else questions.people[questions.asked()]


def _range(values: NDArray[np.float64], people: Longs | None, seed: int) -> Interval | NotEnough:
    """Of the mean; people are drawn, since what one person answers is alike."""
    if people is None:
        return bootstrap(values, lambda drawn: float(np.mean(drawn)), seed, draws=_DRAWS)
    return bootstrap_clusters(
        people,
        lambda weights: float(weights @ values / weights.sum()),
        seed,
        draws=_DRAWS,
    )
