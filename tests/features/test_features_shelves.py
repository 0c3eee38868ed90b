"""Shelves: short lists that say what a walk over the whole catalogue would say."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse.catalog.types import Item
from inhouse.core.clock import HOUR_MS
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.types import Event, LoggedEvent
from inhouse.features.items import HEAT_HALF_LIFE_MS
from inhouse.features.shelves import ByCreator, Hottest, Newest, Shelves
from inhouse.features.state import LiveState


@given(st.lists(st.lists(st.integers(0, 8), max_size=6), max_size=12), st.integers(0, 40))
def test_newest_is_what_sorting_everything_would_give(batches: list[list[int]], k: int) -> None:
    """However items arrive; among equals the first arrival is first."""
    shelf, times = Newest(most=10), list[int]()
    for batch in batches:
        rows = np.arange(len(times), len(times) + len(batch), dtype=np.int32)
        shelf.put(rows, np.array(batch, dtype=np.int64))
        times += batch

    expected = sorted(range(len(times)), key=lambda row: (-times[row], row))[:10]
    assert shelf.first(k).tolist() == expected[:k]


def test_an_item_whose_time_changed_moves() -> None:
    """It stands at its new place, and once."""
    shelf = Newest()
    shelf.put(np.arange(3, dtype=np.int32), np.array([10, 20, 30], dtype=np.int64))
    shelf.put(np.array([0], dtype=np.int32), np.array([25], dtype=np.int64))
    assert shelf.first(9).tolist() == [2, 0, 1]


@given(st.lists(st.tuples(st.integers(0, 60), st.floats(0.5, 5)), max_size=200))
def test_hottest_keeps_exactly_the_hottest(warmings: list[tuple[int, float]]) -> None:
    """Among 60 items that are warmed again and again, a shelf of 8 holds the 8 hottest."""
    shelf, heat, at = Hottest(HOUR_MS, most=8), np.zeros(61), np.zeros(61, dtype=np.int64)
    for now, (row, weight) in enumerate(warmings):
        now_ms = now * HOUR_MS // 4
        heat[row] = heat[row] * 0.5 ** ((now_ms - at[row]) / HOUR_MS) + weight
        at[row] = now_ms
        shelf.warmed(row, float(heat[row]), now_ms)
    end_ms = len(warmings) * HOUR_MS // 4
    now_heat = heat * 0.5 ** ((end_ms - at) / HOUR_MS)
    found = shelf.first(8)

    rebuilt = Hottest(HOUR_MS, most=8)
    rebuilt.rebuild(heat, at)
    best = np.sort(now_heat[now_heat > 0])[::-1][:8]
    assert np.allclose(now_heat[found], best)
    assert np.allclose(now_heat[rebuilt.first(8)], best)


def test_creators_know_their_latest_and_their_reach() -> None:
    """The last arrivals of each, whoever asks for whom, and the impressions of all their items."""
    shelf = ByCreator(kept=2)
    for row in range(6):
        shelf.put(row, row % 2)
    shelf.impressed(1)
    shelf.impressed(1)
    assert shelf.of([1, 7]).tolist() == [3, 5]
    assert shelf.shown(np.array([0, 1, 99], dtype=np.int32)).tolist() == [0, 2, 0]


def _act(state: LiveState, number: int, kind: str, row: int) -> None:
    event = Event(
        event_id=EventId(f"e{number}"),
        at_ms=number * HOUR_MS,
        kind=kind,  # type: ignore[arg-type]
        user_id=UserId(f"u{number % 5}"),
        item_id=ItemId(f"i{row}"),
    )
    state.apply_events([LoggedEvent(log_offset=number, received_ms=0, event=event)])


def _item(row: int, reply_to: str | None = None) -> Item:
    return Item(
        item_id=ItemId(f"i{row}"),
        creator_id=UserId(f"c{row % 3}"),
        created_ms=row % 4,
        reply_to=None if reply_to is None else ItemId(reply_to),
    )


_ACTS = ["impression", "click", "like", "hide", "answers", "stands alone"]


@settings(deadline=None)  # the first compiles
@given(st.lists(st.tuples(st.sampled_from(_ACTS), st.integers(0, 9)), max_size=40))
def test_folding_and_rebuilding_agree(acts: list[tuple[str, int]]) -> None:
    """A state that followed every event has the shelves of one that starts from its columns."""
    state = LiveState()
    state.apply_items([_item(row, "i0" if row == 7 else None) for row in range(10)])
    for number, (kind, row) in enumerate(acts, 1):
        if kind in ("answers", "stands alone"):
            state.apply_items([_item(row, "elsewhere" if kind == "answers" else None)])
        else:
            _act(state, number, kind, row)

    told, fresh = state.shelves, Shelves(state.items)

    creators = np.arange(4, dtype=np.int32)
    times = state.items.created_ms  # among equals an edit moves a post
    assert times[told.newest.first(99)].tolist() == times[fresh.newest.first(99)].tolist()
    assert told.hot.first(99).tolist() == fresh.hot.first(99).tolist()
    assert told.popular.first(99).tolist() == fresh.popular.first(99).tolist()
    posts = np.flatnonzero(~state.items.is_reply[:10])
    assert set(told.newest.first(99)) == set(state.items.posts) == set(posts)
    assert set(told.creators.of(range(4))) == set(fresh.creators.of(range(4))) == set(posts)
    assert told.creators.shown(creators).tolist() == fresh.creators.shown(creators).tolist()
    assert (told.impressions, told.wanted) == (fresh.impressions, fresh.wanted)
    heat = state.items.heat_at(99 * HOUR_MS, told.hot.first(99))
    assert (np.diff(heat) <= 0).all()
    assert HEAT_HALF_LIFE_MS == 12 * HOUR_MS


def test_a_post_that_changes_hands_is_found_under_its_new_creator() -> None:
    """An edit of the creator is as good as a new post by them."""
    state = LiveState()
    for creator in ("ann", "bob"):
        state.apply_items([Item(item_id=ItemId("i"), creator_id=UserId(creator), created_ms=1)])
    assert state.shelves.creators.of([state.items.creators.find("bob")]).tolist() == [0]
