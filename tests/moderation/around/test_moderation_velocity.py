"""Circumstances: floods of the same, the standing of creators, the word of reporters."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moderation_worlds import POLICY, Community, make_community, tools

from inhouse.catalog.types import Item, User
from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.around.circumstances import Circumstances
from inhouse.moderation.around.reporters import complaints, qualities, weight_of
from inhouse.moderation.around.velocity import Post, Velocity, Window, link_key, text_keys
from inhouse.moderation.complaints.reports import Reports
from inhouse.moderation.judging.scan import Moderator
from inhouse.moderation.policy.parse import load_policy
from inhouse.moderation.reviewing.review import CaseFilter, Review
from inhouse.stats.posteriors import BetaPosterior
from inhouse.store.database import Database

NOW = 100 * DAY_MS


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300), st.integers(0, 20)), max_size=80),
    st.integers(0, 3),
    st.integers(0, 300),
    st.integers(1, 100),
)
def test_a_window_counts_what_lies_in_it(
    told: list[tuple[int, int, int]], key: int, at_ms: int, within_ms: int
) -> None:
    """Whatever comes in whatever order, each post once."""
    window = Window(1_000)
    for one in told:
        window.add(*one)
    within = {(t, post) for k, t, post in told if k == key and at_ms - within_ms < t <= at_ms}
    assert window.count(key, at_ms, within_ms) == len(within)


def test_a_window_stays_within_its_bounds() -> None:
    """What is older than the window or beyond the number is forgotten, the oldest first; of one key
    it keeps as many as a policy can ask for."""
    few = Window(1_000, most=5)
    for n in range(20):
        few.add(n % 2, n, n)
    assert (len(few), few.count(0, 19, 1_000), few.count(1, 19, 1_000)) == (5, 2, 3)
    aged = Window(10)
    for n in range(100):
        aged.add(0, n, n)
    assert (len(aged), aged.count(0, 99, 1_000)) == (10, 10)
    flooded = Window(DAY_MS)
    for n in range(10_500):
        flooded.add(0, n, n)
    assert flooded.count(0, 10_499, DAY_MS) == 10_000


def post(number: int, **given_: object) -> Post:
    fields: dict[str, object] = {
        "item_id": f"i{number}",
        "creator_id": f"c{number}",
        "at_ms": NOW + number,
        "text": f"number {number} says this",
        **given_,
    }
    return Post(**fields)  # type: ignore[arg-type]


def test_a_post_that_is_alone_has_no_counts() -> None:
    """Nor has the same one told twice, as after an edit or a failed scan."""
    velocity = Velocity()
    assert velocity.add(post(1, links=("a.com/x",), hashes=("f00",))) == {}
    assert velocity.add(post(1, links=("a.com/x",), hashes=("f00",))) == {}


def test_the_same_creator_link_words_and_picture_are_counted() -> None:
    """Each in its hour, a creator in the day too, whatever the case and the signs."""
    velocity = Velocity()
    velocity.add(post(1, creator_id="ann", links=("https://www.A.com/x?ref=1",), hashes=("f00",)))
    same = {"text": "Number 1 -- SAYS this!", "links": ("b.com", "a.com/x/#top")}
    assert velocity.add(post(2, creator_id="ann", hashes=("f00", "ba4"), **same)) == {
        "creator_posts_1h": 2,
        "creator_posts_1d": 2,
        "link_posts_1h": 2,
        "text_posts_1h": 2,
        "hash_posts_1h": 2,
    }
    later = post(3, creator_id="ann", at_ms=NOW + 2 * HOUR_MS, **same)
    assert velocity.add(later) == {"creator_posts_1d": 3}
    assert velocity.add(post(4, creator_id="ann", at_ms=NOW + 2 * DAY_MS, **same)) == {}


def test_short_texts_are_no_campaign_and_links_differ_by_site_and_path() -> None:
    """A thousand people say good morning; a tracking mark makes no other link."""
    assert text_keys("Good morn") == []
    assert text_keys("") == []
    assert text_keys("good morning all") == text_keys("ＧＯＯＤ morning… all")
    assert link_key("http://a.com") == link_key("www.a.com/?q=1")
    assert link_key("a.com/x") != link_key("a.com/y")


def flood(count: int, first: int = 0, creator: str = "ann") -> list[Item]:
    return [
        Item(
            item_id=ItemId(f"f{n}"),
            creator_id=UserId(creator),
            text=f"look at this shop.example.com/x number {n}",
            created_ms=NOW + n,
        )
        for n in range(first, first + count)
    ]


def signals(community: Community, item_id: str) -> dict[str, int]:
    verdict = community.latest(item_id)
    assert verdict is not None
    return dict(verdict.evidence.signals)


def test_a_scan_knows_of_floods_before_and_after_a_restart(any_database: Database) -> None:
    """The count goes on where it was, rebuilt from what is stored."""
    community = make_community(any_database)
    community.wait(NOW)
    community.catalog.put_items(flood(3))
    community.scan()
    found = {"links": 1, "domains": 1}
    assert signals(community, "f0") == found
    counted = {"creator_posts_1h": 3, "creator_posts_1d": 3, "link_posts_1h": 3}
    assert signals(community, "f2") == {**found, **counted}
    community.moderator = Moderator(
        community.database, community.clock, community.scorer, community.tools
    )
    community.catalog.put_items(flood(1, 3))
    community.scan()
    assert signals(community, "f3") == {**found, **dict.fromkeys(counted, 4)}


def test_an_import_of_old_posts_is_no_flood(community: Community) -> None:
    """What was posted over years and is judged in a second is counted by its own time."""
    community.wait(NOW)
    items = [replace(item, created_ms=n * DAY_MS) for n, item in enumerate(flood(5), 1)]
    community.catalog.put_items(items)
    community.scan()
    assert signals(community, "f4") == {"links": 1, "domains": 1}


def test_creators_standing_is_known(community: Community) -> None:
    """The age of an account by begun days, where it is known; pictures seen before."""
    community.wait(NOW)
    users = [
        User(user_id=UserId("new"), created_ms=NOW - HOUR_MS),
        User(user_id=UserId("old"), created_ms=NOW - 10 * DAY_MS),
        User(user_id=UserId("undated")),
    ]
    community.catalog.put_users(users)
    names = ("new", "old", "undated", "stranger")
    items = [
        Item(item_id=ItemId(n), creator_id=UserId(n), text="bread", created_ms=NOW) for n in names
    ]
    around = Circumstances(community.database)
    found = around.signals([(item, ()) for item in items], load_policy(), NOW)
    assert found == [{"creator_age_days": 1}, {"creator_age_days": 11}, {}, {}]
    hashed = {items[2].item_id: ["f00"], items[3].item_id: ["f00"]}
    pictures = around.signals([(i, ()) for i in items[2:]], load_policy(), NOW, hashed)
    assert pictures == [{}, {"hash_posts_1h": 2}]


ASKING = (
    POLICY
    + """\
  - rule: complained_about
    category: spam
    when: {trusted_reports: 3}
    actions: limit
"""
)


def reported(community: Community, item_id: str, *people: str) -> None:
    reports = Reports(community.database, community.clock, community.tools)
    for person in people:
        reports.file(item_id, person, "spam")


def decided(community: Community, item_id: str, action: str) -> str:
    review = Review(community.database, community.clock, community.tools)
    (case,) = review.queue(CaseFilter(item_id=item_id))
    category = None if action == "allow" else "spam"
    return review.decide(case.case_id, "ada", action, category, None).decision_id


def test_a_reporter_is_known_by_what_people_made_of_their_reports(
    any_community: Community,
) -> None:
    """Confirmed and rejected reports move the posterior, undone decisions and open cases do not."""
    community = any_community
    community.post(bad="bad", good="good", waits="waits", undone="undone")
    for item_id in ("bad", "good", "waits", "undone"):
        reported(community, item_id, "rita")
    reported(community, "bad", "rita", "carl")
    community.wait(1)
    decided(community, "bad", "limit")
    decided(community, "good", "allow")
    review = Review(community.database, community.clock, community.tools)
    review.undo(decided(community, "undone", "limit"), "ada")
    with community.database.read() as connection:
        known = qualities(connection, ("rita", "carl", "nobody"))
        waiting = complaints(connection, [ItemId("waits"), ItemId("bad"), ItemId("none")])
    assert known == {
        "rita": BetaPosterior(alpha=2, beta=2),
        "carl": BetaPosterior(alpha=2, beta=1),
    }
    assert {item_id: one.people for item_id, one in waiting.items()} == {"waits": 1, "bad": 2}
    assert waiting[ItemId("waits")].weight == weight_of(known["rita"]) == 1.0
    assert waiting[ItemId("bad")].weight == pytest.approx(1.0 + 2 * 2 / 3)


def test_a_policy_may_count_reports_by_their_weight(any_database: Database) -> None:
    """Three people of whom nothing is known limit a post; three who are always wrong do not, and
    their reports make a case less urgent."""
    community = make_community(any_database, tools(ASKING))
    names = [f"harmless{n}" for n in range(4)]
    community.post(target="target", other="other", **{name: name for name in names})
    community.scan()
    for name in names:
        reported(community, name, "w1", "w2", "w3")
        community.wait(1)
        decided(community, name, "allow")
    reported(community, "target", "w1", "w2", "w3")
    reported(community, "other", "a", "b", "c")
    assert signals(community, "target") == {"reports": 3, "trusted_reports": 1}
    assert signals(community, "other") == {"reports": 3, "trusted_reports": 3}
    latest = {name: community.latest(name) for name in ("target", "other")}
    assert {name: v and v.decided_by for name, v in latest.items()} == {
        "target": "no rule",
        "other": "rule:complained_about",
    }
    review = Review(community.database, community.clock, community.tools)
    urgent = [case.item_id for case in review.queue(CaseFilter())]
    assert urgent == ["other", "target"]


def test_reports_write_no_evidence_where_no_rule_asks_and_none_over_a_person(
    community: Community,
) -> None:
    """A call of a person stands, and a policy that ignores reports costs no rows."""
    community.post(a="a")
    community.scan()
    reported(community, "a", "x")
    assert len(community.history("a")) == 1
    asking = make_community(community.database, tools(ASKING))
    reported(asking, "a", "y")
    assert len(community.history("a")) == 2
    community.wait(1)
    decided(asking, "a", "allow")
    reported(asking, "a", "z")
    assert [v.evidence.person is not None for v in community.history("a")] == [False, False, True]
