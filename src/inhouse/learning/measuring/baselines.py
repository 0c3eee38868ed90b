"""What every learned model is measured beside: popularity of late, and item-item neighbours.

Both learn from one event at a time and answer at once, so they stand in any replay.
`same_for_all` and `neighbours_of` put them beside a model that learned from sequences.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inhouse.core.clock import DAY_MS
from inhouse.learning.sequences.flat import Sequences
from inhouse.learning.sequences.holdout import Scores

Floats = NDArray[np.float32]


class RecentPopularity:
    """What was wanted most, each event halved for every `half_life_days` since."""

    def __init__(self, items: int, half_life_days: float = 7.0) -> None:
        self.name = f"popular, half-life {half_life_days:g} days"
        self._half_life_ms = half_life_days * DAY_MS
        self._heat = np.zeros(items, dtype=np.float64)
        self._at_ms = 0

    def scores(self, user: int, at_ms: int) -> Floats:
        """float32[items], the same for everybody."""
        return self._heat.astype(np.float32)

    def learn(self, user: int, item: int, at_ms: int) -> None:
        """Count one event; time only goes forward."""
        elapsed = max(0, at_ms - self._at_ms)
        self._heat *= 0.5 ** (elapsed / self._half_life_ms)
        self._at_ms = max(self._at_ms, at_ms)
        self._heat[item] += 1

    def learn_all(self, items: NDArray[np.int64], at_ms: NDArray[np.int64]) -> None:
        """As `learn` of each, in the order of time."""
        if not len(items):
            return
        now_ms = max(self._at_ms, int(at_ms.max()))
        self._heat *= 0.5 ** ((now_ms - self._at_ms) / self._half_life_ms)
        worth = 0.5 ** ((now_ms - at_ms) / self._half_life_ms)
        self._heat += np.bincount(items, worth, minlength=len(self._heat))
        self._at_ms = now_ms


class ItemNeighbours:
    """Cosine of counts: what the people wanted together, near in their order counting more.

    An event adds to the pair of its item with each of the person's `reach` items before it, `fade`
    to the power of how many lie between. With c the counts and n_j how often j was wanted,

        score_j = sum_i latest^(age of i) c_ij / sqrt(n_i (n_j + 1))    over the latest `reach`

    Assumes a catalogue whose square fits in memory: 4 bytes for each pair.
    """

    def __init__(
        self, items: int, *, reach: int = 50, fade: float = 0.95, latest: float = 0.9
    ) -> None:
        self.name = f"item-item neighbours, reach {reach}"
        self._pairs = np.zeros((items, items), dtype=np.float32)
        self._counts = np.zeros(items, dtype=np.float32)
        self._recent: dict[int, deque[int]] = {}
        self._reach = reach
        self._fade = np.power(fade, np.arange(reach)[::-1]).astype(np.float32)  # newest last
        self._latest = np.power(latest, np.arange(reach)[::-1]).astype(np.float32)

    def scores(self, user: int, at_ms: int) -> Floats:
        """float32[items]; what was wanted most, for a person without history."""
        return self.after(list(self._recent.get(user, ())))

    def after(self, items: Sequence[int]) -> Floats:
        """float32[items] for whoever wanted these, newest last."""
        recent = list(items[-self._reach :])
        if not recent:
            return self._counts.copy()
        known = np.maximum(self._counts[recent], 1)
        weights = self._latest[-len(recent) :] / np.sqrt(known)
        near = weights @ self._pairs[recent] / np.sqrt(self._counts + 1)  # [items]
        return near.astype(np.float32)

    def learn(self, user: int, item: int, at_ms: int) -> None:
        """Count one event with what the person wanted before it."""
        recent = self._recent.setdefault(user, deque(maxlen=self._reach))
        before = list(recent)
        if before:
            weights = self._fade[-len(before) :]
            np.add.at(self._pairs, (before, item), weights)
            np.add.at(self._pairs, (item, before), weights)
        self._counts[item] += 1
        recent.append(item)


def same_for_all(figures: NDArray[np.generic]) -> Scores:
    """Scores that are the same whatever the history; figures: [items]."""
    row = figures.astype(np.float32)
    return lambda histories: np.tile(row, (len(histories), 1))


def neighbours_of(learned: Sequences, item_count: int) -> Scores:
    """Item-item neighbours of what was learned; a history is read and not learned from."""
    model = ItemNeighbours(item_count)
    for person in range(len(learned)):
        for item in learned.of(person):
            model.learn(person, int(item), 0)

    def scores(histories: Sequences) -> Floats:
        return np.stack([model.after(histories.of(row).tolist()) for row in range(len(histories))])

    return scores
