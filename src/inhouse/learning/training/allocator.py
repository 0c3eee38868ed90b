"""glibc's allocator, set for training: it returns large freed blocks to the system by itself."""

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1  # of mallopt(3)
_MMAP_THRESHOLD: Final = -3


def keep_freed_memory() -> None:
    """Have this process keep them: each step of a training asks for the same ones again.

    Up to twice as fast where a step holds tens of MB; without effect on other C libraries.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 1 << 30)
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
