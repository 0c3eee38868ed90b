"""A process of its own that reads files of strangers: what kills or holds it up hurts nobody else.

It gets no secrets with its environment, little memory, and no more time than is given for a file.
It ends when whoever started it does.
"""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

import msgspec

from inhouse.moderation.media.types import MediaHashes, Unread

_MOST_MEMORY: Final = 3 << 30  # bytes of address space
_KEPT: Final = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
_SPARE: Final = 2  # times the limit, after which a reader that nobody ended ends itself
_START_S: Final = 30.0  # a first start may have to compile what it imports


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    hashes: MediaHashes | None = None
    unread: Unread | None = None


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Answer)


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeLimits:
    """What a file may cost."""

    most_pixels: int
    most_frames: int
    most_ms: int  # for one file


class Decoder:
    """One such process, started with the first file and again after one that ended it."""

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None

    def hashes(self, data: bytes) -> MediaHashes | Unread:
        """The hashes of a file, or why there are none."""
        try:
            line = self._line or self._start()
            line.send_bytes(data)
            if not line.poll(self._limits.most_ms / 1_000):
                self.close()
                reason = f"not read within {self._limits.most_ms} ms"
                return Unread(reason=reason, again=False)
            answer = _DECODER.decode(line.recv_bytes())
        except (OSError, EOFError, msgspec.MsgspecError):
            self.close()
            return Unread(reason="the process that read it ended", again=True)
        if answer.hashes is not None:
            return answer.hashes
        return answer.unread or Unread(reason="not readable", again=False)

    def close(self) -> None:
        """End the process."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._line = self._process = None

    def _start(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            limits = self._limits
            numbers = (theirs.fileno(), limits.most_pixels, limits.most_frames, limits.most_ms)
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, *map(str, numbers)],
                pass_fds=(theirs.fileno(),),
                env={name: os.environ[name] for name in _KEPT if name in os.environ}
                | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        line = Connection(ours.detach())
        self._line = line
        if not line.poll(_START_S):
            self.close()
            raise OSError(f"no process to read files with within {_START_S:g} s")
        line.recv_bytes()
        return line


def _serve(line: Connection, given: DecodeLimits) -> None:
    # Here and not above, since whoever starts this process needs neither of the libraries.
    from inhouse.moderation.media.decode import ReadLimits, hash_file  # noqa: PLC0415

    limits = ReadLimits(most_pixels=given.most_pixels, most_frames=given.most_frames)
    line.send_bytes(b"ready")
    with contextlib.suppress(EOFError, OSError):
        while True:
            data = line.recv_bytes()
            # Nobody may be left to end this process where a file holds it up.
            signal.setitimer(signal.ITIMER_REAL, _SPARE * given.most_ms / 1_000)
            found = hash_file(data, limits)
            signal.setitimer(signal.ITIMER_REAL, 0)
            answer = _Answer(unread=found) if isinstance(found, Unread) else _Answer(hashes=found)
            line.send_bytes(_ENCODER.encode(answer))


def _bound() -> None:
    """Little memory, no dumps of it on disk, and behind everything else that wants a core."""
    os.nice(5)
    for kind, most in ((resource.RLIMIT_AS, _MOST_MEMORY), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    _bound()
    handle, pixels, frames, ms = map(int, sys.argv[1:])
    _serve(Connection(handle), DecodeLimits(most_pixels=pixels, most_frames=frames, most_ms=ms))
