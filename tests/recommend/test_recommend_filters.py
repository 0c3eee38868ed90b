"""Every filter, and what it may say."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_worlds import ME, NOW_MS, World, page_of, query

from inhouse.core.ids import ItemId
from inhouse.recommend.explain import REMOVED_WORDS
from inhouse.recommend.filters import FILTERS, Filtered, run, run_all
from inhouse.recommend.moment import Moment
from inhouse.recommend.surfaces import SURFACES
from inhouse.recommend.tuning import Tuning
from inhouse.recommend.types import SOURCE_NAMES, Candidates, FeedQuery

ADULT, CHILD = 1980, 2015
Setup = Callable[[World], object]


def _decided(action: str) -> Setup:
    return lambda world: world.board.by_row.update({0: action})


def _born(year: int, action: str) -> Setup:
    def setup(world: World) -> None:
        world.user(birth_year=year)
        world.board.by_row[0] = action

    return setup


RECOMMENDED = {"for_you", "trending", "similar"}
ALL = set(SURFACES)
# filter, reason, what makes it so, the surfaces on which the item `target` is removed for it
TABLE: list[tuple[str, str, Setup, set[str]]] = [
    ("LiveFilter", "hidden", lambda w: w.item("target", hidden=True), ALL),
    ("LiveFilter", "expired", lambda w: w.item("target", expires_ms=NOW_MS), ALL),
    ("ReplyFilter", "reply", lambda w: w.item("target", reply_to="other"), ALL),
    ("VerdictFilter", "verdict_limit", _decided("limit"), ALL - {"following"}),
    ("VerdictFilter", "verdict_age_gate", _decided("age_gate"), ALL),
    ("VerdictFilter", "verdict_age_gate", _born(CHILD, "age_gate"), ALL),
    ("VerdictFilter", "verdict_review", _decided("review"), ALL),
    ("VerdictFilter", "verdict_remove", _decided("remove"), ALL),
    ("VerdictFilter", "verdict_awaited", _decided("awaited"), ALL),
    ("BlockedFilter", "blocked_creator", lambda w: w.event("block", target="creator:ann"), ALL),
    (
        "BlockedFilter",
        "blocked_by_creator",
        lambda w: w.event("block", user="ann", target=f"creator:{ME}"),
        ALL,
    ),
    ("MutedFilter", "muted_creator", lambda w: w.event("mute", target="creator:ann"), ALL),
    ("MutedFilter", "muted_topic", lambda w: w.event("mute", target="topic:cats"), ALL),
    ("MutedFilter", "muted_word", lambda w: w.event("mute", target="word:Wizards"), ALL),
    ("MutedFilter", "muted_word", lambda w: w.event("mute", target="word:wizards ducks"), ALL),
    ("OperatorFilter", "operator_blocked", lambda w: w.rule("block", "creator:ann"), ALL),
    ("OperatorFilter", "operator_blocked", lambda w: w.rule("block", "topic:cats"), ALL),
    ("OperatorFilter", "operator_blocked", lambda w: w.rule("block", "item:target"), ALL),
    ("OwnPostFilter", "own_post", lambda w: w.item("target", creator=ME), ALL),
    (
        "RegionFilter",
        "other_region",
        lambda w: (w.user(region="FR"), w.item("target", region="DE")),
        RECOMMENDED,
    ),
    ("SeenFilter", "seen", lambda w: w.event("impression", "target"), ALL - {"latest", "similar"}),
    (
        "ServedFilter",
        "served_lately",
        lambda w: w.show(page_of(["target"])),
        ALL - {"latest", "similar"},
    ),
]
# What looks like a reason and is none.
KEPT: list[Setup] = [
    _decided("allow"),
    _decided("warn"),
    _born(ADULT, "age_gate"),
    lambda w: w.item("target", expires_ms=NOW_MS + 1),
    lambda w: w.event("mute", target="word:wizards unicorns"),
    lambda w: w.event("mute", target="word:wiz"),
    lambda w: (
        w.event("block", target="creator:ann"),
        w.event("unblock", target="creator:ann"),
    ),
    lambda w: (w.user(region="DE"), w.item("target", region="DE")),
    lambda w: w.user(region="DE"),
    lambda w: (w.user(region="DE"), w.item("other", creator="bob", region="DE")),
    lambda w: w.item("target", region="DE"),
]


def _world(setup: Setup) -> World:
    world = World()
    world.item("target", topics=("dogs", "cats"), text="Wizards and ducks")
    world.item("other", creator="bob", text="plain")
    setup(world)
    return world


def _reasons(world: World, asked: FeedQuery) -> dict[str, tuple[str, str]]:
    ordered = dataclasses.replace(asked, rules=tuple(world.rules))
    moment = world.moment(ordered, None, Tuning())
    filtered = _filtered(moment, _all(world))
    ids = world.state.items.ids
    return {ids[row]: (gone.stage, gone.reason) for gone in filtered.removed for row in gone.items}


def _filtered(moment: Moment, candidates: Candidates) -> Filtered:
    """All at once, which has to be what one after another gives."""
    found, plainly = run_all(moment, candidates), run(FILTERS, moment, candidates)
    assert _told(plainly) == _told(found)
    return found


def _told(filtered: Filtered) -> tuple[list[int], list[tuple[str, str, list[int]]]]:
    removed = [(gone.stage, gone.reason, gone.items.tolist()) for gone in filtered.removed]
    return filtered.kept.items.tolist(), removed


def _all(world: World) -> Candidates:
    count = world.state.items.count
    return Candidates(
        items=np.arange(count, dtype=np.int32),
        sources=np.ones(count, dtype=np.uint16),
        offered=np.ones((count, len(SOURCE_NAMES)), dtype=np.float32),
        causes=np.full(count, -1, dtype=np.int32),
    )


def _ask(surface: str) -> FeedQuery:
    return query(surface=surface, item_id=ItemId("other") if surface == "similar" else None)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(("stage", "reason", "setup", "where"), TABLE)
def test_each_filter_removes_for_its_reason_on_its_surfaces(
    surface: str, stage: str, reason: str, setup: Setup, where: set[str]
) -> None:
    """The item in question goes where the table says so, and nothing else goes with it."""
    found = _reasons(_world(setup), _ask(surface))
    found.pop("other", None)  # `similar` asks about it
    assert ({"target": (stage, reason)} if surface in where else {}) == found


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("setup", KEPT)
def test_what_only_looks_like_a_reason_is_kept(surface: str, setup: Setup) -> None:
    """Permissions, near words and matching regions remove nothing."""
    found = _reasons(_world(setup), _ask(surface))
    found.pop("other", None)
    assert found == {}


@pytest.mark.parametrize("surface", SURFACES)
def test_a_request_excludes_items_by_id_and_unknown_ids_are_passed_over(surface: str) -> None:
    """The per-request list works on every surface."""
    world = _world(lambda w: None)
    asked = query(
        surface=surface,
        exclude=(ItemId("target"), ItemId("never heard of")),
        item_id=ItemId("other") if surface == "similar" else None,
    )
    assert _reasons(world, asked)["target"] == ("ExcludedFilter", "excluded")


def test_a_limited_post_reaches_only_those_who_follow_its_creator() -> None:
    """It is fine among followed creators and nowhere it would be recommended."""
    world = _world(_decided("limit"))
    world.event("follow", target="creator:ann")
    shown = {
        surface: "target" in {i.item_id for i in world.feed().serve(_ask(surface)).items}
        for surface in SURFACES
    }
    assert {surface: surface == "following" for surface in SURFACES} == shown


@pytest.mark.parametrize("muted", ["zeppelin", "you", "ZEPPELIN", "you zeppelin"])
def test_a_muted_word_is_found_anywhere_in_a_long_post(muted: str) -> None:
    """Behind hundreds of others, and though it is too common to tell anything of taste."""
    world = World()
    world.item("target", text=" ".join(f"word{i}" for i in range(500)) + " you zeppelin")
    world.event("mute", target=f"word:{muted}")
    assert _reasons(world, _ask("latest")) == {"target": ("MutedFilter", "muted_word")}


def test_every_reason_a_filter_may_give_has_words() -> None:
    """Nobody is ever told a code."""
    reasons = {reason for each in FILTERS for reason in each.reasons}
    assert reasons <= REMOVED_WORDS.keys()


def test_every_filter_and_every_reachable_reason_stands_in_the_table() -> None:
    """A new filter fails here until its row is written."""
    reachable = {
        (type(each).__name__, reason)
        for each in FILTERS
        for reason in each.reasons
        if reason not in ("verdict_allow", "verdict_warn", "excluded")
    }
    assert reachable == {(stage, reason) for stage, reason, _, _ in TABLE}


_EVERYTHING: list[Setup] = [setup for _, _, setup, _ in TABLE] + KEPT


@given(st.lists(st.sampled_from(_EVERYTHING), max_size=6), st.sampled_from(SURFACES))
@settings(deadline=None, max_examples=150)  # the first call compiles
def test_all_filters_at_once_say_what_one_after_another_do(
    setups: list[Setup], surface: str
) -> None:
    """Whatever speaks against a post at the same time, the first reason names it."""
    world = _world(lambda w: None)
    for setup in setups:
        setup(world)
    asked = dataclasses.replace(_ask(surface), rules=tuple(world.rules), exclude=(ItemId("other"),))
    _filtered(world.moment(asked, None, Tuning()), _all(world))


def test_kept_and_removed_add_up_to_what_went_in() -> None:
    """Each candidate leaves the filters exactly once."""
    world = World()
    for i in range(30):
        world.item(f"i{i}", creator=f"c{i % 5}", hidden=i % 7 == 0, topics=(f"t{i % 4}",))
    world.event("block", target="creator:c1")
    world.event("mute", target="topic:t2")
    world.event("impression", "i3")
    moment = world.moment(query())
    filtered = _filtered(moment, _all(world))
    left = [*filtered.kept.items, *(row for gone in filtered.removed for row in gone.items)]
    assert list(range(30)) == sorted(int(row) for row in left)
