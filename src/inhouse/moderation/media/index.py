"""Finding every hash within a distance among millions, exactly.

Most hashes lie in sorted arrays on disk, which are mapped into memory: a process that starts reads
nothing and shares what is in memory already with others. What was added since lies in a short
list that is looked through; what was removed is crossed out. Where either has grown, both are
folded into new arrays. A hash takes 108 bytes: 32 for itself, 64 for its sixteen places in the
index, 12 for whose it is.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.errors import StoreError
from inhouse.core.files import sync_folder, write_atomically
from inhouse.moderation.media.kernels import PIECES, VALUES, scan, search, sort_pieces
from inhouse.moderation.media.pdq import BYTES, MOST_DISTANCE

_WORDS: Final = 4
_FIRST_ROOM: Final = 1_024
_FIRST_ANSWERS: Final = 256
_MOST_RECENT: Final = 50_000  # are looked through in a tenth of a millisecond
_CURRENT: Final = "current"  # the file that names the folder of arrays in use
_ARRAYS: Final = ("hashes", "ids", "banks", "order", "starts")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A hash of a bank, or the news that it no longer counts."""

    hash_id: int  # never used twice
    bank: int  # whose it is
    bits: bytes  # 32
    active: bool  # whether it is looked for


@dataclass(frozen=True, kw_only=True, slots=True)
class Near:
    """A hash within the distance asked for."""

    hash_id: int
    bank: int
    distance: int  # bits in which it differs, 0 to 31


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arrays:
    hashes: NDArray[np.uint64]  # [n, 4]
    ids: NDArray[np.int64]  # [n], rising
    banks: NDArray[np.int32]  # [n]
    order: NDArray[np.uint32]  # [16, n], rows by the value of each piece
    starts: NDArray[np.uint32]  # [16, 65537], where each value begins in `order`


class HashIndex:
    """The active hashes of all banks of one community."""

    def __init__(self, folder: Path) -> None:
        """folder: of its own; what a process left there is taken up. Raises StoreError."""
        self._folder = folder
        self.through, self._arrays = _load(folder)
        self._dead = np.zeros(len(self._arrays.ids), np.bool_)
        self._recent = _Recent()

    def __len__(self) -> int:
        return len(self._arrays.ids) - int(self._dead.sum()) + len(self._recent)

    @property
    def size_bytes(self) -> int:
        """What a search may touch, in memory or mapped."""
        held = sum(int(getattr(self._arrays, name).nbytes) for name in _ARRAYS)
        return held + self._dead.nbytes + self._recent.size_bytes

    def apply(self, entries: Iterable[Entry], through: int) -> None:
        """Take in what changed, in order, up to the change of number `through`."""
        for entry in entries:
            row = int(np.searchsorted(self._arrays.ids, entry.hash_id))
            if row < len(self._arrays.ids) and self._arrays.ids[row] == entry.hash_id:
                self._dead[row] = not entry.active
            elif entry.active:
                self._recent.add(entry)
            else:
                self._recent.remove(entry.hash_id)
        self.through = through

    def is_due(self) -> bool:
        """Whether so much has changed that it should be folded."""
        most = max(_MOST_RECENT, len(self._arrays.ids) // 8)
        return max(len(self._recent), int(self._dead.sum())) > most

    def find(self, bits: bytes, most: int = MOST_DISTANCE) -> list[Near]:
        """Every active hash within `most` bits (0 to 31), the nearest first."""
        if not 0 <= most <= MOST_DISTANCE:
            raise ValueError(f"most is {most}; expected 0 to {MOST_DISTANCE}")
        wanted, reach = _words(bits), np.uint64(most)
        arrays, recent = self._arrays, self._recent
        index = (arrays.order, arrays.starts)
        rows, apart = _collected(lambda *out: search(arrays.hashes, index, wanted, reach, *out))
        alive = ~self._dead[rows]
        near = _near(arrays.ids, arrays.banks, rows[alive], apart[alive])
        rows, apart = _collected(lambda *out: scan(recent.hashes, wanted, reach, *out))
        near += _near(recent.ids, recent.banks, rows, apart)
        return sorted(near, key=lambda each: (each.distance, each.hash_id))

    def fold(self, banks_there: Collection[int]) -> None:
        """Put everything into new arrays on disk, without the hashes of banks that are gone.
        Raises StoreError."""
        arrays, recent = self._arrays, self._recent
        there = np.fromiter(banks_there, np.int32)
        alive = ~self._dead & np.isin(arrays.banks, there)
        ids = np.concatenate((arrays.ids[alive], recent.ids))
        rows = np.argsort(ids, kind="stable")
        hashes = np.concatenate((arrays.hashes[alive], recent.hashes))[rows]
        banks = np.concatenate((arrays.banks[alive], recent.banks))[rows]
        self.load(hashes, ids[rows], banks, self.through)

    def load(
        self,
        hashes: NDArray[np.uint64],
        ids: NDArray[np.int64],
        banks: NDArray[np.int32],
        through: int,
    ) -> None:
        """Begin anew with these, whose ids rise. Raises StoreError.

        hashes: uint64[n, 4]; ids: int64[n]; banks: int32[n].
        """
        self._arrays = _save(self._folder, _sorted(hashes, ids, banks), through)
        self._dead = np.zeros(len(ids), np.bool_)
        self._recent = _Recent()
        self.through = through


class _Recent:
    """Hashes in the order in which they came; the last one takes the place of one that leaves."""

    def __init__(self) -> None:
        self._hashes = np.empty((_FIRST_ROOM, _WORDS), np.uint64)
        self._ids = np.empty(_FIRST_ROOM, np.int64)
        self._banks = np.empty(_FIRST_ROOM, np.int32)
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def hashes(self) -> NDArray[np.uint64]:
        return self._hashes[: len(self._rows)]

    @property
    def ids(self) -> NDArray[np.int64]:
        return self._ids[: len(self._rows)]

    @property
    def banks(self) -> NDArray[np.int32]:
        return self._banks[: len(self._rows)]

    @property
    def size_bytes(self) -> int:
        return self._hashes.nbytes + self._ids.nbytes + self._banks.nbytes

    def add(self, entry: Entry) -> None:
        row = self._rows.setdefault(entry.hash_id, len(self._rows))
        if row == len(self._ids):
            self._hashes = np.concatenate((self._hashes, np.empty_like(self._hashes)))
            self._ids = np.concatenate((self._ids, np.empty_like(self._ids)))
            self._banks = np.concatenate((self._banks, np.empty_like(self._banks)))
        self._hashes[row], self._ids[row] = _words(entry.bits), entry.hash_id
        self._banks[row] = entry.bank

    def remove(self, hash_id: int) -> None:
        row = self._rows.pop(hash_id, None)
        last = len(self._rows)
        if row is None or row == last:
            return
        self._hashes[row], self._ids[row] = self._hashes[last], self._ids[last]
        self._banks[row] = self._banks[last]
        self._rows[int(self._ids[row])] = row


def _words(bits: bytes) -> NDArray[np.uint64]:
    if len(bits) != BYTES:
        raise ValueError(f"a hash of {len(bits)} bytes; expected {BYTES}")
    return np.frombuffer(bits, np.uint64)


def _collected(
    kernel: Callable[[NDArray[np.int64], NDArray[np.uint8]], int],
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """All rows and distances of a kernel, asked again where there are more than it had room for."""
    room = _FIRST_ANSWERS
    while True:
        rows, apart = np.empty(room, np.int64), np.empty(room, np.uint8)
        count = kernel(rows, apart)
        if count <= room:
            return rows[:count], apart[:count]
        room = count


def _near(
    ids: NDArray[np.int64],
    banks: NDArray[np.int32],
    rows: NDArray[np.int64],
    apart: NDArray[np.uint8],
) -> list[Near]:
    facts = zip(ids[rows].tolist(), banks[rows].tolist(), apart.tolist(), strict=True)
    return [Near(hash_id=i, bank=bank, distance=bits) for i, bank, bits in facts]


def _sorted(
    hashes: NDArray[np.uint64], ids: NDArray[np.int64], banks: NDArray[np.int32]
) -> _Arrays:
    order = np.empty((PIECES, len(ids)), np.uint32)
    starts = np.empty((PIECES, VALUES + 1), np.uint32)
    sort_pieces(hashes, order, starts)
    return _Arrays(hashes=hashes, ids=ids, banks=banks, order=order, starts=starts)


# -- files ---------------------------------------------------------------------------------------


def _load(folder: Path) -> tuple[int, _Arrays]:
    """The number of the last change in the arrays in use, and these; or none at all."""
    try:
        with _alone(folder):
            current = folder / _CURRENT
            if not current.exists():
                return 0, _no_arrays()
            name = current.read_text("ascii")
            return int(name.split("-")[1]), _mapped(folder / name)
    except (OSError, ValueError, IndexError) as error:
        raise StoreError(
            f"cannot read the index of hashes in {folder}: {error}; remove the folder, it is made "
            "anew from the database"
        ) from error


def _no_arrays() -> _Arrays:
    none = (np.empty((0, _WORDS), np.uint64), np.empty(0, np.int64), np.empty(0, np.int32))
    arrays = _sorted(*none)
    for name in _ARRAYS:
        getattr(arrays, name).setflags(write=False)
    return arrays


def _mapped(folder: Path) -> _Arrays:
    # As plain arrays that may not be written: the compiled loops know one kind alone.
    opened = {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in _ARRAYS}
    return _Arrays(**opened)


def _save(folder: Path, arrays: _Arrays, through: int) -> _Arrays:
    """Write the arrays beside those in use, then let them be those in use."""
    target = folder / f"arrays-{through}-{os.urandom(4).hex()}"
    try:
        target.mkdir(parents=True)
        for name in _ARRAYS:
            np.save(target / f"{name}.npy", getattr(arrays, name))
        sync_folder(target)
        with _alone(folder):
            write_atomically(folder / _CURRENT, target.name.encode())
            for other in folder.glob("arrays-*"):
                if other != target:
                    shutil.rmtree(other, ignore_errors=True)
            return _mapped(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            shutil.rmtree(target)
        raise StoreError(
            f"cannot write the index of hashes in {folder}: {error}; free space or fix the "
            "permissions"
        ) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else opens or replaces the arrays meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
