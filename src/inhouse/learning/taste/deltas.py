"""What changed in the published rows since the last time: small files beside their snapshot.

A delta is the 1st, 2nd, … of its snapshot. It is applied only on top of the one before it, so
whoever has applied n of them serves what the learner had published with its n-th, no more, no less.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from inhouse.core.errors import SnapshotError
from inhouse.core.ids import ItemId, SnapshotId
from inhouse.core.tensors import tensor_bytes

FORMAT: Final = 1
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class DeltaFacts:
    """What a delta says of itself."""

    base: SnapshotId  # the snapshot that it changes
    sequence: int  # 1 for the first of that snapshot
    created_ms: int  # by the learner's clock
    log_offset: int  # its rows have learned from events up to here
    format: int = FORMAT


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """Rows to be put in place of the published ones."""

    facts: DeltaFacts
    item_ids: tuple[ItemId, ...]  # whose rows follow
    rows: NDArray[np.float32]  # [n, d] id parts; zeros where a row expired


def delta_name(sequence: int) -> str:
    """Of its file."""
    return f"delta-{sequence:08}.bin"


def encode_delta(delta: Delta) -> bytes:
    """The digest of what follows, then tensors."""
    facts = json.dumps(asdict(delta.facts)).encode()
    body = tensor_bytes(
        {
            "facts": np.frombuffer(facts, dtype=np.uint8).copy(),
            "item_ids": packed_names(delta.item_ids),
            "rows": delta.rows,
        }
    )
    return hashlib.sha256(body).digest() + body


def decode_delta(data: bytes) -> Delta:
    """Raises SnapshotError where the file is torn, altered or of another format."""
    digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise SnapshotError("it is torn or was altered")
    try:
        arrays: dict[str, NDArray[Any]] = load_tensors(body)
        facts = DeltaFacts(**json.loads(arrays["facts"].tobytes()))
        names, rows = unpacked_names(arrays["item_ids"]), arrays["rows"]
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise SnapshotError("it cannot be read") from error
    if facts.format != FORMAT or rows.ndim != 2 or len(rows) != len(names):
        raise SnapshotError(f"it is of another format than this version's ({FORMAT})")
    if not np.isfinite(rows).all():
        raise SnapshotError("it holds numbers that are not finite")
    return Delta(facts=facts, item_ids=names, rows=rows)


def packed_names(item_ids: tuple[ItemId, ...]) -> NDArray[np.uint8]:
    """Names as bytes, one a line; no name holds a line's end."""
    return np.frombuffer("\n".join(item_ids).encode(), dtype=np.uint8).copy()


def unpacked_names(names: NDArray[np.uint8]) -> tuple[ItemId, ...]:
    """The names again."""
    text = names.tobytes().decode()
    return tuple(ItemId(name) for name in text.split("\n")) if text else ()
