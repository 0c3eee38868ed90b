"""A process's memory in pages of 2 MB, where Linux gives such.

A request reads a little of very much. Where that lies in pages of 4 kB the processor spends a tenth
of the request on finding out where each page is.
"""

import ctypes
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

_LARGE: Final = 1 << 21  # bytes
_SMALL: Final = 1 << 12
_COLLAPSE: Final = 25  # of madvise(2), from Linux 6.1 on: copy what is there into one large page
_PRESENT: Final = 63  # the bit of pagemap that says so
_WORD: Final = 8  # bytes that pagemap has for each small page
_FULL: Final = 496  # small pages of 512 must be in memory: the others would be taken as well
_SYSTEM: Final = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_MAPS: Final = Path("/proc/self/maps")
_PAGEMAP: Final = Path("/proc/self/pagemap")


def join_pages() -> int:
    """Have what this process holds lie in large pages; how many of them do now.

    For a process that has loaded what it will serve from, and serves by now; what comes later lies
    as it would. Took 2.3 s of processor for a million posts, so it belongs behind requests. Nothing
    happens on another system, on an older one, and where the operator has ruled such pages out.
    """
    madvise = getattr(ctypes.CDLL(None), "madvise", None)
    try:
        if madvise is None or "[never]" in _SYSTEM.read_text():
            return 0
        with _PAGEMAP.open("rb") as pagemap:
            starts = list(full_pieces(_MAPS.read_text().splitlines(), pagemap))
    except OSError:
        return 0
    length, advice = ctypes.c_size_t(_LARGE), ctypes.c_int(_COLLAPSE)
    return sum(madvise(ctypes.c_void_p(start), length, advice) == 0 for start in starts)


def full_pieces(maps: Iterable[str], pagemap: BinaryIO) -> Iterator[int]:
    """Where those pieces of a large page's length begin that are in memory, all but a little.

    maps: lines of /proc/PID/maps; pagemap: the file beside it. What files and stacks lie in is
    left as it is.
    """
    for line in maps:
        span, rights, _, _, inode, *name = line.split(maxsplit=5)
        if inode != "0" or not rights.startswith("rw") or (name and name[0] != "[heap]"):
            continue
        start, end = (int(bound, 16) for bound in span.split("-"))
        first, last = -(-start // _LARGE), end // _LARGE
        if first >= last:
            continue
        pagemap.seek(first * _LARGE // _SMALL * _WORD)
        told = pagemap.read((last - first) * _LARGE // _SMALL * _WORD)
        small = _LARGE // _SMALL
        words = memoryview(told).cast("Q")
        for piece in range(last - first):
            there = sum(word >> _PRESENT for word in words[piece * small : (piece + 1) * small])
            if there >= _FULL:
                yield (first + piece) * _LARGE
