"""Ranking: predict, weigh, order."""

import numpy as np

from inhouse.core.logs import logger
from inhouse.features.candidates import Scores, candidate_features
from inhouse.features.nearness import nearness
from inhouse.recommend.moment import PART_FAULTS, Moment
from inhouse.recommend.rank.prior import prior_predictions
from inhouse.recommend.rank.value import order, sinking, values
from inhouse.recommend.rules.orders import boosted, factors
from inhouse.recommend.types import SOURCE_BIT, Candidates, Floats, Predictions

_LOG = logger("feed")


def rank(moment: Moment, candidates: Candidates) -> Candidates:
    """Best first by the plan's order, with what was predicted where that order needs it."""
    if moment.plan.order == "value":
        features = _features(moment, candidates)
        predictions = _predictions(moment, features)
        value = values(predictions, moment.tuning.weights)
        candidates = candidates.with_predictions(features, predictions)
    elif moment.plan.order == "newest":
        value = moment.table.created_ms[candidates.items].astype(np.float64)
    elif moment.plan.order == "kept":  # boosts had their say when the reserve was ranked
        return _kept_first(candidates)
    else:
        value = sinking(np.fmax.reduce(candidates.offered, axis=1).astype(np.float64))
    if moment.orders.boosts:
        factor = factors(moment.table, moment.orders.boosts, candidates.items)
        value = boosted(value, factor)
    best_first = order(value, candidates.items)
    return candidates.with_value(value).take(best_first)


def _kept_first(candidates: Candidates) -> Candidates:
    """Those of the reserve in its order, then the others, best first."""
    kept = candidates.offered[:, SOURCE_BIT["reserve"]]
    others = np.isnan(kept)
    best = np.where(others, np.fmax.reduce(candidates.offered, axis=1), kept)
    value = sinking(best.astype(np.float64))
    return candidates.with_value(value).take(np.lexsort((candidates.items, -value, others)))


def unranked(candidates: Candidates) -> Candidates:
    """In the order in which their sources offered them, where ranking itself has failed.

    The value is the place in the best source's offer, below 0.
    """
    scores = np.where(np.isnan(candidates.offered), -np.inf, candidates.offered)
    places = np.argsort(np.argsort(-scores, axis=0, kind="stable"), axis=0).astype(np.float64)
    places[np.isnan(candidates.offered)] = np.inf
    value = sinking(-places.min(axis=1))
    return candidates.with_value(value).take(order(value, candidates.items))


def _features(moment: Moment, candidates: Candidates) -> Floats:
    items = candidates.items
    learned = moment.taste is not None and moment.taste.learned
    taste = moment.taste.of(items) if moment.taste is not None and learned else None
    scores = Scores(
        taste=np.zeros(len(items), dtype=np.float32) if taste is None else taste,
        similar=nearness(moment.table, moment.anchors, items),
    )
    return candidate_features(moment.state, moment.person, items, scores, moment.query.now_ms)


def _predictions(moment: Moment, features: Floats) -> Predictions:
    """By the model's head; by the prior formula where there is none or it fails."""
    model = moment.model
    if model is None or not model.has_head:
        return prior_predictions(features)
    try:
        found = model.predict(features)
    except PART_FAULTS:
        _LOG.warning("head_failed", snapshot=model.snapshot_id, exc_info=True)
        return prior_predictions(features)
    return Predictions(
        p_click=found.p_click,
        p_like=found.p_like,
        p_hide=found.p_hide,
        dwell_ms=found.dwell_ms,
        dwell_even_ms=found.dwell_even_ms,
    )
