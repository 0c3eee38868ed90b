"""Statements of reasons: for which restrictions, when, what they say, and when they end."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moderation_worlds import Community, tools

from inhouse.core.errors import UnknownError
from inhouse.moderation.complaints.appeals import Appeals
from inhouse.moderation.complaints.reports import Reports
from inhouse.moderation.erasure import erase_person
from inhouse.moderation.policy.parse import load_policy
from inhouse.moderation.reviewing.review import Review
from inhouse.moderation.statements.book import Statements
from inhouse.moderation.statements.restriction import restriction_of
from inhouse.moderation.statements.types import REDRESS_MS, Statement
from inhouse.moderation.types import ACTIONS, Decision, Evidence, Label
from inhouse.moderation.verdicts.decide import NO_RULE, PAIRS, decide_all


def _of(community: Community, item_id: str) -> list[Statement]:
    return Statements(community.database).of_item(item_id)


def _states(community: Community, item_id: str) -> list[tuple[str, str, str]]:
    """Kinds, who decided, state; oldest first."""
    found = reversed(_of(community, item_id))
    return [(" ".join(each.kinds), each.decided_by, each.state) for each in found]


def _review(community: Community) -> Review:
    return Review(community.database, community.clock, community.tools)


def test_a_removed_post_comes_with_its_reasons(any_community: Community) -> None:
    """Facts, ground, automation and redress, in the author's list, in the moment it is hidden."""
    any_community.post(bad="hate=0.95", fine="plain")
    any_community.scan()
    (found,) = Statements(any_community.database).of_user("by_bad")
    assert (found.kinds, found.category, found.decided_by) == (
        ("removed",),
        "hate",
        "rule:hate_clear",
    )
    assert (found.at_ms, found.state, found.item_id) == (1_000, "in_force", "bad")
    reasons = found.reasons
    assert reasons.facts == (
        "The post was found to be hate and is not shown to anybody. "
        "It was found by our own checks. A program decided. A model put the probability at 95%."
    )
    assert reasons.explanation == "The rules of this community do not allow: attacks."
    assert (reasons.ground, reasons.ground_reference) == ("terms", "policy test, rule hate_clear")
    assert (reasons.automated_detection, reasons.automated_decision) == (True, "fully")
    assert reasons.redress_until_ms == 1_000 + REDRESS_MS
    assert (reasons.dsa_category, reasons.dsa_keyword) == (
        "ILLEGAL_OR_HARMFUL_SPEECH",
        "HATE_SPEECH",
    )
    assert Statements(any_community.database).of_user("by_fine") == []
    assert Statements(any_community.database).get(found.statement_id) == found


def test_a_demotion_is_a_restriction_and_advertising_is_exempt(community: Community) -> None:
    """`limit` on the feed owes a statement; for spam the law asks for none, which it says."""
    community.post(ad="spam=0.9")
    community.scan()
    (found,) = _of(community, "ad")
    assert (found.kinds, found.reasons.exempt) == (("demoted",), True)


def test_a_post_nobody_could_check_is_restricted_on_no_ground(community: Community) -> None:
    """It waits for a person; neither rules nor law speak against it."""
    community.post(odd="poison")
    for number in range(4):
        community.post(**{f"other{number}": f"plain {number}"})
        community.scan()
    assert community.latest("odd") is not None
    assert _of(community, "odd") == []


def test_a_hold_is_replaced_by_what_a_person_decides(any_community: Community) -> None:
    """Hidden until looked at, then removed by a person whom a program had pointed at it."""
    any_community.post(held="hate=0.7")
    any_community.scan()
    review = _review(any_community)
    (case,) = review.queue()
    any_community.wait(5)
    decision = review.decide(case.case_id, "ada", "remove", "hate", None)
    assert _states(any_community, "held") == [
        ("disabled", "rule:hate_likely", "replaced"),
        ("removed", "person:ada", "in_force"),
    ]
    made = _of(any_community, "held")[0]
    assert (made.reasons.automated_detection, made.reasons.automated_decision) == (
        True,
        "partially",
    )
    assert made.reasons.ground_reference == "policy test, category hate"
    assert "ada" not in str(made.reasons)
    any_community.wait(5)
    review.undo(decision.decision_id, "ada")
    assert _states(any_community, "held")[1:] == [
        ("removed", "person:ada", "replaced"),
        ("disabled", "rule:hate_likely", "in_force"),
    ]


def test_a_person_who_allows_reverses(community: Community) -> None:
    """The statement no longer holds and says since when."""
    community.post(held="hate=0.7")
    community.scan()
    (case,) = _review(community).queue()
    community.wait(5)
    _review(community).decide(case.case_id, "ada", "allow", None, None)
    (found,) = _of(community, "held")
    assert (found.state, found.ended_ms) == ("reversed", 1_005)


def test_a_granted_appeal_reverses(community: Community) -> None:
    """What a rule removed is shown again, and its statement is withdrawn."""
    community.post(bad="hate=0.95")
    community.scan()
    appeals = Appeals(community.database, community.clock, community.tools)
    opened = appeals.open("bad", "by_bad", "A quotation.")
    appeals.decide(opened.appeal_id, "ada", "overturn", "You are right.")
    assert _states(community, "bad") == [("removed", "rule:hate_clear", "reversed")]


def test_the_same_decision_says_nothing_new_and_an_edit_ends_it(community: Community) -> None:
    """A ruling repeated leaves the statement; another text has statements of its own."""
    community.post(bad="hate=0.95")
    community.scan()
    reports = Reports(community.database, community.clock, community.tools)
    for turn in range(2):
        community.wait(5)
        filed = [reports.file("bad", f"zoe{turn}{number}", "hate") for number in range(3)]
        case_id = filed[-1].case_id
        assert case_id is not None
        _review(community).decide(case_id, "ada", "remove", "hate", None)
    assert _states(community, "bad") == [
        ("removed", "rule:hate_clear", "replaced"),
        ("removed", "person:ada", "in_force"),
    ]
    community.post(bad="hate=0.96 anew")
    community.scan()
    assert _states(community, "bad")[1:] == [
        ("removed", "person:ada", "ended"),
        ("removed", "person:ada", "in_force"),
    ]


def test_what_a_reporter_brought_up_was_not_detected_by_a_program(community: Community) -> None:
    """A post no rule minded, removed by a person after a report."""
    community.post(fine="plain")
    community.scan()
    case_id = Reports(community.database, community.clock, community.tools).file(
        "fine", "zoe", "hate"
    )
    assert case_id.case_id is not None
    _review(community).decide(case_id.case_id, "ada", "remove", "hate", None)
    (found,) = _of(community, "fine")
    reasons = found.reasons
    assert (reasons.source, reasons.automated_detection, reasons.automated_decision) == (
        "report",
        False,
        "not",
    )


def test_a_policy_names_ground_and_law(community: Community) -> None:
    """Of a category that the policy calls illegal the statement names the law and the rule's
    words."""
    base = tools().rules.policy
    text = """\
policy: strict
categories: {hate: attacks}
rules:
  - {rule: a, category: hate, when: {hate: 0.9}, actions: remove, why: It attacks people.}
rights:
  hate: {ground: illegal, law: "§ 130 StGB", keyword: INCITEMENT_VIOLENCE_HATRED, strike: 2}
strikes: {limit_at: 2, suspend_at: 4.5, suspend_days: 14}
"""
    strict = tools(text)
    assert strict.rules.policy.version != base.version
    assert strict.rules.policy.rights.strikes.suspend_days == 14
    community.moderator.tools = strict
    community.post(bad="hate=0.95")
    community.scan()
    reasons = _of(community, "bad")[0].reasons
    assert (reasons.ground, reasons.ground_reference) == ("illegal", "§ 130 StGB")
    assert reasons.explanation == "It attacks people."
    assert (reasons.dsa_category, reasons.dsa_keyword) == (
        "ILLEGAL_OR_HARMFUL_SPEECH",
        "INCITEMENT_VIOLENCE_HATRED",
    )


def test_a_moderator_who_dies_leaves_no_half_of_it(community: Community) -> None:
    """Statement and verdict are one transaction: where one fails neither is there."""
    community.post(bad="hate=0.95")
    community.database.write(lambda c: c.exec_driver_sql("DROP TABLE statements"))
    with pytest.raises(Exception, match="no such table"):
        community.scan()
    assert community.latest("bad") is None


def test_an_erased_author_is_in_no_statement(any_community: Community) -> None:
    """That there was a restriction is kept for the counts, whose it was is not."""
    any_community.post(bad="hate=0.95")
    any_community.scan()
    (before,) = _of(any_community, "bad")
    any_community.database.write(lambda c: erase_person(c, ["by_bad"], ["bad"], 2_000))
    after = Statements(any_community.database).get(before.statement_id)
    assert after == dataclasses.replace(
        before, user_id="erased", item_id=None, text_key="", state="ended", ended_ms=2_000
    )


def test_an_unknown_statement_is_said_to_be_unknown(community: Community) -> None:
    """By its id."""
    with pytest.raises(UnknownError, match="no statement has the id 'x'"):
        Statements(community.database).get("x")


POLICY = load_policy()
P = st.floats(0, 1)
EVIDENCE = st.builds(
    lambda scores, counts: Evidence(
        labels=tuple(Label(category=c, p=p, source="model:m") for c, p in scores.items()),
        signals=counts,
    ),
    st.dictionaries(st.sampled_from(sorted(POLICY.categories)), P),
    st.dictionaries(st.sampled_from(["links", "phones", "cards", "unscored"]), st.integers(1, 9)),
)


@given(EVIDENCE)
def test_every_restriction_by_the_default_policy_has_a_kind_and_a_category(
    evidence: Evidence,
) -> None:
    """Whoever is kept from a post by a rule: there is a restriction; whoever is not, there is
    none."""
    decisions = decide_all(evidence, POLICY)
    found = restriction_of(decisions)
    ruled = {d.category for d in decisions.values() if d.action != "allow"} - {"unscored"}
    if "unscored" not in evidence.signals:
        assert (found is None) == (not ruled)
    if found is not None:
        assert found.category in ruled
        assert len(set(found.kinds)) == len(found.kinds) > 0


@given(st.lists(st.sampled_from(ACTIONS), min_size=len(PAIRS), max_size=len(PAIRS)))
def test_kinds_follow_what_is_shown(actions: list[str]) -> None:
    """Removed or disabled stand alone, and only where adults see the post nowhere."""
    decisions = {
        pair: Decision(action=action, decided_by="rule:r", category="c")
        if action != "allow"
        else NO_RULE
        for pair, action in zip(PAIRS, actions, strict=True)
    }
    found = restriction_of(decisions)
    hidden = all(
        decisions[pair].action in ("review", "remove")
        or (decisions[pair].action == "limit" and pair[0] in ("feed", "notification"))
        for pair in PAIRS
        if pair[1] == "adult"
    )
    whole = found is not None and found.kinds in (("removed",), ("disabled",))
    assert whole == hidden
