"""Each source by itself."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_worlds import NOW_MS, ColourModel, World, checkerboard, ids, query

from inhouse.core.clock import DAY_MS, MINUTE_MS
from inhouse.core.ids import ItemId, UserId
from inhouse.recommend.because import reasons_for
from inhouse.recommend.ports import TasteModel
from inhouse.recommend.sources import SOURCES
from inhouse.recommend.sources.merge import merge
from inhouse.recommend.sources.similar import foreseen, nearest_anchor
from inhouse.recommend.tuning import Tuning
from inhouse.recommend.types import SOURCE_NAMES, FeedQuery, Offer
from inhouse.recommend.viewers import viewer_of

BY_NAME = {source.name: source for source in SOURCES}


def _offer(
    world: World, source: str, quota: int, asked: FeedQuery, model: TasteModel | None = None
) -> Offer | None:
    moment = world.moment(asked, model, Tuning())
    return BY_NAME[source].offer(moment, quota)


def _names(world: World, offer: Offer | None) -> list[str]:
    return [] if offer is None else [world.state.items.ids[row] for row in offer.items]


def test_the_list_of_sources_is_the_list_of_their_names() -> None:
    """Their order gives each its bit."""
    assert tuple(source.name for source in SOURCES) == SOURCE_NAMES


@pytest.mark.parametrize("source", ["taste", "similar", "following", "explore"])
def test_some_sources_have_no_idea_of_a_stranger(source: str) -> None:
    """They say so instead of guessing."""
    assert _offer(checkerboard(), source, 20, query(user_id=UserId("nobody"))) is None


def test_taste_is_exact_with_a_model() -> None:
    """Everything unseen of the person's colour, before anything of the other."""
    world = checkerboard(items=60)
    model = ColourModel()
    asked = query(user_id=UserId("p0"))
    found = _names(world, _offer(world, "taste", 25, asked, model))
    unseen = {f"i{i}" for i in range(0, 60, 2)} - {
        f"i{i}" for i in world.state.person(UserId("p0")).seen
    }
    assert set(found[: len(unseen)]) == unseen


def test_similar_names_the_recent_item_that_led_to_each() -> None:
    """Two tastes, two causes, and equal shares for both."""
    world = World()
    for i in range(40):
        topic = "cats" if i % 2 else "dogs"
        world.item(f"i{i}", creator=f"c{i}", topics=(topic,), title=topic)
    world.event("like", "i0")
    world.event("like", "i1")
    offer = _offer(world, "similar", 10, query())
    assert offer is not None
    assert offer.causes is not None
    causes = dict(zip(offer.items.tolist(), offer.causes.tolist(), strict=True))
    assert {row % 2 == cause % 2 for row, cause in causes.items()} == {True}
    assert Counter(causes.values()) == {0: 5, 1: 5}


def test_anchors_of_those_who_were_here_last_are_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with as many neighbours as the person with the fewest anchors will ask for; a history
    that is being written is passed over."""
    world = World()
    for i in range(4):
        world.item(f"i{i}", creator=f"c{i}", title=f"thing {i}")
    for user, item, at_ms in (("a", "i0", 3), ("a", "i1", 3), ("b", "i1", 2), ("c", "i2", 1)):
        world.event("like", item, user=user, at_ms=NOW_MS + at_ms)
    world.event("like", "i3", user="d", at_ms=NOW_MS + 4)
    world.state.person(UserId("d")).recent._kinds.append(0)
    monkeypatch.setattr("inhouse.recommend.sources.similar._FORESEEN", 3)
    assert dict(foreseen(world.state, 80)) == {0: 82, 1: 132}


def test_following_brings_the_newest() -> None:
    """Of the followed creators, as many as the quota lets."""
    world = World()
    for i in range(9):
        world.item(f"i{i}", creator="ann" if i % 3 else "bob", created_ms=NOW_MS - i * MINUTE_MS)
    world.event("follow", target="creator:ann")
    assert _names(world, _offer(world, "following", 3, query())) == ["i1", "i2", "i4"]


def test_fresh_gives_half_of_its_quota_to_the_persons_topics() -> None:
    """The newest of these, though many newer posts are on other things."""
    world = World()
    for i in range(50):
        topic = "chess" if i in (20, 22, 24, 26, 28) else "news"
        world.item(f"i{i:02}", creator=f"c{i}", topics=(topic,), created_ms=NOW_MS - i * MINUTE_MS)
    world.user(topics=("chess",))
    found = _names(world, _offer(world, "fresh", 8, query()))
    assert found == ["i00", "i01", "i02", "i03", "i20", "i22", "i24", "i26"]


def test_explore_brings_what_few_have_seen() -> None:
    """Nothing that 200 have seen, however good."""
    world = checkerboard(items=40)
    items = world.state.items
    items.impressions[:20] = 200
    items.clicks[:20] = 190
    found = _offer(world, "explore", 30, query(user_id=UserId("p0")))
    assert found is not None
    assert found.items.min() >= 20


def test_explore_prefers_the_promising_without_forgetting_the_unknown() -> None:
    """Over many seeds the post with the good record is offered most, the bad one least."""
    world = World()
    world.item("liked", creator="z", hidden=True)
    world.event("like", "liked")
    for i in range(30):
        world.item(f"i{i}", creator=f"c{i}")
    items = world.state.items
    good, bad = items.index[ItemId("i0")], items.index[ItemId("i1")]
    items.impressions[[good, bad]] = 100
    items.clicks[good] = 60
    world.state.shelves.rebuild()
    times: Counter[int] = Counter()
    for seed in range(60):
        found = _offer(world, "explore", 10, query(seed=seed))
        assert found is not None
        times.update(found.items.tolist())
    assert times[good] == 60
    assert times[bad] < min(times[row] for row in range(1, 31) if row not in (good, bad))
    assert len(times) >= 29


def test_explore_draws_a_sample_of_a_large_pool() -> None:
    """Bounded work, and over seeds all have their chance."""
    world = checkerboard(items=1_500)
    asked = (query(user_id=UserId("p0"), seed=seed) for seed in range(40))
    offers = [_offer(world, "explore", 10, each) for each in asked]
    assert {len(offer.items) for offer in offers if offer is not None} == {10}
    assert len({row for offer in offers if offer is not None for row in offer.items}) > 250


def test_silenced_creators_do_not_use_the_quota_up() -> None:
    """However much they post, the others are found behind them."""
    world = World()
    for i in range(450):
        world.item(f"loud{i}", creator="loud", topics=("noise",), created_ms=NOW_MS - i)
    world.item("quiet", creator="quiet", created_ms=NOW_MS - DAY_MS)
    for order in ("creator:loud", "topic:noise"):
        muted = World()
        muted.state = world.state
        world.state.people.clear()
        muted.event("mute", target=order)
        world.state.log_offset = 0
        assert ids(muted.feed().serve(query(surface="latest"))) == ["quiet"]


def test_posts_for_other_regions_do_not_use_the_quota_up() -> None:
    """Neither for somebody in a region that has few posts."""
    world = World()
    for i in range(450):
        world.item(f"far{i}", creator=f"c{i}", region="FR", created_ms=NOW_MS - i)
    world.item("near", creator="near", region="NZ", created_ms=NOW_MS - DAY_MS)
    world.user(region="NZ")
    assert ids(world.feed().serve(query())) == ["near"]


def test_merging_keeps_every_source_and_score_of_an_item() -> None:
    """Each item once, with the cause where one was given."""
    both = merge(
        {
            "taste": _plain([5, 2], [0.5, 0.4]),
            "similar": Offer(
                items=np.array([2, 9], dtype=np.int32),
                scores=np.array([0.8, 0.7], dtype=np.float32),
                causes=np.array([1, 3], dtype=np.int32),
            ),
        }
    )
    assert both.items.tolist() == [2, 5, 9]
    assert both.sources.tolist() == [0b11, 0b01, 0b10]
    assert both.causes.tolist() == [1, -1, 3]
    assert both.offered[:, 0].tolist() == pytest.approx([0.4, 0.5, np.nan], nan_ok=True)
    assert both.offered[:, 1].tolist() == pytest.approx([0.8, np.nan, 0.7], nan_ok=True)


def _plain(rows: list[int], scores: list[float]) -> Offer:
    return Offer(items=np.array(rows, dtype=np.int32), scores=np.array(scores, dtype=np.float32))


def test_what_weighed_most_is_the_strong_the_near_and_the_recent() -> None:
    """A save before a click, yesterday before last month, and nothing that is unlike."""
    world = World()
    for name in ("saved", "clicked", "old", "target"):
        world.item(name, creator=name, topics=("cats",), title="cats cats cats")
    world.item("unlike", creator="x", topics=("tax",), title="annual returns")
    world.event("save", "unlike")
    world.event("save", "old", at_ms=NOW_MS - 90 * DAY_MS)
    world.event("click", "clicked")
    world.event("save", "saved")
    moment = world.moment(query())
    target = np.array([world.state.items.index[ItemId("target")]], dtype=np.int32)
    found = reasons_for(moment, target, np.array([-1], dtype=np.int32))
    assert [[world.state.items.ids[row] for row in rows] for rows in found] == [
        ["saved", "clicked"]
    ]
    caused = reasons_for(moment, target, np.array([2], dtype=np.int32))
    assert [[world.state.items.ids[row] for row in rows] for rows in caused] == [["old", "saved"]]


@pytest.mark.parametrize(
    ("born", "expected"), [(None, "unknown"), (2007, "minor"), (2006, "adult"), (1950, "adult")]
)
def test_only_a_year_of_birth_that_leaves_no_doubt_makes_an_adult(
    born: int | None, expected: str
) -> None:
    """In 2025 somebody born in 2007 may still be seventeen."""
    assert viewer_of(born, NOW_MS) == expected


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**16), count=st.integers(1, 12), anchors=st.integers(1, 4))
def test_the_nearest_anchor_is_that_of_the_highest_mean_cosine(
    seed: int, count: int, anchors: int
) -> None:
    """Over one space and over two, with vectors of nothing among them."""
    dice = np.random.default_rng(seed)
    spaces = tuple(dice.normal(size=(20, dims)).astype(np.float32) for dims in (3, 5))
    for vectors in spaces:
        vectors[dice.integers(0, 20, 4)] = 0
    rows, of = (dice.integers(0, 20, n).astype(np.int32) for n in (count, anchors))
    for used in (spaces, spaces[:1]):
        scores, which = nearest_anchor(used, rows, of)
        cosines = np.zeros((count, anchors))
        for vectors in used:
            units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
            cosines += units[rows] @ units[of].T / len(used)
        assert scores == pytest.approx(cosines.max(axis=1), abs=1e-5)
        assert cosines[np.arange(count), which] == pytest.approx(cosines.max(axis=1), abs=1e-5)
