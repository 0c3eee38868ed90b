"""Counts of the last minute, shared by all processes of a machine.

A file in the data folder, mapped into memory: 4,096 places of 64 seconds, each with how many calls
and tokens it had. Whoever counts holds the place's lock for some microseconds, so that however many
processes count at once the sum is exact. A process that dies lets go of it.

The window is the present second and the 60 before it, so no 60 seconds, wherever they begin, ever
hold more than the limit; what was used comes back after 60 to 61 seconds.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inhouse.core.errors import StoreError

PLACES: Final = 4_096
WINDOW_S: Final = 60
_RING: Final = 64  # seconds kept; more than a window has
_SECOND: Final = struct.Struct("<IIQ")  # which second, calls, tokens
_PLACE_BYTES: Final = _RING * _SECOND.size


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """What was used in one second."""

    second: int
    calls: int
    tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """One limit, and how much of it is used."""

    limit: int  # a minute
    left: int
    reset_s: int  # until all of it is there again, if nothing more is used
    wait_s: int  # until what was asked for is there; 0 where it is


def share_of(limit: int, wanted: int, used: Sequence[tuple[int, int]], now_s: int) -> Share:
    """used: second and amount, within the window, in order. What is wanted beyond the limit counts
    as all of it: such a call is let in when nothing else was.

    >>> share_of(10, 3, [(100, 6), (130, 2)], 131)
    Share(limit=10, left=2, reset_s=60, wait_s=30)
    """
    left = limit - sum(amount for _, amount in used)
    reset_s = used[-1][0] + WINDOW_S + 1 - now_s if used else 0
    missing, wait_s = min(wanted, limit) - left, 0
    for second, amount in used:
        if missing <= 0:
            break
        missing, wait_s = missing - amount, second + WINDOW_S + 1 - now_s
    return Share(limit=limit, left=max(0, left), reset_s=reset_s, wait_s=wait_s)


class Windows:
    """The file. For one thread of each process; opened when first used."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._opened: tuple[int, mmap.mmap] | None = None

    def locked(self, place: int) -> "Place":
        """A place, for a `with`."""
        descriptor, memory = self._open()
        return Place(descriptor, memory, place * _PLACE_BYTES)

    def close(self) -> None:
        """Let go of the file."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].close()
            os.close(opened[0])

    def _open(self) -> tuple[int, mmap.mmap]:
        if self._opened is None:
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                os.ftruncate(descriptor, PLACES * _PLACE_BYTES)
                self._opened = descriptor, mmap.mmap(descriptor, PLACES * _PLACE_BYTES)
            except OSError as error:
                raise StoreError(
                    f"cannot keep counts in {self._file}: {error.strerror}; rate limits need it"
                ) from error
        return self._opened


class Place:
    """The counts of one key, while nobody else changes them."""

    def __init__(self, descriptor: int, memory: mmap.mmap, offset: int) -> None:
        self._descriptor, self._memory, self._offset = descriptor, memory, offset

    def __enter__(self) -> "Place":
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, _PLACE_BYTES, self._offset)
        return self

    def __exit__(self, *_: object) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, _PLACE_BYTES, self._offset)

    def used(self, now_s: int) -> list[Used]:
        """Within the window, in order. What lies ahead of a clock set back is forgotten."""
        whole = self._memory[self._offset : self._offset + _PLACE_BYTES]
        return sorted(
            (
                Used(second=second, calls=calls, tokens=tokens)
                for second, calls, tokens in _SECOND.iter_unpack(whole)
                if (calls or tokens) and 0 <= now_s - second <= WINDOW_S
            ),
            key=lambda one: one.second,
        )

    def add(self, second: int, now_s: int, calls: int, tokens: int) -> None:
        """Count at a second; one that is out of the window is forgotten by now."""
        if not 0 <= now_s - second <= WINDOW_S:
            return
        at = self._offset + second % _RING * _SECOND.size
        held, had_calls, had_tokens = _SECOND.unpack_from(self._memory, at)
        if held != second:
            had_calls = had_tokens = 0
        _SECOND.pack_into(self._memory, at, second, had_calls + calls, max(0, had_tokens + tokens))

    def clear(self) -> None:
        """Nothing was used."""
        self._memory[self._offset : self._offset + _PLACE_BYTES] = bytes(_PLACE_BYTES)
