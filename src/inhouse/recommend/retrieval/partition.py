"""Vectors sorted into many small clusters, and those that fit none into clusters of their own.

Lloyd's iterations over a sample find coarse clusters; each of them is parted into small ones by the
same iterations. What lies farther from its centre than `FAR` times the cluster's radius is taken
out, and all of that is clustered by itself: a few vectors that are long, or odd, would otherwise
hide among many that promise nothing. Twice as fine costs twice as many centres to look at and saves
half of what is looked through behind them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from inhouse.core.random import stream
from inhouse.recommend.retrieval.kernels import FAR, distances, means
from inhouse.recommend.types import Floats, Mask, Rows

_SIZE: Final = 256  # vectors a cluster, about
_ODD_SIZE: Final = 64  # of those that were taken out
_ROUNDS: Final = 2  # of taking out
_FEWEST: Final = 100  # left, and they are not parted again
_COARSE: Final = 2.8  # times the root of the number of clusters: parting takes as long as finding
_SAMPLED: Final = 64  # vectors a coarse cluster that find its centre
_ITERATIONS: Final = 5
_AT_ONCE: Final = 16_384  # vectors assigned in one product
_NOTHING: Final = 1e-4  # of the mean length: so near is no distance


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """Every vector in one cluster; none is farther from its centre than FAR times the radius."""

    centres: Floats  # [C, d]
    nearest: Rows  # [count] the cluster of each vector, -1 of those left out
    radii: Floats  # [C] root of the mean square of the distances, more where one would be too far


def partition(vectors: Floats, rows: Rows, seed: int = 0) -> Partition:
    """Of these rows of float32[count, d]. Takes 3 to 4 s for a million of 64 on one core."""
    dice = stream(seed, "clusters")
    least = np.float32(_NOTHING * np.sqrt(np.mean(vectors[:_AT_ONCE] ** 2) * vectors.shape[1]))
    nearest = np.full(len(vectors), -1, dtype=np.int32)
    left = rows
    centres: list[Floats] = []
    count = 0
    for round_ in range(_ROUNDS + 1):
        found, to = _parted(vectors, left, _ODD_SIZE if round_ else _SIZE, dice)
        far = distances(vectors, left, to, found)
        odd = far > FAR * np.maximum(_radii(far, to, len(found)), least)[to]
        if round_ == _ROUNDS or np.count_nonzero(odd) < _FEWEST:
            odd[:] = False
        kept = left[~odd]
        centres.append(means(vectors, kept, to[~odd], found))
        nearest[kept] = count + to[~odd]
        count += len(found)
        left = left[odd]
        if not len(left):
            break
    return _told(vectors, rows, nearest, np.concatenate(centres))


def _told(vectors: Floats, rows: Rows, nearest: Rows, centres: Floats) -> Partition:
    to = nearest[rows]
    far = distances(vectors, rows, to, centres)
    radii = _radii(far, to, len(centres))
    np.maximum.at(radii, to, far / np.float32(FAR))
    return Partition(centres=centres, nearest=nearest, radii=radii)


def _radii(far: Floats, nearest: Rows, count: int) -> Floats:
    """float32[C]: the root of the mean square of each cluster's distances, 0 where it is empty."""
    sizes = np.bincount(nearest, minlength=count)
    squares = np.bincount(nearest, weights=far * far, minlength=count)
    return np.sqrt(squares / np.maximum(sizes, 1)).astype(np.float32)


def _parted(
    vectors: Floats, rows: Rows, size: int, dice: np.random.Generator
) -> tuple[Floats, Rows]:
    """The centres of clusters of about `size` of these rows, and the cluster of each row."""
    wanted = int(np.ceil(_COARSE * np.sqrt(len(rows) / size)))
    drawn = dice.choice(len(rows), min(len(rows), wanted * _SAMPLED), replace=False)
    coarse = _centres(vectors[rows[drawn]], wanted, dice)
    to = _nearest(vectors, rows, coarse)
    order = np.argsort(to, kind="stable")
    ends = np.cumsum(np.bincount(to, minlength=len(coarse)))
    found: list[Floats] = []
    nearest = np.empty(len(rows), dtype=np.int32)
    count = 0
    for members in np.split(order, ends[:-1]):
        if not len(members):
            continue
        part = vectors[rows[members]]
        fine = _centres(part, max(1, round(len(members) / size)), dice)
        nearest[members] = count + _assigned(part, fine)
        found.append(fine)
        count += len(fine)
    return np.concatenate(found), nearest


def _centres(sample: Floats, wanted: int, dice: np.random.Generator) -> Floats:
    """float32[at most wanted, d]: by Lloyd's iterations; one without members starts anew."""
    centres: Floats = sample[dice.choice(len(sample), min(wanted, len(sample)), replace=False)]
    rows = np.arange(len(sample), dtype=np.int32)
    for _ in range(_ITERATIONS if len(centres) > 1 else 1):
        nearest = _assigned(sample, centres)
        centres = means(sample, rows, nearest, centres)
        empty: Mask = np.bincount(nearest, minlength=len(centres)) == 0
        centres[empty] = sample[dice.integers(0, len(sample), np.count_nonzero(empty))]
    return centres


def _nearest(vectors: Floats, rows: Rows, centres: Floats) -> Rows:
    """int32[n]: the nearest centre of each row, without copying all of them at once."""
    parts = [
        _assigned(vectors[rows[start : start + _AT_ONCE]], centres)
        for start in range(0, len(rows), _AT_ONCE)
    ]
    return np.concatenate(parts)


def _assigned(vectors: Floats, centres: Floats) -> Rows:
    """int32[n]: the centre with the least distance: argmax of v.c - |c|^2 / 2."""
    half: Floats = (centres * centres).sum(axis=1) / 2  # [C]
    nearest: Rows = (vectors @ centres.T - half).argmax(axis=1).astype(np.int32)
    return nearest
