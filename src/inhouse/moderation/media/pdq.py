"""PDQ: 256 bits that stay nearly the same when a picture is scaled, compressed or blurred a little.

The picture's luminance is smoothed by two passes of a box filter along either axis, sampled at
64 x 64 places, transformed by the cosine transform, and each of the 16 x 16 lowest frequencies
(without the constant ones) becomes a bit: above the median or not. Two pictures are taken for the
same at a Hamming distance of 31 or less. The quality, 0 to 100, counts strong gradients; a picture
without any, a plain wall, has a hash that says nothing.

After "PDQ & TMK + PDQF" (Facebook 2019), whose own program hashes good pictures within 10 bits of
this one. Smoothing and sampling are linear and the same for every row and column, so they are one
matrix an axis here.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

BITS: Final = 256
BYTES: Final = BITS // 8
MOST_DISTANCE: Final = 31  # bits in which hashes of one picture may differ
LEAST_QUALITY: Final = 50  # below this a hash says little
LEAST_SIDE: Final = 5  # pixels; a smaller picture has no hash

_SIDE: Final = 64  # places sampled along either axis
_KEPT: Final = 16  # frequencies kept along either axis
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
_STEEP: Final = 90  # gradients, in hundredths of the range, that are worth one point of quality


@dataclass(frozen=True, kw_only=True, slots=True)
class PdqHash:
    """The hash of one picture."""

    bits: bytes  # 32 of them, as hex digests write it: the highest frequency first
    quality: int  # 0 to 100


def pdq_of(luma: NDArray[np.float32]) -> PdqHash:
    """The hash of a picture.

    luma: float32[rows, columns], 0 to 255; see `luminance`. A picture with a side below 5 pixels
    has quality 0.

    >>> slope = np.add.outer(np.arange(80.0), np.arange(90.0)).astype(np.float32)
    >>> pdq_of(slope).quality
    0
    """
    rows, columns = luma.shape
    if min(rows, columns) < LEAST_SIDE:
        return PdqHash(bits=bytes(BYTES), quality=0)
    small = luma.astype(np.float64)
    if (rows, columns) != (_SIDE, _SIDE):
        small = _sampler(rows) @ small @ _sampler(columns).T  # [64, 64]
    waves = _COSINES @ small @ _COSINES.T  # [16, 16]
    # Of an even number of values the lower of the middle two, so that half the bits are set.
    median = np.partition(waves.ravel(), waves.size // 2 - 1)[waves.size // 2 - 1]
    bits = (waves.ravel() > median)[::-1]
    return PdqHash(bits=np.packbits(bits).tobytes(), quality=_quality(small))


def luminance(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Brightness as the eye weighs it: uint8[rows, columns, 3] to float32[rows, columns]."""
    bright: NDArray[np.float32] = rgb.astype(np.float32) @ _LUMA
    return bright


def distance(one: bytes, other: bytes) -> int:
    """Bits in which two hashes differ."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def _quality(small: NDArray[np.float64]) -> int:
    down = np.trunc(np.diff(small, axis=0) * (100 / 255))
    along = np.trunc(np.diff(small, axis=1) * (100 / 255))
    steep = int(np.abs(down).sum() + np.abs(along).sum())
    return min(steep // _STEEP, 100)


@lru_cache(maxsize=256)
def _sampler(length: int) -> NDArray[np.float64]:
    """float64[64, length]: what two passes of the box filter leave at each sampled place."""
    window = (length + 2 * _SIDE - 1) // (2 * _SIDE)
    places = np.arange(length)
    starts = np.maximum(places - (window - (window + 2) // 2), 0)
    ends = np.minimum(places + (window + 2) // 2, length)
    weights = np.zeros((_SIDE, length))
    for row, place in enumerate(((np.arange(_SIDE) + 0.5) * length / _SIDE).astype(np.int64)):
        inner = range(starts[place], ends[place])
        for middle in inner:
            share = 1.0 / (len(inner) * (ends[middle] - starts[middle]))
            weights[row, starts[middle] : ends[middle]] += share
    return weights


def _cosines() -> NDArray[np.float64]:
    """float64[16, 64]: the rows 1 to 16 of the cosine transform."""
    frequency, place = np.arange(1, _KEPT + 1)[:, None], np.arange(_SIDE)[None, :]
    scale = np.sqrt(2.0 / _SIDE)
    waves: NDArray[np.float64] = scale * np.cos(np.pi / (2 * _SIDE) * frequency * (2 * place + 1))
    return waves


_COSINES: Final = _cosines()
