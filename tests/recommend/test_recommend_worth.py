"""What speaks against an item, compiled, against its plain definition."""

import numpy as np
import pytest

from inhouse.recommend.filters import REASONS
from inhouse.recommend.worth import (
    ANY_REGION,
    BLOCKED,
    BLOCKED_BY,
    BY_ROW,
    EXCLUDED,
    EXPIRED,
    HIDDEN,
    MUTED_CREATOR,
    MUTED_TOPIC,
    MUTED_WORD,
    NEVER,
    OPERATOR,
    OTHER_REGION,
    OWN,
    REPLY,
    SEEN,
    SERVED,
    VERDICT,
    Bars,
    Parts,
    against,
    among,
    enough,
    first_of_each,
    first_on_topic,
    looked_at,
    marks_of,
    on_topic,
    picked,
    seldom_shown,
    trending_shares,
)

ITEMS = 60


def _sorted(dice: np.random.Generator, most: int) -> np.ndarray:
    return np.unique(dice.integers(0, most, int(dice.integers(0, 8)))).astype(np.int32)


def _topics(dice: np.random.Generator) -> np.ndarray:
    topics = dice.integers(0, 6, (ITEMS, 4)).astype(np.int16)
    topics[np.arange(4) >= dice.integers(0, 5, ITEMS)[:, None]] = -1
    return topics


def _bars(dice: np.random.Generator) -> Bars:
    goes_on = dice.random() < 0.5
    excluded, seen, served = (_sorted(dice, ITEMS) for _ in range(3))
    barred = np.sort(np.concatenate([excluded, seen, served]))
    silenced = _sorted(dice, 20)
    why = dice.choice([BLOCKED, BLOCKED_BY, MUTED_CREATOR, OWN], len(silenced)).astype(np.uint8)
    return Bars(
        now_ms=50,
        expires_ms=dice.integers(40, 90, ITEMS),
        hidden=dice.random(ITEMS) < 0.1,
        is_reply=dice.random(ITEMS) < 0.1,
        shown=dice.random(7) < 0.8,
        verdicts=dice.integers(0, 7, int(dice.integers(1, ITEMS + 1))).astype(np.uint8),
        creator=dice.integers(-1, 20, ITEMS).astype(np.int32),
        silenced=silenced,
        silenced_for=why,
        topics=_topics(dice),
        muted=np.isin(np.arange(7), dice.integers(0, 6, int(dice.integers(0, 2)))),
        region=dice.integers(-1, 3, ITEMS).astype(np.int16),
        my_region=int(dice.choice([ANY_REGION, -1, 1])),
        barred=barred,
        marks=marks_of(barred),
        excluded=excluded,
        seen=seen,
        created_ms=dice.integers(0, 10, ITEMS),
        after_ms=8 if goes_on else NEVER,
        after_row=20 if goes_on else -1,
    )


def _plainly(row: int, action: int, bars: Bars) -> int:
    """One reason after the other, in the order of the filters."""
    region, created = bars.region[row], bars.created_ms[row]
    place = bars.silenced.tolist().index(bars.creator[row]) if _is_silenced(row, bars) else -1
    topics = set(bars.topics[row].tolist()) - {-1}
    passed = created > bars.after_ms or (created == bars.after_ms and row <= bars.after_row)
    speaks = {
        HIDDEN: bars.hidden[row],
        EXPIRED: bars.expires_ms[row] <= bars.now_ms,
        REPLY: bars.is_reply[row],
        VERDICT + action: not bars.shown[action],
        int(bars.silenced_for[place]) if place >= 0 else 0: place >= 0,
        MUTED_TOPIC: topics & set(np.flatnonzero(bars.muted).tolist()),
        OTHER_REGION: bars.my_region != ANY_REGION and region >= 0 and region != bars.my_region,
        EXCLUDED: row in bars.excluded or passed,
        SEEN: row in bars.seen,
        SERVED: row in bars.barred,
    }
    return min((code for code, does in speaks.items() if does), default=0)


def _is_silenced(row: int, bars: Bars) -> bool:
    return bool(bars.creator[row] in bars.silenced)


@pytest.mark.parametrize("seed", range(200))
def test_the_first_reason_against_an_item_is_named(seed: int) -> None:
    """Of random items, requests and rows in any order; 0 where there is none."""
    dice = np.random.default_rng(seed)
    bars, rows = _bars(dice), dice.permutation(ITEMS).astype(np.int32)[::2].copy()
    actions = dice.integers(0, 7, len(rows)).astype(np.uint8)
    expected = [
        _plainly(row, action, bars)
        for row, action in zip(rows.tolist(), actions.tolist(), strict=True)
    ]
    assert against(rows, actions, bars).tolist() == expected
    told = bars.verdicts[np.minimum(rows, len(bars.verdicts) - 1)]
    assert against(rows, BY_ROW, bars).tolist() == against(rows, told, bars).tolist()


@pytest.mark.parametrize("seed", range(60))
def test_walks_take_what_going_one_by_one_would_take(seed: int) -> None:
    """The first of an order with its near misses, of several lists, on topics, seldom shown."""
    dice = np.random.default_rng(seed)
    bars, rows = _bars(dice), dice.permutation(ITEMS).astype(np.int32)
    actions = dice.integers(0, 7, len(rows)).astype(np.uint8)
    fine = against(rows, actions, bars) == 0
    good, bad = np.flatnonzero(fine), np.flatnonzero(~fine)
    last = good[4] if len(good) > 4 else ITEMS
    places, count = picked(rows, actions, bars, 5, 3, ITEMS)
    assert places.tolist() == [*good[:5], *bad[bad < last][:3]]
    assert count == min(len(good), 5)
    until = 6  # and more, until four of the five are found
    while until < ITEMS and (found_so_far := int(np.count_nonzero(good < until))) < enough(5):
        until = max(2 * until, looked_at(5, 2 * (until - found_so_far)))
    few = good[good < until][:5]
    last = few[4] if len(few) == 5 else until
    places, count = picked(rows, actions, bars, 5, 3, 6)
    assert (places.tolist(), count) == ([*few, *bad[bad < last][:3]], len(few))
    ends = np.array([20, 20, ITEMS])
    parts = [rows[start:end][fine[start:end]] for start, end in ((0, 20), (20, 20), (20, ITEMS))]
    found, counts = first_of_each(rows, actions, bars, ends, 4)
    assert found.tolist() == sorted({row for part in parts for row in part[:4].tolist()})
    assert counts.tolist() == [min(len(part), 4) for part in parts]
    wanted = np.isin(np.arange(7), [1, 2])
    hit = on_topic(rows, bars.topics, wanted)
    assert first_on_topic(rows, actions, bars, wanted, 3).tolist() == rows[fine & hit][:3].tolist()
    shown, pool = dice.integers(0, 9, ITEMS).astype(np.float64), _sorted(dice, ITEMS)
    seldom = {*pool.tolist(), *rows[fine & (shown[rows] < 4)].tolist()}
    assert seldom_shown(pool, rows, actions, bars, (shown, 4)).tolist() == sorted(seldom)


@pytest.mark.parametrize("seed", range(60))
def test_each_part_of_what_trends_takes_its_share(seed: int) -> None:
    """A third by topic, a third by region, the rest by heat alone, and near misses."""
    dice = np.random.default_rng(seed)
    bars, rows = _bars(dice), dice.permutation(ITEMS).astype(np.int32)
    actions, heat_ms = dice.integers(0, 7, ITEMS).astype(np.uint8), dice.integers(0, 9, ITEMS)
    topics = np.isin(np.arange(7), [1, 2]) if seed % 2 else np.empty(0, dtype=np.bool_)
    parts = Parts(topics=topics, region=seed % 3 - 1, heat_ms=heat_ms, since_ms=2, quota=9)
    codes, warm = against(rows, actions, bars), heat_ms[rows] > 2
    left = rows[warm & (codes == 0)].tolist()
    by_topic = [row for row in left if len(topics) and {1, 2} & set(bars.topics[row].tolist())]
    by_region = [row for row in left if parts.region >= 0 and bars.region[row] == parts.region]
    chosen = by_topic[:3]
    of_region = [row for row in by_region if row not in chosen][:3]
    chosen += of_region
    chosen += [row for row in left if row not in chosen][: 9 - len(chosen)]
    full = (
        len(chosen) == 9
        and (not len(topics) or len(by_topic) >= 3)
        and (parts.region < 0 or len(of_region) == 3)
    )
    misses = rows[warm & (codes != 0)].tolist()[:2]
    found, was_full = trending_shares(rows, actions, bars, parts, 2)
    assert (found.tolist(), was_full) == (sorted([*chosen, *misses]), full)


@pytest.mark.parametrize("seed", range(50))
def test_members_and_topics_are_found(seed: int) -> None:
    """By looking at each."""
    dice = np.random.default_rng(seed)
    rows = dice.integers(0, ITEMS, 40).astype(np.int32)
    members, topics, wanted = _sorted(dice, ITEMS), _topics(dice), _sorted(dice, 6).astype(np.int16)
    assert among(rows, members).tolist() == np.isin(rows, members).tolist()
    expected = np.isin(topics[rows], wanted).any(axis=1).tolist()
    by_topic = np.isin(np.arange(7), wanted)  # six topics, and the last stands for none
    assert on_topic(rows, topics, by_topic).tolist() == expected


def test_codes_are_places_in_the_list_of_what_filters_say() -> None:
    """Each code names the reason that it stands for."""
    codes = {
        "hidden": HIDDEN,
        "expired": EXPIRED,
        "verdict_allow": VERDICT,
        "operator_blocked": OPERATOR,
        "blocked_creator": BLOCKED,
        "blocked_by_creator": BLOCKED_BY,
        "muted_creator": MUTED_CREATOR,
        "muted_topic": MUTED_TOPIC,
        "muted_word": MUTED_WORD,
        "own_post": OWN,
        "other_region": OTHER_REGION,
        "excluded": EXCLUDED,
        "seen": SEEN,
        "served_lately": SERVED,
    }
    told = [reason for _, reason in REASONS]
    assert codes == {reason: told.index(reason) + 1 for reason in codes}
    assert len(told) == SERVED
