"""An encoder that gives vectors for a task: its own, or mapped into the space of another's vectors.

A vendor's vectors lie in a vendor's space: whoever leaves it has to embed everything anew. A linear
map from the encoder's space into that one, fitted by least squares with a penalty on what a third
of the texts held out of each fit prefers, lets new vectors stand among the old ones. How alike they
are (cosine) is measured on the latest texts, and is on the card.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from inhouse.core.errors import InputError
from inhouse.core.files import write_atomically
from inhouse.core.tensors import tensor_bytes
from inhouse.models.harvest.dataset import Shares
from inhouse.models.owned.encoder import MAP, Encoder, Matrix, of_length_one
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.students.course import Course, Work
from inhouse.models.students.pairs import provenance_of, read_lines
from inhouse.models.students.workplace import (
    Base,
    Made,
    Workplace,
    card_for,
    digest_of,
    made_version,
)
from inhouse.models.types import HeldOut, Task
from inhouse.stats.types import NotEnough

_PENALTIES: Final = (0.01, 0.1, 1.0, 10.0, 100.0)
_FOLDS: Final = 3
_AS_IT_IS: Final = Course(rounds=1, rate=0.0)  # nothing is taught in steps
MOST_DIMENSIONS: Final = 8_192


class Placed(msgspec.Struct, frozen=True):
    """A text and the vector that it is to have: a line of the file."""

    text: str
    vector: list[float]
    at_ms: int = 0
    source: str = "file"  # whose vector it is: host/owner/model
    terms: str = ""  # under which it may be used


@dataclass(frozen=True, kw_only=True, slots=True)
class _Map:
    weights: Matrix  # [width, dimensions]
    biases: Matrix  # [dimensions]

    def apply(self, vectors: Matrix) -> Matrix:
        return np.asarray(vectors @ self.weights + self.biases, dtype=np.float32)


def read_placed(path: Path) -> list[Placed]:
    """Lines `{"text": ..., "vector": [...]}` by time. Raises InputError that names a faulty one."""
    rows = sorted(read_lines(path, Placed), key=lambda row: row.at_ms)
    sizes = sorted({len(row.vector) for row in rows})
    if len(sizes) > 1 or not all(1 <= size <= MOST_DIMENSIONS for size in sizes):
        told = ", ".join(map(str, sizes[:4]))
        raise InputError(
            f"the vectors of {path} have {told} numbers, expected the same for all, at most "
            f"{MOST_DIMENSIONS:,}"
        )
    return rows


def train_vectors(
    place: Workplace, task: Task, base: Base, rows: Sequence[Placed] = ()
) -> ModelVersion | NotEnough:
    """Register an encoder for the task, mapped where there are vectors to map into."""
    least = place.settings.least_pairs
    if rows and len(rows) < least:
        return NotEnough(reason="too few texts with vectors", have=len(rows), need=least)

    def teach(work: Work) -> Made | NotEnough:
        place.tell("reading the texts", 0, 1)
        encoder = Encoder.load(work.base)
        encoder.save(work.to)
        cut = round(len(rows) * Shares().train)
        held_out = _mapped(encoder, rows[:cut], rows[cut:], work.to) if rows else None
        card = card_for(task, base, place.clock.now_ms(), provenance_of(rows[:cut]))
        method = "mapped" if rows else "as it is"
        return replace(card, student="vectors", method=method, held_out=held_out), None

    told = [[row.text, row.vector] for row in rows]
    return made_version(place, task, (base, _AS_IT_IS, digest_of(told)), teach)


def _mapped(
    encoder: Encoder, earlier: Sequence[Placed], later: Sequence[Placed], to: Path
) -> HeldOut:
    """Fit the map, write it, and measure it."""
    inner = encoder.vectors([row.text for row in earlier])
    wanted = of_length_one(np.array([row.vector for row in earlier], dtype=np.float32))
    found = _best_map(inner, wanted)
    write_atomically(to / MAP, tensor_bytes({"weights": found.weights, "biases": found.biases}))
    given = of_length_one(found.apply(encoder.vectors([row.text for row in later])))
    asked = of_length_one(np.array([row.vector for row in later], dtype=np.float32))
    alike = float((given * asked).sum(axis=1).mean())
    return HeldOut(measure="cosine", pairs=len(later), before=None, after=alike)


def _best_map(inner: Matrix, wanted: Matrix) -> _Map:
    folds = np.arange(len(inner)) % _FOLDS

    def alike(penalty: float) -> float:
        total = 0.0
        for fold in range(_FOLDS):
            held = folds == fold
            found = _ridge(inner[~held], wanted[~held], penalty).apply(inner[held])
            total += float((of_length_one(found) * wanted[held]).sum())
        return total

    return _ridge(inner, wanted, max(_PENALTIES, key=alike))


def _ridge(inner: Matrix, wanted: Matrix, penalty: float) -> _Map:
    """The linear map that minimises the squared distances plus `penalty` times its weights'."""
    x, y = inner.astype(np.float64), wanted.astype(np.float64)
    mean, goal = x.mean(axis=0), y.mean(axis=0)
    centred = x - mean
    gram = centred.T @ centred + penalty * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (y - goal))
    return _Map(
        weights=weights.astype(np.float32), biases=(goal - mean @ weights).astype(np.float32)
    )
