"""How far a search looks, by what searches were seen to find."""

import math
from dataclasses import dataclass, field
from typing import Final

from inhouse.recommend.retrieval.kernels import FAR

_MANY: Final = 200  # asked for at once: the best hundred are then found with less of a reach
WANTED_RECALL: Final = 0.99
_LEAST: Final = 0.1
_STEP: Final = 1.0  # reach grows by the power of e of this times the recall that is lacking
_LEARNING: Final = 10  # answers after which one more counts a tenth
_EVERY: Final = 1_000  # searches: then one is compared with the exact answer
_EVERY_AT_FIRST: Final = 100  # until `_LEARNING` are known


class Reach:
    """How far searches of one kind look.

    By each answer they reach somewhat farther or less far from then on, so that the mean recall
    comes to stand at `WANTED_RECALL`.
    """

    def __init__(self, value: float) -> None:
        """value: the highest cosine to reckon with inside a cluster, until more is known."""
        self.value = value
        self._mean = 0.0
        self._heard = 0
        self._searches = 0  # since the last that was due

    @property
    def recall(self) -> float | None:
        """Of the best hundred the share that is found: the mean of the last ten or so answers, of
        all while they are fewer. None before the first."""
        return self._mean if self._heard else None

    def is_due(self) -> bool:
        """Hear of a search; whether it is one of those to compare with the exact answer."""
        self._searches += 1
        if self._searches < (_EVERY if self._heard >= _LEARNING else _EVERY_AT_FIRST):
            return False
        self._searches = 0
        return True

    def hear(self, share: float) -> None:
        """Of a search that found this share: a step to where the mean is `WANTED_RECALL`."""
        self._heard += 1
        self._mean += (share - self._mean) / min(self._heard, _LEARNING)
        moved = self.value * math.exp(_STEP * (WANTED_RECALL - share))
        self.value = min(max(moved, _LEAST), FAR)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reaches:
    """Of searches for few and for many. A newer model's vectors lie much as the last one's did, so
    what was learned of these holds there too."""

    few: Reach = field(default_factory=lambda: Reach(0.7))
    many: Reach = field(default_factory=lambda: Reach(0.6))

    def of(self, k: int) -> Reach:
        """That of searches for so many."""
        return self.many if k >= _MANY else self.few

    @property
    def recall(self) -> float | None:
        """Of the kind of search that finds less; None before the first answer."""
        known = [each.recall for each in (self.few, self.many) if each.recall is not None]
        return min(known, default=None)
