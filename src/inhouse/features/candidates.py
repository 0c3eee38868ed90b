"""What the ranker sees of a candidate: the one path for training and for serving.

Rates are smoothed towards the community's own rate with `_PRIOR_IMPRESSIONS` imagined impressions,
so that a post shown once is neither a hit nor a failure.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.features.items import ItemTable
from inhouse.features.outcomes import KIND_CODES, STRENGTH
from inhouse.features.people import Person
from inhouse.features.state import LiveState

FEATURE_NAMES: Final = (
    "taste",
    "similar",
    "content_match",
    "topic_affinity",
    "topic_chosen",
    "creator_affinity",
    "creator_followed",
    "same_language",
    "same_region",
    "click_rate",
    "like_rate",
    "hide_rate",
    "dwell_log",
    "heat_log",
    "slow_heat_log",
    "impressions_log",
    "age_log",
    "is_fresh",
    "is_picture",
    "is_video",
    "duration_log",
    "history_log",
    "creator_served",
    "position_log",
)
_PRIOR_IMPRESSIONS: Final = 20.0
_TASTE_HALF_LIFE_MS: Final = 14 * DAY_MS
_STRENGTH_BY_CODE: Final = np.array(
    [STRENGTH.get(kind, 0.0) for kind in KIND_CODES], dtype=np.float32
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaning:
    """What a person's recent actions lean towards."""

    topics: NDArray[
        np.float32
    ]  # [number of topics] weight of each, absolute weights sum to at most 1
    creators: NDArray[np.float32]  # [number of creators] likewise
    content: NDArray[np.float32]  # [64] weighted mean of content, unit length or zero


def leaning(items: ItemTable, person: Person, now_ms: int) -> Leaning:
    """Weigh the person's recent actions by their strength, halved for every 14 days of age."""
    topics = np.zeros(len(items.topic_names), dtype=np.float32)
    creators = np.zeros(len(items.creators), dtype=np.float32)
    content = np.zeros(items.content.shape[1], dtype=np.float32)
    if not person.recent:
        return Leaning(topics=topics, creators=creators, content=content)
    recent = person.recent.latest()
    rows, ages = recent.items, np.maximum(now_ms - recent.at_ms, 0)
    halved = np.exp2(-ages / _TASTE_HALF_LIFE_MS)
    weights = (_STRENGTH_BY_CODE[recent.kinds] * halved).astype(np.float32)
    total = max(float(np.abs(weights).sum()), 1e-9)
    their_topics = items.topics[rows]
    filled = their_topics >= 0
    np.add.at(
        topics,
        their_topics[filled],
        np.broadcast_to(weights[:, None], filled.shape)[filled] / total,
    )
    np.add.at(creators, items.creator[rows], weights / total)
    content = (items.content[rows] * weights[:, None]).sum(axis=0)
    length = float(np.linalg.norm(content))
    return Leaning(topics=topics, creators=creators, content=content / max(length, 1e-9))


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What retrieval already knows of the candidates."""

    taste: NDArray[np.float32]  # [n] dot product of taste vector and item vector, 0 without a model
    similar: NDArray[np.float32]  # [n] nearness to the person's latest positives, in [-1, 1]
    positions: NDArray[np.int32] | None = None  # [n] place shown: true in training, None in serving


def candidate_features(
    state: LiveState, person: Person, items: NDArray[np.int32], scores: Scores, now_ms: int
) -> NDArray[np.float32]:
    """float32[n, F] in the order of FEATURE_NAMES, finite everywhere."""
    table = state.items
    lean = leaning(table, person, now_ms)
    out = np.zeros((len(items), len(FEATURE_NAMES)), dtype=np.float32)
    columns = {
        "taste": scores.taste,
        "similar": scores.similar,
        **_match_columns(table, person, items, lean),
        **_item_columns(table, items, now_ms),
        "history_log": np.log1p(len(person.recent)),
        "creator_served": _creator_served(table, person, items),
        "position_log": 0.0 if scores.positions is None else np.log1p(scores.positions),
    }
    for place, name in enumerate(FEATURE_NAMES):
        out[:, place] = columns[name]
    return np.nan_to_num(out, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


Column = NDArray[np.generic] | float


def _match_columns(
    table: ItemTable, person: Person, items: NDArray[np.int32], lean: Leaning
) -> dict[str, Column]:
    topics = table.topics[items]
    filled = topics >= 0
    chosen = _among(topics, person.topics) & filled
    creators = table.creator[items]
    padded = np.append(lean.topics, np.float32(0))
    return {
        "content_match": table.content[items] @ lean.content,
        "topic_affinity": np.where(filled, padded[np.where(filled, topics, -1)], 0).sum(axis=1),
        "topic_chosen": chosen.any(axis=1),
        "creator_affinity": lean.creators[creators],
        "creator_followed": _among(creators, person.follows),
        "same_language": table.language[items]
        == _code_or_none(table.languages.find(person.language)),
        "same_region": table.region[items] == _code_or_none(table.regions.find(person.region)),
    }


def _among(codes: NDArray[np.integer], few: Collection[int]) -> NDArray[np.bool_]:
    """Which of the codes are among a few; most people chose and follow nobody."""
    if not few:
        return np.zeros(codes.shape, dtype=np.bool_)
    return np.isin(codes, np.fromiter(few, dtype=codes.dtype, count=len(few)))


def _code_or_none(code: int) -> int:
    """An unknown language or region equals nothing, not the items whose own is unknown."""
    return -2 if code < 0 else code


def _item_columns(table: ItemTable, items: NDArray[np.int32], now_ms: int) -> dict[str, Column]:
    impressions = table.impressions[items]
    age_hours = np.maximum(now_ms - table.created_ms[items], 0) / HOUR_MS
    return {
        "click_rate": _rate(table.clicks[items] + table.likes[items], impressions, 0.1),
        "like_rate": _rate(table.likes[items], impressions, 0.03),
        "hide_rate": _rate(table.hides[items] + table.reports[items], impressions, 0.01),
        "dwell_log": np.log1p(_rate(table.dwell_ms_sum[items], impressions, 4_000.0) / 1_000),
        "heat_log": np.log1p(table.heat_at(now_ms, items)),
        "slow_heat_log": np.log1p(table.slow_heat_at(now_ms, items)),
        "impressions_log": np.log1p(impressions),
        "age_log": np.log1p(age_hours),
        "is_fresh": age_hours < 24,
        "is_picture": table.kind[items] == 1,
        "is_video": table.kind[items] == 2,
        "duration_log": np.log1p(table.duration_ms[items] / 1_000),
    }


def _rate(
    hits: NDArray[np.float64], impressions: NDArray[np.float64], prior: float
) -> NDArray[np.float64]:
    return (hits + prior * _PRIOR_IMPRESSIONS) / (impressions + _PRIOR_IMPRESSIONS)


def _creator_served(
    table: ItemTable, person: Person, items: NDArray[np.int32]
) -> NDArray[np.float32]:
    """float32[n]: log of how often the creator stood on the person's last pages."""
    served = table.creator[person.served.rows()]
    counts = np.bincount(served, minlength=len(table.creators) + 1)
    logs: NDArray[np.float32] = np.log1p(counts[table.creator[items]].astype(np.float32))
    return logs
