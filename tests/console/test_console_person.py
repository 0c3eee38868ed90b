"""A person's page: what the log says of them, in words."""

from hypothesis import given
from hypothesis import strategies as st

from inhouse.app.build import Services
from inhouse.app.settings import ApiSettings
from inhouse.catalog.types import Item
from inhouse.console.feed_page import api_url, content_policy, people
from inhouse.console.person import page
from inhouse.console.person.history import (
    Controls,
    Done,
    fold_controls,
    leanings,
    sittings,
    strength,
)
from inhouse.console.person.model import gather, latest_people
from inhouse.core.clock import DAY_MS
from inhouse.core.ids import ItemId, UserId
from inhouse.events.types import TARGET_KINDS


def _done(kind: str, at_ms: int = 0, **more: object) -> Done:
    facts = {"log_offset": 1, "item_id": None, "target": None, "value": None} | more
    return Done(kind=kind, at_ms=at_ms, **facts)  # type: ignore[arg-type]


def test_facts_of_a_person_who_follows_and_mutes(services: Services) -> None:
    """Controls are what was asked for and not taken back; pages are explained place by place."""
    facts = gather(services, UserId("reader-000"))
    assert facts.controls == Controls(
        follows=("maker-0",), muted=("word:spoiler <b>", "topic:chess"), blocked=()
    )
    assert [one.page.page_id for one in facts.pages] == ["page-1", "page-0"]
    assert [placed.shown.position for placed in facts.pages[0].places] == [0, 1, 2, 3, 4, 5]
    assert all(placed.why.shown and placed.why.sentences for placed in facts.pages[0].places)
    assert facts.p_like_overall is not None
    assert {one.name for one in facts.topics} <= {"baking", "cycling", "chess", "astronomy"}
    assert [done.at_ms for done in facts.actions] == sorted(
        (done.at_ms for done in facts.actions), reverse=True
    )


def test_words_about_a_person(services: Services) -> None:
    """The page names their source, chance, predictions and reasons, and escapes what they typed."""
    facts = gather(services, UserId("reader-000"))
    served = page.served(facts)
    assert "by chance" in served
    assert "learned-feed: learned" in served
    assert "Few people have seen it yet." in served
    assert "spoiler &lt;b&gt;" in page.controls(facts)
    assert "<b>spoiler" not in page.history(facts)
    assert "age unknown: counts as under age" in page.heading(facts)
    assert "Chance" not in page.expected(facts)
    assert "12 places" in page.figures(facts)


def test_a_stranger_is_said_to_be_one(services: Services) -> None:
    """Nothing is invented for an id that nobody has seen."""
    facts = gather(services, UserId("nobody<b>"))
    assert not facts.known
    assert "Nothing is known of nobody&lt;b&gt;" in page.unknown(facts.user_id)


def test_whoever_was_here_last_is_listed_first(services: Services) -> None:
    """The list of people is by their latest action."""
    found = latest_people(services, most=5)
    assert len(found) == 5
    times = [one.last_ms for one in found]
    assert times == sorted(times, reverse=True)
    assert found[0].user_id in page.people_list(found, services.clock.now_ms())


def test_an_empty_community_says_what_will_appear(empty_services: Services) -> None:
    """Nobody yet, and how they come."""
    assert "Nobody has done anything yet" in page.people_list(latest_people(empty_services), 0)


def test_people_are_found_by_name_and_id(services: Services) -> None:
    """Case does not matter in names, and a wildcard is only a character."""
    assert [one.id for one in people(services.database, "mara")] == ["maker-0"]
    assert [one.id for one in people(services.database, "reader-01", most=2)] == [
        "reader-010",
        "reader-011",
    ]
    assert people(services.database, "%") == []
    assert [one.name for one in people(services.database, "عمر")] == ["عمر الخطيب"]


def test_the_feed_page_may_reach_the_api_alone() -> None:
    """The API's address is as set, or by the name the console was called by."""
    assert api_url(ApiSettings(host="::"), "::1") == "http://[::1]:8700"
    policy = content_policy("http://127.0.0.1:8700")
    assert "default-src 'none'" in policy
    assert "connect-src 'self' http://127.0.0.1:8700;" in policy


def test_a_like_speaks_for_a_topic_and_a_hide_against_it() -> None:
    """Old actions count for less: half after fourteen days."""
    items = {
        ItemId("a"): Item(item_id=ItemId("a"), creator_id=UserId("x"), topics=("tea",)),
        ItemId("b"): Item(item_id=ItemId("b"), creator_id=UserId("y"), topics=("war",)),
    }
    now_ms = 100 * DAY_MS
    actions = [
        _done("like", now_ms - 14 * DAY_MS, item_id=ItemId("a")),
        _done("hide", now_ms, item_id=ItemId("b")),
        _done("impression", now_ms, item_id=ItemId("a")),
        _done("dwell", now_ms, item_id=ItemId("a"), value=900.0),
    ]
    topics, creators = leanings(actions, items, now_ms)
    assert [(one.name, one.weight) for one in topics] == [("war", -4.0), ("tea", 1.5)]
    assert [(one.name, one.weight) for one in creators] == [("y", -4.0), ("x", 1.5)]


def test_a_long_look_speaks_for_a_post_and_a_short_one_says_nothing() -> None:
    """The rule of what counts as wanted is the one all parts share."""
    looks = [_done("dwell", value=value) for value in (1_000.0, 18_000.0)]
    assert [strength(look, None) for look in looks] == [0.0, 1.0]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(TARGET_KINDS)),
            st.sampled_from(["creator:a", "creator:b", "topic:t"]),
        )
    )
)
def test_controls_are_those_not_taken_back(wishes: list[tuple[str, str]]) -> None:
    """The last word on each target counts, whatever came before."""
    last = {(kind.removeprefix("un"), target): kind for kind, target in wishes}
    held = fold_controls([_done(kind, target=target) for kind, target in wishes])
    expected = {key for key, kind in last.items() if not kind.startswith("un")}
    found = {("follow", f) for f in held.follows} | {("block", b) for b in held.blocked}
    assert found == {
        (kind, target.partition(":")[2]) for kind, target in expected if kind != "mute"
    }
    assert set(held.muted) == {target for kind, target in expected if kind == "mute"}


def test_actions_on_one_post_are_drawn_together() -> None:
    """A look and a like at one sitting are one line; the same post an hour later is another."""
    minute = 60_000
    post = ItemId("p")
    newest_first = [
        _done("impression", 100 * minute, item_id=post),
        _done("like", 2 * minute, item_id=post),
        _done("dwell", 1 * minute, item_id=post, value=9_000.0),
        _done("visit", 0),
    ]
    found = sittings(newest_first)
    assert [(one.kinds, one.spent_ms) for one in found] == [
        (("impression",), 0.0),
        (("dwell", "like"), 9_000.0),
        (("visit",), 0.0),
    ]
