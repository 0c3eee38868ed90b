"""What a post is about, as a vector that needs no training: random indexing of all it has.

Each word stands for a fixed pseudo-random direction; a post is the weighted sum of its words and
topics, scaled to unit length. Two posts that share words are near, posts that share none are close
to orthogonal (Sahlgren, "An Introduction to Random Indexing", 2005). A new post has its place at
once. A vector that the app gives (of the picture, of the sound) joins by a random projection, which
keeps angles (Johnson and Lindenstrauss, 1984): each of its dimensions has a direction too. Its own
mean is taken off first, since the outputs of networks mostly share a large one, which would make
all posts alike.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.catalog.types import Item

CONTENT_DIMS: Final = 64
_MOST_WORDS: Final = 96
_TOPIC_WEIGHT: Final = 3.0
_CREATOR_WEIGHT: Final = 1.0
_TITLE_WEIGHT: Final = 1.5
_VECTOR_WEIGHT: Final = 3.0
_LEAST_LENGTH: Final = 1e-6
_WORD: Final = re.compile(r"\w{2,}")
_COMMON: Final = frozenset(
    """
    the and for you are was with that this but not have has had from they his her she him our
    out all one can will just like about what when who how why your its been were than then
    them some more into over of to in is it on at as be by or an we he me my so if do no up
    """.split()  # noqa: SIM905 - sixty quoted words would hide the rest of the file
)


def words_of(text: str) -> list[str]:
    """Lower-case words of two letters or more in order, at most 96, without common English ones."""
    found = _WORD.findall(text.lower())[: 2 * _MOST_WORDS]
    return [word for word in found if word not in _COMMON][:_MOST_WORDS]


def all_words(text: str) -> set[str]:
    """Every lower-case word of two letters or more: what muting a word looks at."""
    return set(_WORD.findall(text.lower()))


@lru_cache(maxsize=200_000)
def direction(word: str) -> NDArray[np.float32]:
    """The fixed direction of a word, float32[64], mean 0 and variance near 1 in each dimension."""
    digest = hashlib.blake2b(word.encode(), digest_size=CONTENT_DIMS).digest()
    return (np.frombuffer(digest, dtype=np.uint8).astype(np.float32) - 127.5) / np.float32(73.9)


@lru_cache(maxsize=32)
def _directions(name: str, size: int) -> NDArray[np.float32]:
    """float32[size, 64] of the dimensions of a named vector."""
    return np.stack([direction(f"vector:{name}:{place}") for place in range(size)])


def projected(name: str, vector: Sequence[float]) -> NDArray[np.float32]:
    """float32[64], about as long as a word's direction; zeros where all its numbers are equal."""
    given = np.array(vector, dtype=np.float32)
    apart = (given - given.mean()).astype(np.float32)
    length = float(np.linalg.norm(apart))
    if length <= _LEAST_LENGTH * float(np.linalg.norm(given)):
        return np.zeros(CONTENT_DIMS, dtype=np.float32)
    found: NDArray[np.float32] = (apart / np.float32(length)) @ _directions(name, len(apart))
    return found


def word_hash(word: str) -> int:
    """A 32-bit name of a word, for muted words."""
    return int.from_bytes(hashlib.blake2b(word.lower().encode(), digest_size=4).digest(), "little")


def content_vector(item: Item) -> NDArray[np.float32]:
    """float32[64] of unit length; all zeros for a post without words, topics or creator."""
    total = np.zeros(CONTENT_DIMS, dtype=np.float32)
    for words, weight in ((words_of(item.title), _TITLE_WEIGHT), (words_of(item.text), 1.0)):
        if words:
            # The root of the count keeps long posts from being nothing but their common words.
            total += np.sum([direction(word) for word in words], axis=0) * np.float32(
                weight / len(words) ** 0.5
            )
    for topic in item.topics:
        total += direction(f"topic:{topic}") * np.float32(_TOPIC_WEIGHT)
    for name, vector in item.vectors.items():
        total += projected(name, vector) * np.float32(_VECTOR_WEIGHT)
    total += direction(f"creator:{item.creator_id}") * np.float32(_CREATOR_WEIGHT)
    length = float(np.linalg.norm(total))
    return total / np.float32(length) if length > 0 else total
