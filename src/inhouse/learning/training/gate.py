"""The gate: who did how well on examples that nobody had learned yet, and may therefore serve."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inhouse.learning.examples.types import Judgement, pooled


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """How one part of the model did against what serves now, on data neither had learned."""

    part: str  # taste, head or rows
    learner: Judgement  # the learning model
    rival: Judgement  # the serving model; before there is one, the simplest there is
    passed: bool  # whether the learning one may serve


Pair = tuple[Judgement, Judgement]  # of the learner and its rival on the same examples


@dataclass(slots=True)
class Record:
    """How both did, in the order of time; where `most` is given, on the latest so many examples."""

    part: str  # taste, head or rows
    most: int | None = None  # examples
    pairs: deque[Pair] = field(default_factory=deque)
    n: int = 0  # examples judged

    def add(self, ours: Judgement, theirs: Judgement) -> None:
        """On the next examples."""
        self.pairs.append((ours, theirs))
        self.n += ours.n
        while self.most is not None and self.n - self.pairs[0][0].n >= self.most:
            self.n -= self.pairs.popleft()[0].n

    def clear(self) -> None:
        """Begin anew."""
        self.pairs.clear()
        self.n = 0

    def contest(self, margin: float) -> Contest:
        """Passed where the learner's loss is at most the rival's and a share of it more."""
        learner = pooled([ours for ours, _ in self.pairs])
        rival = pooled([theirs for _, theirs in self.pairs])
        # A loss that is not a number is not below anything.
        passed = learner.loss <= rival.loss * (1 + margin)
        return Contest(part=self.part, learner=learner, rival=rival, passed=passed)

    def array(self) -> NDArray[np.float64]:
        """[pairs, 4]: loss and n of ours, loss and n of theirs."""
        told = [(ours.loss, ours.n, theirs.loss, theirs.n) for ours, theirs in self.pairs]
        return np.array(told, dtype=np.float64).reshape(-1, 4)

    def restore(self, array: NDArray[np.float64]) -> None:
        """From `array()`."""
        self.clear()
        for ours, n, theirs, m in array.tolist():
            self.add(Judgement(loss=ours, n=int(n)), Judgement(loss=theirs, n=int(m)))


def metrics_of(contests: Sequence[Contest]) -> dict[str, float]:
    """What was measured, by names for a snapshot's facts."""
    told: dict[str, float] = {}
    for contest in contests:
        told[f"{contest.part}_loss"] = contest.learner.loss
        told[f"{contest.part}_rival_loss"] = contest.rival.loss
        told[f"{contest.part}_judged"] = contest.learner.n
    return told
