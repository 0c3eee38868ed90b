"""What a candidate is worth: the weighted sum of what is expected of it.

    value = w_click p_click + w_like p_like + w_hide p_hide + w_dwell min(dwell_even, 60 s)

Dwell counts as if all posts were equally long, so that length is no merit by itself. The weights
are the table `tuning.ValueWeights`.
"""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.recommend.tuning import ValueWeights
from inhouse.recommend.types import Floats, Predictions

MOST_DWELL_S: Final = 60.0


def values(predictions: Predictions, weights: ValueWeights) -> NDArray[np.float64]:
    """float64[n]; what is not finite becomes -inf and sinks to the end."""
    return _weighed(
        (weights.p_click, weights.p_like, weights.p_hide, weights.dwell_s),
        predictions.p_click,
        predictions.p_like,
        predictions.p_hide,
        predictions.dwell_even_ms,
    )


@njit(cache=True)
def _weighed(
    weights: tuple[float, float, float, float],
    p_click: Floats,
    p_like: Floats,
    p_hide: Floats,
    dwell_ms: Floats,
) -> NDArray[np.float64]:
    click, like, hide, dwell = weights
    value = np.empty(len(p_click))
    for i in range(len(value)):
        one = click * p_click[i] + like * p_like[i] + hide * p_hide[i]
        one += dwell * np.minimum(dwell_ms[i] / 1_000, MOST_DWELL_S)
        value[i] = one if np.isfinite(one) else -np.inf
    return value


def sinking(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same with -inf wherever it is not finite."""
    return np.where(np.isfinite(value), value, -np.inf)


def order(value: NDArray[np.float64], items: NDArray[np.int32]) -> NDArray[np.intp]:
    """Best first, equals by row of the catalogue."""
    best_first = np.argsort(-value)  # hardly ever are two alike, and by one key it is done sooner
    ordered = value.take(best_first)
    if (ordered[1:] == ordered[:-1]).any():
        return np.lexsort((items, -value))
    return best_first
