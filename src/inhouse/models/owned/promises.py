"""What each column promises before it is fitted: a word that tells gets its weight cheaply.

g_c is sqrt(r_c^2 + 0.1), at most 1.6, of the log-ratio r_c of a column's share among the texts that
say yes and among those that say no (Wang & Manning 2012, ACL 2:90, softened). A column that tells
the sides apart gets its weight cheaply, one that does not has to earn it. Without a bound a word
that the texts were collected by, and that only one side says, explains them alone: nothing is
learned of what else they say, and elsewhere both sides say that word.

Labels cannot show for which words that is so; texts without labels from where the model will answer
can. A column that t of the labelled texts hold, and u > t of the texts there, promises at most

    1.6 / (1 + sqrt(t (u - t)) / 0.02),

t of the part it explains in the training, u - t of what it will be trusted with beyond that. From
u - t two standard errors are taken off, so that where the labelled texts are like all others the
promises stay as they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inhouse.models.owned.hashing import COLUMNS, Features, featurise
from inhouse.models.owned.text import Doubles, Matrix, batches, matrix_of

_PRIOR: Final = 0.2  # values that each side is taken to have in every column beforehand
_FLOOR: Final = 0.1  # of a squared log-ratio
_MOST: Final = 1.6  # however telling a column seems
_EXCESS: Final = 0.02  # sqrt(t (u - t)) at which a column promises half as much at most
_ERRORS: Final = 2.0  # standard errors that may be chance


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """What is said where a model will answer."""

    texts: int
    held: npt.NDArray[np.int64]  # [COLUMNS], texts with each column


def traffic_of(texts: Sequence[str]) -> Traffic:
    """Counts of texts that need no label."""
    held = np.zeros(COLUMNS, dtype=np.int64)
    for part in batches(texts):
        held += np.bincount(featurise(part).columns, minlength=COLUMNS)
    return Traffic(texts=len(texts), held=held)


def promises_of(features: Features, targets: Matrix, traffic: Traffic | None = None) -> Matrix:
    """g of every column and category, 1 for columns that no labelled text has.

    targets: [texts, categories], 0 to 1, NaN where nobody knows.
    """
    table = matrix_of(features)
    promises = np.ones((COLUMNS, targets.shape[1]), dtype=np.float32)
    for place in range(targets.shape[1]):
        known = np.flatnonzero(~np.isnan(targets[:, place]))
        yes = targets[known, place].astype(np.float64)
        part = table[known]
        sums = np.stack([part.T @ yes, part.T @ (1.0 - yes)])
        seen = sums.sum(axis=0) > 0
        shares = sums[:, seen] + _PRIOR
        shares /= shares.sum(axis=1, keepdims=True)
        ratio = np.log(shares[0] / shares[1])
        most = np.full(COLUMNS, _MOST)
        if traffic is not None:
            held = np.bincount(part.indices, minlength=COLUMNS)
            most *= trust(held, len(known), traffic.held, traffic.texts)
        promises[seen, place] = np.minimum(np.sqrt(ratio * ratio + _FLOOR), most[seen])
    return promises


def trust(
    held: npt.NDArray[np.int64], texts: int, said: npt.NDArray[np.int64], there: int
) -> Doubles:
    """How far a feature may be relied on that `held` of the labelled texts hold and `said` of those
    there: 1 where it is no commoner, down towards 0."""
    taught = held / max(texts, 1)
    error = np.sqrt(taught * (1 / max(texts, 1) + 1 / max(there, 1)))
    excess = np.maximum(said / max(there, 1) - taught - _ERRORS * error, 0.0)
    return np.asarray(1 / (1 + np.sqrt(taught * excess) / _EXCESS), dtype=np.float64)
