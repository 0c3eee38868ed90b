"""Compiled loops over the characters of a text: which pieces of it are keys of a table.

A key is known by a hash of its characters that can be carried on from one character to the next, so
looking at all pieces that begin at a place costs a few nanoseconds for each character behind it.
"""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Codes = NDArray[np.uint32]  # characters by their code points
Words64 = NDArray[np.uint64]

_SEED: Final = np.uint64(0x9E3779B97F4A7C15)
_TIMES: Final = np.uint64(0x100000001B3)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_BY_30, _BY_27, _BY_31 = np.uint64(30), np.uint64(27), np.uint64(31)


@njit(cache=True, inline="always")
def _carried(state: np.uint64, code: np.uint32) -> np.uint64:
    return ((state ^ np.uint64(code)) * _TIMES) ^ (state >> _BY_31)


@njit(cache=True, inline="always")
def _mixed(state: np.uint64) -> np.uint64:
    """All bits of a state stirred into all others (splitmix64's end)."""
    state = (state ^ (state >> _BY_30)) * _MIX_1
    state = (state ^ (state >> _BY_27)) * _MIX_2
    return state ^ (state >> _BY_31)


@njit(cache=True, nogil=True)
def hash_keys(codes: Codes, ends: NDArray[np.int64], hashes: Words64) -> None:
    """Hash many keys that stand one behind the other.

    codes: uint32[all characters]; ends: int64[n], where each key ends; hashes: uint64[n], written.
    """
    start = 0
    for key in range(len(ends)):
        state = _SEED
        for place in range(start, ends[key]):
            state = _carried(state, codes[place])
        hashes[key] = _mixed(state)
        start = ends[key]


@njit(cache=True)
def borders(codes: Codes, breaks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool[n + 1]: whether a word may begin or end before each character, and at the end.

    codes: uint32[n]; breaks: bool[all code points], whether one may beside that character.
    """
    found = np.ones(len(codes) + 1, np.bool_)
    for place in range(1, len(codes)):
        found[place] = breaks[codes[place - 1]] or breaks[codes[place]]
    return found


@njit(cache=True)
def look(
    codes: Codes,
    may_start: NDArray[np.bool_],
    table: tuple[Words64, NDArray[np.uint32], NDArray[np.uint8]],
    longest: int,
    found: NDArray[np.int64],
) -> int:
    """Every piece of a text that begins where one may and is a key of the table.

    codes: uint32[n]; may_start: bool[n or more]; table: hashes in order, where those with each
    beginning start among them, and a filter of bits; found: int64[k, 3], start, end and row of the
    table, written as far as they reach. Returns how many there are.
    """
    hashes, starts, bits = table
    shift = np.uint64(64 - _log2(len(starts) - 1))
    mask = np.uint64(8 * len(bits) - 1)
    count = 0
    for start in range(len(codes)):
        if not may_start[start]:
            continue
        state = _SEED
        for end in range(start + 1, min(len(codes), start + longest) + 1):
            state = _carried(state, codes[end - 1])
            wanted = _mixed(state)
            bit = wanted & mask
            if not bits[bit >> np.uint64(3)] & (np.uint8(1) << np.uint8(bit & np.uint64(7))):
                continue
            bucket = wanted >> shift
            for row in range(starts[bucket], starts[bucket + np.uint64(1)]):
                if hashes[row] == wanted:
                    if count < len(found):
                        found[count, 0], found[count, 1], found[count, 2] = start, end, row
                    count += 1
    return count


@njit(cache=True)
def _log2(power: int) -> int:
    bits = 0
    while power > 1:
        power >>= 1
        bits += 1
    return bits
