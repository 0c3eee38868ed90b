"""The causal model as arrays: what a person wants next, with numpy alone.

    x_i = v_i + kind[k_i] + gap[g_i] + dwell[w_i]               of the latest L actions
    x  += sigmoid(h G + g) * attention(h),        h = norm(x)   in each block; a place reads itself
    x  += sigmoid(h G' + g') * (silu(h A) * (h B)) D,  h = norm(x)       and those before it
    u   = norm(x) at the newest action

Items lie where the taste model puts them, v_j = id_j + content_j C, and the score is u . v_j.
`encoder.py` is the same in torch; a test keeps the two equal. A person without history lies at the
origin, where all items score alike.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from scipy.special import expit

from inhouse.core.errors import SnapshotError
from inhouse.core.files import write_atomically
from inhouse.core.ids import ItemId
from inhouse.core.tensors import tensor_bytes
from inhouse.features.content import CONTENT_DIMS
from inhouse.features.history import HistoryArrays
from inhouse.learning.encoding import AGE_CODES, DWELL_CODES, age_codes, dwell_codes
from inhouse.learning.taste.arrays import KIND_COUNT
from inhouse.learning.taste.deltas import packed_names, unpacked_names

Floats = NDArray[np.float32]

_EPSILON: Final = 1e-5  # of the norms, as in torch
_CONTENT: Final = "content"  # in a file
_UNSEEN: Final = np.float32(-1e4)


@dataclass(frozen=True, kw_only=True, slots=True)
class CausalShape:
    """The sizes of a causal encoder."""

    dims: int = 64  # d, of item and person vectors
    length: int = 64  # L, latest actions read
    blocks: int = 2
    heads: int = 2  # of attention; d is a multiple of them
    widen: int = 2  # width of the gated unit, in d


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadRows:
    """The latest actions of n people, newest last, padded on the left."""

    items: NDArray[np.int64]  # [n, L] index in the item table, -1 where padded
    codes: NDArray[np.uint8]  # [n, L, 3] kind, gap and dwell of each


@dataclass(frozen=True, kw_only=True, slots=True)
class CausalWeights:
    """Everything learned. Raises SnapshotError where the arrays do not fit each other."""

    item_ids: tuple[ItemId, ...]  # whose id parts follow, in order
    shape: CausalShape
    id_part: Floats  # [rows, d]
    content_map: Floats  # [64, d]
    encoder: Mapping[str, Floats]  # by their names in `encoder.py`

    def __post_init__(self) -> None:
        arrays, wanted = self.arrays(), _shapes(self.shape, len(self.item_ids))
        for name in sorted(arrays.keys() ^ wanted.keys()):
            lacks = "is missing" if name in wanted else "is not known"
            raise SnapshotError(f"{name} {lacks} in a model of these sizes; train a new one")
        for name, found in arrays.items():
            if found.shape != wanted[name]:
                raise SnapshotError(
                    f"{name} is {found.shape}, expected {wanted[name]}; train a new one"
                )
            if not np.isfinite(found).all():
                raise SnapshotError(f"{name} holds numbers that are not finite; train a new one")

    def arrays(self) -> dict[str, Floats]:
        """The learned arrays by name, for a file."""
        return {"id_part": self.id_part, "content_map": self.content_map, **self.encoder}

    def items(self, content: Floats) -> Floats:
        """float32[rows, d]; content: float32[rows, 64]."""
        return self.id_part + content @ self.content_map

    def person(self, vectors: Floats, history: HistoryArrays) -> Floats:
        """float32[d]; vectors: float32[items, d], actions on items beyond it are passed over."""
        found: Floats = self.people(vectors, read_history(history, self.shape.length, vectors))[0]
        return found

    def people(self, vectors: Floats, rows: ReadRows) -> Floats:
        """float32[n, d]. vectors: float32[items, d], that `rows` count in."""
        used = int((rows.items >= 0).sum(axis=1).max(initial=0))
        if used == 0:
            return np.zeros((len(rows.items), self.shape.dims), dtype=np.float32)
        items, codes = rows.items[:, -used:], rows.codes[:, -used:]  # [n, l]
        absent = items < 0
        kinds, gaps, dwells = (codes[:, :, part] for part in range(3))  # [n, l] each
        learned = self.encoder
        x = vectors[np.maximum(items, 0)] + learned["kind"][kinds]  # [n, l, d]
        x = x + learned["gap"][gaps] + learned["dwell"][dwells]
        back = np.arange(used)[:, None] - np.arange(used)  # [l, l]
        hidden = np.logical_or(back < 0, absent[:, None, :])  # [n, l, l]
        unseen: Floats = hidden * _UNSEEN
        for number in range(self.shape.blocks):
            newest = used - 1 if number == self.shape.blocks - 1 else 0  # the last needs one place
            x = self._block(f"blocks.{number}.", x, (back, unseen), newest)
        out = self._normed("norm", x[:, -1])  # [n, d]
        return np.where(np.all(absent, axis=1, keepdims=True), np.float32(0), out)

    def _block(
        self, name: str, x: Floats, seen: tuple[NDArray[np.int64], Floats], first: int
    ) -> Floats:
        """[n, l - first, d]: what the places from `first` on hold after the block."""
        learned, heads = self.encoder, self.shape.heads
        n, length, d = x.shape
        back, unseen = seen
        h = self._normed(f"{name}norm_read", x)
        keys_values = learned[f"{name}query_key_value.weight"].T  # [d, 3 d]
        q = _heads(h[:, first:] @ keys_values[:, :d], heads)  # [n, H, l - first, d / H]
        k = _heads(h @ keys_values[:, d : 2 * d], heads)
        v = _heads(h @ keys_values[:, 2 * d :], heads)
        near = learned[f"{name}near"][np.maximum(back[first:], 0)].transpose(2, 0, 1)
        logits = q @ k.transpose(0, 1, 3, 2) * np.float32((d / heads) ** -0.5)
        logits = logits + near + unseen[:, None, first:]  # [n, H, l - first, l]
        shares = np.exp(logits - logits.max(axis=3, keepdims=True))
        shares /= shares.sum(axis=3, keepdims=True)
        read = (shares @ v).transpose(0, 2, 1, 3).reshape(n, length - first, d)
        x, h = x[:, first:], h[:, first:]
        x = x + self._gate(f"{name}gate_read", h) * (read @ learned[f"{name}read.weight"].T)
        h = self._normed(f"{name}norm_think", x)
        gate, value = np.split(self._linear(f"{name}up", h), 2, axis=2)  # [n, l, widen * d] each
        thought = self._linear(f"{name}down", gate * _sigmoid(gate) * value)
        found: Floats = x + self._gate(f"{name}gate_think", h) * thought
        return found

    def _gate(self, name: str, h: Floats) -> Floats:
        return _sigmoid(self._linear(name, h))

    def _linear(self, name: str, x: Floats) -> Floats:
        found: Floats = x @ self.encoder[f"{name}.weight"].T + self.encoder[f"{name}.bias"]
        return found

    def _normed(self, name: str, x: Floats) -> Floats:
        centred: Floats = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        found: Floats = (
            centred / spread * self.encoder[f"{name}.weight"] + self.encoder[f"{name}.bias"]
        )
        return found


def _shapes(shape: CausalShape, items: int) -> dict[str, tuple[int, ...]]:
    """The learned arrays by name, and how large each is."""
    d, wide = shape.dims, shape.widen * shape.dims
    found: dict[str, tuple[int, ...]] = {
        "id_part": (items, d),
        "content_map": (CONTENT_DIMS, d),
        "kind": (KIND_COUNT, d),
        "gap": (AGE_CODES, d),
        "dwell": (DWELL_CODES, d),
        "norm.weight": (d,),
        "norm.bias": (d,),
    }
    block: dict[str, tuple[int, ...]] = {
        "norm_read.weight": (d,),
        "norm_read.bias": (d,),
        "query_key_value.weight": (3 * d, d),
        "near": (shape.length, shape.heads),
        "read.weight": (d, d),
        "gate_read.weight": (d, d),
        "gate_read.bias": (d,),
        "norm_think.weight": (d,),
        "norm_think.bias": (d,),
        "up.weight": (2 * wide, d),
        "up.bias": (2 * wide,),
        "down.weight": (d, wide),
        "down.bias": (d,),
        "gate_think.weight": (d, d),
        "gate_think.bias": (d,),
    }
    for number in range(shape.blocks):
        found.update({f"blocks.{number}.{name}": size for name, size in block.items()})
    return found


def read_history(history: HistoryArrays, length: int, vectors: Floats) -> ReadRows:
    """One person's latest `length` actions on items that have vectors, n = 1."""
    known = (history.items >= 0) & (history.items < len(vectors))
    taken = np.flatnonzero(known)[-length:]
    ages_ms = history.ages_ms[taken]
    gaps_ms = np.concatenate([ages_ms[:1] * 0, ages_ms[:-1] - ages_ms[1:]])  # 0 for the oldest
    codes = (
        history.kinds[taken].astype(np.uint8),
        age_codes(gaps_ms),
        dwell_codes(history.values[taken]),
    )
    return ReadRows(
        items=history.items[taken].astype(np.int64)[None], codes=np.stack(codes, axis=1)[None]
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Taught:
    """What a model's file says of its training."""

    digest: str  # of the whole file of sequences, `Named.digest`
    held_back: bool  # whether each person's last item was kept from training altogether
    content: Floats  # [items, 64] what was known of the items besides their ids


def write_causal(weights: CausalWeights, path: Path, taught: Taught | None = None) -> None:
    """Keep weights in one safetensors file, whole or absent. Raises StoreError where it cannot."""
    arrays = dict(weights.arrays())
    told = {"shape": json.dumps(asdict(weights.shape))}
    if taught is not None:
        told["taught"] = json.dumps({"digest": taught.digest, "held_back": taught.held_back})
        arrays[_CONTENT] = taught.content
    write_atomically(
        path, tensor_bytes({**arrays, "item_ids": packed_names(weights.item_ids)}, told)
    )


def read_causal(path: Path) -> CausalWeights:
    """Weights of a file. Raises SnapshotError where it is not one of ours or is torn."""
    try:
        with safe_open(path, "np") as file:
            shape = CausalShape(**json.loads(file.metadata()["shape"]))
            learned = [name for name in file.keys() if name != _CONTENT]  # noqa: SIM118
            arrays = {name: file.get_tensor(name) for name in learned}
        names = unpacked_names(arrays.pop("item_ids"))
        id_part, content_map = arrays.pop("id_part"), arrays.pop("content_map")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"cannot read a causal model from {path}; train a new one") from error
    return CausalWeights(
        item_ids=names,
        shape=shape,
        id_part=id_part,
        content_map=content_map,
        encoder=arrays,
    )


def taught_of(path: Path) -> Taught | None:
    """What a file that `read_causal` can read says of its training; None where it says nothing."""
    with safe_open(path, "np") as file:
        told = file.metadata().get("taught")
        return (
            None if told is None else Taught(content=file.get_tensor(_CONTENT), **json.loads(told))
        )


def _heads(x: Floats, heads: int) -> Floats:
    """[n, l, d] to [n, H, l, d / H]"""
    n, length, d = x.shape
    return x.reshape(n, length, heads, d // heads).transpose(0, 2, 1, 3)


def _sigmoid(x: Floats) -> Floats:
    found: Floats = expit(x)
    return found
