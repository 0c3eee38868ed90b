"""Vectors that an app gives with a post, as the store keeps them: half precision, by name.

Whoever made them (a picture model, a sound model) needed a few digits; two bytes a number keep
three, and a post given twice is then equal to itself.
"""

from collections.abc import Mapping

import msgspec
import numpy as np

Vectors = Mapping[str, tuple[float, ...]]

_DECODER = msgspec.msgpack.Decoder(dict[str, bytes])


def rounded(vectors: Vectors) -> Vectors:
    """As they come back from the store."""
    return unpacked(packed(vectors))


def packed(vectors: Vectors) -> bytes | None:
    """For the store; None for none."""
    if not vectors:
        return None
    halves = {name: np.array(vectors[name], dtype="<f2").tobytes() for name in sorted(vectors)}
    return msgspec.msgpack.encode(halves)


def unpacked(blob: bytes | None) -> Vectors:
    """Inverse of `packed`."""
    if blob is None:
        return {}
    halves = _DECODER.decode(blob)
    return {name: tuple(np.frombuffer(raw, dtype="<f2").tolist()) for name, raw in halves.items()}
