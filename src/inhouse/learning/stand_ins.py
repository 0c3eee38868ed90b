"""Id parts for items that nobody had yet: what people made of the posts most like them.

A linear map of content says what kind of thing an item is; what people found in it is in the id
parts of its neighbours. The mean of the nearest ten, by cosine of content, stands for the one that
is missing (nearest neighbours for new items: Gantner et al., ICDM 2010, section 3).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

NEAREST: Final = 10
_AT_ONCE: Final = 256
_LEAST_LENGTH: Final = 1e-9


def with_stand_ins(id_part: Floats, content: Floats, wanted: NDArray[np.bool_]) -> Floats:
    """float32[items, d]: `id_part` with a stand-in for each item that has content and none wanted.

    id_part: float32[items, d]. content: float32[items, c], zeros where nothing is known. wanted:
    bool[items]. What nobody wanted and has no content stays as it is, and so does everything where
    fewer than ten wanted items have content.
    """
    told = content.any(axis=1)
    known, new = np.flatnonzero(wanted & told), np.flatnonzero(~wanted & told)
    if len(known) < NEAREST or not len(new):
        return id_part
    found = id_part.copy()
    apart = _directions(content, known)
    for start in range(0, len(new), _AT_ONCE):
        part = new[start : start + _AT_ONCE]
        likeness = apart[part] @ apart[known].T  # [s, c] @ [c, known] -> [s, known]
        nearest = np.argpartition(-likeness, NEAREST - 1, axis=1)[:, :NEAREST]  # [s, 10]
        found[part] = id_part[known[nearest]].mean(axis=1)
    return found


def _directions(content: Floats, known: NDArray[np.int64]) -> Floats:
    """Unit vectors from the middle of what is known, since what all share tells none apart."""
    apart = content - content[known].mean(axis=0)
    lengths = np.linalg.norm(apart, axis=1, keepdims=True)
    unit: Floats = (apart / np.maximum(lengths, np.float32(_LEAST_LENGTH))).astype(np.float32)
    return unit
