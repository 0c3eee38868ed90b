"""Reference rankers of the prequential benchmark: popularity of late, neighbours, sessions.

They hear of a click when its delay is over, and are asked with the person's own clicks up to now.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inhouse.core.clock import HOUR_MS, MINUTE_MS

Floats = NDArray[np.float32]
SESSION_GAP_MS: Final = 30 * MINUTE_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What will this person click next?"""

    user: int
    at_ms: int
    history: Sequence[tuple[int, int]]  # own clicks so far, item and at_ms, oldest first


class Ranker(Protocol):
    """Ranks every item for a question."""

    name: str

    def hear(self, user: int, item: int, at_ms: int) -> None:
        """A click of anybody, once it is known."""

    def scores(self, question: Question) -> Floats:
        """float32[items], higher is better."""


class Popularity:
    """Clicks, each halved for every `half_life_ms` since."""

    def __init__(self, items: int, half_life_ms: int) -> None:
        self.name = f"popular, half-life {half_life_ms / HOUR_MS:g} h"
        self._half_life_ms = half_life_ms
        self._heat = np.zeros(items, dtype=np.float64)  # as of the start: grows instead of decaying
        self._start_ms: int | None = None

    def hear(self, user: int, item: int, at_ms: int) -> None:
        """Count it, worth more the later it comes; rescaled before it overflows."""
        if self._start_ms is None or at_ms - self._start_ms > 500 * self._half_life_ms:
            began = at_ms if self._start_ms is None else self._start_ms
            self._heat *= 0.5 ** ((at_ms - began) / self._half_life_ms)
            self._start_ms = at_ms
        self._heat[item] += 2.0 ** ((at_ms - self._start_ms) / self._half_life_ms)

    def scores(self, question: Question) -> Floats:
        """The same for everybody."""
        shares: Floats = (self._heat / max(self._heat.max(), 1e-300)).astype(np.float32)
        return shares


class Neighbours:
    """Item-item: what was clicked soon after what, cosine of counts, the latest clicks first.

    A click adds `fade`^k to the pair of its item with the k-th click of the same person before it.
    """

    def __init__(self, items: int, *, reach: int = 5, fade: float = 0.7) -> None:
        self.name = f"item-item neighbours, reach {reach}"
        self._items, self._reach, self._fade = items, reach, fade
        self._pairs: dict[int, dict[int, float]] = {}
        self._counts = np.zeros(items, dtype=np.float64)
        self._recent: dict[int, deque[int]] = {}

    def hear(self, user: int, item: int, at_ms: int) -> None:
        """Count it with the clicks before it."""
        recent = self._recent.setdefault(user, deque(maxlen=self._reach))
        for back, before in enumerate(reversed(recent)):
            if before != item:
                pairs = self._pairs.setdefault(before, {})
                pairs[item] = pairs.get(item, 0.0) + self._fade**back
        self._counts[item] += 1
        recent.append(item)

    def scores(self, question: Question) -> Floats:
        """Sum over the latest clicks; popularity breaks what is equal."""
        scores = self._counts / max(self._counts.sum(), 1) * 1e-3
        for back, (before, _) in enumerate(reversed(question.history[-self._reach :])):
            pairs = self._pairs.get(before)
            if pairs:
                others = np.fromiter(pairs.keys(), dtype=np.int64, count=len(pairs))
                weights = np.fromiter(pairs.values(), dtype=np.float64, count=len(pairs))
                near = weights / np.sqrt(self._counts[others] * max(self._counts[before], 1))
                scores[others] += self._fade**back * near
        rounded: Floats = scores.astype(np.float32)
        return rounded


class SessionNeighbours:
    """Vector session-kNN (Ludewig and Jannach, UMUAI 2018): what like sessions went on to.

    A session is a person's clicks without a break of 30 minutes. Of the latest `sample` sessions
    that share a click with the running one the `k` nearest count: similarity is the dot product of
    linearly fading weights of the running session with what the other holds, over the root of its
    length. An item counts as much as its sessions are near.
    """

    def __init__(self, items: int, *, k: int = 200, sample: int = 1_000, length: int = 10) -> None:
        self.name = f"session-kNN, k {k}"
        self._items, self._k, self._length = items, k, length
        self._sessions: list[list[int]] = []
        self._latest: dict[int, tuple[int, int]] = {}  # person -> session, time of latest click
        self._with: dict[int, deque[int]] = {}  # item -> the latest sessions that hold it
        self._per_item = sample

    def hear(self, user: int, item: int, at_ms: int) -> None:
        """Put it into the person's session."""
        session, then = self._latest.get(user, (-1, 0))
        if session < 0 or at_ms - then > SESSION_GAP_MS:
            session = len(self._sessions)
            self._sessions.append([])
        self._latest[user] = (session, at_ms)
        if item not in self._sessions[session]:
            self._sessions[session].append(item)
            self._with.setdefault(item, deque(maxlen=self._per_item)).append(session)

    def scores(self, question: Question) -> Floats:
        """Zero for everything without a near session."""
        scores = np.zeros(self._items, dtype=np.float32)
        running = running_session(question)[-self._length :]
        near: dict[int, float] = {}
        for place, item in enumerate(running):
            weight = (place + 1) / len(running)
            for session in self._with.get(item, ()):
                near[session] = near.get(session, 0.0) + weight
        own = self._latest.get(question.user, (-1, 0))[0]
        near.pop(own, None)
        found = np.fromiter(near.keys(), dtype=np.int64, count=len(near))
        likeness = np.array(
            [near[session] / len(self._sessions[session]) ** 0.5 for session in near]
        )
        if len(found) > self._k:  # of equally near ones the latest
            order = np.lexsort((-found, -likeness))[: self._k]
            found, likeness = found[order], likeness[order]
        for session, how_near in zip(found.tolist(), likeness.tolist(), strict=True):
            scores[self._sessions[session]] += how_near
        return scores


def running_session(question: Question) -> list[int]:
    """The person's different clicks without a break up to now; the last one at least."""
    session: list[int] = []
    later = question.at_ms
    for item, at_ms in reversed(question.history):
        if session and later - at_ms > SESSION_GAP_MS:
            break
        later = at_ms
        if item not in session:
            session.append(item)
    return session[::-1]
