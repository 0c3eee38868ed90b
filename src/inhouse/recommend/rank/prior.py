"""What is expected of a candidate before any head was trained: a formula, written down.

With s = clip(2 content_match + 1.5 similar + 1.5 tanh(taste) + topic_affinity + 0.5 topic_chosen
+ creator_followed + 2 creator_affinity + 0.3 is_fresh, -4, 4), the sum of what speaks for the
candidate:

    p_click  = sigmoid(logit(click_rate) + s)
    p_like   = sigmoid(logit(like_rate) + s)
    p_hide   = sigmoid(logit(hide_rate) - s)
    dwell_ms = mean dwell of the item x exp(s / 4)

The rates are the item's own, smoothed towards the community's (`features.candidates`). Every term
is 0 for a stranger without topics, whose expectation is therefore the item's own record.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from inhouse.features.candidates import FEATURE_NAMES
from inhouse.recommend.types import Floats, Predictions

_COLUMN: Final[Mapping[str, int]] = {name: place for place, name in enumerate(FEATURE_NAMES)}
_WEIGHTS: Final[Mapping[str, float]] = {
    "content_match": 2.0,
    "similar": 1.5,
    "topic_affinity": 1.0,
    "topic_chosen": 0.5,
    "creator_followed": 1.0,
    "creator_affinity": 2.0,
    "is_fresh": 0.3,
}
_TASTE_WEIGHT: Final = 1.5
_MOST: Final = 4.0
_LEAST_RATE: Final = 1e-4


def prior_predictions(features: Floats) -> Predictions:
    """For float32[n, F] in the order of FEATURE_NAMES."""
    columns = [_COLUMN[name] for name in _WEIGHTS]
    weights = np.array(list(_WEIGHTS.values()), dtype=np.float32)
    speaks_for: Floats = features[:, columns] @ weights
    speaks_for += _TASTE_WEIGHT * np.tanh(features[:, _COLUMN["taste"]])
    s = np.clip(speaks_for, -_MOST, _MOST)
    return Predictions(
        p_click=_shifted(features[:, _COLUMN["click_rate"]], s),
        p_like=_shifted(features[:, _COLUMN["like_rate"]], s),
        p_hide=_shifted(features[:, _COLUMN["hide_rate"]], -s),
        dwell_ms=np.expm1(features[:, _COLUMN["dwell_log"]]) * np.float32(1_000) * np.exp(s / 4),
    )


def _shifted(rates: Floats, by: Floats) -> Floats:
    p = np.clip(rates, _LEAST_RATE, 1 - _LEAST_RATE)
    return (1 / (1 + (1 - p) / p * np.exp(-by))).astype(np.float32)
