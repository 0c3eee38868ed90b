"""What is expected of a candidate before any head was trained: a formula, written down.

Without a learned taste, with c = 2 content_match + 1.5 similar + topic_affinity
+ 2 creator_affinity what the person's actions say, and w = 0.5 topic_chosen + creator_followed
+ 0.3 is_fresh what was wished or is new,

    s        = clip(c + w, -4, 4)
    p_click  = sigmoid(logit(click_rate) + s)
    p_like   = sigmoid(logit(like_rate) + s)
    p_hide   = sigmoid(logit(hide_rate) - s)
    dwell_ms = mean dwell of the item x exp(clip(s, -4, 4) / 4)     dwell_even_ms likewise

What people usually do with posts of one length is not known yet. The rates are the item's own,
smoothed towards the community's (`features.candidates`). Every term is 0 for a stranger without
topics, whose expectation is therefore the item's own record.

With a learned taste t, which is the log of how much likelier than others the item is to be wanted
next, the item's record and the person's actions are in t already. So c counts a tenth, what many
want lately a little, and clicks and likes start from a typical rate instead of the item's own:

    s        = clip(t + 0.1 c + w + 0.2 slow_heat_log, -8, 8)
    p_click  = sigmoid(logit(0.05) + s)
    p_like   = sigmoid(logit(0.015) + s)

The wide clip matters: the best of many have t near 4 and beyond, and must not all be equal.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from inhouse.features.candidates import FEATURE_NAMES
from inhouse.recommend.types import Floats, Predictions

_COLUMN: Final[Mapping[str, int]] = {name: place for place, name in enumerate(FEATURE_NAMES)}
_INFERRED: Final[Mapping[str, float]] = {
    "content_match": 2.0,
    "similar": 1.5,
    "topic_affinity": 1.0,
    "creator_affinity": 2.0,
}
_WISHED: Final[Mapping[str, float]] = {
    "topic_chosen": 0.5,
    "creator_followed": 1.0,
    "is_fresh": 0.3,
}
_INFERRED_BESIDE_TASTE: Final = 0.1
_HEAT_BESIDE_TASTE: Final = 0.2
_TYPICAL_CLICK_RATE, _TYPICAL_LIKE_RATE = np.float32(0.05), np.float32(0.015)
_MOST: Final = 4.0
_MOST_LEARNED: Final = 8.0
_LEAST_RATE: Final = 1e-4


def prior_predictions(features: Floats) -> Predictions:
    """For float32[n, F] in the order of FEATURE_NAMES."""
    taste = _column(features, "taste")
    learned = bool(taste.any())
    inferred, wished = _sum(features, _INFERRED), _sum(features, _WISHED)
    if learned:
        heat = _HEAT_BESIDE_TASTE * _column(features, "slow_heat_log")
        s = np.clip(
            taste + _INFERRED_BESIDE_TASTE * inferred + wished + heat, -_MOST_LEARNED, _MOST_LEARNED
        )
    else:
        s = np.clip(inferred + wished, -_MOST, _MOST)
    click_rate = _TYPICAL_CLICK_RATE if learned else _column(features, "click_rate")
    like_rate = _TYPICAL_LIKE_RATE if learned else _column(features, "like_rate")
    dwell_ms = np.expm1(_column(features, "dwell_log")) * np.float32(1_000)
    dwell_ms = dwell_ms * np.exp(np.clip(s, -_MOST, _MOST) / 4)
    return Predictions(
        p_click=_shifted(click_rate, s),
        p_like=_shifted(like_rate, s),
        p_hide=_shifted(_column(features, "hide_rate"), -s),
        dwell_ms=dwell_ms,
        dwell_even_ms=dwell_ms,
    )


def _column(features: Floats, name: str) -> Floats:
    return features[:, _COLUMN[name]]


def _sum(features: Floats, weights: Mapping[str, float]) -> Floats:
    columns = [_COLUMN[name] for name in weights]
    total: Floats = features[:, columns] @ np.array(list(weights.values()), dtype=np.float32)
    return total


def _shifted(rates: Floats | np.float32, by: Floats) -> Floats:
    p = np.clip(rates, _LEAST_RATE, 1 - _LEAST_RATE)
    return (1 / (1 + (1 - p) / p * np.exp(-by))).astype(np.float32)
