"""Why this post, and why not that one."""

import dataclasses

import msgspec
import pytest
from recommend_worlds import NOW_MS, World, checkerboard, ids, page_of, query

from inhouse.core.ids import ItemId, PageId, UserId
from inhouse.events.types import PageItem, RemovedItem, ServedPage
from inhouse.recommend.explain import REMOVED_WORDS, SOURCE_WORDS, Why, explain
from inhouse.recommend.types import SOURCE_NAMES

SHOWN = PageItem(
    item_id=ItemId("a"),
    position=4,
    source="taste",
    sources=("taste", "following"),
    value=0.42,
    predicted={"p_click": 0.314, "p_like": 0.041, "p_hide": 0.002, "dwell_ms": 11_900.0},
    propensity=1.0,
    explored=False,
    because=(ItemId("b"), ItemId("c")),
    notes=("value_rank:1", "held:creator_neighbour", "label:warn"),
)
PAGE = ServedPage(
    page_id=PageId("page_1"),
    at_ms=NOW_MS,
    user_id=UserId("me"),
    surface="for_you",
    items=(SHOWN,),
    removed=(RemovedItem(item_id=ItemId("gone"), stage="SeenFilter", reason="seen"),),
    reserve=(ItemId("next"), ItemId("later")),
    arms={"ranker": "learned"},
    snapshot_id="snap-1",
    policy_version="policy-1",
    seed=9,
    log_offset=77,
)
FACTS = {
    "surface": "for_you",
    "at_ms": NOW_MS,
    "arms": {"ranker": "learned"},
    "snapshot_id": "snap-1",
    "policy_version": "policy-1",
    "seed": 9,
    "log_offset": 77,
    "profiled": True,
    "level": 0,
    "kept_from": None,
}


def _why(item_id: str, page: ServedPage = PAGE) -> Why:
    return explain(page, ItemId(item_id), {ItemId("b"): "Bees at dawn"})


def _with(**changes: object) -> ServedPage:
    return dataclasses.replace(PAGE, items=(msgspec.structs.replace(SHOWN, **changes),))  # type: ignore[arg-type]


def test_a_shown_post_is_explained_from_source_to_place() -> None:
    """Every source, the actions that weighed most, what was expected, what arranging did."""
    expected = Why(
        shown=True,
        page_id=PageId("page_1"),
        sentences=(
            "It fits what you tend to want.",
            "You follow its creator.",
            "Of what you wanted lately, “Bees at dawn” and “c” weighed most for it.",
            "We expected that of 100 people like you 31 would open it, 4.1 would like it, "
            "0.2 would hide it, and that you would spend about 12 seconds on it.",
            "By value alone it would stand at place 1; it stands at 5, since the post above it "
            "was by the same creator.",
            "Moderation has put a warning on it.",
        ),
        detail={
            "outcome": "shown",
            "position": 4,
            "source": "taste",
            "sources": ["taste", "following"],
            "value": 0.42,
            "predicted": SHOWN.predicted,
            "propensity": 1.0,
            "explored": False,
            "because": ["b", "c"],
            "notes": ["value_rank:1", "held:creator_neighbour", "label:warn"],
            "page": FACTS,
        },
    )
    assert expected == _why("a")


def test_a_removed_post_is_explained_by_the_stage_that_took_it() -> None:
    """In words, and by name for programs."""
    why = _why("gone")
    assert why.sentences == (
        "It was a candidate for this page but is not on it.",
        "You have seen it already.",
    )
    assert not why.shown
    assert why.detail == {
        "outcome": "removed",
        "stage": "SeenFilter",
        "reason": "seen",
        "page": FACTS,
    }


def test_a_post_beyond_the_end_of_the_page_was_close() -> None:
    """It was ranked; others were placed before it."""
    why = _why("later")
    assert why.sentences == (
        "It was a candidate for this page; 1 others were placed before it, and it was number 2 of "
        "those left for later.",
    )
    assert why.detail == {"outcome": "reserve", "reserve_rank": 2, "page": FACTS}


@pytest.mark.parametrize(
    ("surface", "words"),
    [
        ("for_you", "It was not among the candidates for this page: it was not near enough"),
        (
            "latest",
            "It was not among the candidates for this page. This page shows the newest posts",
        ),
    ],
)
def test_a_post_that_was_never_a_candidate_is_said_to_be_none(surface: str, words: str) -> None:
    """No reason is made up for it."""
    why = _why("elsewhere", dataclasses.replace(PAGE, surface=surface))
    assert why.sentences[0].startswith(words)
    assert len(why.sentences) == 1
    assert why.detail["outcome"] == "never_candidate"


def test_chance_is_named_with_its_probability() -> None:
    """Nobody is told that a dice roll was their taste."""
    why = _why("a", _with(explored=True, propensity=0.0731, notes=("explored:23", "value_rank:80")))
    assert (
        "This place is kept for posts that few have seen; chance chose this one among 23, with "
        "probability 0.07." in why.sentences
    )
    assert not any("By value alone" in sentence for sentence in why.sentences)


def test_the_place_of_a_new_creator_is_named() -> None:
    """And no other reason for its place."""
    why = _why("a", _with(notes=("new_creator", "value_rank:80")))
    assert "This place is kept for creators whom few have met yet." in why.sentences
    assert not any("By value alone" in sentence for sentence in why.sentences)


def test_a_post_that_moved_up_is_said_to_be_different() -> None:
    """That is why it overtook others; a shift by a place or two is not worth a sentence."""
    moved = _why("a", _with(notes=("value_rank:9",)))
    assert (
        "By value alone it would stand at place 9; it stands at 5, since it is different from the "
        "posts above it." in moved.sentences
    )
    shifted = _why("a", _with(notes=("value_rank:6",)))
    assert not any("By value alone" in sentence for sentence in shifted.sentences)


def test_every_source_and_surface_has_words() -> None:
    """A new source fails here until it can be explained."""
    assert set(SOURCE_NAMES) == SOURCE_WORDS.keys()


def test_the_answer_can_be_written_as_json() -> None:
    """Keys and values are plain."""
    decoded = msgspec.json.decode(msgspec.json.encode(_why("a")))
    assert decoded["detail"]["outcome"] == "shown"
    assert decoded["shown"] is True


def test_every_candidate_of_a_real_page_can_be_explained() -> None:
    """From the page alone, after it went through the log's encoding."""
    world = checkerboard()
    world.board.by_row |= {198: "remove", 196: "awaited"}
    for row in range(0, 190, 2):
        world.event("impression", f"i{row}", user="p0")
    world.event("mute", target="creator:c7", user="p0")
    page = world.feed(explore_share=0.2).serve(query(user_id=UserId("p0")))
    logged = msgspec.msgpack.decode(msgspec.msgpack.encode(page), type=ServedPage)
    outcomes = {
        item_id: explain(logged, item_id, {}).detail["outcome"] for item_id in world.state.items.ids
    }
    assert {"shown", "removed", "reserve", "never_candidate"} >= set(outcomes.values())
    assert set(ids(page)) == {name for name, outcome in outcomes.items() if outcome == "shown"}
    for gone in page.removed:
        words = explain(logged, gone.item_id, {}).sentences[1]
        assert REMOVED_WORDS[gone.reason] == words
    forbidden = explain(logged, ItemId("i198"), {}).sentences[1]
    assert forbidden == "Moderation does not let it be shown to you."


def test_a_page_keeps_only_so_many_removed_items() -> None:
    """The log of a page is bounded."""
    world = World()
    for i in range(50):
        world.item(f"i{i}")
        world.event("impression", f"i{i}")
    world.event("follow", target="creator:ann")
    full = world.feed().serve(query())
    bounded = world.feed(removed_logged=5).serve(query())
    assert full.removed[:5] == bounded.removed
    assert len(full.removed) > 5


def test_what_was_served_is_explained_differently_from_what_was_seen() -> None:
    """Seen wins where both hold."""
    world = World()
    for name in ("seen", "served", "both", "new"):
        world.item(name, creator=name)
    world.event("impression", "seen")
    world.event("impression", "both")
    world.show(page_of(["served", "both"]))
    page = world.feed().serve(query())
    assert ids(page) == ["new"]
    assert [(gone.item_id, gone.reason) for gone in page.removed] == [
        ("seen", "seen"),
        ("both", "seen"),
        ("served", "served_lately"),
    ]
