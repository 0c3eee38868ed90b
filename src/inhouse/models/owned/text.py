"""A text classifier of one's own: hashed features with one weight for each feature and category,
and, where there were texts enough to teach one, a reader of words in their order.

    p_c(text) = curve_c(bias_c + sum of value_j weight_jc + share_c reader_c(text))

with shares and a curve found on texts that neither part was fitted to (see `calibrate` and `fit`).
Both are sums over places of the text, so it says exactly why: the parts of each word add up to the
answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from inhouse.core.errors import InputError
from inhouse.models.owned.calibrate import Curve
from inhouse.models.owned.hashing import (
    COLUMNS,
    Features,
    Grams,
    Normal,
    Rarity,
    features_of,
    grams_of,
    normal_parts,
    normalise,
    scaled,
    shortened,
)
from inhouse.models.owned.reader import Reader
from inhouse.models.types import Scores

Matrix = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_BATCH_CHARS: Final = 400_000
_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What one word adds to an answer."""

    start: int  # of the word in the original text, in characters
    end: int  # behind its last character
    word: str  # as it is written there
    weight: float  # in logits; above 0 speaks for the category


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """Why a text got its score: base and all weights add up to a logit, the curve of the category
    turns it into the probability."""

    category: str
    p: float  # the probability
    base: float  # logit of a text about which nothing is known
    parts: tuple[Part, ...]  # the strongest first


@dataclass(frozen=True, kw_only=True, slots=True)
class Linear:
    """The learned part of a classifier."""

    weights: Matrix  # [COLUMNS, categories]
    biases: Doubles  # [categories]
    curves: tuple[Curve, ...]  # one for each category


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The part of a classifier that reads words in their order."""

    reader: Reader
    shares: Doubles  # [categories], what its margin counts beside the linear one

    def only(self, places: Sequence[int]) -> "Reading":
        """The same for some of the categories."""
        return Reading(reader=self.reader.only(places), shares=self.shares[list(places)])


class TextClassifier:
    """Scores texts in the categories it learned. Never changes; fitting makes a new one."""

    at_once_chars: Final = 4_000  # 0.1 to 0.5 ms

    def __init__(
        self,
        categories: Sequence[str],
        rarity: Rarity,
        parts: Linear,
        reading: Reading | None = None,
    ) -> None:
        """rarity: [COLUMNS], of each feature among the texts of the training. reading: None where
        the linear part answers alone."""
        shape = (COLUMNS, len(categories))
        lengths = {len(categories), len(parts.biases), len(parts.curves)}
        if parts.weights.shape != shape or len(lengths) != 1 or rarity.shape != (COLUMNS,):
            raise InputError(
                f"weights have the shape {parts.weights.shape}, expected {shape} for "
                f"{len(categories)} categories; train the model again"
            )
        self.categories = tuple(categories)
        self.rarity = rarity
        self.weights = parts.weights
        self.biases = parts.biases
        self.curves = tuple(parts.curves)
        self.reading = reading
        if reading is not None and reading.reader.categories != len(categories):
            raise InputError(
                f"the reader tells {reading.reader.categories} categories, expected "
                f"{len(categories)}; train the model again"
            )

    def probabilities(self, texts: Sequence[str]) -> Doubles:
        """Calibrated probabilities, [texts, categories]."""
        return self.calibrated(self.margins(texts))

    def scores(self, texts: Sequence[str]) -> list[Scores]:
        """The same by name, for each text in order."""
        table = self.probabilities(texts).tolist()
        return [dict(zip(self.categories, row, strict=True)) for row in table]

    def margins(self, texts: Sequence[str]) -> Doubles:
        """Raw margins before calibration, [texts, categories]."""
        if not texts:
            return np.zeros((0, len(self.categories)))
        return np.concatenate([self._margins(normalise(part)) for part in batches(texts)])

    def calibrated(self, margins: Doubles) -> Doubles:
        """Raw margins as probabilities, [texts, categories]."""
        columns = [curve.apply(margins[:, c]) for c, curve in enumerate(self.curves)]
        return np.stack(columns, axis=1)

    def explain(self, text: str, category: str) -> Explanation:
        """What each word adds, in the original's characters. A feature's part is spread evenly
        over the characters it was read from; characters between words go to the nearest one
        before them, or to the first."""
        place = self._place(category)
        curve = self.curves[place]
        original = _Original.of(text)
        grams = grams_of(original.normal)
        by_char = np.zeros(len(text))
        shares = self.weights[grams.columns, place].astype(np.float64)
        shares *= _values(grams, self.rarity)
        original.spread(shares, (grams.first, grams.last), by_char)
        base = float(self.biases[place])
        if self.reading is not None:
            read, told, tokens = self.reading.reader.parts(original.normal, place)
            share = float(self.reading.shares[place])
            original.spread(share * told, (tokens.first, tokens.last), by_char)
            base += share * read
        base = curve.slope * base + curve.offset
        parts = _by_word(text, curve.slope * by_char)
        p = float(curve.of_logits(np.array(base + sum(part.weight for part in parts))))
        return Explanation(category=category, p=p, base=base, parts=parts)

    def known(self, category: str) -> bool:
        """Whether it learned that category."""
        return category in self.categories

    def _place(self, category: str) -> int:
        if not self.known(category):
            names = ", ".join(self.categories)
            raise InputError(f"this model has not learned {category!r}; it knows {names}")
        return self.categories.index(category)

    def _margins(self, normal: Normal) -> Doubles:
        table = matrix_of(features_of(normal, self.rarity))
        linear = np.asarray(table @ self.weights, dtype=np.float64) + self.biases
        if self.reading is None:
            return linear
        read = self.reading.reader.margins(normal)
        return np.asarray(linear + self.reading.shares * read, dtype=np.float64)


def matrix_of(features: Features) -> "sparse.csr_matrix":
    """The features as a sparse matrix, [texts, COLUMNS]."""
    shape = (features.rows(), COLUMNS)
    return sparse.csr_matrix((features.values, features.columns, features.starts), shape=shape)


def batches(texts: Sequence[str]) -> list[Sequence[str]]:
    """The texts in order, in parts of bounded size: arrays that fit the processor's caches."""
    parts: list[Sequence[str]] = []
    start, chars = 0, 0
    for place, text in enumerate(texts):
        if place > start and (chars + len(text) > _BATCH_CHARS or place - start >= 2_048):
            parts.append(texts[start:place])
            start, chars = place, 0
        chars += len(text)
    return [*parts, texts[start:]]


def _values(grams: Grams, rarity: Rarity) -> Doubles:
    """The value of each occurrence: its column's value shared among the times it occurs."""
    columns, places, counts = np.unique(grams.columns, return_inverse=True, return_counts=True)
    row = Features(
        columns=columns.astype(np.int32),
        values=(1.0 + np.log(counts)).astype(np.float32),
        starts=np.array([0, len(columns)]),
    )
    return np.asarray((scaled(row, rarity).values / counts)[places], dtype=np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Original:
    """A text in normal form that knows the way back."""

    normal: Normal
    chars: npt.NDArray[np.int64]  # [length], place in the original; -1 for the breaks around it

    @classmethod
    def of(cls, text: str) -> "_Original":
        forms = normal_parts(text)
        owners = [place for place, form in enumerate(forms) for _ in form]
        points = np.array([1, *(ord(char) for form in forms for char in form), 1], dtype=np.uint32)
        normal = shortened(points)
        chars = np.array([-1, *owners, -1], dtype=np.int64)
        return cls(normal=normal, chars=chars[normal.kept])

    def spread(
        self,
        amounts: Doubles,
        spans: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
        by_char: Doubles,
    ) -> None:
        """Add each amount evenly to the characters that its span was read from."""
        for amount, first, last in zip(amounts, *spans, strict=True):
            owners = self.chars[first:last]
            owners = owners[owners >= 0]
            by_char[owners] += amount / len(owners)


def _by_word(text: str, by_char: Doubles) -> tuple[Part, ...]:
    spans = _spans(text)
    parts = []
    for (start, end), (low, high) in zip(spans, _reaches(spans, len(text)), strict=True):
        weight = float(by_char[low:high].sum())
        parts.append(Part(start=start, end=end, word=text[start:end], weight=weight))
    return tuple(sorted(parts, key=lambda part: -abs(part.weight)))


def _spans(text: str) -> list[tuple[int, int]]:
    """Where the words are, split at spaces alone: what a reader sees as one."""
    return [match.span() for match in _WORD.finditer(text)]


def _reaches(spans: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Cuts the whole text among the words, so that no part of the score is lost."""
    starts = [0, *(start for start, _ in spans[1:])]
    return list(zip(starts, [*starts[1:], length], strict=True)) if spans else []
