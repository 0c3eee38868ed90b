"""The feed from question to page, on communities with a known right answer."""

import dataclasses
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from recommend_worlds import (
    ME,
    NOW_MS,
    ColourModel,
    World,
    checkerboard,
    ids,
    page_of,
    query,
    removed,
)

from inhouse.core.clock import DAY_MS, HOUR_MS, MINUTE_MS
from inhouse.core.errors import InputError, StoreError, UnknownError
from inhouse.core.ids import ItemId, UserId
from inhouse.events.types import ServedPage
from inhouse.recommend.moment import Moment
from inhouse.recommend.pipeline import Feed, Trace
from inhouse.recommend.sources import SOURCES
from inhouse.recommend.surfaces import SURFACES
from inhouse.recommend.types import Offer


def _colours(world: World, page: ServedPage) -> list[int]:
    """0 for red, 1 for black."""
    return [world.state.items.index[shown.item_id] % 2 for shown in page.items]


def _same(page: ServedPage) -> ServedPage:
    """Without what differs between two servings of one page: its id and times."""
    return dataclasses.replace(page, page_id=page.page_id[:0], took_ms={})


@pytest.mark.parametrize("person", [0, 1, 2, 3])
@pytest.mark.parametrize("learned", [True, False])
def test_on_the_checkerboard_everybody_gets_their_colour(person: int, learned: bool) -> None:
    """With the true model, and with content and the prior formula alone before there is one."""
    world = checkerboard()
    feed = world.feed(explore_share=0.0, diversity=0.0)
    if learned:
        feed.use(ColourModel())
    page = feed.serve(query(user_id=UserId(f"p{person}"), n=20))
    assert [person % 2] * 20 == _colours(world, page)
    assert ("snap-1" if learned else None) == page.snapshot_id


def test_the_popular_arm_gives_everybody_the_same_order() -> None:
    """It knows nothing of colours, and differs between people only by what each has seen."""
    world = checkerboard()
    world.feed()
    arm = {"ranker": "popular"}
    pages = [
        world.feed().serve(query(user_id=UserId(name), settings=arm, arms=arm, n=10))
        for name in ("x", "y")
    ]
    assert ids(pages[0]) == ids(pages[1])
    assert {"popular"} == {shown.source for shown in pages[0].items}
    assert pages[0].items[0].predicted == {}
    assert arm == pages[0].arms


def test_the_popular_arm_orders_by_what_many_wanted() -> None:
    """Most wanted first, what nobody wanted by its age."""
    world = World()
    for i, likes in enumerate([0, 2, 5, 0]):
        world.item(f"i{i}", creator=f"c{i}", created_ms=NOW_MS - (9 - i) * HOUR_MS)
        for k in range(likes):
            world.event("like", f"i{i}", user=f"u{k}")
    page = world.feed().serve(query(settings={"ranker": "popular"}))
    assert ids(page) == ["i2", "i1", "i3", "i0"]


def test_a_stranger_gets_what_is_wanted_and_new_on_the_topics_they_chose() -> None:
    """Their topics first; nothing of taste, likeness or chance."""
    world = checkerboard()
    world.user("newcomer", topics=("red",))
    page = world.feed().serve(query(user_id=UserId("newcomer"), n=12))
    assert {"trending", "fresh"} >= {shown.source for shown in page.items}
    assert _colours(world, page) == [0] * 12
    assert [shown.propensity for shown in page.items] == [1.0] * 12


def test_a_stranger_without_topics_gets_a_full_page_too() -> None:
    """Somebody of whom nothing is known, not even that they exist."""
    world = checkerboard()
    page = world.feed().serve(query(user_id=UserId("nobody"), n=30))
    assert len(page.items) == 30
    assert UserId("nobody") not in world.state.people


@pytest.mark.parametrize("surface", ["for_you", "following", "latest", "trending"])
def test_an_empty_catalogue_gives_an_empty_page(surface: str) -> None:
    """Nothing to show is no error."""
    page = World().feed().serve(query(surface=surface))
    assert page.items == ()
    assert page.reserve == ()


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("seed", [0, 7])
def test_the_same_state_and_seed_give_the_same_page(surface: str, seed: int) -> None:
    """Everything but the id and the times, chance included."""
    asked = query(
        user_id=UserId("p1"),
        surface=surface,
        seed=seed,
        item_id=ItemId("i4") if surface == "similar" else None,
    )
    first, second = (checkerboard().feed(explore_share=0.4).serve(asked) for _ in range(2))
    assert _same(first) == _same(second)


def test_another_seed_explores_something_else() -> None:
    """What is not left to chance stays as it is up to the first place of chance."""
    feed = checkerboard().feed(explore_share=0.2)
    pages = [feed.serve(query(user_id=UserId("p0"), seed=seed, n=10)) for seed in range(12)]
    explored = {tuple(shown.explored for shown in page.items) for page in pages}
    assert {(False, False, True, False, False, False, False, True, False, False)} == explored
    assert len({page.items[2].item_id for page in pages}) > 1
    assert len({tuple(ids(page)[:2]) for page in pages}) == 1


def test_stages_hand_on_what_they_were_given() -> None:
    """Offered = kept + removed, kept = places + reserve + capped, each item once."""
    world = checkerboard(creators=3)
    world.board.by_row |= {199: "remove", 198: "awaited"}
    world.event("mute", target="creator:c1", user="p0")
    trace = world.feed(creator_cap=1).trace(query(user_id=UserId("p0"), n=10))
    offered = sorted(trace.candidates.items.tolist())
    kept = trace.filtered.kept.items.tolist()
    gone = [row for removal in trace.filtered.removed for row in removal.items.tolist()]
    assert offered == sorted(set(offered))
    assert offered == sorted([*kept, *gone])
    assert sorted(kept) == sorted(_after_arranging(trace))
    assert {198: "verdict_awaited", 199: "verdict_remove"}.items() <= {
        world.state.items.index[ItemId(name)]: why for name, why in removed(trace.page).items()
    }.items()


def _after_arranging(trace: Trace) -> list[int]:
    placed = [int(trace.ranked.items[p.choice.row]) for p in trace.arranged.places]
    capped = [row for gone in trace.arranged.removed for row in gone.items.tolist()]
    return [*placed, *trace.arranged.reserve.tolist(), *capped]


def test_pages_follow_each_other_without_repeats_until_all_is_served() -> None:
    """Each page is folded in before the next; the last ones run dry and stay empty."""
    world = checkerboard(items=60)
    feed = world.feed()
    served: list[str] = []
    for _ in range(8):
        page = feed.serve(query(user_id=UserId("p0"), n=10))
        world.show(page)
        served += ids(page)
    assert len(served) == len(set(served))
    seen = {f"i{i}" for i in world.state.person(UserId("p0")).seen}
    assert {f"i{i}" for i in range(60)} == seen | set(served)


def test_following_shows_followed_creators_newest_first() -> None:
    """Nobody else's posts, and neighbours by one creator only where nobody else is left."""
    world = World()
    for i, creator in enumerate("abcabca"):
        world.item(f"i{i}", creator=creator, created_ms=NOW_MS - (10 - i) * MINUTE_MS)
    world.event("follow", target="creator:a")
    world.event("follow", target="creator:b")
    page = world.feed().serve(query(surface="following"))
    assert ids(page) == ["i6", "i4", "i3", "i1", "i0"]
    assert world.feed().serve(query(surface="following", user_id=UserId("x"))).items == ()


def test_latest_is_newest_first_and_nothing_else() -> None:
    """Strictly by time, whoever posted."""
    world = World()
    for i in range(6):
        world.item(f"i{i}", creator="a", created_ms=NOW_MS - (10 - i) * MINUTE_MS)
    page = world.feed().serve(query(surface="latest", n=4))
    assert ids(page) == ["i5", "i4", "i3", "i2"]
    assert (ItemId("i1"), ItemId("i0")) == page.reserve


def test_latest_pages_on_by_excluding_what_was_shown() -> None:
    """However far back: excluded items do not use the source's quota up."""
    world = World()
    for i in range(700):
        world.item(f"i{i:03}", creator=f"c{i % 9}", created_ms=NOW_MS - (700 - i) * MINUTE_MS)
    newest = tuple(ItemId(f"i{i:03}") for i in range(699, 149, -1))
    page = world.feed().serve(query(surface="latest", exclude=newest, n=3))
    assert ids(page) == ["i149", "i148", "i147"]


def test_similar_shows_the_neighbours_of_the_item() -> None:
    """Without the item itself, and with it as the cause."""
    world = checkerboard(people=0)
    page = world.feed().serve(query(surface="similar", item_id=ItemId("i8"), n=10))
    assert _colours(world, page) == [0] * 10
    assert "i8" not in ids(page)
    assert {(ItemId("i8"),)} == {shown.because for shown in page.items}


def test_similar_to_an_unknown_item_says_so() -> None:
    """With a way out."""
    with pytest.raises(UnknownError) as caught:
        World().feed().serve(query(surface="similar", item_id=ItemId("gone")))
    assert str(caught.value) == "no item 'gone'; send it to /v1/items first"


def test_trending_cools_down() -> None:
    """What was wanted yesterday stands behind what is wanted now, and three days later is gone."""
    world = World()
    for name in ("old", "now", "never"):
        world.item(name, creator=name)
    for k in range(3):
        world.event("like", "old", user=f"u{k}", at_ms=NOW_MS - 2 * DAY_MS)
    world.event("like", "now", user="u9", at_ms=NOW_MS - MINUTE_MS)
    page = world.feed().serve(query(surface="trending"))
    assert ids(page) == ["now", "old"]
    later = world.feed().serve(query(surface="trending", now_ms=NOW_MS + 2 * DAY_MS))
    assert ids(later) == ["now"]


def test_trending_leaves_room_for_the_persons_topics_and_region() -> None:
    """Quiet topics and regions are not drowned by what is loudest everywhere."""
    world = World()
    for i in range(120):
        world.item(f"loud{i}", creator=f"c{i}", topics=("news",))
        world.event("like", f"loud{i}", user="u")
        world.event("share", f"loud{i}", user="v")
    world.item("quiet", creator="q", topics=("chess",))
    world.item("near", creator="r", region="NZ")
    for name in ("quiet", "near"):
        world.event("click", name, user="u")
    world.user(topics=("chess",), region="NZ")
    trace = world.feed().trace(query())
    offered = {world.state.items.ids[row] for row in trace.candidates.items}
    assert {"quiet", "near"} <= offered


def test_a_warning_is_shown_as_a_label() -> None:
    """The post stays, the app is told."""
    world = World()
    world.item("mild")
    world.item("adult", creator="bob")
    world.board.by_row = {0: "warn", 1: "age_gate"}
    world.user(birth_year=1980)
    page = world.feed().serve(query(surface="latest"))
    labels = {shown.item_id: shown.notes for shown in page.items}
    assert labels == {"mild": ("label:warn",), "adult": ("label:age_gate",)}


def test_the_page_names_all_that_it_came_from() -> None:
    """Snapshot, policy, seed and the offset of the log are on record."""
    world = checkerboard()
    feed = world.feed()
    feed.use(ColourModel())
    page = feed.serve(query(user_id=UserId("p0"), seed=42))
    assert ("snap-1", "policy-1", 42, world.state.log_offset) == (
        page.snapshot_id,
        page.policy_version,
        page.seed,
        page.log_offset,
    )
    assert {"read", "filter", "rank", "arrange", "write", "merge"} <= page.took_ms.keys()
    shown = page.items[0]
    expected = {"p_click", "p_like", "p_hide", "dwell_ms", "dwell_even_ms"}
    assert expected == shown.predicted.keys()
    assert shown.source == shown.sources[0]
    mine = {f"i{i}" for i in world.state.person(UserId("p0")).seen}
    assert set(shown.because) <= mine
    assert len(shown.because) == 2


def test_a_model_that_fails_leaves_the_feed_running_on_content() -> None:
    """The page says that no snapshot ranked it."""
    world = checkerboard()
    feed = world.feed(explore_share=0.0)
    feed.use(ColourModel(fails=True))
    page = feed.serve(query(user_id=UserId("p1"), n=10))
    assert _colours(world, page) == [1] * 10
    assert page.snapshot_id is None
    assert feed.snapshot_id == "snap-1"


def test_values_that_are_not_finite_sink_to_the_end() -> None:
    """One broken prediction does not poison the page."""
    world = checkerboard(items=20)
    feed = world.feed(explore_share=0.0)
    model = ColourModel(nan_rows=(0, 1))
    feed.use(model)
    trace = feed.trace(query(user_id=UserId("p0"), n=30))
    assert trace.ranked.value is not None
    assert [-np.inf, -np.inf] == trace.ranked.value[-2:].tolist()
    assert np.isfinite(trace.ranked.value[:-2]).all()


@dataclasses.dataclass
class _Broken:
    name: str = "fresh"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        raise StoreError("the index is being rebuilt")


def test_a_source_that_fails_is_left_out() -> None:
    """The others fill the page."""
    world = checkerboard()
    sources = [_Broken() if source.name == "fresh" else source for source in SOURCES]
    page = Feed(world.state, world.board, sources=sources).serve(query(user_id=UserId("p0")))
    assert len(page.items) == 20
    assert "fresh" not in {name for shown in page.items for name in shown.sources}


def test_only_where_every_source_fails_is_there_an_error() -> None:
    """It is the first source's own."""
    feed = Feed(World().state, World().board, sources=[_Broken()])
    with pytest.raises(StoreError) as caught:
        feed.serve(query(surface="latest"))
    assert str(caught.value) == "the index is being rebuilt"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n": 0}, "n: got 0, expected 1 to 100"),
        ({"n": 101}, "n: got 101, expected 1 to 100"),
        (
            {"surface": "best"},
            "surface: got 'best', expected one of for_you, following, latest, trending, similar",
        ),
        ({"surface": "similar"}, "item_id: give one with surface similar, and only with it"),
        ({"item_id": ItemId("a")}, "item_id: give one with surface similar, and only with it"),
    ],
)
def test_a_question_that_cannot_be_one_is_refused(wrong: dict[str, object], words: str) -> None:
    """Before anything is looked up."""
    with pytest.raises(InputError) as caught:
        query(**wrong)
    assert words == str(caught.value)


BEHAVIOUR: list[Callable[[World], None]] = [
    lambda w: w.event("like", "i3"),
    lambda w: w.event("hide", "i50"),
    lambda w: w.event("impression", "i59"),
    lambda w: w.event("watch", "i57", value=30_000),
    lambda w: w.event("report", "i58"),
    lambda w: w.show(page_of(["i59"])),
    lambda w: w.user(topics=("red",), region="FR", language="fr"),
]


@pytest.mark.parametrize("behave", BEHAVIOUR)
def test_latest_is_the_same_whatever_the_person_did(behave: Callable[[World], None]) -> None:
    """Each kind of behaviour changes nothing of the page but the offset of the log."""
    before = checkerboard(people=0, items=60)
    after = checkerboard(people=0, items=60)
    for world in (before, after):
        world.event("follow", target="creator:c1")
        world.event("mute", target="creator:c2")
        world.event("mute", target="word:nothing")
        world.event("block", target="creator:c3")
    behave(after)
    pages = [world.feed().serve(query(surface="latest")) for world in (before, after)]
    first, second = (_same(dataclasses.replace(page, log_offset=0)) for page in pages)
    assert first == second


def test_latest_obeys_mutes_and_blocks() -> None:
    """They are the person's orders, not a profile."""
    world = checkerboard(people=0, items=60)
    world.event("mute", target="creator:c2")
    world.event("block", target="creator:c3")
    page = world.feed().serve(query(surface="latest", n=60))
    creators = {
        world.state.items.creators.names[world.state.items.creator[row]]
        for row in (world.state.items.index[shown.item_id] for shown in page.items)
    }
    assert {f"c{i}" for i in range(20)} - {"c2", "c3"} == creators


def test_an_item_is_served_as_soon_as_its_verdict_allows() -> None:
    """No index to rebuild: the next request finds it."""
    world = checkerboard()
    row = world.item("brand new", creator="fresh face", topics=("red",), created_ms=NOW_MS)
    world.board.by_row[row] = "awaited"
    assert "brand new" not in ids(world.feed().serve(query(surface="latest")))
    world.board.by_row[row] = "allow"
    assert ids(world.feed().serve(query(surface="latest")))[0] == "brand new"
    assert row in world.feed().trace(query(user_id=UserId("p0"))).candidates.items


def test_the_last_action_changes_the_next_page() -> None:
    """Three likes of the other colour outweigh nothing, since there was nothing before."""
    world = checkerboard()
    for name in ("i1", "i3", "i5"):
        world.event("like", name, user=ME)
    page = world.feed(explore_share=0.0).serve(query(n=10))
    assert sum(_colours(world, page)) >= 8
    assert all(a != b for a, b in pairwise(_creators(world, page)))


def _creators(world: World, page: ServedPage) -> list[int]:
    items = world.state.items
    return [int(items.creator[items.index[shown.item_id]]) for shown in page.items]


def test_pages_made_in_step_are_those_made_alone() -> None:
    """Of everybody, strangers too, on every surface; only where each took its time differs."""
    feed = checkerboard().feed()
    feed.use(ColourModel())
    asked = [
        query(user_id=UserId(f"p{number}"), surface=surface, seed=number, item_id=about)
        for number, (surface, about) in enumerate(
            (surface, ItemId("i7") if surface == "similar" else None) for surface in SURFACES * 2
        )
    ]
    together = feed.traces(asked)
    alone = [feed.trace(one) for one in asked]

    assert all(isinstance(trace, Trace) for trace in together)
    assert [_same(trace.page) for trace in together if isinstance(trace, Trace)] == [
        _same(trace.page) for trace in alone
    ]
    assert [bool(trace.page.items) for trace in alone] == [
        one.surface != "following" for one in asked
    ]


def test_what_is_wrong_with_one_question_leaves_its_neighbours_their_pages() -> None:
    """The error is the answer of whoever asked it."""
    feed = checkerboard().feed()
    unknown = query(surface="similar", item_id=ItemId("nowhere"))
    first, second, third = feed.traces([query(), unknown, query(user_id=UserId("p3"))])

    assert isinstance(first, Trace)
    assert isinstance(second, UnknownError)
    assert isinstance(third, Trace)
    assert len(ids(third.page)) == 20
