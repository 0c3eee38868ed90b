"""The circuit breaker: rules that remove too much ask people instead."""

from collections import Counter

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from moderation_worlds import POLICY, Community, make_community, tools

from inhouse.core.clock import HOUR_MS
from inhouse.core.errors import StoreError
from inhouse.moderation.judging.breaker import (
    BreakerEvent,
    Fuse,
    close_breakers,
    open_breakers,
    open_in,
    opening_in_words,
)
from inhouse.moderation.judging.scan import Moderator
from inhouse.moderation.policy.parse import read_policy
from inhouse.moderation.reviewing.review import CaseFilter, Review
from inhouse.moderation.verdicts.decide import decide_all, strictest
from inhouse.store import tables
from inhouse.store.database import Database

THREE = POLICY.replace("policy: test\n", "policy: test\nbreaker: {removals_per_hour: 3}\n")
ONE_RULE = POLICY.replace(
    "  - rule: hate_clear\n", "  - rule: hate_clear\n    breaker: {removals_per_hour: 2}\n"
)


def judged(community: Community, count: int, first: int = 0) -> list[str]:
    """Post so many that a rule removes, and say what is decided on each."""
    names = [f"p{n}" for n in range(first, first + count)]
    community.post(**{name: f"{name} hate=0.95" for name in names})
    community.scan()
    return [action(community, name) for name in names]


def action(community: Community, item_id: str) -> str:
    verdict = community.latest(item_id)
    assert verdict is not None
    return strictest(decide_all(verdict.evidence, community.tools.rules.policy).values()).action


def restarted(community: Community) -> Community:
    """A new moderator on the same store."""
    fresh = Moderator(community.database, community.clock, community.scorer, community.tools)
    community.moderator = fresh
    return community


def test_beyond_the_limit_posts_go_to_people_and_earlier_ones_stay_removed(
    any_database: Database,
) -> None:
    """The fourth removal of an hour opens it, within one scan as between scans and after a restart;
    each post that is held back has its case, with the reason."""
    community = make_community(any_database, tools(THREE))
    community.wait(10 * HOUR_MS)
    assert judged(community, 2) == ["remove", "remove"]
    assert judged(restarted(community), 3, 2) == ["remove", "review", "review"]
    assert open_breakers(community.database) == [
        BreakerEvent(at_ms=community.clock.now_ms(), kind="opened", rule=None, removals=3, judged=4)
    ]
    assert judged(restarted(community), 1, 5) == ["review"]
    assert [action(community, f"p{n}") for n in range(3)] == ["remove"] * 3
    cases = Review(community.database, community.clock, community.tools).queue(CaseFilter())
    assert {(c.item_id, c.reason) for c in cases} == {
        (f"p{n}", "rule hate_clear, held back by the circuit breaker") for n in (3, 4, 5)
    }
    assert [v.removed_by for n in (2, 3) for v in community.history(f"p{n}")] == [
        "hate_clear",
        None,
    ]


def test_an_hour_later_it_is_still_open_until_a_person_closes_it(community: Community) -> None:
    """Time does not close it; who closes it starts the count anew, also for whoever restarts."""
    community = make_community(community.database, tools(THREE))
    community.wait(10 * HOUR_MS)
    judged(community, 4)
    community.wait(2 * HOUR_MS)
    assert judged(community, 1, 10) == ["review"]
    closed = close_breakers(community.database, "ada", community.clock.now_ms())
    assert [event.rule for event in closed] == [None]
    community.wait(1)
    assert judged(community, 2, 20) == ["remove", "remove"]
    assert judged(restarted(community), 2, 30) == ["remove", "review"]
    assert [action(community, f"p{n}") for n in (3, 10)] == ["review", "review"]
    assert close_breakers(community.database, "ada", 1) != []
    assert close_breakers(community.database, "ada", 1) == []


def test_removals_of_an_hour_ago_are_forgotten(community: Community) -> None:
    """Three an hour is three an hour, for ever."""
    community = make_community(community.database, tools(THREE))
    community.wait(10 * HOUR_MS)
    for hour in range(3):
        assert judged(community, 3, 10 * hour) == ["remove"] * 3
        community.wait(HOUR_MS + 60_000)
    assert open_breakers(community.database) == []


def test_a_rule_may_have_a_breaker_of_its_own(community: Community) -> None:
    """Only what this rule removes goes to people; others remove on."""
    text = ONE_RULE.replace("actions: limit", "actions: remove")
    community = make_community(community.database, tools(text))
    community.wait(10 * HOUR_MS)
    assert judged(community, 4) == ["remove", "remove", "review", "review"]
    community.post(advert="spam=0.9")
    community.scan()
    assert action(community, "advert") == "remove"
    assert [opening_in_words(event) for event in open_breakers(community.database)] == [
        "the rule hate_clear removed 2 of 3 posts judged within an hour"
    ]


def test_a_person_removes_as_many_as_they_like(community: Community) -> None:
    """Calls of people are not counted, nor are posts that a rule merely limits."""
    community = make_community(community.database, tools(THREE))
    community.wait(10 * HOUR_MS)
    review = Review(community.database, community.clock, community.tools)
    community.post(**{f"r{n}": f"r{n} hate=0.7 spam=0.9" for n in range(6)})
    community.scan()
    for case in review.queue(CaseFilter()):
        review.decide(case.case_id, "ada", "remove", "hate", None)
    assert judged(community, 3) == ["remove"] * 3
    assert open_breakers(community.database) == []


def test_the_breaker_opens_in_the_transaction_of_what_it_held_back(community: Community) -> None:
    """A scan that is not kept leaves it closed."""
    community = make_community(community.database, tools(THREE))
    community.wait(10 * HOUR_MS)
    judged(community, 3)
    community.database.write(
        lambda c: c.exec_driver_sql("ALTER TABLE breaker_events RENAME TO away")
    )
    community.database.write(
        lambda c: c.exec_driver_sql("CREATE VIEW breaker_events AS SELECT * FROM away")
    )
    community.post(last="hate=0.95")
    with pytest.raises(StoreError, match="view"):
        community.scan()
    assert community.latest("last") is None
    with community.database.read() as connection:
        query = sa.select(sa.func.count()).select_from(tables.breaker_events)
        assert connection.execute(query).scalar_one() == 0


@given(
    st.lists(st.sampled_from((None, "hate_clear", "spam")), max_size=60),
    st.integers(1, 6),
    st.sampled_from((0.0, 0.3, 0.6)),
)
def test_never_more_removals_than_the_limits_say(
    removed: list[str | None], most: int, share: float
) -> None:
    """Whatever comes in whatever order: as long as it is closed the counts are within the limits,
    and once open it holds back everything that counts for it."""
    text = THREE.replace(
        "{removals_per_hour: 3}", f"{{removals_per_hour: {most}, least_share: {share}}}"
    )
    fuse = Fuse(
        policy=read_policy("p.yaml", text),
        now_ms=1,
        removals=Counter(),
        judged=0,
        open=set(),
    )
    kept = 0
    for number, rule in enumerate(removed, 1):
        was_open = bool(fuse.open)
        held = fuse.holds_back(rule)
        if rule is None:
            assert not held
            continue
        kept += not held
        assert held or kept <= most or kept <= share * number
        assert held or not was_open
    assert (fuse.judged, fuse.removals[None]) == (len(removed), kept)
    assert len(fuse.opened) == len(fuse.open) <= 1


def test_what_is_open_is_what_nobody_closed() -> None:
    """Twice opened is open since the first time; closed and opened again, since the last."""

    def event(at_ms: int, kind: str, rule: str | None = None) -> BreakerEvent:
        return BreakerEvent(at_ms=at_ms, kind=kind, rule=rule)  # type: ignore[arg-type]

    twice = [event(1, "opened"), event(2, "opened"), event(3, "opened", "r")]
    assert open_in(twice) == [twice[0], twice[2]]
    assert open_in([*twice, event(4, "closed")]) == [twice[2]]
    again = event(5, "opened")
    assert open_in([*twice, event(4, "closed"), again]) == [twice[2], again]
