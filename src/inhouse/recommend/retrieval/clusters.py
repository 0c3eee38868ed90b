"""An inverted file: vectors in clusters, of which a request looks through the most promising.

    Jegou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search", 2011, section IV,
    with one byte a dimension and a scale a vector in the place of product codes.

Centroids come from Lloyd's iterations over a sample. A vector stands in the cluster whose centroid
is nearest; vectors of a cluster lie side by side, so that a look at it is one stretch of memory.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.random import stream
from inhouse.recommend.best import top
from inhouse.recommend.retrieval.kernels import scan
from inhouse.recommend.types import Floats, Rows

_MOST_CLUSTERS: Final = 4_096
_SAMPLED: Final = 64  # vectors a cluster that find the centroids
_ITERATIONS: Final = 5
_AT_ONCE: Final = 16_384  # vectors assigned in one product, or made small together
_SPARE: Final = 64  # more than asked for are preselected by the small integers, and a quarter


@dataclass(frozen=True, kw_only=True, slots=True)
class Clusters:
    """An index over the first `count` vectors. Immutable but for `overwrite`."""

    count: int  # vectors
    centroids: Floats  # [C, d]
    starts: NDArray[np.int64]  # [C + 1] cluster c lies in slots starts[c] to starts[c + 1]
    rows: Rows  # [count] of each slot
    slot_of: Rows  # [count] of each row
    codes: NDArray[np.int8]  # [count, d] by slot
    scales: Floats  # [count] by slot

    def preselect(self, vector: Floats, k: int, probes: int) -> Rows:
        """int32[m]: rows of the best by their small integers, somewhat more than k, among `probes`
        clusters."""
        order = top(self.centroids @ vector, probes)
        ranges = np.stack([self.starts[order], self.starts[order + 1]], axis=1)
        slots, scores = scan(self.codes, self.scales, ranges, _small(vector[None])[0][0])
        found: Rows = self.rows[slots[top(scores, k + k // 4 + _SPARE)]]
        return found

    def overwrite(self, rows: Rows, vectors: Floats) -> None:
        """Take over new vectors of known rows; they stay in their clusters until the next build."""
        slots = self.slot_of[rows]
        self.codes[slots], self.scales[slots] = _small(vectors)


def cluster(vectors: Floats, seed: int = 0) -> Clusters:
    """Build an index over float32[count, d]. Takes 5 to 7 s for a million of 64 on one core."""
    count = len(vectors)
    wanted = int(np.clip(np.sqrt(count), 16, _MOST_CLUSTERS))
    centroids = _centroids(vectors, wanted, seed)
    nearest = _nearest(vectors, centroids)
    rows = np.argsort(nearest, kind="stable").astype(np.int32)
    slot_of = np.empty(count, dtype=np.int32)
    slot_of[rows] = np.arange(count, dtype=np.int32)
    sizes = np.bincount(nearest, minlength=len(centroids))
    codes = np.empty(vectors.shape, dtype=np.int8)
    scales = np.empty(count, dtype=np.float32)
    for start in range(0, count, _AT_ONCE):  # at once it would take the vectors' memory four times
        part = slice(start, start + _AT_ONCE)
        codes[part], scales[part] = _small(vectors[rows[part]])
    scan(codes[:1], scales[:1], np.zeros((1, 2), dtype=np.int64), codes[0])  # compiles it
    return Clusters(
        count=count,
        centroids=centroids,
        starts=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)]),
        rows=rows,
        slot_of=slot_of,
        codes=codes,
        scales=scales,
    )


def _centroids(vectors: Floats, wanted: int, seed: int) -> Floats:
    dice = stream(seed, "clusters")
    size = min(len(vectors), wanted * _SAMPLED)
    sample = vectors[dice.choice(len(vectors), size, replace=False)]
    centroids = sample[:wanted].copy()
    for _ in range(_ITERATIONS):
        nearest = _nearest(sample, centroids)
        sizes = np.bincount(nearest, minlength=wanted)
        order = np.argsort(nearest, kind="stable")
        filled = np.flatnonzero(sizes)
        starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)[:-1]])
        sums = np.add.reduceat(sample[order], starts[filled], axis=0)  # [filled, d]
        centroids[filled] = sums / sizes[filled, None]
        empty = np.flatnonzero(sizes == 0)
        centroids[empty] = sample[dice.integers(0, size, len(empty))]
    return centroids


def _nearest(vectors: Floats, centroids: Floats) -> NDArray[np.int64]:
    """int64[n]: the centroid with the least distance: argmax of v.c - |c|^2 / 2."""
    half = (centroids * centroids).sum(axis=1) / 2  # [C]
    nearest = np.empty(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), _AT_ONCE):
        part = vectors[start : start + _AT_ONCE]
        nearest[start : start + _AT_ONCE] = (part @ centroids.T - half).argmax(axis=1)
    return nearest


def _small(vectors: Floats) -> tuple[NDArray[np.int8], Floats]:
    """int8[n, d] and float32[n]: code * scale is the vector, to one part in 127 of its largest."""
    scales = np.abs(vectors).max(axis=1) / np.float32(127)
    safe = np.maximum(scales, np.float32(1e-30))
    codes = np.rint(vectors / safe[:, None]).astype(np.int8)
    return codes, scales.astype(np.float32)
