"""What speaks against an item, compiled, against its plain definition."""

import numpy as np
import pytest

from inhouse.recommend.worth import ANY_REGION, NEVER, Bars, among, on_topic, worthwhile

ITEMS = 60


def _sorted(dice: np.random.Generator, most: int) -> np.ndarray:
    return np.unique(dice.integers(0, most, int(dice.integers(0, 8)))).astype(np.int32)


def _topics(dice: np.random.Generator) -> np.ndarray:
    topics = dice.integers(0, 6, (ITEMS, 4)).astype(np.int16)
    topics[np.arange(4) >= dice.integers(0, 5, ITEMS)[:, None]] = -1
    return topics


def _bars(dice: np.random.Generator) -> Bars:
    goes_on = dice.random() < 0.5
    return Bars(
        now_ms=50,
        expires_ms=dice.integers(40, 90, ITEMS),
        hidden=dice.random(ITEMS) < 0.1,
        shown=dice.random(7) < 0.8,
        creator=dice.integers(-1, 20, ITEMS).astype(np.int32),
        silenced=_sorted(dice, 20),
        topics=_topics(dice),
        muted=_sorted(dice, 6)[:2].astype(np.int16),
        region=dice.integers(-1, 3, ITEMS).astype(np.int16),
        my_region=int(dice.choice([ANY_REGION, -1, 1])),
        barred=_sorted(dice, ITEMS),
        created_ms=dice.integers(0, 10, ITEMS),
        after_ms=8 if goes_on else NEVER,
        after_row=20 if goes_on else -1,
    )


def _is_good(row: int, action: int, bars: Bars) -> bool:
    """One reason after the other, as the filters name them."""
    region, created = bars.region[row], bars.created_ms[row]
    passed = created > bars.after_ms or (created == bars.after_ms and row <= bars.after_row)
    return not (
        bars.hidden[row]
        or bars.expires_ms[row] <= bars.now_ms
        or not bars.shown[action]
        or bars.creator[row] in bars.silenced
        or set(bars.topics[row].tolist()) & set(bars.muted.tolist())
        or (bars.my_region != ANY_REGION and region >= 0 and region != bars.my_region)
        or row in bars.barred
        or passed
    )


@pytest.mark.parametrize("seed", range(200))
def test_an_item_is_worthwhile_where_no_single_reason_speaks_against_it(seed: int) -> None:
    """Of random items, requests and rows in any order."""
    dice = np.random.default_rng(seed)
    bars, rows = _bars(dice), dice.permutation(ITEMS).astype(np.int32)[::2]
    actions = dice.integers(0, 7, len(rows)).astype(np.uint8)
    expected = [
        _is_good(row, action, bars)
        for row, action in zip(rows.tolist(), actions.tolist(), strict=True)
    ]
    assert worthwhile(rows, actions, bars).tolist() == expected


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
