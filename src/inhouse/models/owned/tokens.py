"""Texts to the words that a `Reader` reads: 64-bit hashes, in order, each with its place.

The same normal form as `hashing` has; a word is a run of letters and figures, every other sign but
a space is one of its own. A vocabulary is the sorted hashes of the words met at least twice, so
that no word of anybody's lies in a model's file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inhouse.models.owned.hashing import Ints, Normal, Words, hashed_spans, is_break, is_word

LEAST_MET: Final = 2  # times a word occurs before it is in a vocabulary
MOST_WORDS: Final = 40_000  # of a vocabulary, the most frequent
Places = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """The words of a batch of texts."""

    words: Words  # [words], hashes
    starts: Ints  # [texts + 1], where the words of each text begin
    first: Ints  # [words], first code point in `Normal.points`
    last: Ints  # [words], behind the last one


def tokens_of(normal: Normal) -> Tokens:
    """Every word and sign of a batch."""
    points = normal.points
    breaks = is_break(points)
    inside = is_word(points)
    edges = np.diff(inside.astype(np.int8), prepend=0, append=0)
    signs = np.flatnonzero(~inside & ~breaks & (points != ord(" ")))
    first = np.concatenate([np.flatnonzero(edges == 1), signs])
    last = np.concatenate([np.flatnonzero(edges == -1), signs + 1])
    order = np.argsort(first, kind="stable")
    first, last = first[order], last[order]
    text_of = np.cumsum(breaks)[first] - 1
    texts = int(breaks.sum()) - 1
    return Tokens(
        words=hashed_spans(points, first, last),
        starts=np.searchsorted(text_of, np.arange(texts + 1)).astype(np.int64),
        first=first,
        last=last,
    )


def vocabulary_of(batches: Sequence[Tokens]) -> Words:
    """The words worth knowing, sorted by their hash."""
    found, counts = np.unique(np.concatenate([b.words for b in batches]), return_counts=True)
    order = np.lexsort((found, -counts))[:MOST_WORDS]
    return np.sort(found[order][counts[order] >= LEAST_MET])


def places_in(vocabulary: Words, words: Words) -> Places:
    """The place of each word: from 1 on, 0 for words that the vocabulary lacks."""
    if not len(vocabulary):
        return np.zeros(len(words), dtype=np.int32)
    at = np.minimum(np.searchsorted(vocabulary, words), len(vocabulary) - 1)
    return np.where(vocabulary[at] == words, at + 1, 0).astype(np.int32)
