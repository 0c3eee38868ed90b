"""How long a look into large banks takes, and what they weigh in memory.

    python -m benchmarks.banks [--hashes 10000000] [--terms 2000000] [--quick] [--json FILE]

Hashes: PDQ hashes by chance, looked up with hashes that are within 31 bits of one of them and with
hashes that are near none, half and half, on one thread. Every way must find every one. Beside the
index stand a scan with numpy, and faiss's flat binary index where faiss is installed.

Terms: made-up words and phrases of two and three, looked for in made-up posts of 48 words that hold
one of them. `terms` is made from the bank, `terms, started anew` is mapped from what that left on
disk. Beside it stands an automaton of all the same spellings where pyahocorasick is installed.

Times are of the clock; those named cpu are of the processor, which a busy machine does not stretch.
"""

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Report, arguments, quantiles_ms
from inhouse.moderation.media.index import HashIndex
from inhouse.moderation.media.pdq import MOST_DISTANCE
from inhouse.moderation.signals.compiled import (
    CompiledBanks,
    compile_banks,
    load_compiled,
    save_compiled,
)
from inhouse.moderation.signals.index import TermIndex
from inhouse.moderation.signals.normalise import Forms, read_forms
from inhouse.moderation.signals.terms import Term, TermBank, keys_of

T = TypeVar("T")
Hashes = NDArray[np.uint64]
_COLUMNS: Final = (
    "what",
    "size",
    "build_cpu_s",
    "held_mib",
    "p50_ms",
    "p99_ms",
    "cpu_p99_ms",
    "found",
    "of",
)
_FEW: Final = 20  # look-ups of ways that take long


@dataclass(frozen=True, kw_only=True)
class Way(Generic[T]):
    """A way to look something up."""

    what: str
    size: int  # of what is looked through
    find: Callable[[T], int]  # how many it finds
    held_bytes: int  # of memory that a look-up may touch
    build_cpu_s: float


def main() -> None:
    """Run and report."""
    options = arguments(__doc__ or "", _options)
    report = Report("banks", _COLUMNS)
    _terms(report, 50_000 if options.quick else options.terms)
    _hashes(report, 200_000 if options.quick else options.hashes)
    report.finish(options)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hashes", type=int, default=10_000_000, help="PDQ hashes in the bank")
    parser.add_argument("--terms", type=int, default=2_000_000, help="terms in the bank")


def _look(report: Report, way: Way[T], wanted: Sequence[T], of: int) -> None:
    """Look each up, timed; so many of them (`of`) are there to be found."""
    way.find(wanted[0])  # compiles
    seconds: list[float] = []
    busy: list[float] = []
    found = 0
    for each in wanted:
        start, start_busy = time.perf_counter(), time.thread_time()
        count = way.find(each)
        seconds.append(time.perf_counter() - start)
        busy.append(time.thread_time() - start_busy)
        found += count > 0
    report.add(
        what=way.what,
        size=way.size,
        build_cpu_s=way.build_cpu_s,
        held_mib=way.held_bytes / 2**20,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
        **quantiles_ms(seconds),
        cpu_p99_ms=quantiles_ms(busy)["p99_ms"],
        found=found,
        of=of,
    )


# -- hashes --------------------------------------------------------------------------------------


def _hashes(report: Report, count: int) -> None:
    dice = np.random.default_rng(7)
    hashes = dice.integers(0, 2**64, (count, 4), dtype=np.uint64)
    wanted = [_wanted(dice, hashes, near=bool(turn % 2)) for turn in range(1_000)]
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        index = HashIndex(Path(folder))
        index.load(hashes, np.arange(count), np.zeros(count, np.int32), 1)
        _look(report, _of_index("hashes", index, start), wanted, len(wanted) // 2)
        start = time.process_time()
        again = _of_index("hashes, started anew", HashIndex(Path(folder)), start)
        _look(report, again, wanted, len(wanted) // 2)
    for peer in (_numpy(hashes), *_faiss(hashes)):
        _look(report, peer, wanted[:_FEW], _FEW // 2)


def _of_index(what: str, index: HashIndex, start_s: float) -> Way[Hashes]:
    return Way(
        what=what,
        size=len(index),
        find=lambda wanted: len(index.find(wanted.tobytes())),
        held_bytes=index.size_bytes,
        build_cpu_s=time.process_time() - start_s,
    )


def _wanted(dice: np.random.Generator, hashes: Hashes, *, near: bool) -> Hashes:
    if not near:
        return dice.integers(0, 2**64, 4, dtype=np.uint64)
    bits = np.unpackbits(hashes[dice.integers(len(hashes))].view(np.uint8))
    bits[dice.choice(len(bits), dice.integers(MOST_DISTANCE + 1), replace=False)] ^= 1
    return np.packbits(bits).view(np.uint64)


def _numpy(hashes: Hashes) -> Way[Hashes]:
    def find(wanted: Hashes) -> int:
        apart = np.bitwise_count(hashes ^ wanted).sum(axis=1)
        return int((apart <= MOST_DISTANCE).sum())

    return Way(
        what="hashes, numpy scan",
        size=len(hashes),
        find=find,
        held_bytes=hashes.nbytes,
        build_cpu_s=0.0,
    )


def _faiss(hashes: Hashes) -> Iterator[Way[Hashes]]:
    try:
        import faiss  # noqa: PLC0415 - a peer, measured where it is installed
    except ImportError:
        return
    faiss.omp_set_num_threads(1)
    start = time.process_time()
    index = faiss.IndexBinaryFlat(256)
    index.add(hashes.view(np.uint8))
    yield Way(
        what="hashes, faiss flat",
        size=len(hashes),
        find=lambda w: int(index.range_search(w.view(np.uint8)[None], MOST_DISTANCE + 1)[0][1]),
        held_bytes=hashes.nbytes,
        build_cpu_s=time.process_time() - start,
    )


# -- terms ---------------------------------------------------------------------------------------


def _terms(report: Report, count: int) -> None:
    dice = random.Random(7)
    words = sorted({_word(dice) for _ in range(count // 4)})
    terms = {" ".join(dice.choices(words, k=dice.choice((1, 2, 2, 3)))) for _ in range(count)}
    bank = TermBank(name="x", terms=tuple(Term(text=t, category="spam") for t in sorted(terms)))
    posts = [_post(dice, bank) for _ in range(500)]
    with tempfile.TemporaryDirectory() as folder:
        kept, start = Path(folder) / "kept", time.process_time()
        compiled = compile_banks([bank])
        _look(report, _of_terms("terms", compiled, start), posts, len(posts))
        save_compiled(compiled, kept)
        start, loaded = time.process_time(), load_compiled(kept)
        assert loaded is not None
        _look(report, _of_terms("terms, started anew", loaded, start), posts, len(posts))
    for peer in _automaton(bank):
        _look(report, peer, posts, len(posts))


def _word(dice: random.Random) -> str:
    syllables = range(dice.randint(3, 5))
    return "".join(dice.choice("bcdfghjklmnprstvwz") + dice.choice("aeiou") for _ in syllables)


def _post(dice: random.Random, bank: TermBank) -> Forms:
    words = [_word(dice) for _ in range(48)]
    words[20:20] = dice.choice(bank.terms).text.split()
    return read_forms(" ".join(words))


def _of_terms(what: str, compiled: CompiledBanks, start_s: float) -> Way[Forms]:
    index = TermIndex(compiled)
    return Way(
        what=what,
        size=len(index),
        find=lambda forms: len(index.find(forms)),
        held_bytes=compiled.size_bytes,
        build_cpu_s=time.process_time() - start_s,
    )


def _automaton(bank: TermBank) -> Iterator[Way[Forms]]:
    try:
        import ahocorasick  # noqa: PLC0415 - a peer, measured where it is installed
    except ImportError:
        return
    start = time.process_time()
    automaton = ahocorasick.Automaton()
    for number, term in enumerate(bank.terms):
        for key in keys_of(term):
            automaton.add_word(key, (key, number))
    automaton.make_automaton()

    def find(forms: Forms) -> int:
        return sum(1 for form in forms.distinct() for _ in automaton.iter(form.text))

    yield Way(
        what="terms, automaton, hits unchecked",
        size=len(bank.terms),
        find=find,
        held_bytes=automaton.get_stats()["total_size"],
        build_cpu_s=time.process_time() - start,
    )


if __name__ == "__main__":
    main()
