"""A table of millions of short texts that finds those that stand in another text.

It holds hashes of 64 bits in place of the texts: 12 bytes a key and about 4 of what leads to them.
Another piece of a text has the hash of one of four million keys with a chance of one in 10^12.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.moderation.signals.kernels import hash_keys, look

_FIRST_ROOM: Final = 256
_AT_ONCE: Final = 200_000  # keys hashed at once
_FILTER: Final = 16  # bits of the filter for each key


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyTable:
    """Keys, each with a number; several may have one key."""

    hashes: NDArray[np.uint64]  # [n], rising
    numbers: NDArray[np.uint32]  # [n], what whoever made the table wants to know of each
    starts: NDArray[np.uint32]  # [2^k + 1], where hashes with each beginning start
    bits: NDArray[np.uint8]  # a filter: most pieces of a text need no look at the hashes
    longest: int  # key, in characters

    def find(
        self, codes: NDArray[np.uint32], may_start: NDArray[np.bool_]
    ) -> list[tuple[int, int, int]]:
        """Start, end and number of every key in a text that begins where one may.

        codes: uint32[n], see `codes_of`; may_start: bool[n or more].
        """
        if not len(self.hashes):
            return []
        room, table = _FIRST_ROOM, (self.hashes, self.starts, self.bits)
        while True:
            found = np.empty((room, 3), np.int64)
            count = look(codes, may_start, table, self.longest, found)
            if count <= room:
                break
            room = count
        return [(start, end, int(self.numbers[row])) for start, end, row in found[:count].tolist()]


def make_table(keys: Sequence[str], numbers: NDArray[np.uint32]) -> KeyTable:
    """The table of keys, none of which is empty; numbers: uint32[n]."""
    parts = [_hashes(keys[at : at + _AT_ONCE]) for at in range(0, len(keys), _AT_ONCE)]
    hashes = np.concatenate([np.empty(0, np.uint64), *parts])
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    power = max(8, len(keys).bit_length() - 1)
    beginnings = (hashes >> np.uint64(64 - power)).astype(np.int64)
    counts = np.bincount(beginnings, minlength=1 << power)
    return KeyTable(
        hashes=hashes,
        numbers=numbers[order],
        starts=np.concatenate(([0], np.cumsum(counts))).astype(np.uint32),
        bits=_filter(hashes),
        longest=max(map(len, keys), default=0),
    )


def codes_of(text: str) -> NDArray[np.uint32]:
    """Its characters by their code points."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


@lru_cache(maxsize=1)
def alphanumeric() -> NDArray[np.bool_]:
    """bool[all code points]: what `str.isalnum` says of each."""
    return np.fromiter((chr(code).isalnum() for code in range(0x110000)), np.bool_, 0x110000)


def _hashes(keys: Sequence[str]) -> NDArray[np.uint64]:
    hashes = np.empty(len(keys), np.uint64)
    ends = np.cumsum([len(key) for key in keys], dtype=np.int64)
    hash_keys(codes_of("".join(keys)), ends, hashes)
    return hashes


def _filter(hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    size = 1 << max(10, (_FILTER * len(hashes)).bit_length())
    marks = np.zeros(size, np.bool_)
    marks[(hashes & np.uint64(size - 1)).astype(np.int64)] = True
    return np.packbits(marks, bitorder="little")
