"""An inverted file: vectors in clusters, of which a request looks through the most promising.

    Jegou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search", 2011, section IV,
    with one byte a dimension and a scale a vector in the place of product codes.

What is kept of a vector is its difference from its cluster's centre, which is small, so that a byte
says much of it. Vectors of a cluster lie side by side: a look at it is one stretch of memory. Which
clusters are looked through is decided by the highest dot product that one of their members may
have, and the search ends where that is no better than what was found.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.recommend.retrieval.kernels import Centres, Members, Query, products, search
from inhouse.recommend.retrieval.partition import FAR, partition
from inhouse.recommend.types import Floats, Rows

EVERYTHING: Final = FAR  # as reach: no member can have more than its cluster promises
_AT_ONCE: Final = 16_384  # vectors made small together
_SPARE: Final = 16  # more than asked for are found by the small integers, and an eighth
_WIDE: Final = 4_095  # the largest number of a query: 127 times it fits 32 bits 4,000 times


@dataclass(frozen=True, kw_only=True, slots=True)
class Clusters:
    """An index over the first `count` vectors. Immutable but for `overwrite`."""

    count: int  # vectors
    centres: Centres
    members: Members
    rows: Rows  # [count] of each slot
    slot_of: Rows  # [count] of each row

    def preselect(self, vector: Floats, k: int, reach: float) -> Rows:
        """int32[m]: rows of the best by their small integers, somewhat more than k, in no order.

        reach: the highest cosine to reckon with between the vector and what lies between a centre
        and a member; at `EVERYTHING` nothing is missed but for rounding.
        """
        step = max(float(np.abs(vector).max()) / _WIDE, 1e-30)
        asked = Query(vector, np.rint(vector / np.float32(step)).astype(np.int16), step)
        most = min(k + k // 8 + _SPARE, self.count)
        slots, _ = search(self.centres, self.members, asked, most, reach)
        found: Rows = self.rows[slots]
        return found

    def overwrite(self, rows: Rows, vectors: Floats) -> None:
        """Take over new vectors of known rows. They stay in their clusters until the next build,
        which promise as much more as that takes."""
        slots = self.slot_of[rows]
        at = np.searchsorted(self.members.starts, slots, side="right") - 1
        off = vectors - self.centres.exact[at]
        self.members.codes[slots], self.members.scales[slots] = _small(off)
        far = np.sqrt((off * off).sum(axis=1))
        np.maximum.at(self.centres.radii, at, far / np.float32(FAR))


def cluster(vectors: Floats, seed: int = 0) -> Clusters:
    """Build an index over float32[count, d]."""
    parts = partition(vectors, seed)
    count = len(vectors)
    rows = np.argsort(parts.nearest, kind="stable").astype(np.int32)
    slot_of = np.empty(count, dtype=np.int32)
    slot_of[rows] = np.arange(count, dtype=np.int32)
    sizes = np.bincount(parts.nearest, minlength=len(parts.centres))
    codes = np.empty(vectors.shape, dtype=np.int8)
    scales = np.empty(count, dtype=np.float32)
    for start in range(0, count, _AT_ONCE):  # at once it would take the vectors' memory four times
        part = slice(start, start + _AT_ONCE)
        off = vectors[rows[part]] - parts.centres[parts.nearest[rows[part]]]
        codes[part], scales[part] = _small(off)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
    made = Clusters(
        count=count,
        centres=Centres(parts.centres, *_small(parts.centres), parts.radii),
        members=Members(starts, codes, scales),
        rows=rows,
        slot_of=slot_of,
    )
    products(vectors, made.preselect(vectors[0], 1, 0.0), vectors[0])  # compiles them
    return made


def _small(vectors: Floats) -> tuple[NDArray[np.int8], Floats]:
    """int8[n, d] and float32[n]: code * scale is the vector, to one part in 127 of its largest."""
    scales = np.abs(vectors).max(axis=1) / np.float32(127)
    safe = np.maximum(scales, np.float32(1e-30))
    codes = np.rint(vectors / safe[:, None]).astype(np.int8)
    return codes, scales.astype(np.float32)
