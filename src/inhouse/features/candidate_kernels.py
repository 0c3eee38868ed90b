"""Compiled: what the ranker sees of a candidate, row by row into one array.

Every number of a row depends on that row alone, so a page of twenty in training gives the same
bytes as the hundreds of candidates among which those twenty were ranked.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.core.clock import DAY_MS
from inhouse.features.machine import fetch_ahead
from inhouse.features.outcomes import KIND_CODES, STRENGTH

Floats = NDArray[np.float32]
Numbers = NDArray[np.float64]
Rows = NDArray[np.int32]
Codes = NDArray[np.int16]
Times = NDArray[np.int64]

_STRENGTHS: Final = np.array([STRENGTH.get(kind, 0.0) for kind in KIND_CODES], dtype=np.float32)
_TASTE_HALF_LIFE_MS: Final = 14 * DAY_MS
_NOBODY: Final = -2  # no creator's code
PRIOR_IMPRESSIONS: Final = 20.0
_PRIOR_CLICKS, _PRIOR_LIKES, _PRIOR_HIDES, _PRIOR_DWELL_MS = 0.1, 0.03, 0.01, 4_000.0
_HOUR_MS, _FRESH_HOURS = 3_600_000, 24

# The columns, in the order of `candidates.FEATURE_NAMES`.
TASTE, SIMILAR, CONTENT_MATCH, TOPIC_AFFINITY, TOPIC_CHOSEN = 0, 1, 2, 3, 4
CREATOR_AFFINITY, CREATOR_FOLLOWED, SAME_LANGUAGE, SAME_REGION = 5, 6, 7, 8
CLICK_RATE, LIKE_RATE, HIDE_RATE, DWELL_LOG, HEAT_LOG, SLOW_HEAT_LOG = 9, 10, 11, 12, 13, 14
IMPRESSIONS_LOG, AGE_LOG, IS_FRESH, IS_PICTURE, IS_VIDEO, DURATION_LOG = 15, 16, 17, 18, 19, 20
HISTORY_LOG, CREATOR_SERVED, POSITION_LOG = 21, 22, 23
# Those that are log(1 + x), in the order in which `look` leaves x.
LOGS: Final = (
    DWELL_LOG,
    HEAT_LOG,
    SLOW_HEAT_LOG,
    IMPRESSIONS_LOG,
    AGE_LOG,
    DURATION_LOG,
    HISTORY_LOG,
    CREATOR_SERVED,
    POSITION_LOG,
)


class Facts(NamedTuple):
    """Columns of the item table."""

    topics: Codes  # [items, 4] -1 where there is none; the first of them ends the list
    content: Floats  # [items, d]
    creator: Rows
    language: Codes
    region: Codes
    kind: NDArray[np.int8]
    created_ms: Times
    duration_ms: Rows
    impressions: Numbers
    clicks: Numbers
    likes: Numbers
    hides: Numbers
    reports: Numbers
    dwell_ms_sum: Numbers
    heat: Numbers
    heat_slow: Numbers
    heat_ms: Times


class Did(NamedTuple):
    """What the person did last."""

    items: Rows  # [k]
    kinds: NDArray[np.int8]  # [k] codes of `outcomes`
    at_ms: Times  # [k]


class Lean(NamedTuple):
    """What the person's recent actions lean towards; see `candidates.leaning`."""

    topics: Floats  # [topics]
    creators: Rows  # sorted
    creator_weights: Floats
    content: Floats  # [d]


class Asks(NamedTuple):
    """The rest of what a request brings to its candidates."""

    now_ms: int
    half_lives_ms: tuple[float, float]  # of heat, and of slow heat
    topic_count: int  # of the catalogue
    chosen: Codes  # topics
    follows: Rows  # sorted: creators
    served: Rows  # items on the last pages
    language: int  # that no item's is equal to where it is not known
    region: int  # likewise
    actions: int  # how many are remembered


class Known(NamedTuple):
    """What is already known of each candidate."""

    taste: Floats  # [n]
    similar: Floats  # [n]
    positions: Rows  # [n], or empty in serving


@njit(cache=True)
def lean(
    did: Did, now_ms: int, topic_count: int, facts: Facts
) -> tuple[Floats, Rows, Floats, Floats]:
    """What actions lean towards, as `Lean`, each weighed by its strength and halved for every 14
    days of age. Tuples may come without their names, and go so."""
    facts, did = Facts(*facts), Did(*did)
    rows, weights = did.items, np.empty(len(did.items), dtype=np.float32)
    for i in range(len(rows)):
        age_ms = max(now_ms - did.at_ms[i], 0)
        weights[i] = _STRENGTHS[did.kinds[i]] * 2.0 ** (-age_ms / _TASTE_HALF_LIFE_MS)
    total = np.float32(1e-9)
    for weight in weights:
        total += abs(weight)
    topics = np.zeros(topic_count, dtype=np.float32)
    content = np.zeros(facts.content.shape[1], dtype=np.float32)
    by = np.empty(len(rows), dtype=np.int32)
    for i in range(len(rows)):
        fetch_ahead(facts.content, rows, i)
        by[i] = facts.creator[rows[i]]
        for topic in facts.topics[rows[i]]:
            if topic >= 0:
                topics[topic] += weights[i] / total
        vector = facts.content[rows[i]]
        for j in range(len(content)):
            content[j] += vector[j] * weights[i]
    length = max(np.sqrt(_dot(content, content)), np.float32(1e-9))
    creators = np.unique(by)
    creator_weights = np.zeros(len(creators), dtype=np.float32)
    for i in range(len(rows)):
        creator_weights[np.searchsorted(creators, by[i])] += weights[i] / total
    return topics, creators, creator_weights, content / length


@njit(cache=True)
def look(rows: Rows, facts: Facts, did: Did, asks: Asks, known: Known) -> tuple[Floats, Numbers]:
    """float32[n, F] but for the logs, and float64[logs, n], x of each log(1 + x). Tuples may come
    without their names."""
    facts, asks, known = Facts(*facts), Asks(*asks), Known(*known)
    leaning = Lean(*lean(did, asks.now_ms, asks.topic_count, facts))
    out = np.zeros((len(rows), POSITION_LOG + 1), dtype=np.float32)
    raw = np.zeros((len(LOGS), len(rows)))
    _match(out, rows, facts, leaning, asks)
    _record(out, raw, rows, facts, asks)
    codes, often = _counted(asks.served, facts.creator)
    for i in range(len(rows)):
        out[i, TASTE], out[i, SIMILAR] = known.taste[i], known.similar[i]
        raw[6, i] = asks.actions
        raw[7, i] = often[_place(codes, facts.creator[rows[i]])]
        if len(known.positions):
            raw[8, i] = known.positions[i]
    return out, raw


@njit(cache=True)
def finish(out: Floats, logs: Numbers) -> None:
    """Put the logs into their columns, and 0 wherever a number is not finite."""
    for i in range(len(out)):
        for k in range(len(LOGS)):
            out[i, LOGS[k]] = logs[k, i]
        for j in range(out.shape[1]):
            if not np.isfinite(out[i, j]):
                out[i, j] = 0


@njit(cache=True)
def nearest_of(rows: Rows, anchors: Rows, content: Floats) -> Floats:
    """float32[n]: the highest cosine of each to an anchor; one that is an anchor itself has 0
    to itself."""
    nearest = np.zeros(len(rows), dtype=np.float32)
    for i in range(len(rows)):
        fetch_ahead(content, rows, i)
        for k in range(len(anchors)):
            cosine = np.float32(0)
            if anchors[k] != rows[i]:
                cosine = _dot(content[rows[i]], content[anchors[k]])
            if k == 0 or cosine > nearest[i]:
                nearest[i] = cosine
    return nearest


@njit(cache=True, fastmath={"reassoc", "contract"})
def products(vectors: Floats, rows: Rows, query: Floats) -> Floats:
    """float32[n]: the dot product of each of these rows with the query, without copying them."""
    scores = np.empty(len(rows), dtype=np.float32)
    for i in range(len(rows)):
        fetch_ahead(vectors, rows, i)
        total = np.float32(0)
        for j in range(len(query)):
            total += vectors[rows[i], j] * query[j]
        scores[i] = total
    return scores


@njit(cache=True)
def _match(out: Floats, rows: Rows, facts: Facts, leaning: Lean, asks: Asks) -> None:
    """How the items fit what the person leans towards and asked for."""
    for i in range(len(rows)):
        fetch_ahead(facts.content, rows, i)
        item, creator = rows[i], facts.creator[rows[i]]
        out[i, CONTENT_MATCH] = _dot(facts.content[item], leaning.content)
        for k in range(facts.topics.shape[1]):
            topic = facts.topics[item, k]
            if topic < 0:
                break
            if topic < len(leaning.topics):
                out[i, TOPIC_AFFINITY] += leaning.topics[topic]
            for chosen in asks.chosen:
                if topic == chosen:
                    out[i, TOPIC_CHOSEN] = 1
        place = np.searchsorted(leaning.creators, creator)
        if place < len(leaning.creators) and leaning.creators[place] == creator:
            out[i, CREATOR_AFFINITY] = leaning.creator_weights[place]
        out[i, CREATOR_FOLLOWED] = _count(asks.follows, creator) > 0
        out[i, SAME_LANGUAGE] = facts.language[item] == asks.language
        out[i, SAME_REGION] = facts.region[item] == asks.region


@njit(cache=True)
def _record(out: Floats, raw: Numbers, rows: Rows, facts: Facts, asks: Asks) -> None:
    """What the items are, and what came of showing them."""
    for i in range(len(rows)):
        item = rows[i]
        impressions, likes = facts.impressions[item], facts.likes[item]
        hides = facts.hides[item] + facts.reports[item]
        out[i, CLICK_RATE] = _rate(facts.clicks[item] + likes, impressions, _PRIOR_CLICKS)
        out[i, LIKE_RATE] = _rate(likes, impressions, _PRIOR_LIKES)
        out[i, HIDE_RATE] = _rate(hides, impressions, _PRIOR_HIDES)
        raw[0, i] = _rate(facts.dwell_ms_sum[item], impressions, _PRIOR_DWELL_MS) / 1_000
        if facts.heat[item] != 0:
            elapsed = max(asks.now_ms - facts.heat_ms[item], 0)
            raw[1, i] = facts.heat[item] * 2.0 ** (-elapsed / asks.half_lives_ms[0])
            raw[2, i] = facts.heat_slow[item] * 2.0 ** (-elapsed / asks.half_lives_ms[1])
        raw[3, i] = impressions
        raw[4, i] = max(asks.now_ms - facts.created_ms[item], 0) / _HOUR_MS
        raw[5, i] = facts.duration_ms[item] / 1_000
        out[i, IS_FRESH] = raw[4, i] < _FRESH_HOURS
        out[i, IS_PICTURE], out[i, IS_VIDEO] = facts.kind[item] == 1, facts.kind[item] == 2


@njit(cache=True)
def _rate(hits: float, impressions: float, prior: float) -> float:
    """Smoothed with imagined impressions at the rate of the prior."""
    return (hits + prior * PRIOR_IMPRESSIONS) / (impressions + PRIOR_IMPRESSIONS)


@njit(cache=True)
def _counted(served: Rows, creator: Rows) -> tuple[Rows, Rows]:
    """How often each creator stood on the last pages, by open addressing: the creator at each
    place, and how often."""
    size = 16
    while size < 2 * len(served):
        size *= 2
    codes, often = np.full(size, _NOBODY, dtype=np.int32), np.zeros(size, dtype=np.int32)
    for row in served:
        place = _place(codes, creator[row])
        codes[place] = creator[row]
        often[place] += 1
    return codes, often


@njit(cache=True)
def _place(codes: Rows, code: int) -> int:
    """Where a creator stands, or the empty place where they would."""
    place = (code * 40_503) & (len(codes) - 1)
    while codes[place] != _NOBODY and codes[place] != code:
        place = (place + 1) & (len(codes) - 1)
    return place


@njit(cache=True)
def _count(members: Rows, member: int) -> int:
    """How often it is among the sorted members."""
    first = np.searchsorted(members, member)
    last = first
    while last < len(members) and members[last] == member:
        last += 1
    return int(last - first)


@njit(cache=True, fastmath={"reassoc", "contract"})
def _dot(a: Floats, b: Floats) -> np.float32:
    """The sum of products, in the order that is fastest; the same for the same numbers."""
    total = np.float32(0)
    for j in range(len(a)):
        total += a[j] * b[j]
    return total
