"""How long a look into large banks takes, and what they weigh in memory.

    python -m benchmarks.banks [--hashes 10000000] [--quick] [--json FILE]

Hashes: PDQ hashes by chance, looked up with hashes that are within 31 bits of one of them and with
hashes that are near none, half and half, on one thread. Every way must find every one. Beside the
index stand a scan with numpy, and faiss's flat binary index where faiss
is installed.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.common import Report, arguments, quantiles_ms
from inhouse.moderation.media.index import HashIndex
from inhouse.moderation.media.pdq import MOST_DISTANCE

Hashes = NDArray[np.uint64]
Find = Callable[[NDArray[np.uint64]], int]  # one hash -> how many are near it
_COLUMNS: Final = ("what", "size", "build_s", "held_mib", "p50_ms", "p99_ms", "found", "of")
_FEW: Final = 20  # look-ups of ways that take long


def main() -> None:
    """Run and report."""
    options = arguments(__doc__ or "", _options)
    report = Report("banks", _COLUMNS)
    _hashes(report, 200_000 if options.quick else options.hashes)
    report.finish(options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hashes", type=int, default=10_000_000, help="PDQ hashes in the bank")


def _hashes(report: Report, count: int) -> None:
    dice = np.random.default_rng(7)
    hashes = dice.integers(0, 2**64, (count, 4), dtype=np.uint64)
    wanted = [_wanted(dice, hashes, near=bool(turn % 2)) for turn in range(1_000)]
    with tempfile.TemporaryDirectory() as folder:
        index = HashIndex(Path(folder))
        ids, banks = np.arange(count), np.zeros(count, np.int32)
        with _measured() as cost:
            index.load(hashes, ids, banks, 1)
        _add(
            report,
            "index",
            count,
            cost,
            index.size_bytes,
            lambda w: len(index.find(w.tobytes())),
            wanted,
        )
        with _measured() as cost:
            again = HashIndex(Path(folder))
        _add(
            report,
            "index, started anew",
            count,
            cost,
            again.size_bytes,
            lambda w: len(again.find(w.tobytes())),
            wanted,
        )
    few = wanted[:_FEW]
    with _measured() as cost:
        pass
    _add(report, "numpy scan", count, cost, hashes.nbytes, lambda w: _scan(hashes, w), few)
    for name, make in _faiss(hashes):
        with _measured() as cost:
            find, size_bytes = make()
        _add(report, name, count, cost, size_bytes, find, few)


def _wanted(dice: np.random.Generator, hashes: Hashes, *, near: bool) -> Hashes:
    if not near:
        return dice.integers(0, 2**64, 4, dtype=np.uint64)
    bits = np.unpackbits(hashes[dice.integers(len(hashes))].view(np.uint8))
    bits[dice.choice(len(bits), dice.integers(MOST_DISTANCE + 1), replace=False)] ^= 1
    return np.packbits(bits).view(np.uint64)


def _scan(hashes: Hashes, wanted: Hashes) -> int:
    apart = np.bitwise_count(hashes ^ wanted).sum(axis=1)
    return int((apart <= MOST_DISTANCE).sum())


def _faiss(hashes: Hashes) -> Iterator[tuple[str, Callable[[], tuple[Find, int]]]]:
    try:
        import faiss  # noqa: PLC0415 - a peer, measured where it is installed
    except ImportError:
        return
    faiss.omp_set_num_threads(1)
    packed = hashes.view(np.uint8)

    def ranged(index: Any) -> Find:
        return lambda w: int(index.range_search(w.view(np.uint8)[None], MOST_DISTANCE + 1)[0][1])

    def flat() -> tuple[Find, int]:
        index = faiss.IndexBinaryFlat(256)
        index.add(packed)
        return ranged(index), packed.nbytes

    yield "faiss flat", flat


@contextmanager
def _measured() -> Iterator[dict[str, float]]:
    """How long a block took, and by how much the process's memory grew."""
    cost: dict[str, float] = {}
    before, start = psutil.Process().memory_info().rss, time.perf_counter()
    yield cost
    cost["build_s"] = time.perf_counter() - start
    cost["grew_mib"] = (psutil.Process().memory_info().rss - before) / 2**20
    cost["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def _add(
    report: Report,
    what: str,
    size: int,
    cost: dict[str, float],
    size_bytes: int,
    find: Find,
    wanted: Sequence[Hashes],
) -> None:
    find(wanted[0])  # compiles
    seconds, found = [], 0
    for each in wanted:
        start = time.perf_counter()
        found += find(each) > 0
        seconds.append(time.perf_counter() - start)
    report.add(
        what=what,
        size=size,
        **cost,
        held_mib=size_bytes / 2**20,
        **quantiles_ms(seconds),
        found=found,
        of=len(wanted) // 2,
    )


if __name__ == "__main__":
    main()
