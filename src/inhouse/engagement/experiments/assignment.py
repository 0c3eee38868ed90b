"""Who belongs to which arm: GrowthBook's published assignment, to the last digit.

The same person, seed and version give the same number here, in GrowthBook's JavaScript and in every
SDK that follows its specification, so a client may assign by itself and agree. Strings are hashed
by UTF-16 code units, as JavaScript does; SDKs that hash code points or bytes differ from it for ids
that are not ASCII.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

Range = tuple[float, float]
Namespace = tuple[str, float, float]

HASH_VERSION: Final = 2
_OFFSET: Final = 0x811C9DC5
_PRIME: Final = 0x01000193
_MASK: Final = 0xFFFFFFFF


def fnv1a32(text: str) -> int:
    """32-bit FNV-1a over UTF-16 code units.

    >>> fnv1a32("a")
    3826002220
    """
    code = _OFFSET
    for unit in _utf16_units(text):
        code = ((code ^ unit) * _PRIME) & _MASK
    return code


def hash_value(seed: str, value: str, version: int = HASH_VERSION) -> float | None:
    """Where a person falls in [0, 1); None for a version that does not exist.

    v2: fnv1a32(str(fnv1a32(seed + value))) % 10000 / 10000
    v1: fnv1a32(value + seed) % 1000 / 1000, kept for namespaces: its answers for two seeds
        correlate (about -0.08), so that parallel experiments disturb each other.

    >>> hash_value("exp", "user-1")
    0.3004
    """
    if version == 2:
        return (fnv1a32(str(fnv1a32(seed + value))) % 10_000) / 10_000
    if version == 1:
        return (fnv1a32(value + seed) % 1_000) / 1_000
    return None


def in_range(n: float, bounds: Range) -> bool:
    """Whether n lies in [start, end)."""
    return bounds[0] <= n < bounds[1]


def in_namespace(user: str, namespace: Namespace) -> bool:
    """Whether a person belongs to (id, start, end) of a namespace; version 1, by the spec."""
    name, start, end = namespace
    n = hash_value(f"__{name}", user, 1)
    return n is not None and start <= n < end


def bucket_ranges(
    count: int, coverage: float | None = 1.0, weights: Sequence[float] | None = None
) -> list[Range]:
    """The slice of [0, 1) of each arm. Gaps between slices let coverage grow without moving anyone.

    coverage is clamped to [0, 1]. Weights of the wrong number, or whose sum leaves [0.99, 1.01],
    are replaced by equal ones, as the specification says.

    >>> bucket_ranges(2, 0.5)
    [(0.0, 0.25), (0.5, 0.75)]
    """
    covered = min(1.0, max(0.0, 1.0 if coverage is None else coverage))
    shares = list(weights or ())
    if len(shares) != count or not 0.99 <= sum(shares) <= 1.01:
        shares = [1 / count] * count
    starts = [0.0, *accumulate(shares)][:count]
    return [(start, start + covered * share) for start, share in zip(starts, shares, strict=True)]


def choose_variation(n: float, ranges: Sequence[Range]) -> int:
    """Index of the first range that holds n, -1 where none does."""
    return next((index for index, bounds in enumerate(ranges) if in_range(n, bounds)), -1)


def _utf16_units(text: str) -> Sequence[int]:
    if text.isascii():
        return text.encode("ascii")
    return memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
