"""The baselines: what was wanted of late, and what was wanted together."""

import numpy as np
import pytest

from inhouse.core.clock import DAY_MS
from inhouse.learning.measuring.baselines import ItemNeighbours, RecentPopularity


def test_popularity_halves_with_its_half_life() -> None:
    """An event counts one when it happens and a half after its half-life."""
    popular = RecentPopularity(3, half_life_days=7)
    popular.learn(0, 1, 0)
    popular.learn(0, 2, 7 * DAY_MS)

    assert popular.scores(9, 7 * DAY_MS).tolist() == [0.0, 0.5, 1.0]


def test_popularity_overtakes_the_past() -> None:
    """What many wanted long ago ranks behind what few want today."""
    popular = RecentPopularity(2, half_life_days=1)
    for _ in range(50):
        popular.learn(0, 0, 0)
    popular.learn(0, 1, 10 * DAY_MS)

    assert int(np.argmax(popular.scores(0, 10 * DAY_MS))) == 1


def test_an_event_out_of_order_turns_no_time_back() -> None:
    """A late event counts in full and ages nothing."""
    popular = RecentPopularity(2)
    popular.learn(0, 0, 5 * DAY_MS)
    popular.learn(0, 1, 0)

    assert popular.scores(0, 5 * DAY_MS).tolist() == [1.0, 1.0]


def test_neighbours_are_what_was_wanted_together() -> None:
    """Two people wanted 0 and 1; whoever wants 0 is offered 1 before 2."""
    near = ItemNeighbours(4)
    for user in (0, 1):
        near.learn(user, 0, 0)
        near.learn(user, 1, 0)
    near.learn(2, 2, 0)
    near.learn(2, 3, 0)
    near.learn(9, 0, 0)

    scores = near.scores(9, 0)

    assert int(np.argmax(scores)) == 1
    assert scores[[2, 3]].tolist() == [0.0, 0.0]


def test_a_pair_is_the_cosine_of_counts() -> None:
    """Next to each other, a pair wanted by c people scores c over the root of n_i (n_j + 1)."""
    near = ItemNeighbours(2)
    for user in (0, 1, 2):
        near.learn(user, 0, 0)
    for user in (0, 1):
        near.learn(user, 1, 0)
    near.learn(5, 0, 0)

    assert float(near.scores(5, 0)[1]) == pytest.approx(2 / np.sqrt(4 * 3), abs=1e-6)


def test_nearer_in_order_counts_more() -> None:
    """What directly followed weighs more than what came later."""
    near = ItemNeighbours(4)
    for item in (0, 1, 2, 3):
        near.learn(0, item, 0)
    near.learn(1, 0, 0)

    scores = near.scores(1, 0)

    assert scores[1] > scores[2] > scores[3]


def test_a_stranger_is_offered_what_is_wanted_most() -> None:
    """Without history the neighbours fall back to counts."""
    near = ItemNeighbours(3)
    near.learn(0, 2, 0)
    near.learn(1, 2, 0)
    near.learn(1, 1, 0)

    assert near.scores(7, 0).tolist() == [0.0, 1.0, 2.0]
