"""The taste model as arrays: where an item and a person lie, computed with numpy alone.

An item's vector is the sum of an id part, learned for items that enough people wanted, and a
linear map of its content, so that an item nobody has seen has a place:

    v_j = id_j + content_j C

A person's vector reads the latest L actions with H weightings of time at once. Action i of kind k,
i places before the newest, of age a and dwell w, has under weighting h the weight

    e_hi = exp(place_h[i] + kind_h[k] + age_h[a] + dwell_h[w])
    u    = start + sum_h (sum_i e_hi gain_h[k] v_i) / sqrt(1 + sum_i e_hi) M_h

so one weighting may follow the last action alone and another the whole history; `gain` lets a hide
push away. The divisor grows as the root, so that the vector is longer the more is known. What a
person wants next follows softmax_j(u . v_j) over what they have not touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.errors import SnapshotError
from inhouse.core.ids import ItemId
from inhouse.events.types import LEARNED_KINDS, NEGATIVE_KINDS
from inhouse.features.content import CONTENT_DIMS
from inhouse.features.history import HistoryArrays
from inhouse.learning.encoding import AGE_CODES, DWELL_CODES, Histories, encode_history
from inhouse.learning.taste.kernels import people_of

Floats = NDArray[np.float32]
KIND_COUNT: Final = len(LEARNED_KINDS)
HIGHEST_LOGIT: Final = 8.0  # of one action's weight, so that no history overflows


@dataclass(frozen=True, kw_only=True, slots=True)
class TasteShape:
    """The sizes of a taste model."""

    dims: int = 64  # d, of item and person vectors
    length: int = 64  # L, latest actions read
    weightings: int = 4  # H, ways of weighing them


@dataclass(frozen=True, kw_only=True, slots=True)
class TasteWeights:
    """Everything learned. Raises SnapshotError where the shapes do not fit each other."""

    item_ids: tuple[ItemId, ...]  # whose id parts follow, in order
    id_part: Floats  # [rows, d] 0 where an item was never wanted
    content_map: Floats  # [64, d]
    place: Floats  # [H, L] last column: the newest action
    kind: Floats  # [H, kinds]
    age: Floats  # [H, AGE_CODES]
    dwell: Floats  # [H, DWELL_CODES]
    gain: Floats  # [H, kinds] +1 for wanted, -1 for unwanted at first
    mix: Floats  # [H, d, d]
    start: Floats  # [d] of a person without history

    def __post_init__(self) -> None:
        h, length, d = self.place.shape[0], self.place.shape[1], self.id_part.shape[1]
        wanted: dict[str, tuple[int, ...]] = {
            "id_part": (len(self.item_ids), d),
            "content_map": (CONTENT_DIMS, d),
            "place": (h, length),
            "kind": (h, KIND_COUNT),
            "age": (h, AGE_CODES),
            "dwell": (h, DWELL_CODES),
            "gain": (h, KIND_COUNT),
            "mix": (h, d, d),
            "start": (d,),
        }
        for name, shape in wanted.items():
            found = getattr(self, name)
            if found.shape != shape:
                raise SnapshotError(
                    f"{name} is {found.shape}, expected {shape}; train a new snapshot"
                )
            if not np.isfinite(found).all():
                raise SnapshotError(f"{name} holds numbers that are not finite; train a new one")

    @property
    def shape(self) -> TasteShape:
        """The sizes."""
        weightings, length = self.place.shape
        return TasteShape(dims=self.id_part.shape[1], length=length, weightings=weightings)

    def items(self, content: Floats) -> Floats:
        """float32[rows, d]; content: float32[rows, 64]."""
        return item_vectors(self, np.arange(len(self.item_ids)), content)

    def person(self, vectors: Floats, history: HistoryArrays) -> Floats:
        """float32[d]; vectors: float32[items, d], that the history counts in."""
        found: Floats = person_vectors(self, vectors, encode_history(history, self.shape.length))[0]
        return found

    def arrays(self) -> dict[str, Floats]:
        """The learned arrays by name, for a file."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "item_ids"}


def untrained(shape: TasteShape) -> TasteWeights:
    """Weights that have seen nothing: without rows, and everybody in one place."""
    h, length, d = shape.weightings, shape.length, shape.dims

    def nothing(*sizes: int) -> Floats:
        return np.zeros(sizes, dtype=np.float32)

    return TasteWeights(
        item_ids=(),
        id_part=nothing(0, d),
        content_map=np.eye(CONTENT_DIMS, d, dtype=np.float32),
        place=nothing(h, length),
        kind=nothing(h, KIND_COUNT),
        age=nothing(h, AGE_CODES),
        dwell=nothing(h, DWELL_CODES),
        gain=start_gain(h),
        mix=nothing(h, d, d),
        start=nothing(d),
    )


def aligned(weights: TasteWeights, item_ids: Sequence[ItemId]) -> TasteWeights:
    """The same weights with a row for each of `item_ids` in their order, 0 where it is unknown."""
    known = {item_id: row for row, item_id in enumerate(weights.item_ids)}
    rows = np.array([known.get(item_id, -1) for item_id in item_ids], dtype=np.int64)
    id_part = np.zeros((len(item_ids), weights.shape.dims), dtype=np.float32)
    id_part[rows >= 0] = weights.id_part[rows[rows >= 0]]
    return replace(weights, item_ids=tuple(item_ids), id_part=id_part)


def start_gain(weightings: int) -> Floats:
    """float32[H, kinds]: wanted actions pull, unwanted ones push."""
    signs = [-1.0 if kind in NEGATIVE_KINDS else 1.0 for kind in LEARNED_KINDS]
    return np.tile(np.array(signs, dtype=np.float32), (weightings, 1))


def item_vectors(weights: TasteWeights, rows: NDArray[np.int64], content: Floats) -> Floats:
    """float32[n, d]. rows: int64[n], the item's row in `item_ids`, -1 for a new item."""
    vectors: Floats = content @ weights.content_map  # [n, 64] @ [64, d] -> [n, d]
    known = rows >= 0
    vectors[known] += weights.id_part[rows[known]]
    return vectors


def person_vectors(weights: TasteWeights, vectors: Floats, histories: Histories) -> Floats:
    """float32[n, d]. vectors: float32[items, d]; actions on items beyond it are passed over."""
    w = weights
    people: Floats = people_of(
        (w.place, w.kind, w.age, w.dwell, w.gain, w.mix, w.start),
        HIGHEST_LOGIT,
        vectors,
        histories.items,
        (histories.kinds, histories.ages, histories.dwells),
    )
    return people
