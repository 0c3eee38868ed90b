"""`core.random.stream` in a fifth of the time: a page needs two.

What takes the time is spreading the seed over the generator's 256 bits, so that is compiled here.
"""

from functools import cache
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

from inhouse.core.random import stream, words_of

Words = NDArray[np.uint64]
_WORD: Final = np.uint64(0xFFFF_FFFF)
_SHIFT: Final = np.uint64(16)
_POOL: Final = 4  # words
_FIRST_A, _TIMES_A = np.uint64(0x43B0D7E5), np.uint64(0x931E8875)
_FIRST_B, _TIMES_B = np.uint64(0x8B51F9DD), np.uint64(0x58F38DED)
_TIMES_LEFT, _TIMES_RIGHT = np.uint64(0xCA01F9DD), np.uint64(0x4973F715)


def dice_of(seed: int, purpose: str) -> np.random.Generator:
    """`stream(seed, purpose)`, the same bits."""
    if not 0 <= seed <= int(_WORD):
        return stream(seed, purpose)
    words = _spread(seed, _named(purpose))
    return np.random.Generator(np.random.PCG64(_Spread(words)))  # type: ignore[arg-type]


class _Spread:
    """A seed sequence whose words are known."""

    __slots__ = ("_words",)

    def __init__(self, words: Words) -> None:
        self._words = words

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> Words:
        """A generator asks once, for four words of 64 bits."""
        return self._words


ISeedSequence.register(_Spread)


@cache
def _named(purpose: str) -> Words:
    return np.array(words_of(purpose), dtype=np.uint64)


@njit(cache=True)
def _spread(seed: int, key: Words) -> Words:
    """uint64[4]: what numpy's `SeedSequence(seed, spawn_key=key)` gives its generator.

    M. E. O'Neill, "Developing a seed_seq alternative", 2015, as numpy has it: every word of the
    seed and the key has a say in every bit.
    """
    told = np.zeros(_POOL + len(key), dtype=np.uint64)
    told[0] = np.uint64(seed)
    told[_POOL:] = key
    pool = np.empty(_POOL, dtype=np.uint64)
    factor = _FIRST_A
    for i in range(_POOL):
        pool[i], factor = _hashed(told[i], factor, _TIMES_A)
    for source in range(len(told)):
        for i in range(_POOL):
            if source != i:
                word = pool[source] if source < _POOL else told[source]
                word, factor = _hashed(word, factor, _TIMES_A)
                pool[i] = _mixed(pool[i], word)
    words = np.zeros(_POOL, dtype=np.uint64)
    factor = _FIRST_B
    for i in range(2 * _POOL):
        word, factor = _hashed(pool[i % _POOL], factor, _TIMES_B)
        words[i // 2] |= word << np.uint64(32 * (i % 2))
    return words


@njit(cache=True)
def _hashed(word: np.uint64, factor: np.uint64, times: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The word hashed, and the factor for the next one."""
    word ^= factor
    factor = (factor * times) & _WORD
    word = (word * factor) & _WORD
    return word ^ (word >> _SHIFT), factor


@njit(cache=True)
def _mixed(one: np.uint64, other: np.uint64) -> np.uint64:
    word = (one * _TIMES_LEFT - other * _TIMES_RIGHT) & _WORD
    return word ^ (word >> _SHIFT)
