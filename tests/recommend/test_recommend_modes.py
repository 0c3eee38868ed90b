"""Pages without a profile, and pages that follow each other: laws, tried on random communities."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_worlds import NOW_MS, World, ids, query

from inhouse.core.clock import MINUTE_MS
from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId, UserId
from inhouse.events.types import EventKind, ServedPage
from inhouse.recommend.surfaces import SURFACES, Surface

ITEMS = 30
LATEST: Surface = "latest"
DID: tuple[EventKind, ...] = (
    "impression",
    "click",
    "like",
    "hide",
    "report",
    "more",
    "save",
    "undo",
    "dwell",
)
HISTORIES = st.lists(
    st.tuples(st.sampled_from(DID), st.integers(0, ITEMS - 1), st.integers(0, 90)), max_size=25
)
ORDERS = st.lists(
    st.sampled_from(
        [
            ("follow", "creator:c1"),
            ("follow", "creator:c2"),
            ("block", "creator:c3"),
            ("mute", "topic:t1"),
            ("mute", "word:word4"),
        ]
    ),
    max_size=4,
)


def _town() -> World:
    world = World()
    for i in range(ITEMS):
        world.item(
            f"i{i}",
            creator=f"c{i % 6}",
            topics=(f"t{i % 4}",),
            text=f"word{i % 5}",
            region=(None, "DE", "FR")[i % 3],
            language=("en", "de")[i % 2],
            created_ms=NOW_MS - (i // 2) * MINUTE_MS,
        )
    return world


def _person(world: World, name: str, did: list[tuple[EventKind, int, int]], pages: int) -> None:
    """Somebody of a region, a language and a taste of their own."""
    world.user(
        name,
        topics=(f"t{len(did) % 4}",),
        region="DE" if pages else "FR",
        language="de",
        birth_year=1990,
    )
    for kind, item, minutes in did:
        value = 20_000.0 if kind == "dwell" else None
        at_ms = NOW_MS - minutes * MINUTE_MS
        world.event(kind, f"i{item}", user=name, value=value, at_ms=at_ms)
    for _ in range(pages):
        world.show(world.feed().serve(query(user_id=UserId(name), n=5)))


def _bare(page: ServedPage) -> ServedPage:
    """Without whose it is and when it was made."""
    return replace(page, page_id="", user_id="", took_ms={})  # type: ignore[arg-type]


@pytest.mark.parametrize("surface", SURFACES)
@given(
    ann=HISTORIES,
    bob=HISTORIES,
    orders=ORDERS,
    pages=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
@settings(max_examples=15, deadline=None)
def test_without_a_profile_any_two_histories_get_one_page(
    surface: Surface,
    ann: list[tuple[EventKind, int, int]],
    bob: list[tuple[EventKind, int, int]],
    orders: list[tuple[EventKind, str]],
    pages: tuple[int, int],
) -> None:
    """`latest` always, every other surface while paused: to the last place, score and reason."""
    world = _town()
    for name, did, served in (("ann", ann, pages[0]), ("bob", bob, pages[1])):
        _person(world, name, did, served)
        for kind, target in orders:
            world.event(kind, user=name, target=target)
        if surface != LATEST:
            world.event("pause", user=name)
    feed = world.feed()
    near = ItemId("i7") if surface == "similar" else None
    asked = query(surface=surface, n=10, item_id=near)
    made = [feed.serve(replace(asked, user_id=UserId(name))) for name in ("ann", "bob")]

    assert _bare(made[0]) == _bare(made[1])
    assert not made[0].profiled


def test_the_same_people_get_different_pages_with_a_profile() -> None:
    """The law above would be empty if histories changed nothing anywhere."""
    world = _town()
    _person(world, "ann", [("like", item, 5) for item in (0, 4, 8)], 0)
    _person(world, "bob", [("like", item, 5) for item in (1, 5, 9)], 0)
    made = [world.feed().serve(query(user_id=UserId(name))) for name in ("ann", "bob")]

    assert ids(made[0]) != ids(made[1])


# What happens to the catalogue between two pages.
TURNS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(("new", "late", "gone", "like", "mute")), st.integers(0, ITEMS - 1)
        ),
        max_size=4,
    ),
    min_size=14,
    max_size=14,
)


def _turn(world: World, turn: list[tuple[str, int]], fresh: list[str]) -> set[str]:
    """Change the catalogue; returns what can be served no more."""
    gone: set[str] = set()
    for what, item in turn:
        if what in ("new", "late"):
            fresh.append(f"n{len(fresh)}")
            age_ms = -MINUTE_MS if what == "new" else 1_000 * item
            world.item(fresh[-1], creator=f"x{len(fresh)}", created_ms=NOW_MS - age_ms)
        elif what == "gone":
            world.state.items.withdraw(ItemId(f"i{item}"))
            gone.add(f"i{item}")
        elif what == "like":
            world.event("like", f"i{item}")
        elif item % 6 == 0:
            world.event("mute", target="topic:t3")
            gone |= {f"i{i}" for i in range(ITEMS) if i % 4 == 3}
    return gone


@given(turns=TURNS, n=st.integers(3, 9))
@settings(max_examples=30, deadline=None)
def test_pages_of_latest_neither_repeat_nor_skip_anything(
    turns: list[list[tuple[str, int]]], n: int
) -> None:
    """Read to the end while posts come and go: each that was there all the time stands once."""
    world, fresh, gone = _town(), [], set()
    seen: list[str] = []
    after: tuple[int, ItemId] | None = None
    for turn in turns:
        page = world.feed().serve(query(surface="latest", n=n, after=after))
        if not page.items:
            break
        seen += ids(page)
        last = page.items[-1].item_id
        after = (int(world.state.items.created_ms[world.state.items.index[last]]), last)
        gone |= _turn(world, turn, fresh)
    times = [int(world.state.items.created_ms[world.state.items.index[ItemId(s)]]) for s in seen]

    assert len(seen) == len(set(seen))
    assert times == sorted(times, reverse=True)
    assert {f"i{i}" for i in range(ITEMS)} - gone <= set(seen)


@pytest.mark.parametrize("surface", ["for_you", "following", "trending"])
@given(turns=TURNS, n=st.integers(3, 9))
@settings(max_examples=15, deadline=None)
def test_pages_of_a_feed_do_not_repeat(
    surface: Surface, turns: list[list[tuple[str, int]]], n: int
) -> None:
    """What one page showed is on no later one, whatever happens between; and following ends only
    when everything was shown."""
    world, fresh, gone = _town(), [], {f"i{i}" for i in range(0, ITEMS, 6)}
    for creator in range(1, 6):
        world.event("follow", target=f"creator:c{creator}")
    for i in range(ITEMS):
        world.event("click", f"i{i}", user="other")
    seen: list[str] = []
    for turn in turns:
        page = world.feed().serve(query(surface=surface, n=n))
        world.show(page)
        seen += ids(page)
        changed = _turn(world, turn, fresh)
        gone |= changed | {f"i{item}" for what, item in turn if what == "like"}
    if surface == "following":
        assert {f"i{i}" for i in range(ITEMS)} - gone <= set(seen)
    assert len(seen) == len(set(seen))


def test_a_place_to_go_on_from_is_for_latest_alone() -> None:
    """Elsewhere there is no order of time to go on in."""
    with pytest.raises(InputError, match="after: give it with surface latest alone"):
        query(after=(NOW_MS, ItemId("i")))


def test_a_pinned_post_stands_on_the_first_page_of_latest_alone() -> None:
    """Behind it the order of time goes on."""
    world = _town()
    world.rule("pin", "item:i20")
    first = world.feed().serve(query(surface="latest", n=5))
    after = (NOW_MS - MINUTE_MS, ItemId("i3"))
    second = world.feed().serve(query(surface="latest", n=5, after=after))

    assert ids(first) == ["i20", "i0", "i1", "i2", "i3"]
    assert ids(second) == ["i4", "i5", "i6", "i7", "i8"]


@pytest.mark.parametrize("name", ["new", "session:new"])
def test_topics_chosen_at_sign_up_lead_a_stranger_s_page(name: str) -> None:
    """A person or a session that did nothing yet sees more of what they said they like."""
    world = World()
    for i in range(80):
        world.item(f"i{i}", creator=f"c{i % 16}", topics=(f"t{i % 4}",), created_ms=NOW_MS - i)
    plain = world.feed().serve(query(user_id=UserId(name), n=12))
    world.user(name, topics=("t3",))
    chosen = world.feed().serve(query(user_id=UserId(name), n=12))
    counts = [sum(int(item[1:]) % 4 == 3 for item in ids(page)) for page in (plain, chosen)]

    assert counts[1] > counts[0] + 4
