"""Strikes: what counts, how it fades, when an account is restricted, and what takes it back."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moderation_worlds import POLICY, Community, tools

from inhouse.catalog.types import Item
from inhouse.core.clock import DAY_MS
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.complaints.appeals import Appeals
from inhouse.moderation.policy.rights import DEFAULT_RIGHTS, CategoryRights
from inhouse.moderation.recording.audit import Audit, AuditFilter
from inhouse.moderation.statements.book import Statements
from inhouse.moderation.statements.keep import in_force
from inhouse.moderation.statements.strikes import (
    Standing,
    Strikes,
    _made,
    creator_signals,
    end_expired,
    standing_of,
    strikes_of,
)
from inhouse.moderation.statements.types import Statement
from inhouse.moderation.tools import Tools

RULES = """\
  - rule: banned
    category: conduct
    when: {creator_suspended: 1}
    actions: remove
  - rule: quiet
    category: conduct
    when: {creator_limited: 1}
    actions: {feed: limit, notification: limit}
"""


def _tools() -> Tools:
    """As usual, with rules about authors: limited from 2 points on, suspended from 3."""
    head, rules = POLICY.split("rules:\n")
    head = head.replace("{hate:", "{conduct: restricted, hate:")
    strikes = "strikes: {limit_at: 1.9, suspend_at: 2.9, half_life_days: 10}\n"
    return tools(f"{head}{strikes}rules:\n{RULES}{rules}")


@pytest.fixture
def strict(any_community: Community) -> Community:
    """A community with such rules, on the hundredth day."""
    any_community.tools = any_community.moderator.tools = _tools()
    any_community.wait(100 * DAY_MS)
    return any_community


def _post(community: Community, item_id: str, text: str, by: str = "ana") -> None:
    community.catalog.put_items(
        [Item(item_id=ItemId(item_id), creator_id=UserId(by), text=text, created_ms=1)]
    )
    community.scan()


def _standing(community: Community, user_id: str = "ana") -> Standing:
    return Strikes(community.database, community.clock, community.tools).of(user_id)


def _by(community: Community, item_id: str) -> str:
    verdict = community.latest(item_id)
    assert verdict is not None
    return verdict.decided_by


def test_a_removal_is_a_point_that_fades(strict: Community) -> None:
    """Half after ten days; a demotion is a quarter of the category's weight."""
    _post(strict, "a", "hate=0.95")
    _post(strict, "b", "spam=0.9")
    first = _standing(strict)
    strict.wait(10 * DAY_MS)
    later = _standing(strict)
    assert {(s.item_id, s.weight) for s in first.strikes} == {("a", 1.0), ("b", 0.125)}
    assert (first.points, first.level, first.until_ms) == (1.125, "none", None)
    assert later.points == pytest.approx(0.5625)
    assert _standing(strict, "nobody") == Standing(
        user_id=UserId("nobody"), points=0, level="none", until_ms=None, strikes=()
    )


def test_thresholds_restrict_the_account_and_its_new_posts(strict: Community) -> None:
    """Two removals limit, a third suspends; each with a statement and a row of the record."""
    _post(strict, "a", "hate=0.95")
    _post(strict, "b", "hate=0.96")
    limited = _standing(strict)
    _post(strict, "fine", "plain")
    _post(strict, "c", "hate=0.97")
    suspended = _standing(strict)
    _post(strict, "fine2", "plain two")
    _post(strict, "other", "plain three", by="bo")

    now_ms = strict.clock.now_ms()
    assert (limited.level, limited.until_ms) == ("limited", now_ms + 7 * DAY_MS)
    assert (suspended.level, suspended.until_ms) == ("suspended", now_ms + 30 * DAY_MS)
    assert (_by(strict, "fine"), _by(strict, "fine2")) == ("rule:quiet", "rule:banned")
    assert _by(strict, "other") == "no rule"
    accounts = [s for s in Statements(strict.database).of_user("ana") if s.item_id is None]
    assert {(s.kinds, s.state) for s in accounts} == {
        (("account_limited",), "replaced"),
        (("account_suspended",), "in_force"),
    }
    told = [(row.details or {}) for row in Audit(strict.database).rows(AuditFilter(what="strike"))]
    assert [(d["level"], d["state"]) for d in told] == [
        ("limited", "in_force"),
        ("limited", "replaced"),
        ("suspended", "in_force"),
    ]
    assert _standing(strict).points == 3.0


def test_a_granted_appeal_takes_the_strike_and_the_restriction_back(strict: Community) -> None:
    """What the account was restricted for no longer holds, so neither does the restriction."""
    _post(strict, "a", "hate=0.95")
    _post(strict, "b", "hate=0.96")
    appeals = Appeals(strict.database, strict.clock, strict.tools)
    opened = appeals.open("b", "ana", "A quotation.")
    strict.wait(DAY_MS)
    appeals.decide(opened.appeal_id, "ada", "overturn", "You are right.")
    standing = _standing(strict)
    assert (standing.level, [s.item_id for s in standing.strikes]) == ("none", ["a"])
    (account,) = [s for s in Statements(strict.database).of_user("ana") if s.item_id is None]
    assert account.state == "reversed"
    _post(strict, "fine", "plain")
    assert _by(strict, "fine") == "no rule"


def test_an_edit_does_not_wash_a_strike_away(strict: Community) -> None:
    """The removed text counted; that the post was made harmless later is good, and changes
    nothing about it."""
    _post(strict, "a", "hate=0.95")
    strict.catalog.put_items(
        [Item(item_id=ItemId("a"), creator_id=UserId("ana"), text="harmless", created_ms=1)]
    )
    strict.scan()
    assert [s.weight for s in _standing(strict).strikes] == [1.0]


def test_a_restriction_ends_when_its_time_is_up(strict: Community) -> None:
    """At once for whoever asks, and in the books when somebody tidies."""
    _post(strict, "a", "hate=0.95")
    _post(strict, "b", "hate=0.96")
    until_ms = _standing(strict).until_ms
    strict.wait(7 * DAY_MS)
    now_ms = strict.clock.now_ms()
    assert _standing(strict).level == "none"
    ended = [strict.database.write(lambda c: end_expired(c, now_ms)) for _ in range(2)]
    assert ended == [1, 0]
    (account,) = [s for s in Statements(strict.database).of_user("ana") if s.item_id is None]
    assert (account.state, account.ended_ms) == ("ended", until_ms)
    _post(strict, "fine", "plain")
    assert _by(strict, "fine") == "no rule"


def test_signals_are_what_a_policy_may_ask(strict: Community) -> None:
    """Whole points, and the restriction; authors without any are absent."""
    for number in range(3):
        _post(strict, f"i{number}", f"hate=0.9{number}")

    def read(connection: object) -> object:
        return creator_signals(
            connection,  # type: ignore[arg-type]
            ["ana", "bo"],
            strict.tools.rules.policy,
            strict.clock.now_ms(),
        )

    with strict.database.read() as connection:
        assert read(connection) == {"ana": {"creator_strikes": 3, "creator_suspended": 1}}


def test_a_category_may_weigh_more_or_nothing(strict: Community) -> None:
    """As the policy says; whoever is in distress is never punished for it."""
    _post(strict, "a", "hate=0.95")
    told = Statements(strict.database).of_user("ana")
    heavy = dataclasses.replace(DEFAULT_RIGHTS, categories={"hate": CategoryRights(strike=4)})
    now_ms = strict.clock.now_ms()
    assert [s.points for s in strikes_of(told, heavy, now_ms)] == [4.0]
    none = dataclasses.replace(DEFAULT_RIGHTS, categories={"hate": CategoryRights(strike=0)})
    assert strikes_of(told, none, now_ms) == ()
    assert DEFAULT_RIGHTS.of("self_harm").strike == 0.0
    with strict.database.read() as connection:
        (statement,) = in_force(connection, ["a"]).values()
    harm = dataclasses.replace(statement, category="self_harm")
    assert strikes_of([harm], DEFAULT_RIGHTS, now_ms) == ()


@given(st.floats(0, 3_000), st.floats(0, 3_000))
def test_points_never_grow_by_waiting(one: float, other: float) -> None:
    """Older is lighter, and never below nothing."""
    told = [_statement(0)]
    early, late = sorted((round(one * DAY_MS), round(other * DAY_MS)))
    then = standing_of(UserId("ana"), told, DEFAULT_RIGHTS, early).points
    now = standing_of(UserId("ana"), told, DEFAULT_RIGHTS, late).points
    assert 0 <= now <= then <= 1


def _statement(at_ms: int) -> Statement:
    from_policy = _tools().rules.policy
    made = _made(UserId("ana"), "limited", (2.0, from_policy), at_ms)
    return dataclasses.replace(
        made, item_id=ItemId("a"), text_key="k", kinds=("removed",), category="hate"
    )
