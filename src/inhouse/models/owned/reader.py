"""A small convolutional network that reads words in their order (Kim 2014, EMNLP 1746).

What a linear model cannot tell is who is meant and what is denied: it weighs every word alone. Here
each word is a vector, each of some filters looks at one, two or three words at a time, and what it
saw most clearly anywhere in the text counts, beside the mean of all vectors:

    margin_c = bias_c + sum_f head_fc max_t relu(filter_f(words t)) + mean_t vector_t . tail_c

Being a sum over filters that each looked at one place, and over words, it too says exactly which
words it spoke of. Several networks, each taught on other texts, are averaged.

Only numpy is needed to read; `reader_fit` teaches with torch, in a process apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from inhouse.core.errors import InputError
from inhouse.models.owned.hashing import Normal, Words
from inhouse.models.owned.tokens import Tokens, places_in, tokens_of

Matrix = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
WIDTHS: Final = (1, 2, 3)  # words a filter looks at


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """What one network learned."""

    vectors: Matrix  # [vocabulary + 2, width]: unknown, the words, and nothing (zeros)
    filters: Matrix  # [1 + 2 + 3, width, filters]: of each width, word by word
    thresholds: Matrix  # [3, filters], added before relu
    head: Matrix  # [3 * filters + width, categories]
    biases: Matrix  # [categories]


class Reader:
    """Some networks over one vocabulary. Never changes."""

    def __init__(self, vocabulary: Words, networks: Sequence[Network]) -> None:
        """vocabulary: sorted hashes of words."""
        rows = {network.vectors.shape[0] for network in networks}
        if rows != {len(vocabulary) + 2}:
            raise InputError(
                f"the networks of a reader have {sorted(rows)} vectors, expected "
                f"{len(vocabulary) + 2} in each; train the model again"
            )
        self.vocabulary = vocabulary
        self.networks = tuple(networks)
        self.categories = networks[0].head.shape[1]

    def only(self, places: Sequence[int]) -> "Reader":
        """The same for some of the categories."""
        kept = list(places)
        networks = [
            replace(network, head=network.head[:, kept], biases=network.biases[kept])
            for network in self.networks
        ]
        return Reader(self.vocabulary, networks)

    def margins(self, normal: Normal) -> Doubles:
        """[texts, categories], the mean over the networks."""
        told = _Batch.of(tokens_of(normal), self.vocabulary)
        margins = [_margins(network, told) for network in self.networks]
        return np.asarray(np.mean(margins, axis=0), dtype=np.float64)

    def parts(self, normal: Normal, category: int) -> tuple[float, Doubles, Tokens]:
        """What each word of the one text adds to the margin of a category, and the rest of it.

        normal: of a single text.
        """
        tokens = tokens_of(normal)
        told = _Batch.of(tokens, self.vocabulary)
        base, by_word = 0.0, np.zeros(len(told.places))
        for network in self.networks:
            base += float(network.biases[category]) / len(self.networks)
            by_word += _by_word(network, told, category) / len(self.networks)
        inside = by_word[1:-1]
        # A text without words is read as one unknown word, which nobody wrote.
        lost = float(inside.sum()) if not len(tokens.words) else 0.0
        return base + lost, inside[: len(tokens.words)], tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    """Texts one after the other with nothing between them, so that no filter looks across."""

    places: npt.NDArray[np.int64]  # [length], rows of `Network.vectors`
    first: npt.NDArray[np.int64]  # [texts], where each text begins
    counts: npt.NDArray[np.int64]  # [texts], words of each; 1 where there is none

    @classmethod
    def of(cls, tokens: Tokens, vocabulary: Words) -> "_Batch":
        lengths = np.diff(tokens.starts)
        counts = np.maximum(lengths, 1)
        first = np.concatenate([[0], np.cumsum(counts + 1)[:-1]]).astype(np.int64) + 1
        places = np.full(int((counts + 1).sum()) + 1, len(vocabulary) + 1, dtype=np.int64)
        text_of = np.repeat(np.arange(len(lengths)), lengths)
        within = np.arange(len(tokens.words)) - tokens.starts[:-1][text_of]
        places[first[lengths == 0]] = 0
        places[first[text_of] + within] = places_in(vocabulary, tokens.words)
        return cls(places=places, first=first, counts=counts)


def _margins(network: Network, told: _Batch) -> Doubles:
    vectors, seen = _seen(network, told)
    # Between two texts stands nothing, whose vector is zeros: it adds nothing to a sum.
    sums = np.add.reduceat(vectors, told.first, axis=0)
    ends = np.stack([told.first, told.first + told.counts], axis=1).ravel()
    best = np.maximum.reduceat(seen, ends, axis=0)[::2]
    features = np.concatenate([best, sums / told.counts[:, None]], axis=1)
    return np.asarray(features @ network.head + network.biases, dtype=np.float64)


def _seen(network: Network, told: _Batch) -> tuple[Matrix, Matrix]:
    """Vectors [length, width], and what each filter sees at each place, [length, 3 * filters]."""
    vectors = network.vectors[told.places]
    size = network.filters.shape[2]
    wide = network.filters.transpose(1, 0, 2).reshape(vectors.shape[1], -1)
    looked = (vectors @ wide).reshape(len(vectors), len(network.filters), size)
    seen = np.empty((len(vectors), len(WIDTHS), size), dtype=np.float32)
    seen[:, 0] = looked[:, 0]
    # Two words: the one before and the word itself. Three: the one after as well.
    seen[:, 1] = looked[:, 2]
    seen[1:, 1] += looked[:-1, 1]
    seen[:, 2] = looked[:, 4]
    seen[1:, 2] += looked[:-1, 3]
    seen[:-1, 2] += looked[1:, 5]
    seen += network.thresholds
    return vectors, np.maximum(seen, 0).reshape(len(vectors), -1)


def _by_word(network: Network, told: _Batch, category: int) -> Doubles:
    """What each place of a single text adds: its own vector in the mean, and an equal part of every
    filter that looked at it where it saw the most."""
    vectors, seen = _seen(network, told)
    filters = seen.shape[1]
    inside = seen[1:-1]
    head = network.head[:, category].astype(np.float64)
    added = np.zeros(len(told.places))
    added[1:-1] += vectors[1:-1] @ head[filters:] / told.counts[0]
    best = inside.argmax(axis=0)
    amount = inside[best, np.arange(filters)] * head[:filters]
    per_width = filters // len(WIDTHS)
    for width in range(len(WIDTHS)):
        of_width = slice(width * per_width, (width + 1) * per_width)
        for place, part in zip(best[of_width] + 1, amount[of_width], strict=True):
            low = max(1, place - (width > 0))
            high = min(len(added) - 2, place + (width > 1))
            added[low : high + 1] += part / (high - low + 1)
    return added
