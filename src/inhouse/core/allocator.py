"""glibc's allocator, told what a process is about to do; other C libraries are left alone."""

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1  # of mallopt(3)
_MMAP_THRESHOLD: Final = -3


def keep_freed_memory() -> None:
    """Have this process keep large freed blocks, which glibc returns to the system by itself: each
    step of a training asks for the same ones again.

    Up to twice as fast where a step holds tens of MB.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 1 << 30)
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def return_freed_memory() -> None:
    """Give the system back what was freed between blocks that are still held; glibc by itself gives
    back what lies at the end.

    For a process that has loaded what it will hold. Takes about 10 ms for each GB that is held.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
