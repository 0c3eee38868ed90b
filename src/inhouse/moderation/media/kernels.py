"""Compiled loops over packed hashes: an index of pieces of them, and the search within a distance.

A hash of 256 bits is four words (uint64) and sixteen pieces (uint16). Two hashes that differ in at
most 31 bits differ in at most one bit of one of the pieces, since 16 pieces with two each would be
32. So whoever looks at all hashes that share a piece with the one sought, or a piece but for one
bit, misses none (Norouzi, Punjani, Fleet: Fast Search in Hamming Space with Multi-Index Hashing,
2012).
"""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

PIECES: Final = 16
PIECE_BITS: Final = 16
VALUES: Final = 1 << PIECE_BITS

_ONES: Final = np.uint64(0x5555555555555555)
_TWOS: Final = np.uint64(0x3333333333333333)
_FOURS: Final = np.uint64(0x0F0F0F0F0F0F0F0F)
_SUMS: Final = np.uint64(0x0101010101010101)
_BY_1, _BY_2, _BY_4, _BY_56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


@njit(cache=True, inline="always")
def _ones(word: np.uint64) -> np.uint64:
    """Bits that are set in a uint64; the compiler knows this form and makes it one instruction."""
    word = word - ((word >> _BY_1) & _ONES)
    word = (word & _TWOS) + ((word >> _BY_2) & _TWOS)
    word = (word + (word >> _BY_4)) & _FOURS
    return (word * _SUMS) >> _BY_56


@njit(cache=True, nogil=True)
def scan(
    hashes: NDArray[np.uint64],
    wanted: NDArray[np.uint64],
    most: np.uint64,
    found: NDArray[np.int64],
    apart: NDArray[np.uint8],
) -> int:
    """Look at every hash.

    hashes: uint64[n, 4]; wanted: uint64[4]; most: the largest distance. Writes rows into found
    (int64[k]) and their distances into apart (uint8[k]) as far as they reach; returns how many
    there are.
    """
    count = 0
    for row in range(hashes.shape[0]):
        bits = _ones(hashes[row, 0] ^ wanted[0]) + _ones(hashes[row, 1] ^ wanted[1])
        if bits > most:
            continue
        bits += _ones(hashes[row, 2] ^ wanted[2]) + _ones(hashes[row, 3] ^ wanted[3])
        if bits <= most:
            if count < found.shape[0]:
                found[count] = row
                apart[count] = bits
            count += 1
    return count


@njit(cache=True, nogil=True)
def search(
    hashes: NDArray[np.uint64],
    index: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    wanted: NDArray[np.uint64],
    most: np.uint64,
    found: NDArray[np.int64],
    apart: NDArray[np.uint8],
) -> int:
    """As `scan` for `most` up to 31, by the index (order, starts) that `sort_pieces` made."""
    order, starts = index
    pieces = np.empty(16, np.uint16)
    for piece in range(16):
        pieces[piece] = (wanted[piece >> 2] >> np.uint64(16 * (piece & 3))) & np.uint64(0xFFFF)
    count = 0
    for piece in range(16):
        for near in range(17):
            value = int(pieces[piece])
            if near:
                value ^= 1 << (near - 1)
            for place in range(starts[piece, value], starts[piece, value + 1]):
                row = order[piece, place]
                bits = _ones(hashes[row, 0] ^ wanted[0]) + _ones(hashes[row, 1] ^ wanted[1])
                if bits > most:
                    continue
                bits += _ones(hashes[row, 2] ^ wanted[2]) + _ones(hashes[row, 3] ^ wanted[3])
                if bits <= most and _is_first(hashes[row], wanted, piece):
                    if count < found.shape[0]:
                        found[count] = row
                        apart[count] = bits
                    count += 1
    return count


@njit(cache=True)
def _is_first(one: NDArray[np.uint64], other: NDArray[np.uint64], piece: int) -> bool:
    """Whether no earlier piece has led to this hash already."""
    for earlier in range(piece):
        differ = (one[earlier >> 2] ^ other[earlier >> 2]) >> np.uint64(16 * (earlier & 3))
        differ &= np.uint64(0xFFFF)
        if differ & (differ - np.uint64(1)) == 0:  # none or one bit
            return False
    return True


@njit(cache=True, nogil=True)
def sort_pieces(
    hashes: NDArray[np.uint64], order: NDArray[np.uint32], starts: NDArray[np.uint32]
) -> None:
    """Fill the index: of each piece the rows by its value.

    hashes: uint64[n, 4]; order: uint32[16, n], rows; starts: uint32[16, 65537], where the rows of
    each value begin in it.
    """
    for piece in range(16):
        word, shift = piece >> 2, np.uint64(16 * (piece & 3))
        counts = np.zeros(65_537, np.int64)
        for row in range(hashes.shape[0]):
            counts[int((hashes[row, word] >> shift) & np.uint64(0xFFFF)) + 1] += 1
        counts = np.cumsum(counts)
        for value in range(65_537):
            starts[piece, value] = counts[value]
        for row in range(hashes.shape[0]):
            value = int((hashes[row, word] >> shift) & np.uint64(0xFFFF))
            order[piece, counts[value]] = row
            counts[value] += 1
