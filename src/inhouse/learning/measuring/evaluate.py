"""Honest evaluation: ask, wait, learn; every item ranked; ties held against the model.

`prequential` replays events in time: before each, every recommender ranks all items for the person,
then all learn from it. Nothing is sampled. `sequences/holdout.py` asks for each
person's last item instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inhouse.core.errors import InputError
from inhouse.stats.intervals import bootstrap
from inhouse.stats.ranking import hit_rate, mrr, ndcg, target_ranks
from inhouse.stats.types import Interval, NotEnough

Floats = NDArray[np.float32]
_DRAWS: Final = 200


class Recommender(Protocol):
    """Something that ranks all items for a person and learns from one event at a time."""

    name: str  # in reports

    def scores(self, user: int, at_ms: int) -> Floats:
        """float32[items], higher is better; what the person touched before may score anything."""

    def learn(self, user: int, item: int, at_ms: int) -> None:
        """Hear that the person wanted the item."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """Events in the order of time, people and items numbered from 0."""

    users: NDArray[np.int64]  # [n]
    items: NDArray[np.int64]  # [n]
    at_ms: NDArray[np.int64]  # [n] never falling

    def __post_init__(self) -> None:
        if len(self.at_ms) and (np.diff(self.at_ms) < 0).any():
            raise InputError("the events of a replay go back in time; sort them stably first")

    @property
    def item_count(self) -> int:
        """How many items compete."""
        return int(self.items.max()) + 1 if len(self.items) else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """How one recommender did. A figure without data is a `NotEnough`."""

    name: str  # the recommender's
    k: int  # length of the lists
    n: int  # questions asked
    hit_rate: float | NotEnough  # HR@k
    hit_rate_range: Interval | NotEnough  # by bootstrap over questions
    ndcg: float | NotEnough  # NDCG@k
    ndcg_range: Interval | NotEnough  # likewise
    mrr: float | NotEnough  # mean reciprocal rank
    window_hit_rates: tuple[float | NotEnough, ...]  # HR@k of equal stretches of the replay
    window_ndcgs: tuple[float | NotEnough, ...]  # NDCG@k of the same
    coverage: float  # share of all items that appeared in at least one list


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How a replay is judged."""

    k: int = 10  # length of the lists
    windows: int = 5  # equal stretches reported apart
    repeats: bool = False  # whether an item may be offered again to who had it
    seed: int = 0  # of the bootstrap


def prequential(
    replay: Replay,
    recommenders: Sequence[Recommender],
    rules: Rules,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Report]:
    """Ask before each event, then learn. Repeated events teach but are no question.

    progress: called now and then with events done and events in all.
    """
    count, n = replay.item_count, len(replay.items)
    seen = np.zeros((int(replay.users.max()) + 1 if n else 0, count), dtype=np.bool_)
    ranks: list[list[int]] = [[] for _ in recommenders]
    shown = np.zeros((len(recommenders), count), dtype=np.bool_)
    for event in range(n):
        user, item = int(replay.users[event]), int(replay.items[event])
        at_ms = int(replay.at_ms[event])
        asked = rules.repeats or not seen[user, item]
        for place, recommender in enumerate(recommenders):
            if asked:
                scores = recommender.scores(user, at_ms)
                allowed = np.ones(count, dtype=np.bool_) if rules.repeats else ~seen[user]
                ranks[place].append(_rank(scores, item, allowed))
                shown[place, _top(scores, allowed, rules.k)] = True
            recommender.learn(user, item, at_ms)
        seen[user, item] = True
        if event % 1_000 == 0:
            progress(event, n)
    progress(n, n)
    return [
        report(recommender.name, np.array(found, dtype=np.int64), float(lists.mean()), rules)
        for recommender, found, lists in zip(recommenders, ranks, shown, strict=True)
    ]


def report(name: str, ranks: NDArray[np.int64], coverage: float, rules: Rules) -> Report:
    """Figures from the rank of each answer, 1 for the best."""
    k = rules.k
    hits = (ranks <= k).astype(np.float64)
    gains = np.where(ranks <= k, 1 / np.log2(ranks + 1), 0.0)
    windows = np.array_split(ranks, rules.windows)
    return Report(
        name=name,
        k=k,
        n=len(ranks),
        hit_rate=hit_rate(ranks, k),
        hit_rate_range=_range(hits, rules.seed),
        ndcg=ndcg(ranks, k),
        ndcg_range=_range(gains, rules.seed),
        mrr=mrr(ranks),
        window_hit_rates=tuple(hit_rate(window, k) for window in windows),
        window_ndcgs=tuple(ndcg(window, k) for window in windows),
        coverage=coverage,
    )


def _range(values: NDArray[np.float64], seed: int) -> Interval | NotEnough:
    return bootstrap(values, lambda drawn: float(np.mean(drawn)), seed, draws=_DRAWS)


def _rank(scores: Floats, item: int, allowed: NDArray[np.bool_]) -> int:
    return int(target_ranks(scores[None], [item], allowed[None])[0])


def _top(scores: Floats, allowed: NDArray[np.bool_], k: int) -> NDArray[np.intp]:
    """The k best that are allowed, in no order; all of them where fewer are."""
    masked = np.where(allowed, scores, -np.inf)
    best = np.argpartition(-masked, min(k, len(masked) - 1))[:k]
    return best[allowed[best]]
