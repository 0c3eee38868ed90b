"""Memory in large pages: which pieces are joined, and that nothing in them changes."""

import io
import mmap
import re
from pathlib import Path

import numpy as np
import pytest

from inhouse.core import large_pages
from inhouse.core.large_pages import full_pieces, join_pages

_LARGE = 1 << 21
_PAGES = 512  # small ones in a large one
_PRESENT = np.uint64(1 << 63)


def _pagemap(there: dict[int, int]) -> io.BytesIO:
    """A pagemap of eight pieces, so many small pages of each in memory."""
    words = np.zeros(8 * _PAGES, dtype=np.uint64)
    for piece, count in there.items():
        words[piece * _PAGES : piece * _PAGES + count] = _PRESENT
    return io.BytesIO(words.tobytes())


@pytest.mark.parametrize(
    ("rights", "inode", "name", "found"),
    [
        ("rw-p", "0", "", [2, 4]),
        ("rw-p", "0", "[heap]", [2, 4]),
        ("rw-p", "0", "[stack]", []),
        ("r--p", "0", "", []),
        ("rw-s", "812", "/tmp/store.db", []),
    ],
)
def test_only_full_pieces_of_own_memory_are_joined(
    rights: str, inode: str, name: str, found: list[int]
) -> None:
    """Of memory that is the process's own, whole pieces that are there all but a little."""
    start, end = _LARGE + 4_096, 6 * _LARGE + 4_096
    line = f"{start:x}-{end:x} {rights} 00000000 00:00 {inode} {name}"
    pagemap = _pagemap({1: 512, 2: 512, 3: 495, 4: 496, 6: 512})
    assert list(full_pieces([line], pagemap)) == [piece * _LARGE for piece in found]


def test_a_short_stretch_holds_no_piece() -> None:
    """Memory in which no whole piece fits is passed over."""
    line = f"{_LARGE + 4_096:x}-{2 * _LARGE - 4_096:x} rw-p 00000000 00:00 0 "
    assert list(full_pieces([line], _pagemap({1: 512}))) == []


def _is_possible() -> bool:
    system, release = large_pages._SYSTEM, Path("/proc/sys/kernel/osrelease")
    if not system.exists() or "[never]" in system.read_text():
        return False
    numbers = re.findall(r"\d+", release.read_text())
    return (int(numbers[0]), int(numbers[1])) >= (6, 1)


def test_what_is_joined_keeps_what_it_holds() -> None:
    """Every byte is the same afterwards, and where the system can some pages are large."""
    held = mmap.mmap(-1, 4 * _LARGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    told = np.random.default_rng(3).bytes(4 * _LARGE)
    held.write(told)
    joined = join_pages()
    assert held[:] == told
    assert joined > 0 if _is_possible() else joined == 0


def test_an_operator_may_rule_large_pages_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system says never, nothing is joined; nor where it has no such pages."""
    system = tmp_path / "enabled"
    monkeypatch.setattr(large_pages, "_SYSTEM", system)
    assert join_pages() == 0
    system.write_text("always madvise [never]\n")
    assert join_pages() == 0
