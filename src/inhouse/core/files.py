"""Files that are whole or absent, never half-written."""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from inhouse.core.errors import StoreError

_READ_AT_ONCE: Final = 1 << 22


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside the target, flush to disk, then rename over it.

    Raises StoreError where the folder cannot be written or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StoreError(
            f"cannot write {path}: {error.strerror}; free space or fix the permissions"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Hex digest of a file, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def count_in(path: Path, names: Sequence[bytes]) -> int:
    """How often any of the names stands in a file, which is read in pieces; 0 without a file."""
    overlap = max(map(len, names), default=1) - 1
    found, before = 0, b""
    try:
        with path.open("rb") as handle:
            while piece := handle.read(_READ_AT_ONCE):
                whole = before + piece
                before = whole[len(whole) - overlap :] if overlap else b""
                found += sum(whole.count(name) - before.count(name) for name in names)
    except FileNotFoundError:
        return 0
    return found + sum(before.count(name) for name in names)
