"""An inverted file: vectors in clusters, of which a request looks through the most promising.

    Jegou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search", 2011, section IV,
    with one byte a dimension and a scale a vector in the place of product codes.

What is kept of a vector is its difference from its cluster's centre, which is small, so that a byte
says much of it; and one bit a dimension says enough to pass most of them over. Vectors of a cluster
lie side by side: a look at it is one stretch of memory. Which clusters are looked through is
decided by the highest dot product that one of their members may have, and the search ends where
that is no better than what was found.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.random import stream
from inhouse.features.candidate_kernels import products
from inhouse.features.machine import plain
from inhouse.recommend.retrieval.heaps import kth_best
from inhouse.recommend.retrieval.kernels import (
    FAR,
    Barred,
    Centres,
    Index,
    Members,
    Signs,
    found_rows,
    handed,
)
from inhouse.recommend.retrieval.partition import partition
from inhouse.recommend.types import Floats, Rows

EVERYTHING: Final = FAR  # as reach: no member can have more than its cluster promises
_AT_ONCE: Final = 16_384  # vectors made small together
_SPARE: Final = 16  # more than asked for are found by the small integers, and an eighth
_GAIN: Final = 127  # steps that the largest of a cluster has: room for it to grow
MISSES: Final = 12  # of the items that are barred, the best are found all the same
NONE: Final = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, kw_only=True, slots=True)
class Clusters:
    """An index over those of the first `count` vectors that are to be found. Immutable but for
    `overwrite`."""

    count: int  # vectors
    index: Index
    rows: Rows  # [found] of each slot
    slot_of: Rows  # [count] of each row, -1 where it is not to be found

    def preselect(self, vector: Floats, k: int, reach: float, barred: Rows = NONE) -> Rows:
        """int32[m]: rows of the best by their small integers, somewhat more than k that are not
        barred and the best `MISSES` of those that are, in no order.

        reach: the highest cosine to reckon with between the vector and what lies between a centre
        and a member; at `EVERYTHING` nothing is missed but for rounding. barred: sorted.
        """
        most = min(k + k // 8 + _SPARE, len(self.rows))
        without = plain(Barred(self.rows, barred, MISSES))
        return found_rows(handed(self.index), vector, most, reach, without)

    def overwrite(self, rows: Rows, vectors: Floats) -> None:
        """Take over new vectors of known rows. They stay in their clusters until the next build,
        which promise as much more as that takes."""
        centres, members, signs = self.index
        slots = self.slot_of[rows]
        vectors, slots = vectors[slots >= 0], slots[slots >= 0]
        at = np.searchsorted(members.starts, slots, side="right") - 1
        off: Floats = vectors - centres.exact[at]
        members.codes[slots], members.scales[slots] = _small(off)
        words, gains = _signs(off, signs.rotation)
        signs.words[:, slots] = words
        # Of a vector that went far its signs say less than is so, until the next build.
        signs.gains[slots] = _in_steps(gains, signs.steps[at])
        far = np.sqrt((off * off).sum(axis=1))
        np.maximum.at(centres.radii, at, far / np.float32(FAR))


def cluster(vectors: Floats, posts: Rows | None = None, seed: int = 0) -> Clusters:
    """Build an index over float32[count, d]. posts: rows of those to be found, ascending; None
    where all are."""
    if posts is None:
        posts = np.arange(len(vectors), dtype=np.int32)
    parts = partition(vectors, posts, seed)
    count, dims = len(posts), vectors.shape[1]
    rows = posts[np.argsort(parts.nearest[posts], kind="stable")]
    slot_of = np.full(len(vectors), -1, dtype=np.int32)
    slot_of[rows] = np.arange(count, dtype=np.int32)
    rotation = _rotation(dims, seed)
    codes = np.empty((count, dims), dtype=np.int8)
    words = np.empty((-(-dims // 64), count), dtype=np.uint64)
    scales, gains = np.empty(count, dtype=np.float32), np.empty(count, dtype=np.float32)
    for start in range(0, count, _AT_ONCE):  # at once it would take the vectors' memory four times
        part = slice(start, start + _AT_ONCE)
        off: Floats = vectors[rows[part]] - parts.centres[parts.nearest[rows[part]]]
        codes[part], scales[part] = _small(off)
        words[:, part], gains[part] = _signs(off, rotation)
    at = parts.nearest[rows]
    steps = np.zeros(len(parts.centres), dtype=np.float32)
    np.maximum.at(steps, at, gains / np.float32(_GAIN))
    sizes = np.bincount(at, minlength=len(parts.centres))
    made = Clusters(
        count=len(vectors),
        index=Index(
            Centres(parts.centres, *_small(parts.centres), parts.radii),
            Members(np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)]), codes, scales),
            Signs(rotation, words, _in_steps(gains, steps[at]), steps),
        ),
        rows=rows,
        slot_of=slot_of,
    )
    products(vectors, made.preselect(vectors[0], 1, 0.0), vectors[0])  # compiles them
    kth_best(vectors, posts[:1], vectors[0], NONE, 1)
    return made


def _rotation(dims: int, seed: int) -> Floats:
    """float32[d, d]: orthogonal, by chance."""
    drawn = stream(seed, "rotation").normal(size=(dims, dims))
    turned: Floats = np.linalg.qr(drawn)[0].astype(np.float32)
    return turned


def _signs(off: Floats, rotation: Floats) -> tuple[NDArray[np.uint64], Floats]:
    """uint64[W, n] and float32[n]: which of the rotated dimensions are above 0, and the gains."""
    turned = off @ rotation.T
    count, dims = turned.shape
    above = np.zeros((count, 64 * -(-dims // 64)), dtype=np.bool_)
    above[:, :dims] = turned > 0
    words = np.packbits(above, axis=1, bitorder="little").view("<u8").astype(np.uint64)
    total = np.maximum(np.abs(turned).sum(axis=1), np.float32(1e-30))
    return words.T, ((turned * turned).sum(axis=1) / total).astype(np.float32)


def _in_steps(gains: Floats, steps: Floats) -> NDArray[np.uint8]:
    """uint8[n]: rounded up, so that a slot promises no less."""
    return np.minimum(np.ceil(gains / np.maximum(steps, 1e-30)), 255).astype(np.uint8)


def _small(vectors: Floats) -> tuple[NDArray[np.int8], Floats]:
    """int8[n, d] and float32[n]: code * scale is the vector, to one part in 127 of its largest."""
    scales = np.abs(vectors).max(axis=1) / np.float32(127)
    safe = np.maximum(scales, np.float32(1e-30))
    codes = np.rint(vectors / safe[:, None]).astype(np.int8)
    return codes, scales.astype(np.float32)
