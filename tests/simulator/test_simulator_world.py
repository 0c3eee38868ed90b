"""The world as a whole: its best feed, and that a better feed brings people back."""

import itertools

import numpy as np
import pytest
from simulator_fakes import (
    START_MS,
    Policy,
    by_chance,
    by_popularity,
    by_truth,
    play,
    small_world,
)

from inhouse.core.clock import HOUR_MS
from inhouse.simulator import appeal, creators, people, truth
from inhouse.simulator.topics import NO_HARM
from inhouse.simulator.world import VisitOutcome, World

SEEDS = (1, 2, 3)
DAYS = 3


@pytest.fixture(scope="module")
def played() -> dict[str, tuple[float, float, float]]:
    """policy -> (mean satisfaction of visits, next-day return, share that left) over the seeds."""
    policies: dict[str, Policy] = {
        "chance": by_chance,
        "popular": by_popularity,
        "truth": by_truth,
    }
    found = {}
    for name, policy in policies.items():
        satisfactions: list[float] = []
        came = days = left = everybody = 0
        for seed in SEEDS:
            world = small_world(seed, people=100)
            satisfactions += play(world, policy, DAYS)
            back, could = truth.next_day_return(world.active)
            came, days = came + back, days + could
            left += int(world.moods.churned.sum())
            everybody += world.people_count
        found[name] = (float(np.mean(satisfactions)), came / days, left / everybody)
    return found


def test_better_feeds_satisfy_more(played: dict[str, tuple[float, float, float]]) -> None:
    """The true best feed beats popularity, which beats chance."""
    assert played["truth"][0] > played["popular"][0] + 0.15
    assert played["popular"][0] > played["chance"][0] + 0.02


def test_better_feeds_bring_people_back(played: dict[str, tuple[float, float, float]]) -> None:
    """More people return the day after under a better feed, and fewer leave for good."""
    assert played["truth"][1] > played["popular"][1] + 0.04
    assert played["popular"][1] > played["chance"][1]
    assert played["truth"][2] < played["popular"][2] < played["chance"][2]


def test_the_best_feed_is_the_best_there_is() -> None:
    """In a world small enough to try every order, none beats it by more than 0.03."""
    world = small_world(people=24, posts=60)
    choice = np.arange(7, dtype=np.int32)
    for person in range(6):
        mind = world.mind(person, START_MS)
        mine = world.page_values(person, world.best_feed(person, 3, mind, choice), mind).mean()
        best = max(
            world.page_values(person, np.asarray(order, np.int32), mind).mean()
            for order in itertools.permutations(choice.tolist(), 3)
        )
        assert mine >= best - 0.03


def test_the_best_feed_leaves_out_what_was_seen() -> None:
    """Seen posts are never on it."""
    world = small_world()
    first = world.best_feed(3, 10, world.mind(3, START_MS))
    world.seen[3].update(first.tolist())
    second = world.best_feed(3, 10, world.mind(3, START_MS))
    assert len(first) == len(second) == 10
    assert not set(first.tolist()) & set(second.tolist())


def test_true_values_know_harm_and_lures() -> None:
    """Of two posts alike but for harm or a lure, the honest one is worth more."""
    world = small_world()
    posts = np.asarray([0, 1, 2], np.int32)
    for name in ("topic", "second", "style", "quality", "creator"):
        column = getattr(world.posts, name)
        column[1] = column[2] = column[0]
    world.posts.bait[:3] = (0.0, 1.0, 0.0)
    world.posts.severity[:3] = (0.0, 0.0, 1.0)
    for person in range(20):
        honest, luring, harmful = world.true_values(person, posts)
        assert honest > luring
        assert honest > harmful


def test_true_values_know_tiredness_where_they_are_told_of_it() -> None:
    """A topic and a creator just looked at satisfy less; others as much as before."""
    world = small_world()
    mind = world.mind(0, START_MS)
    mind.fatigue.looked(int(world.posts.topic[0]), int(world.posts.creator[0]))
    rows = np.arange(world.post_count, dtype=np.int32)
    rested, tired = world.true_values(0, rows), world.true_values(0, rows, mind)
    alike = world.posts.topic == world.posts.topic[0]
    alike |= world.posts.creator == world.posts.creator[0]
    assert (tired[alike] < rested[alike]).all()
    np.testing.assert_array_equal(tired[~alike], rested[~alike])


def test_tiredness_comes_and_goes() -> None:
    """Looking at a creator's post costs the next one, and half of that after the half-life."""
    world = small_world()
    post = 5
    topic, creator = int(world.posts.topic[post]), int(world.posts.creator[post])
    appeal.remember(world.moods, 0, [post] * 4, START_MS)
    now = world.mind(0, START_MS).fatigue.cost(topic, creator)
    later = world.mind(0, START_MS + appeal.FATIGUE_HALF_LIFE_MS).fatigue.cost(topic, creator)
    np.testing.assert_allclose(now, 4 * (appeal.TOPIC_FATIGUE + appeal.CREATOR_FATIGUE), rtol=1e-5)
    np.testing.assert_allclose(later, now / 2, rtol=1e-5)


def test_harmful_posts_are_a_small_share_in_every_category() -> None:
    """About one post in eight does harm, and each category occurs."""
    world = small_world(people=1_000, posts=2_000)
    harm = world.posts.harm
    assert 0.09 < (harm != NO_HARM).mean() < 0.16
    assert set(harm.tolist()) == {NO_HARM, 0, 1, 2, 3, 4, 5}


def test_attention_makes_creators_post() -> None:
    """A creator with more attention than the others posts more and gives up less."""
    world = small_world(people=240)
    hour_ms = START_MS + 10 * HOUR_MS
    before = creators.posting_rates(world.careers, world.talents, world.traits, hour_ms)
    quits = creators.quit_hazards(world.careers)
    creators.credit(world.careers, np.asarray([3] * 40), np.asarray([3] * 10))
    after = creators.posting_rates(world.careers, world.talents, world.traits, hour_ms)
    assert after[3] > before[3]
    assert (np.delete(after, 3) < np.delete(before, 3)).all()
    assert creators.quit_hazards(world.careers)[3] < quits[3]


def test_newcomers_join_and_change_nobody() -> None:
    """People join over the days; the first ones keep what they are."""
    world = small_world(people=600)
    before = world.traits.taste_home.copy()
    joined = [person for hour in range(24) for person in world.begin_hour(hour)]
    assert joined == list(range(600, world.people_count))
    assert len(joined) > 3
    np.testing.assert_array_equal(world.traits.taste_home[:600], before)
    assert len(world.careers.quit) == creators.creator_count(world.people_count)


def test_a_growing_community_is_joined_by_more() -> None:
    """As many as asked for, of the people at the start: about 60 a day of 600 at a tenth."""
    world = World(seed=1, start_ms=START_MS, people_at_start=600, join_share_per_day=0.1)
    assert 40 < sum(len(world.begin_hour(hour)) for hour in range(24)) < 85


def test_the_order_of_visits_is_immaterial() -> None:
    """Visits of different people absorbed in any order leave the same world."""
    outcomes = [
        VisitOutcome(
            person=person,
            start_ms=START_MS + person,
            satisfaction=0.7,
            shown=(1, 2, 3),
            looked=(1, 2),
            clicked=(2,),
            liked=(2,),
            followed=(1,),
            taste_gain=((3, 0.01),),
        )
        for person in range(10)
    ]
    worlds = [small_world(), small_world()]
    for world, order in zip(worlds, (outcomes, outcomes[::-1]), strict=True):
        world.begin_hour(0)
        world.absorb(order)
    for name in people.Moods.__slots__:
        np.testing.assert_array_equal(
            getattr(worlds[0].moods, name), getattr(worlds[1].moods, name)
        )
    np.testing.assert_array_equal(worlds[0].careers.today, worlds[1].careers.today)


def test_a_world_follows_from_its_seed() -> None:
    """The same seed plays the same days, another one different days."""
    first, again, other = (small_world(seed) for seed in (5, 5, 6))
    assert play(first, by_chance, 1) == play(again, by_chance, 1)
    assert play(small_world(5), by_chance, 1) != play(other, by_chance, 1)
    np.testing.assert_array_equal(first.posts.key, again.posts.key)
