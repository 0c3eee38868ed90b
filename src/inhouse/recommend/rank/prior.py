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

from typing import Final

import numpy as np
from numba import njit

from inhouse.features.candidates import FEATURE_NAMES
from inhouse.recommend.types import Floats, Predictions


def _column(name: str) -> int:
    return FEATURE_NAMES.index(name)


_TASTE, _HEAT = _column("taste"), _column("slow_heat_log")
_CLICK_RATE, _LIKE_RATE, _HIDE_RATE = (
    _column("click_rate"),
    _column("like_rate"),
    _column("hide_rate"),
)
_DWELL = _column("dwell_log")
# Column of a feature, and its weight.
_INFERRED: Final = (
    (_column("content_match"), 2.0),
    (_column("similar"), 1.5),
    (_column("topic_affinity"), 1.0),
    (_column("creator_affinity"), 2.0),
)
_WISHED: Final = (
    (_column("topic_chosen"), 0.5),
    (_column("creator_followed"), 1.0),
    (_column("is_fresh"), 0.3),
)
_INFERRED_BESIDE_TASTE: Final = 0.1
_HEAT_BESIDE_TASTE: Final = 0.2
_TYPICAL_CLICK_RATE, _TYPICAL_LIKE_RATE = 0.05, 0.015
_MOST: Final = 4.0
_MOST_LEARNED: Final = 8.0
_LEAST_RATE: Final = 1e-4


def prior_predictions(features: Floats) -> Predictions:
    """For float32[n, F] in the order of FEATURE_NAMES."""
    p_click, p_like, p_hide, dwell_ms = _expected(features, bool(features[:, _TASTE].any()))
    return Predictions(
        p_click=p_click, p_like=p_like, p_hide=p_hide, dwell_ms=dwell_ms, dwell_even_ms=dwell_ms
    )


@njit(cache=True)
def _expected(features: Floats, learned: bool) -> tuple[Floats, Floats, Floats, Floats]:
    """p_click, p_like, p_hide and dwell_ms, each float32[n], by the formulas above."""
    n = len(features)
    p_click, p_like = np.empty(n, dtype=np.float32), np.empty(n, dtype=np.float32)
    p_hide, dwell_ms = np.empty(n, dtype=np.float32), np.empty(n, dtype=np.float32)
    for i in range(n):
        row = features[i]
        inferred, wished = 0.0, 0.0
        for column, weight in _INFERRED:
            inferred += weight * row[column]
        for column, weight in _WISHED:
            wished += weight * row[column]
        if learned:
            s = row[_TASTE] + _INFERRED_BESIDE_TASTE * inferred + wished
            s = _clipped(s + _HEAT_BESIDE_TASTE * row[_HEAT], _MOST_LEARNED)
        else:
            s = _clipped(inferred + wished, _MOST)
        odds = np.exp(s)
        p_click[i] = _shifted(_TYPICAL_CLICK_RATE if learned else row[_CLICK_RATE], odds)
        p_like[i] = _shifted(_TYPICAL_LIKE_RATE if learned else row[_LIKE_RATE], odds)
        p_hide[i] = _shifted(row[_HIDE_RATE], 1 / odds)
        dwell_ms[i] = np.expm1(row[_DWELL]) * 1_000 * np.exp(_clipped(s, _MOST) / 4)
    return p_click, p_like, p_hide, dwell_ms


@njit(cache=True)
def _clipped(s: float, most: float) -> float:
    return min(max(s, -most), most)


@njit(cache=True)
def _shifted(rate: float, odds: float) -> float:
    """sigmoid(logit(rate) + log(odds))"""
    p = min(max(rate, _LEAST_RATE), 1 - _LEAST_RATE)
    return 1 / (1 + (1 - p) / (p * odds))
