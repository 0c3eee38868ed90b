"""The learner's own checkpoint: everything that it goes on from after `kill -9`, in one file.

It is a shortcut and never a truth: the log goes on from the offset that it names. What was learned
after it was written died with the process, and is learned anew, once. One that is torn, of another
version or of another log is refused; the learner then starts from the newest snapshot and the log.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from inhouse.core.errors import SnapshotError
from inhouse.core.files import write_atomically
from inhouse.core.tensors import tensor_bytes
from inhouse.events.types import EVENT_KINDS
from inhouse.features import checkpoint
from inhouse.features.candidates import FEATURE_NAMES
from inhouse.features.state import LiveState
from inhouse.learning.joining.page_replay import KeptReplay

FORMAT: Final = 1
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What the file holds."""

    event_id: str  # of the event at the state's offset, by which a log is known again
    page_offset: int  # pages read up to there
    state: LiveState  # at its offset
    joiner: KeptReplay  # pages that wait
    arrays: dict[str, NDArray[Any]]  # of the course


class _File(msgspec.Struct):
    format: int
    features: list[str]
    event_kinds: list[str]
    event_id: str
    page_offset: int
    state: bytes
    joiner: KeptReplay
    arrays: bytes


def save(told: Kept, path: Path) -> None:
    """Write it; the file is whole or the old one stays. Raises StoreError."""
    body = msgspec.msgpack.encode(
        _File(
            format=FORMAT,
            features=list(FEATURE_NAMES),
            event_kinds=list(EVENT_KINDS),
            event_id=told.event_id,
            page_offset=told.page_offset,
            state=checkpoint.encode(told.state),
            joiner=told.joiner,
            arrays=tensor_bytes(told.arrays),
        )
    )
    write_atomically(path, hashlib.sha256(body).digest() + body)


def load(path: Path) -> Kept | None:
    """What the file holds; None where there is no file.

    Raises SnapshotError where it is torn, altered or of another version.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SnapshotError(f"cannot read {path.name}: {error.strerror}") from error
    body = memoryview(data)[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != data[:_DIGEST_BYTES]:
        raise SnapshotError(f"{path.name} is torn or was altered")
    try:
        found = msgspec.msgpack.decode(body, type=_File)
        arrays = load_tensors(found.arrays)
    except (msgspec.MsgspecError, SafetensorError) as error:
        raise SnapshotError(f"{path.name} cannot be read") from error
    made_for = (found.format, found.features, found.event_kinds)
    state = checkpoint.decode(found.state)
    if made_for != (FORMAT, list(FEATURE_NAMES), list(EVENT_KINDS)) or state is None:
        raise SnapshotError(f"{path.name} is of another version")
    return Kept(
        event_id=found.event_id,
        page_offset=found.page_offset,
        state=state,
        joiner=found.joiner,
        arrays=arrays,
    )
