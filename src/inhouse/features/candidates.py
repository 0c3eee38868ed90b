"""What the ranker sees of a candidate: the one path for training and for serving.

Rates are smoothed towards the community's own rate with twenty imagined impressions,
so that a post shown once is neither a hit nor a failure.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from inhouse.features.candidate_kernels import Asks, Did, Facts, Known, Lean, finish, lean, look
from inhouse.features.items import HEAT_HALF_LIFE_MS, SLOW_HALF_LIFE_MS, ItemTable
from inhouse.features.machine import plain
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
_NOWHERE: Final = np.empty(0, dtype=np.int32)


def leaning(items: ItemTable, person: Person, now_ms: int) -> Lean:
    """Weigh the person's recent actions by their strength, halved for every 14 days of age.

    Absolute weights sum to at most 1; content has unit length or is zero.
    """
    topics = len(items.topic_names)
    return Lean(*lean(plain(_did(person)), now_ms, topics, plain(facts_of(items))))


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """What retrieval already knows of the candidates."""

    taste: NDArray[np.float32]  # [n] dot product of taste vector and item vector, 0 without a model
    similar: NDArray[np.float32]  # [n] nearness to the person's latest positives, in [-1, 1]
    positions: NDArray[np.int32] | None = None  # [n] place shown: true in training, None in serving


def candidate_features(
    state: LiveState, person: Person, items: NDArray[np.int32], scores: Scores, now_ms: int
) -> NDArray[np.float32]:
    """float32[n, F] in the order of FEATURE_NAMES, finite everywhere."""
    table = state.items
    positions = _NOWHERE if scores.positions is None else scores.positions
    out, logs = look(
        items,
        plain(facts_of(table)),
        plain(_did(person)),
        plain(_asks(table, person, now_ms)),
        plain(Known(scores.taste, scores.similar, positions)),
    )
    finish(out, np.log1p(logs, out=logs))
    return out


def facts_of(table: ItemTable) -> Facts:
    """The columns that features are made of; they are other arrays once the table has grown."""
    return Facts(
        topics=table.topics,
        content=table.content,
        creator=table.creator,
        language=table.language,
        region=table.region,
        kind=table.kind,
        created_ms=table.created_ms,
        duration_ms=table.duration_ms,
        impressions=table.impressions,
        clicks=table.clicks,
        likes=table.likes,
        hides=table.hides,
        reports=table.reports,
        dwell_ms_sum=table.dwell_ms_sum,
        heat=table.heat,
        heat_slow=table.heat_slow,
        heat_ms=table.heat_ms,
    )


def _did(person: Person) -> Did:
    recent = person.recent.latest()
    return Did(recent.items, recent.kinds, recent.at_ms)


def _asks(table: ItemTable, person: Person, now_ms: int) -> Asks:
    return Asks(
        now_ms=now_ms,
        half_lives_ms=(HEAT_HALF_LIFE_MS, SLOW_HALF_LIFE_MS),
        topic_count=len(table.topic_names),
        chosen=np.array(person.topics, dtype=np.int16),
        follows=np.array(sorted(person.follows), dtype=np.int32),
        served=person.served.rows(),
        language=_code_or_none(table.languages.find(person.language)),
        region=_code_or_none(table.regions.find(person.region)),
        actions=len(person.recent),
    )


def _code_or_none(code: int) -> int:
    """An unknown language or region equals nothing, not the items whose own is unknown."""
    return -2 if code < 0 else code
