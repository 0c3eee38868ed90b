"""Which texts to ask a person about next: those that a model is least sure of, none twice."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.models.owned.hashing import featurise
from inhouse.models.owned.text import matrix_of

Doubles = npt.NDArray[np.float64]

RANDOM_EACH: Final = 5  # one in so many is chosen at random
_ALIKE: Final = 0.6  # cosine of features from which on two texts ask the same


def choose(texts: Sequence[str], p: Doubles, k: int, threshold: float, seed: int) -> list[int]:
    """Places of at most k of the texts, the most uncertain first and the random ones last.

    Uncertain is whose probability of any category is nearest the threshold (uncertainty sampling:
    Lewis & Gale 1994, SIGIR 17:3). Of texts that are nearly the same one is chosen. One in five is
    drawn at random from the others: of harm that the model is sure is none, nothing else would
    ever be heard. Fewer than k where no more differ.

    p: [texts, categories], calibrated probabilities, NaN where the model does not know a category.
    threshold: where a text begins to be flagged, in (0, 1). The same seed gives the same places.
    """
    if len(p) != len(texts):
        raise InputError(f"{len(p)} rows of probabilities for {len(texts)} texts, expected as many")
    if k < 1 or not 0 < threshold < 1:
        raise InputError(
            f"k is {k} and threshold {threshold}; expected k of 1 or more, threshold within 0 and 1"
        )
    if not texts:
        return []
    distance = np.where(np.isnan(p), np.inf, np.abs(p - threshold)).min(axis=1, initial=np.inf)
    picking = _Picking(texts)
    picking.take(np.argsort(distance, kind="stable"), k - k // RANDOM_EACH)
    picking.take(stream(seed, "ask").permutation(len(texts)), k)
    return picking.chosen


class _Picking:
    """Texts chosen one after the other, each unlike those before."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.chosen: list[int] = []
        features = matrix_of(featurise(texts))  # rows of length 1
        # Columns that no text has would be gone through with every choice.
        self._features = features[:, np.unique(features.indices)]
        self._nearest = np.zeros(len(texts))  # cosine with the most alike of the chosen

    def take(self, places: Iterable[int], until: int) -> None:
        """Go through places in order until so many are chosen in all."""
        for place in places:
            if len(self.chosen) >= until:
                return
            if self._nearest[place] < _ALIKE:
                self._add(int(place))

    def _add(self, place: int) -> None:
        self.chosen.append(place)
        alike = (self._features @ self._features[[place]].T).toarray().ravel()
        self._nearest = np.maximum(self._nearest, alike)
        self._nearest[place] = 1.0  # a text without features is chosen once too
