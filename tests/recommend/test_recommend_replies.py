"""Replies are no posts: no feed offers them, and they take no post's place."""

import numpy as np
import pytest
from recommend_worlds import NOW_MS, ColourModel, World, query

from inhouse.core.clock import HOUR_MS
from inhouse.core.ids import ItemId
from inhouse.moderation.types import Surface
from inhouse.recommend.retrieval.clusters import EVERYTHING, cluster
from inhouse.recommend.retrieval.space import Space
from inhouse.recommend.surfaces import SURFACES
from inhouse.recommend.threads import Reader, readable


def _world() -> World:
    """Ten posts under two hundred newer, hotter replies."""
    world = World()
    for n in range(10):
        world.item(f"p{n}", creator=f"c{n}", topics=("tea",), created_ms=NOW_MS - 9 * HOUR_MS)
    for n in range(200):
        world.item(f"r{n}", creator=f"c{n % 10}", topics=("tea",), reply_to=f"p{n % 10}")
        world.event("like", f"r{n}", user=f"fan{n % 7}")
    for n in range(10):
        world.event("click", f"p{n}", user="fan1")
        world.event("follow", target=f"creator:c{n}")
    world.event("like", "r3")
    return world


@pytest.mark.parametrize("surface", SURFACES)
def test_no_page_holds_a_reply_and_every_page_is_full(surface: str) -> None:
    """However many replies there are, newer and hotter than every post."""
    world = _world()
    asked = query(
        surface=surface, n=9, item_id=ItemId("p0") if surface == "similar" else None, seed=3
    )
    for model in (None, ColourModel()):
        feed = world.feed()
        feed.use(model)
        page = feed.serve(asked)

        assert len(page.items) == 9
        assert {shown.item_id[0] for shown in page.items} == {"p"}
        assert not {gone.item_id for gone in page.removed if gone.reason == "reply"}


def test_why_a_reply_is_on_no_page() -> None:
    """The filter names the reason, for a rule that pins one too."""
    world = _world()
    feed = world.feed()

    assert feed.kept_out(query(), ItemId("r5")) == "reply"
    assert feed.kept_out(query(), ItemId("p5")) is None


def _vectors(count: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(count, 16)).astype(np.float32)


@pytest.mark.parametrize("indexed_beyond", [100, 1_000_000])
def test_a_space_finds_posts_alone_as_if_there_were_nothing_else(indexed_beyond: int) -> None:
    """With an index and without one; of what came since, and of what is near an item too."""
    vectors = _vectors(3_000)
    posts = np.flatnonzero(np.arange(3_000) % 5 == 0).astype(np.int32)
    space = Space(patient=True, indexed_beyond=indexed_beyond)
    space.refresh(vectors[:2_900], posts[posts < 2_900])
    space.nearest(vectors[0], 3)
    space.refresh(vectors, posts)
    exact = posts[np.argsort(-(vectors[posts] @ vectors[1]), kind="stable")]

    assert space.nearest(vectors[1], 40)[0].tolist() == exact[:40].tolist()
    assert space.neighbours(1, 40)[0].tolist() == exact[:40].tolist()
    barred = np.sort(exact[:5])
    found = space.nearest(vectors[1], 40, barred)[0]
    assert [row for row in found.tolist() if row not in barred] == exact[5:45].tolist()


@pytest.mark.parametrize("posts", [1, 3])
def test_a_few_posts_among_many_replies_are_found_by_an_index(posts: int) -> None:
    """A product over all replies would cost what an index saves."""
    vectors, rows = _vectors(2_000), np.arange(500, 500 + posts, dtype=np.int32)
    space = Space(patient=True, indexed_beyond=100)
    space.refresh(vectors, rows)

    assert set(space.nearest(vectors[1], 9)[0].tolist()) == set(rows.tolist())


def test_an_index_takes_new_vectors_of_replies_without_harm() -> None:
    """They lie in no cluster, and stay unfound."""
    vectors = _vectors(2_000)
    posts = np.arange(0, 2_000, 2, dtype=np.int32)
    made = cluster(vectors, posts)
    vectors[[4, 5]] = 50 * vectors[0]
    made.overwrite(np.array([4, 5], dtype=np.int32), vectors[[4, 5]])

    found = made.preselect(vectors[0], 2_000, EVERYTHING)
    assert set(found.tolist()) <= set(posts.tolist())
    assert 4 in made.preselect(vectors[0], 1, EVERYTHING)


def test_a_space_of_replies_alone_finds_nothing() -> None:
    """And does not fail when another arrives."""
    space, none = Space(), np.empty(0, dtype=np.int32)
    space.refresh(_vectors(3), none)
    assert space.neighbours(0, 5)[0].tolist() == []
    space.refresh(_vectors(4), none)
    assert space.neighbours(0, 5)[0].tolist() == []
    space.refresh(_vectors(5), np.array([4], dtype=np.int32))
    assert space.neighbours(0, 5)[0].tolist() == [4]


def _readable(world: World, user: str | None = "me", surface: Surface = "feed") -> list[str]:
    rows = np.arange(world.state.items.count, dtype=np.int32)
    reader = Reader(user_id=user, surface=surface, now_ms=NOW_MS)  # type: ignore[arg-type]
    shown = readable(world.state, world.board, reader, rows).shown
    return [world.state.items.ids[row] for row in rows[shown]]


def test_what_a_reader_of_a_thread_may_see() -> None:
    """Decisions by surface and age, what is alive, mutes and blocks; not what was seen, one's own,
    or of another region."""
    world = World()
    world.user(birth_year=1980, region="FR")
    world.user("kid", birth_year=2015)
    for name, creator, facts in (
        ("mine", "me", {}),
        ("seen", "ann", {"region": "DE"}),
        ("limited", "ann", {}),
        ("adult", "ann", {}),
        ("removed", "ann", {}),
        ("hidden", "ann", {"hidden": True}),
        ("over", "ann", {"expires_ms": NOW_MS}),
        ("blocked", "bob", {}),
        ("blocking", "cyd", {}),
        ("muted", "dan", {}),
        ("worded", "ann", {"text": "So many wizards"}),
        ("cats", "ann", {"topics": ("cats",)}),
    ):
        world.item(name, creator=creator, reply_to="post", **facts)
    index = world.state.items.index
    for name, action in (("limited", "limit"), ("adult", "age_gate"), ("removed", "remove")):
        world.board.by_row[index[ItemId(name)]] = action
    world.event("impression", "seen")
    world.event("block", target="creator:bob")
    world.event("block", user="cyd", target="creator:me")
    world.event("mute", target="creator:dan")
    world.event("mute", target="word:wizards")
    world.event("mute", target="topic:cats")
    rest = ["blocked", "blocking", "muted", "worded", "cats"]

    assert _readable(world) == ["mine", "seen", "adult"]
    assert _readable(world, surface="profile") == ["mine", "seen", "limited", "adult"]
    assert _readable(world, "kid") == ["mine", "seen", *rest]
    assert _readable(world, None) == ["mine", "seen", *rest]
