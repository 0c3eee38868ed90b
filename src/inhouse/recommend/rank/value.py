"""What a candidate is worth: the weighted sum of what is expected of it.

    value = w_click p_click + w_like p_like + w_hide p_hide + w_dwell min(dwell_even, 60 s)

Dwell counts as if all posts were equally long, so that length is no merit by itself. The weights
are the table `tuning.ValueWeights`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.recommend.tuning import ValueWeights
from inhouse.recommend.types import Predictions

MOST_DWELL_S: Final = 60.0


def values(predictions: Predictions, weights: ValueWeights) -> NDArray[np.float64]:
    """float64[n]; what is not finite becomes -inf and sinks to the end."""
    with np.errstate(invalid="ignore", over="ignore"):
        dwell_s = np.minimum(predictions.dwell_even_ms / 1_000, MOST_DWELL_S)
        value = (
            weights.p_click * predictions.p_click.astype(np.float64)
            + weights.p_like * predictions.p_like
            + weights.p_hide * predictions.p_hide
            + weights.dwell_s * dwell_s
        )
    return sinking(value)


def sinking(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same with -inf wherever it is not finite."""
    return np.where(np.isfinite(value), value, -np.inf)


def order(value: NDArray[np.float64], items: NDArray[np.int32]) -> NDArray[np.intp]:
    """Best first, equals by row of the catalogue."""
    return np.lexsort((items, -value))
