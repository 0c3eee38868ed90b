"""Laws of every page, tried on random communities."""

from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_worlds import ME, NOW_MS, World, query

from inhouse.core.clock import MINUTE_MS
from inhouse.core.ids import ItemId, UserId
from inhouse.events.types import EventKind
from inhouse.moderation.types import ACTIONS
from inhouse.recommend.pipeline import Feed, Trace

CREATORS = "abcde"
TOPICS = ("red", "black", "green")
WORDS = ("apple", "pear", "plum")
KINDS: tuple[EventKind, ...] = ("impression", "click", "like", "hide", "watch")


@dataclass(frozen=True)
class Post:
    creator: str
    topic: str
    word: str
    action: str
    region: str | None
    expired: bool
    hidden: bool


POSTS = st.builds(
    Post,
    creator=st.sampled_from(CREATORS),
    topic=st.sampled_from(TOPICS),
    word=st.sampled_from(WORDS),
    action=st.sampled_from([*ACTIONS, "allow", "allow", "allow", "awaited"]),
    region=st.sampled_from([None, None, "DE", "FR"]),
    expired=st.sampled_from([False, False, True]),
    hidden=st.sampled_from([False, False, False, True]),
)
ORDERS = st.sampled_from(
    [
        *(("mute", f"creator:{c}") for c in CREATORS),
        *(("block", f"creator:{c}") for c in CREATORS),
        *(("follow", f"creator:{c}") for c in CREATORS),
        *(("mute", f"topic:{t}") for t in TOPICS),
        *(("mute", f"word:{w}") for w in WORDS),
    ]
)


@dataclass(frozen=True)
class Town:
    posts: list[Post]
    did: list[tuple[EventKind, int]]
    orders: list[tuple[EventKind, str]]
    blocked_by: set[str]
    pages: int
    region: str | None
    born: int | None


TOWNS = st.builds(
    Town,
    posts=st.lists(POSTS, max_size=30),
    did=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 29)), max_size=12),
    orders=st.lists(ORDERS, max_size=4),
    blocked_by=st.sets(st.sampled_from(CREATORS), max_size=2),
    pages=st.integers(0, 2),
    region=st.sampled_from([None, "DE", "FR"]),
    born=st.sampled_from([None, 1980, 2015]),
)


def _build(town: Town) -> World:
    world = World()
    world.user(region=town.region, birth_year=town.born)
    for i, post in enumerate(town.posts):
        world.item(
            f"i{i}",
            creator=post.creator,
            topics=(post.topic,),
            text=post.word,
            region=post.region,
            hidden=post.hidden,
            created_ms=NOW_MS - (100 - i) * MINUTE_MS,
            expires_ms=NOW_MS if post.expired else None,
        )
        world.board.by_row[i] = post.action
    for kind, i in town.did:
        if i < len(town.posts):
            world.event(kind, f"i{i}", value=30_000.0 if kind == "watch" else None)
    for kind, target in town.orders:
        world.event(kind, target=target)
    for creator in town.blocked_by:
        world.event("block", user=creator, target=f"creator:{ME}")
    return world


def _serve(
    town: Town, surface: str, n: int, seed: int, cap: int = 3, level: int = 0
) -> tuple[World, Trace]:
    """A trace, after some pages that the person got before it.

    Above level 0 those pages come before anybody forbade anything, so that their reserve and the
    list that all share are full of what must not be shown.
    """
    innocent = replace(town, orders=[], posts=[_allowed(post) for post in town.posts])
    world = _build(innocent if level else town)
    feed: Feed = world.feed(explore_share=0.3, creator_cap=cap)
    for page in range(town.pages):
        world.show(feed.serve(query(surface="for_you", n=4, seed=page)))
    if level:
        feed.serve(query(user_id=UserId("other"), level=3))
        _forbid(world, town)
    item = ItemId("i0") if surface == "similar" else None
    asked = query(
        surface=surface,
        n=n,
        seed=seed,
        item_id=item,
        exclude=(ItemId("i1"), ItemId("i2")),
        level=level,
    )
    return world, feed.trace(asked)


def _allowed(post: Post) -> Post:
    return replace(post, action="allow", hidden=False, expired=False)


def _forbid(world: World, town: Town) -> None:
    for i, post in enumerate(town.posts):
        world.board.by_row[i] = post.action
        world.state.items.hidden[i] = post.hidden
        if post.expired:
            world.state.items.expires_ms[i] = NOW_MS
    for kind, target in town.orders:
        world.event(kind, target=target)


SURFACES = st.sampled_from(["for_you", "following", "latest", "trending", "similar"])


LEVELS = st.integers(0, 3)


@given(TOWNS, SURFACES, st.integers(1, 12), st.integers(0, 3), LEVELS)
@settings(deadline=None, max_examples=300)
def test_nothing_is_served_that_somebody_forbade(
    town: Town, surface: str, n: int, seed: int, level: int
) -> None:
    """Muted, blocked, removed, withdrawn and excluded items are never on a page, at no level."""
    if surface == "similar" and not town.posts:
        return
    world, trace = _serve(town, surface, n, seed, level=level)
    person = world.state.person(ME)
    ordered = {target for kind, target in town.orders if kind in ("mute", "block")}
    shown = {"allow", "warn"} | ({"age_gate"} if town.born == 1980 else set())
    if surface == "following":
        shown |= {"limit"}
    for placed in trace.page.items:
        i = int(placed.item_id[1:])
        post = town.posts[i]
        assert not {f"creator:{post.creator}", f"topic:{post.topic}", f"word:{post.word}"} & ordered
        assert post.creator not in town.blocked_by
        assert post.action in shown
        assert not post.hidden
        assert not post.expired
        assert i not in (1, 2)
        if surface in ("for_you", "trending", "similar") and town.region is not None:
            assert post.region in (None, town.region)
        if surface in ("for_you", "following", "trending"):
            assert i not in person.seen
            assert i not in person.served.rows().tolist()
        if surface == "following":
            assert f"creator:{post.creator}" in {t for k, t in town.orders if k == "follow"}


@given(TOWNS, SURFACES, st.integers(1, 12), st.integers(0, 3), st.integers(1, 3), LEVELS)
@settings(deadline=None, max_examples=300)
def test_every_page_is_well_formed(
    town: Town, surface: str, n: int, seed: int, cap: int, level: int
) -> None:
    """Bounded, numbered, without repeats, with propensities, and every candidate accounted for."""
    if surface == "similar" and not town.posts:
        return
    world, trace = _serve(town, surface, n, seed, cap, level)
    page = trace.page
    names = [placed.item_id for placed in page.items]
    assert len(names) == len(set(names)) <= n
    assert list(range(len(names))) == [placed.position for placed in page.items]
    assert all(0 < placed.propensity <= 1 for placed in page.items)
    assert all(placed.propensity == 1 or placed.explored for placed in page.items)
    assert not (page.level and any(placed.explored for placed in page.items))
    assert page.level == 0 or surface in ("for_you", "trending", "similar")
    assert len(names) == min(n, len(trace.filtered.kept))
    everything = [
        *names,
        *page.reserve,
        *(gone.item_id for gone in page.removed),
    ]
    assert len(everything) == len(set(everything))
    assert sorted(everything) == sorted(world.state.items.ids[i] for i in trace.candidates.items)


@given(TOWNS, st.sampled_from(["for_you", "following", "trending", "similar"]), st.integers(1, 12))
@settings(deadline=None, max_examples=150)
def test_no_two_neighbours_are_by_one_creator_where_that_can_be_avoided(
    town: Town, surface: str, n: int
) -> None:
    """It can be where the creators, each counted at most every second place, fill the page."""
    if surface == "similar" and not town.posts:
        return
    world, trace = _serve(town, surface, n, seed=1)
    items = world.state.items
    creators = [int(items.creator[items.index[p.item_id]]) for p in trace.page.items]
    kept = [int(items.creator[row]) for row in trace.filtered.kept.items]
    most = -(-len(creators) // 2)
    if sum(min(kept.count(who), most) for who in set(kept)) >= len(creators):
        assert all(a != b for a, b in pairwise(creators))


def test_nothing_of_the_last_500_served_comes_back() -> None:
    """Twenty-five pages of twenty, none of which was looked at, then one more."""
    world = World()
    for i in range(900):
        world.item(f"i{i}", creator=f"c{i % 60}", created_ms=NOW_MS - i * MINUTE_MS)
    feed = world.feed()
    served: list[str] = []
    for seed in range(26):
        page = feed.serve(query(seed=seed))
        names = [placed.item_id for placed in page.items]
        assert not set(names) & set(served[-500:])
        served += names
        world.show(page)
    assert len(served) == 520
