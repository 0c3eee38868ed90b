"""Picking the best of many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_worlds import NOW_MS, World, query

from inhouse.core.random import stream
from inhouse.recommend.best import top
from inhouse.recommend.picking import NEAR_MISSES, Ordered, pick


def _in_order(scores: np.ndarray) -> Ordered:
    """The order of these scores."""
    return lambda k: (top(scores, k), scores[top(scores, k)])


def _sorted_top(scores: np.ndarray, k: int, among: np.ndarray) -> list[int]:
    rows = [i for i in range(len(scores)) if among[i] and np.isfinite(scores[i])]
    return sorted(rows, key=lambda i: (-scores[i], i))[:k]


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 1.5, -2.0, np.nan, np.inf, -np.inf]), st.booleans()),
        max_size=40,
    ),
    st.integers(0, 45),
)
@settings(deadline=None)  # the first call compiles
def test_top_is_what_sorting_everything_would_give(rows: list[tuple[float, bool]], k: int) -> None:
    """Ties go by row, and what is not finite never appears."""
    scores = np.array([score for score, _ in rows], dtype=np.float32)
    among = np.array([wanted for _, wanted in rows], dtype=np.bool_)
    assert _sorted_top(scores, k, among) == top(scores, k, among).tolist()


@pytest.mark.parametrize("k", [1, 30, 700, 1_300])
@pytest.mark.parametrize("shape", ["smooth", "striped", "flat", "mostly barred"])
def test_top_stays_exact_where_sampling_guesses_the_floor(k: int, shape: str) -> None:
    """A sample that misleads costs time, never the answer."""
    random = stream(3, shape)
    scores = random.normal(size=9_000).astype(np.float32)
    among = np.ones(9_000, dtype=np.bool_)
    if shape == "striped":  # every eighth row, the sampled ones, is far above the others
        scores[::8] += 100
        among[::8] = False
    elif shape == "flat":
        scores[:] = 1.0
    elif shape == "mostly barred":
        among = scores < -1.5
    assert _sorted_top(scores, k, among) == top(scores, k, among).tolist()


def test_near_misses_ride_along_only_where_they_outrank_the_last_pick() -> None:
    """What would have been offered but for a reason is offered too, so the reason is logged."""
    world = World()
    for i in range(40):
        world.item(f"i{i}", created_ms=NOW_MS - i)
    for i in (0, 1, 5, 30):
        world.event("impression", f"i{i}")
    moment = world.moment(query())
    offer = pick(moment, _in_order(-np.arange(40, dtype=np.float32)), 6)
    assert offer.items.tolist() == [2, 3, 4, 6, 7, 8, 0, 1, 5]


def test_near_misses_are_few() -> None:
    """Somebody who has seen everything does not flood the filters."""
    world = World()
    for i in range(60):
        world.item(f"i{i}")
        world.event("impression", f"i{i}")
    moment = world.moment(query())
    assert len(pick(moment, _in_order(np.ones(60, dtype=np.float32)), 20).items) == NEAR_MISSES
