"""Texts to hashed features: words, pairs of words, and runs of 2 to 5 characters of a word.

Everything is array arithmetic over the code points of a whole batch, so a core does tens of
thousands of short texts a second, and the same text gives the same features in every process and
on every machine: no seed, no vocabulary, nothing learned but how rare each column is.

Normal form, code point by code point: compatibility decomposition, lower case, no accents, no
invisible or control characters, any space a space, runs of spaces one, runs of a character two.
A run of characters keeps within what stands between two spaces and may take in either of them; the
start and the end of the text read as spaces. Each feature is a 64-bit hash; its top bits are the
column, in the lower half of the columns for a run, in the upper half for a word or a pair.

A text's values are 1 + ln(count), times how rare the column is among the texts a model was trained
on. Its runs together weigh as much as its words: each are scaled to one length, and all of the text
to length 1. Of a word of eight letters there are some thirty runs; taken all alike they leave its
words a sixth of a text, and what words say carries further to texts of another kind. Few features
share a column, for a text of another kind has many that no text of the training had, and each that
falls on a used column adds what another meant. A column that only one text of a larger training has
says nothing about the next text: it counts for nothing.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Rarity = npt.NDArray[np.float32]

# A model is only good with the features it was trained on. Under 2 the readers of models of several
# categories were written with their values mixed up, and words weighed less than runs.
VERSION: Final = 3
BITS: Final = 20
COLUMNS: Final = 1 << BITS
WORDS_FROM: Final = COLUMNS // 2  # columns of words and pairs of words; below, those of runs
CHAR_RUNS: Final = (2, 3, 4, 5)

_BREAK: Final = 1  # stands between texts; control characters never survive the normal form
_SPACE: Final = 32
_BASE: Final = np.uint64(0x9E3779B97F4A7C15)
_INVERSE: Final = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_ONE_WORD: Final = np.uint64(0xA24BAED4963EE407)
_TWO_WORDS: Final = np.uint64(0x9FB21C651E98DF25)
_ACCENTS: Final = range(0x300, 0x370)
_TINY: Final = 1e-12
_MANY: Final = 1_000  # texts from which on a column must be in two of them


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """Rows of a sparse matrix."""

    columns: npt.NDArray[np.int32]  # [filled], rising within a row, none twice
    values: npt.NDArray[np.float32]  # [filled]
    starts: Ints  # [rows + 1]

    def rows(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Grams:
    """Every feature of a batch with the place it was read from."""

    columns: Ints  # [grams]
    rows: Ints  # [grams], which text
    first: Ints  # [grams], first code point in `Normal.points`
    last: Ints  # [grams], behind the last one


@dataclass(frozen=True, kw_only=True, slots=True)
class Normal:
    """A batch in normal form: a break, then each text and a break."""

    points: npt.NDArray[np.uint32]  # [length], code points
    kept: Ints  # [length], place before runs were shortened


class _NormalForms(dict[int, str]):
    """Code point -> its normal form, worked out when first met."""

    def __missing__(self, point: int) -> str:
        self[point] = form = _normal_form(chr(point))
        return form


def _normal_form(char: str) -> str:
    if char.isspace():
        return " "
    if unicodedata.category(char) in ("Cc", "Cf", "Cs"):
        return ""
    plain = unicodedata.normalize("NFKD", char).lower()
    return "".join(c for c in unicodedata.normalize("NFKD", plain) if ord(c) not in _ACCENTS)


_FORMS: Final = _NormalForms()


def normal_parts(text: str) -> list[str]:
    """The normal form of each character, to find the way back to the original."""
    return [_FORMS[ord(char)] for char in text]


def featurise(texts: Sequence[str], rarity: Rarity | None = None) -> Features:
    """The features of each text, in order. rarity: [COLUMNS], all 1 where absent.

    >>> len(featurise(["Hello there", ""]).starts)
    3
    """
    return features_of(normalise(texts), rarity)


def features_of(normal: Normal, rarity: Rarity | None = None) -> Features:
    """The features of texts in normal form."""
    grams = grams_of(normal)
    rows = int(is_break(normal.points).sum()) - 1
    keys = (grams.rows << BITS) | grams.columns
    keys.sort()
    fresh = np.ones(len(keys), dtype=np.bool_)
    fresh[1:] = keys[1:] != keys[:-1]
    places = np.flatnonzero(fresh)
    counts = np.diff(np.append(places, len(keys)))
    keys = keys[places]
    row_of = keys >> BITS
    columns = (keys & (COLUMNS - 1)).astype(np.int32)
    values = 1.0 + np.log(counts)
    return scaled(
        Features(
            columns=columns,
            values=values.astype(np.float32),
            starts=np.searchsorted(row_of, np.arange(rows + 1)).astype(np.int64),
        ),
        rarity,
    )


def scaled(features: Features, rarity: Rarity | None) -> Features:
    """The rows with each column weighed by its rarity, runs and words of a row each of the same
    length, the row of length 1."""
    values = features.values
    if rarity is not None:
        values = values * rarity[features.columns]
    rows = np.repeat(np.arange(features.rows()), np.diff(features.starts))
    halves = 2 * rows + (features.columns >= WORDS_FROM)
    squares = np.bincount(halves, weights=values * values, minlength=2 * features.rows())
    squares = squares.reshape(-1, 2)  # [rows, runs and words]
    spoken = (squares > 0).sum(axis=1, keepdims=True)
    lengths = np.sqrt(squares * spoken).astype(np.float32).ravel()[halves]
    lengths = np.maximum(lengths, np.float32(_TINY))
    return Features(columns=features.columns, values=values / lengths, starts=features.starts)


def rarity_of(features: Features) -> Rarity:
    """1 + ln((rows + 1) / (rows with the column + 1)) of each column; 0 where of many rows fewer
    than two have it."""
    found = np.bincount(features.columns, minlength=COLUMNS)
    rarity = 1.0 + np.log((features.rows() + 1) / (found + 1))
    if features.rows() >= _MANY:
        rarity[found < 2] = 0.0
    return rarity.astype(np.float32)


def normalise(texts: Sequence[str]) -> Normal:
    """All texts in normal form, in one array."""
    joint = chr(_BREAK)
    joined = joint + joint.join(text.translate(_FORMS) for text in texts) + joint
    return shortened(np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32))


def shortened(points: npt.NDArray[np.uint32]) -> Normal:
    """Runs of spaces cut to one, runs of any other character to two."""
    keep = np.ones(len(points), dtype=np.bool_)
    same = points[1:] == points[:-1]
    keep[1:] &= ~(same & (points[1:] == _SPACE))
    keep[2:] &= ~(same[1:] & same[:-1] & (points[2:] != _BREAK))
    kept = np.flatnonzero(keep)
    return Normal(points=points[kept], kept=kept)


def grams_of(normal: Normal) -> Grams:
    """Every run of characters, word and pair of words."""
    points = normal.points
    breaks = is_break(points)
    text_of = np.cumsum(breaks) - 1
    runs, words = _char_grams(points, breaks), _word_grams(points)
    parts = [*runs, *words]
    first = np.concatenate([part[1] for part in parts])
    # A run may begin on the break before its text, which belongs to the text that follows.
    return Grams(
        columns=np.concatenate(
            [*(_half(part[0]) for part in runs), *(WORDS_FROM + _half(part[0]) for part in words)]
        ),
        rows=text_of[first],
        first=first,
        last=np.concatenate([part[2] for part in parts]),
    )


def _half(hashes: Words) -> Ints:
    """Columns within a half of them."""
    return (hashes >> np.uint64(64 - BITS + 1)).astype(np.int64)


_Part = tuple[Words, Ints, Ints]  # hashes, first, behind the last


def _char_grams(points: npt.NDArray[np.uint32], breaks: npt.NDArray[np.bool_]) -> list[_Part]:
    """Polynomial hashes of all windows, one multiplication a window and length."""
    letters = np.where(breaks, np.uint32(_SPACE), points).astype(np.uint64) + np.uint64(1)
    length = len(points)
    # How many spaces and breaks stand before each place: a run may have them at its ends alone.
    gaps = np.concatenate([[0], np.cumsum(letters == _SPACE + 1)])
    parts: list[_Part] = []
    rolling = letters
    for size in range(2, min(max(CHAR_RUNS), length) + 1):
        rolling = rolling[:-1] * _BASE + letters[size - 1 :]
        if size not in CHAR_RUNS:
            continue
        first = np.arange(len(rolling), dtype=np.int64)
        whole = gaps[size - 1 : length] == gaps[1 : length - size + 2]
        whole &= gaps[size:] - gaps[: length - size + 1] < size
        first = first[whole]
        parts.append((_mixed(rolling[whole] + np.uint64(size)), first, first + size))
    return parts


def is_break(points: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Where the texts of a batch are apart."""
    return np.asarray(points == _BREAK, dtype=np.bool_)


def is_word(points: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Which code points belong to words."""
    return np.asarray(_is_word()[np.minimum(points, 0xFFFF)], dtype=np.bool_)


def hashed_spans(points: npt.NDArray[np.uint32], first: Ints, last: Ints) -> Words:
    """A hash of each span by differences of a running sum: sum of c_i B^i, divided by B^start."""
    length = len(points)
    sums = np.zeros(length + 1, dtype=np.uint64)
    np.cumsum((points.astype(np.uint64) + np.uint64(1)) * _powers(_BASE, length), out=sums[1:])
    return _mixed((sums[last] - sums[first]) * _powers(_INVERSE, length)[first])


def _word_grams(points: npt.NDArray[np.uint32]) -> list[_Part]:
    """Words and pairs of them, as signs between them allow."""
    edges = np.diff(is_word(points).astype(np.int8), prepend=0, append=0)
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    words = hashed_spans(points, first, last)
    text_of = np.cumsum(is_break(points))
    together = text_of[first[1:]] == text_of[first[:-1]]
    pairs = _mixed(words[:-1] * _BASE + words[1:] + _TWO_WORDS)[together]
    return [
        (_mixed(words + _ONE_WORD), first, last),
        (pairs, first[:-1][together], last[1:][together]),
    ]


def _mixed(hashes: Words) -> Words:
    """Spread every bit over all (the finaliser of MurmurHash3)."""
    mixed = hashes ^ (hashes >> np.uint64(33))
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def _powers(base: np.uint64, count: int) -> Words:
    return _power_table(int(base), 1 << max(12, (count - 1).bit_length()))[:count]


@lru_cache(maxsize=8)
def _power_table(base: int, count: int) -> Words:
    factors = np.full(count, base, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors)


@lru_cache(maxsize=1)
def _is_word() -> npt.NDArray[np.bool_]:
    """By code point up to 0xFFFF: letters, digits and the marks that shape them. What lies beyond
    (emoji, rare scripts) counts as a word, through the last place."""
    table = np.array(
        [unicodedata.category(chr(point))[0] in "LNM" for point in range(0x10000)], dtype=np.bool_
    )
    table[0xFFFF] = True
    return table
