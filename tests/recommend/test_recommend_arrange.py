"""Arranging a page."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_worlds import World, page_of, query

from inhouse.recommend.arrange import Arranged, arrange
from inhouse.recommend.arrange.chance import DRAWS, UNIFORM_SHARE, places
from inhouse.recommend.tuning import Tuning
from inhouse.recommend.types import SOURCE_BIT, SOURCE_NAMES, Candidates

EXPLORE = 1 << SOURCE_BIT["explore"]


def _world(creators: str, **facts: object) -> World:
    """One item per letter; the letter is its creator, its place its rank by value."""
    world = World()
    for i, creator in enumerate(creators):
        world.item(f"i{i}", creator=creator, **facts)
    return world


def _arrange(world: World, *, n: int, tuning: Tuning, sources: int = 1, seed: int = 1) -> Arranged:
    count = world.state.items.count
    moment = world.moment(query(n=n, seed=seed), None, tuning)
    ranked = Candidates(
        items=np.arange(count, dtype=np.int32),
        sources=np.full(count, sources, dtype=np.uint16),
        offered=np.ones((count, len(SOURCE_NAMES)), dtype=np.float32),
        causes=np.full(count, -1, dtype=np.int32),
        value=np.linspace(1, 0, count),
    )
    return arrange(moment, ranked)


def _order(arranged: Arranged) -> list[int]:
    return [placed.choice.row for placed in arranged.places]


def _letters(creators: str, arranged: Arranged) -> str:
    return "".join(creators[row] for row in _order(arranged))


PLAIN = Tuning(diversity=0, explore_share=0, creator_cap=100)


def _avoidable(creators: str, n: int) -> bool:
    """By trying every page there is."""
    length = min(n, len(creators))
    return any(
        all(a != b for a, b in itertools.pairwise(page))
        for page in set(itertools.permutations(creators, length))
    )


@given(st.text("abc", max_size=7), st.integers(1, 7))
@settings(deadline=None)
def test_neighbours_by_one_creator_appear_only_where_no_page_avoids_them(
    creators: str, n: int
) -> None:
    """Judged against every possible page."""
    page = _letters(creators, _arrange(_world(creators), n=n, tuning=PLAIN))
    assert len(page) == min(n, len(creators))
    apart = all(a != b for a, b in itertools.pairwise(page))
    assert apart == _avoidable(creators, n)


@given(st.text("abcdef", max_size=40), st.integers(1, 30), st.integers(1, 4), st.integers(0, 9))
@settings(deadline=None, max_examples=60)
def test_placed_reserve_and_removed_add_up_to_the_candidates(
    creators: str, n: int, cap: int, seed: int
) -> None:
    """Arranging loses nothing and shows nothing twice."""
    tuning = Tuning(creator_cap=cap, explore_share=0.3)
    world = _world(creators)
    world.item("liked", creator="z", hidden=True)
    world.event("like", "liked")
    arranged = _arrange(world, n=n, tuning=tuning, sources=EXPLORE, seed=seed)
    gone = [int(row) for removal in arranged.removed for row in removal.items]
    everything = [*_order(arranged), *(int(row) for row in arranged.reserve), *gone]
    assert list(range(len(creators) + 1)) == sorted(everything)


def test_the_order_by_value_stands_where_no_rule_speaks_against_it() -> None:
    """Arranging is not shuffling."""
    assert _order(_arrange(_world("abcdef"), n=4, tuning=PLAIN)) == [0, 1, 2, 3]


def test_a_neighbour_is_held_back_and_the_page_says_so() -> None:
    """The second post of a creator waits one place, with its old rank and the reason noted."""
    arranged = _arrange(_world("aab"), n=3, tuning=PLAIN)
    assert _order(arranged) == [0, 2, 1]
    assert [placed.notes for placed in arranged.places] == [
        (),
        ("value_rank:3",),
        ("value_rank:2", "held:creator_neighbour"),
    ]


def test_the_first_place_is_no_neighbour_of_the_last_page() -> None:
    """The border between two pages counts."""
    world = _world("ab")
    world.item("old", creator="a")
    world.show(page_of(["old"]))
    world.state.items.hidden[2] = True
    arranged = _arrange(world, n=2, tuning=PLAIN)
    assert _letters("aba", arranged)[0] == "b"


def test_the_cap_counts_the_pages_before_and_gives_way_last() -> None:
    """A creator at the cap stands behind everybody else, and on the page only to fill it.

    Of four creators and twelve places it is three times one.
    """
    world = _world("aabcd")
    for i in range(3):
        world.item(f"old{i}", creator="a")
    world.item("last", creator="b")
    world.show(page_of([f"old{i}" for i in range(3)] + ["last"]))
    tuning = Tuning(diversity=0, explore_share=0, creator_cap=1)
    moment = world.moment(query(n=4), None, tuning)
    ranked = Candidates(
        items=np.arange(5, dtype=np.int32),
        sources=np.ones(5, dtype=np.uint16),
        offered=np.ones((5, len(SOURCE_NAMES)), dtype=np.float32),
        causes=np.full(5, -1, dtype=np.int32),
        value=np.linspace(1, 0, 5),
    )
    arranged = arrange(moment, ranked)
    assert _order(arranged) == [3, 2, 4, 0]
    assert [(gone.stage, gone.reason, gone.items.tolist()) for gone in arranged.removed] == [
        ("CreatorRule", "creator_cap", [1])
    ]
    assert "held:creator_cap" in arranged.places[3].notes


def test_the_cap_counts_the_page_itself() -> None:
    """With as many creators as places the second post by one creator is taken out."""
    tuning = Tuning(diversity=0, explore_share=0, creator_cap=1)
    arranged = _arrange(_world("abacadefghijkl"), n=4, tuning=tuning)
    assert _letters("abacadefghijkl", arranged) == "abcd"
    assert [gone.items.tolist() for gone in arranged.removed] == [[2, 4]]


def test_where_creators_are_few_the_cap_is_that_many_even_shares() -> None:
    """Of four creators each may have five of eighteen places, not one: order by value stands."""
    few = "ab" * 3 + "cd"
    tuning = Tuning(diversity=0, explore_share=0, creator_cap=1)
    assert _letters(few, _arrange(_world(few), n=6, tuning=tuning)) == "ababab"


def test_the_page_before_gives_way_to_the_page_itself() -> None:
    """Where either the border or the inside has neighbours, the inside stays apart."""
    world = _world("aab")
    world.item("old", creator="a", hidden=True)
    world.show(page_of(["old"]))
    arranged = _arrange(world, n=3, tuning=Tuning(diversity=0, explore_share=0, creator_cap=100))
    assert _letters("aaba", arranged) == "aba"


def test_chance_bends_no_rule() -> None:
    """A place where only a neighbour is left is filled by value, not by chance."""
    world = _world("aa")
    world.event("like", "i1", user="me")
    tuning = Tuning(diversity=0, explore_share=0.5)
    arranged = _arrange(world, n=2, tuning=tuning, sources=EXPLORE)
    assert [placed.choice.explored for placed in arranged.places] == [False, False]


def test_variety_lowers_what_is_like_the_places_above() -> None:
    """With diversity the one different post comes second; without it comes last."""
    world = World()
    for i in range(4):
        world.item(f"cat{i}", creator=f"c{i}", topics=("cats",), title="cats cats")
    world.item("dog", creator="d", topics=("dogs",), title="dogs dogs")
    varied = Tuning(diversity=0.6, explore_share=0)
    assert _order(_arrange(world, n=5, tuning=varied)).index(4) == 1
    assert _order(_arrange(world, n=5, tuning=PLAIN)) == [0, 1, 2, 3, 4]
    notes = _arrange(world, n=5, tuning=varied).places[2].notes
    assert notes == ("value_rank:2", "held:like_those_above")


@pytest.mark.parametrize(
    ("n", "share", "expected"),
    [(20, 0.1, {5, 15}), (20, 0.0, set()), (10, 0.1, {5}), (1, 0.5, set()), (4, 0.5, {1, 3})],
)
def test_the_share_of_chance_becomes_evenly_spread_places(
    n: int, share: float, expected: set[int]
) -> None:
    """A tenth of twenty places are the sixth and the sixteenth."""
    assert expected == places(n, share)


def _explorable(letters: str) -> World:
    world = _world(letters)
    world.item("liked", creator="z", hidden=True)
    world.event("like", "liked")
    return world


def test_strangers_are_not_experimented_with() -> None:
    """Without any history no place is given by chance."""
    tuning = Tuning(diversity=0, explore_share=0.5)
    arranged = _arrange(_world("abcdefgh"), n=4, tuning=tuning, sources=EXPLORE)
    assert [placed.choice.explored for placed in arranged.places] == [False] * 4


def test_only_places_of_chance_have_a_propensity_below_one() -> None:
    """The others are certain, given what stands above them."""
    tuning = Tuning(diversity=0, explore_share=0.5)
    arranged = _arrange(_explorable("abcdefghijkl"), n=4, tuning=tuning, sources=EXPLORE)
    assert [p.choice.explored for p in arranged.places] == [False, True, False, True]
    assert not any("held:" in note for placed in arranged.places for note in placed.notes)
    for placed in arranged.places:
        if placed.choice.explored:
            k = int(next(n for n in placed.notes if n.startswith("explored:")).split(":")[1])
            assert UNIFORM_SHARE / k <= placed.choice.propensity < 1.0
        else:
            assert placed.choice.propensity == 1.0


def test_the_logged_propensity_is_the_probability_of_the_choice() -> None:
    """Inverse propensities of the chosen average to the number of choices, as they must."""
    world = _explorable("abcdef")
    for i in range(6):  # different records, so that the choice is far from uniform
        for k in range(10 * i):
            world.event("impression", f"i{i}", user=f"u{k}")
            if k % (i + 1) == 0:
                world.event("click", f"i{i}", user=f"u{k}")
    tuning = Tuning(diversity=0, explore_share=0.5)
    counts: Counter[int] = Counter()
    inverse = 0.0
    seeds = 3_000
    for seed in range(seeds):
        # Two places: the first is by value, the second by chance among the other five or six.
        placed = _arrange(world, n=2, tuning=tuning, sources=EXPLORE, seed=seed).places[1]
        counts[placed.choice.row] += 1
        inverse += 1 / placed.choice.propensity
    choices = len(counts)
    # The variance of 1/p is at most (k / 0.2)^2, so the mean is within 6 standard errors.
    error = (choices / UNIFORM_SHARE) / seeds**0.5
    assert abs(inverse / seeds - choices) < 6 * error
    assert counts.most_common()[0][1] > 1.5 * counts.most_common()[-1][1]


def test_the_propensity_follows_the_formula() -> None:
    """It is a share of the posterior draws, mixed with one part in five of uniform choice."""
    world = _explorable("abc")
    tuning = Tuning(diversity=0, explore_share=0.5)
    for seed in range(20):
        placed = _arrange(world, n=2, tuning=tuning, sources=EXPLORE, seed=seed).places[1]
        k = int(placed.notes[0].split(":")[1])
        q = (placed.choice.propensity - UNIFORM_SHARE / k) / (1 - UNIFORM_SHARE)
        assert q * DRAWS == pytest.approx(round(q * DRAWS), abs=1e-9)


def _known_creators(letters: str) -> World:
    """All but `n` have been seen often."""
    world = _world(letters)
    for i, creator in enumerate(letters):
        if creator != "n":
            world.state.items.impressions[i] = 1_000
    world.state.shelves.rebuild()
    return world


def test_a_new_creator_gets_a_place_on_the_page() -> None:
    """The best post of somebody few have met stands in the middle, though its value is too low."""
    tuning = Tuning(diversity=0, explore_share=0)
    arranged = _arrange(_known_creators("abcdefghijklmnopq"), n=10, tuning=tuning)
    assert _order(arranged) == [0, 1, 2, 3, 13, 4, 5, 6, 7, 8]
    assert arranged.places[4].notes == ("new_creator", "value_rank:14")


@pytest.mark.parametrize(("impressions", "lifted"), [(80, True), (200, False)])
def test_a_new_creator_is_lifted_until_shown_like_the_posts_beside(
    impressions: int, lifted: bool
) -> None:
    """Others have four posts of a hundred impressions each; more than that needs no help."""
    before, after = "abcdefghijklm" * 3, "abcdefghijklm"
    letters, new = before + "n" + after, len(before)
    world = _world(letters)
    world.state.items.impressions[: len(letters)] = 100
    world.state.items.impressions[new] = impressions
    world.state.shelves.rebuild()
    arranged = _arrange(world, n=10, tuning=Tuning(diversity=0, explore_share=0))
    assert (new in _order(arranged)) is lifted


def test_no_second_new_creator_is_lifted() -> None:
    """Where one stands above by value, the place is for whoever is best."""
    tuning = Tuning(diversity=0, explore_share=0)
    arranged = _arrange(_known_creators("abncdefghijklmnop"), n=10, tuning=tuning)
    assert list(range(10)) == _order(arranged)
