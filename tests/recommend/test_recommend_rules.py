"""Operators' rules: pinned, boosted and blocked, for whom, how long, and never in secret."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_worlds import ME, NOW_MS, World, checkerboard, ids, query, removed

from inhouse.core.clock import HOUR_MS
from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.core.ids import ItemId, UserId
from inhouse.recommend.explain import explain
from inhouse.recommend.rule import Rule, RuleAction
from inhouse.recommend.rules.book import RuleBook
from inhouse.recommend.rules.orders import boosted
from inhouse.recommend.surfaces import SURFACES, Surface
from inhouse.store.database import Database


def _town() -> World:
    world = World()
    for i in range(40):
        world.item(
            f"i{i}", creator=f"c{i % 8}", topics=(f"t{i % 4}",), created_ms=NOW_MS - i * 1_000
        )
        world.event("click", f"i{i}", user=f"p{i}")
    for i in range(8):
        world.event("follow", target=f"creator:c{i}")
    return world


@pytest.mark.parametrize("surface", SURFACES)
def test_a_pinned_post_stands_at_its_place_and_says_so(surface: Surface) -> None:
    """On every surface, wherever it would have stood; `why` names the reason."""
    world = _town()
    world.rule("pin", "item:i39", position=3, reason="election night")
    item_id = ItemId("i0") if surface == "similar" else None
    page = world.feed().serve(query(surface=surface, n=10, item_id=item_id))
    why = explain(page, ItemId("i39"), {}, {"r0": "election night"})

    assert ids(page)[3] == "i39"
    assert page.items[3].notes[0] == "pinned:r0"
    assert len(set(ids(page))) == 10
    assert "The people who run this community put it at this place: election night." in (
        why.sentences
    )


def test_what_a_person_or_moderation_forbids_is_not_pinned() -> None:
    """A pin is no way around a mute, a verdict or what was seen."""
    world = _town()
    for position, name in enumerate(("i1", "i2", "i3", "i4")):
        world.rule("pin", f"item:{name}", position=position)
    world.event("mute", target="creator:c1")
    world.board.by_row[2] = "remove"
    world.event("impression", "i3")
    page = world.feed().serve(query(n=10))

    assert {"i1", "i2", "i3"}.isdisjoint(ids(page))
    assert ids(page)[3] == "i4"
    assert {name: removed(page)[name] for name in ("i1", "i2", "i3")} == {
        "i1": "muted_creator",
        "i2": "verdict_remove",
        "i3": "seen",
    }


@pytest.mark.parametrize(
    ("facts", "asked"),
    [
        ({"from_ms": NOW_MS + 1}, {}),
        ({"until_ms": NOW_MS}, {}),
        ({"surfaces": ("trending",)}, {}),
        ({"region": "FR"}, {}),
        ({"arms": {"x": "a"}}, {"arms": {"x": "b"}}),
        ({"withdrawn_ms": NOW_MS}, {}),
    ],
)
def test_a_rule_holds_in_its_time_and_for_its_audience_alone(
    facts: dict[str, object], asked: dict[str, object]
) -> None:
    """Too early, too late, elsewhere, for others: the page is as without it."""
    world = _town()
    world.user(region="DE")
    plain = ids(world.feed().serve(query(n=10, **asked)))
    world.rule("pin", "item:i39", **facts)
    world.rule("block", "topic:t1", **facts)

    assert ids(world.feed().serve(query(n=10, **asked))) == plain


def test_a_rule_for_a_region_and_an_arm_holds_there() -> None:
    """Who is in both sees the pinned post."""
    world = _town()
    world.user(region="FR")
    world.rule("pin", "item:i39", region="FR", arms={"x": "a"})

    assert ids(world.feed().serve(query(arms={"x": "a"})))[0] == "i39"


def test_a_blocked_creator_topic_or_post_is_nowhere() -> None:
    """And the log says who wants it so."""
    world = _town()
    for target in ("creator:c1", "topic:t2", "item:i4"):
        world.rule("block", target)
    page = world.feed().serve(query(n=40))

    assert {i for i in range(40) if i % 8 == 1 or i % 4 == 2 or i == 4}.isdisjoint(
        int(name[1:]) for name in ids(page)
    )
    assert "operator_blocked" in removed(page).values()


def test_a_boost_lifts_and_a_low_factor_lowers() -> None:
    """The share of a topic on the page follows its factor; each lifted place says so."""

    def reds(factor: float | None) -> int:
        world = checkerboard()
        if factor is not None:
            world.rule("boost", "topic:red", factor=factor, surfaces=("for_you",))
        page = world.feed(explore_share=0).serve(query(user_id=UserId("new"), n=20))
        notes = [n for shown in page.items for n in shown.notes if n.endswith(":r0")]
        lifted = [shown for shown in page.items if int(shown.item_id[1:]) % 2 == 0]
        assert len(notes) == (len(lifted) if factor is not None else 0)
        return len(lifted)

    low, plain, high = reds(0.2), reds(None), reds(5.0)

    assert low < plain < high


def test_all_boosts_together_are_bounded() -> None:
    """Three rules of five times are five times: a boosted value is never beyond that."""
    world = checkerboard()
    plain = world.feed(explore_share=0).trace(query(user_id=UserId("p1"), n=20)).ranked
    for target in ("item:i0", "topic:red", "creator:c0"):
        world.rule("boost", target, factor=5.0, surfaces=("for_you",))
    lifted = world.feed(explore_share=0).trace(query(user_id=UserId("p1"), n=20)).ranked
    assert plain.value is not None
    assert lifted.value is not None
    before = dict(zip(plain.items.tolist(), plain.value.tolist(), strict=True))
    after = dict(zip(lifted.items.tolist(), lifted.value.tolist(), strict=True))
    ratios = {row: after[row] / before[row] for row in before.keys() & after.keys()}

    assert all(0.2 - 1e-9 <= ratio <= 5 + 1e-9 for ratio in ratios.values())
    assert max(ratios.values()) == pytest.approx(5.0)


@given(value=st.floats(-100, 100), factor=st.floats(0.2, 5.0), more=st.floats(1.0, 3.0))
@settings(max_examples=60, deadline=None)
def test_a_higher_factor_never_lowers_a_value(value: float, factor: float, more: float) -> None:
    """Also where the value is below nothing."""
    low, high = boosted(np.array([value, value]), np.array([factor, min(5.0, factor * more)]))

    assert low <= high


RULES = st.lists(
    st.tuples(st.sampled_from(("pin", "boost", "block")), st.integers(0, 39), st.integers(0, 12)),
    max_size=8,
)


@given(rules=RULES, n=st.integers(1, 15))
@settings(max_examples=25, deadline=None)
def test_every_page_keeps_its_laws_under_rules(
    rules: list[tuple[RuleAction, int, int]], n: int
) -> None:
    """No post twice, nothing blocked, candidates add up, pins in the order of their places."""
    world = _town()
    for action, item, position in rules:
        surfaces = ("for_you",) if action == "boost" else SURFACES
        world.rule(action, f"item:i{item}", position=position, factor=2.0, surfaces=surfaces)
    trace = world.feed().trace(query(n=n))
    shown = ids(trace.page)
    blocked = {f"i{item}" for action, item, _ in rules if action == "block"}
    places = [
        min(
            r.position for r in world.rules if r.action == "pin" and r.target == f"item:{s.item_id}"
        )
        for s in trace.page.items
        if any(note.startswith("pinned") for note in s.notes)
    ]
    arranged = trace.arranged
    left = len(arranged.reserve) + sum(len(gone.items) for gone in arranged.removed)

    assert len(set(shown)) == len(shown) <= n
    assert blocked.isdisjoint(shown)
    assert all(one <= other for one, other in pairwise(places))
    assert len(arranged.places) + left == len(trace.ranked)


def _rule(**facts: object) -> Rule:
    given: dict[str, object] = {"action": "pin", "target": "item:i1", "reason": "news", **facts}
    return Rule(**given)  # type: ignore[arg-type]


def test_rules_are_kept_listed_and_withdrawn(database: Database) -> None:
    """Newest first; a withdrawn one stays on record and holds no more."""
    book = RuleBook(database)
    first = book.add(_rule(), NOW_MS)
    second = book.add(_rule(action="block", target="creator:c"), NOW_MS + 1)
    other = RuleBook(database)
    before = list(other.in_force(NOW_MS + 2))
    book.withdraw(first.rule_id, NOW_MS + 3)
    book.withdraw(first.rule_id, NOW_MS + 4)

    assert before == [first, second]
    assert [(r.rule_id, r.withdrawn_ms) for r in book.list()] == [
        (second.rule_id, None),
        (first.rule_id, NOW_MS + 3),
    ]
    assert list(book.in_force(NOW_MS + 5)) == [second]


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"target": "creator:c"}, "target: got 'creator:c', expected item:NAME"),
        ({"reason": " "}, "reason: got ' ', expected 1 to 200 characters, told to people"),
        ({"position": 100}, "position: got 100, expected 0 to 99"),
        ({"action": "boost", "factor": 6.0}, "factor: got 6.0, expected 0.2 to 5"),
        ({"from_ms": 5, "until_ms": 5}, "until_ms: got 5, expected later than from_ms, 5"),
        (
            {"action": "boost", "surfaces": ("latest",)},
            "surfaces: got ('latest',), expected some of for_you, trending",
        ),
    ],
)
def test_a_wrong_rule_is_refused(database: Database, facts: dict[str, object], says: str) -> None:
    """The fault is named with what would be right."""
    with pytest.raises(InputError) as caught:
        RuleBook(database).add(_rule(**facts), NOW_MS)

    assert str(caught.value) == f"the rule cannot be made\n  {says}"


@pytest.mark.parametrize(
    ("facts", "clashes"),
    [
        ({"target": "item:i2"}, True),
        ({"target": "item:i2", "position": 1}, False),
        ({"target": "item:i2", "surfaces": ("trending",)}, False),
        ({"target": "item:i2", "region": "DE"}, True),
        ({"target": "item:i2", "until_ms": NOW_MS - HOUR_MS}, False),
        ({"target": "item:i2", "arms": {"x": "b"}}, False),
        ({"action": "block"}, True),
    ],
)
def test_a_conflict_is_named(database: Database, facts: dict[str, object], clashes: bool) -> None:
    """Two posts for one place, or a pin and a block of one post, where both would apply."""
    book = RuleBook(database)
    held = book.add(_rule(arms={"x": "a"}, from_ms=NOW_MS), NOW_MS)
    if not clashes:
        book.add(_rule(**facts), NOW_MS)
        return
    with pytest.raises(ConflictError) as caught:
        book.add(_rule(**facts), NOW_MS)

    assert str(caught.value).startswith(f"rule {held.rule_id} forbids this: it ")


def test_an_unknown_rule_cannot_be_withdrawn(database: Database) -> None:
    """The message says where the ids are."""
    with pytest.raises(UnknownError, match="no rule 'r'; list them to see the ids"):
        RuleBook(database).withdraw("r", NOW_MS)


def test_rules_reach_a_paused_person_too() -> None:
    """They are the operator's, not the person's; one for a region needs a profile and waits."""
    world = _town()
    world.user(region="DE")
    world.event("pause")
    world.rule("pin", "item:i39")
    world.rule("pin", "item:i38", position=1, region="DE")
    page = world.feed().serve(query(user_id=ME))

    assert ids(page)[0] == "i39"
    assert not any(note.startswith("pinned:r1") for shown in page.items for note in shown.notes)
