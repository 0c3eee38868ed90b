"""Appeals: who may, when, and what an outcome does."""

import pytest
from moderation_worlds import Community

from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.models.harvest import Labels
from inhouse.moderation.appeals import Appeals
from inhouse.moderation.decide import decide
from inhouse.moderation.review import Review


@pytest.fixture
def appeals(community: Community) -> Appeals:
    """One item is removed by a rule, one is fine."""
    community.post(bad="hate=0.95", fine="plain")
    community.scan()
    return Appeals(community.database, community.clock, community.tools)


def test_an_overturned_appeal_allows_the_item_and_teaches(
    appeals: Appeals, community: Community
) -> None:
    """A new verdict by the second person, a label, and an answer for the author."""
    opened = appeals.open("bad", "by_bad", "This is a quotation.")
    assert [a.appeal_id for a in appeals.list()] == [opened.appeal_id]
    community.wait(5)
    decided = appeals.decide(opened.appeal_id, "ada", "overturn", "You are right.")
    assert (decided.state, decided.decided_by, decided.decided_ms, decided.answer) == (
        "overturned",
        "ada",
        1_005,
        "You are right.",
    )
    verdict = community.latest("bad")
    assert verdict is not None
    assert verdict.note == f"appeal {opened.appeal_id}"
    decision = decide(verdict.evidence, community.tools.rules.policy, "feed", "minor")
    assert (decision.action, decision.decided_by) == ("allow", "person:ada")
    (label,) = Labels(community.database).latest("text_harm", 10)
    assert (label.source, label.scores["hate"]) == ("person:ada", 0.0)
    assert (appeals.list(), appeals.list(None)) == ([], [decided])


def test_an_upheld_appeal_changes_nothing_but_itself(
    appeals: Appeals, community: Community
) -> None:
    """The restriction and its verdict stay as they are."""
    opened = appeals.open("bad", "by_bad", "Why?")
    decided = appeals.decide(opened.appeal_id, "ada", "uphold", "It attacks people.")
    assert decided.state == "upheld"
    assert len(community.history("bad")) == 1
    assert appeals.list("upheld") == [decided]


def test_nobody_judges_their_own_decision(appeals: Appeals, community: Community) -> None:
    """The person whose decision is appealed cannot decide the appeal; another can."""
    community.post(held="hate=0.7")
    community.scan()
    review = Review(community.database, community.clock, community.tools)
    (case,) = review.queue()
    review.decide(case.case_id, "ada", "remove", "hate", None)
    opened = appeals.open("held", "by_held", "Please look again.")
    with pytest.raises(ConflictError, match="ada made the decision that is appealed"):
        appeals.decide(opened.appeal_id, "ada", "uphold", "No.")
    assert appeals.decide(opened.appeal_id, "ben", "uphold", "No.").decided_by == "ben"


def test_wrong_appeals_are_refused(appeals: Appeals) -> None:
    """Only the creator, only against a restriction, once at a time, with words."""
    with pytest.raises(UnknownError, match="no item has the id 'gone'"):
        appeals.open("gone", "by_gone", "Why?")
    with pytest.raises(InputError, match="only the creator of an item can appeal"):
        appeals.open("bad", "somebody", "Why?")
    with pytest.raises(InputError, match="the words have 1 characters; expected 1 to 4000"):
        appeals.open("bad", "by_bad", " ")
    with pytest.raises(ConflictError, match="nothing restricts the item fine"):
        appeals.open("fine", "by_fine", "Why?")
    appeals.open("bad", "by_bad", "Why?")
    with pytest.raises(ConflictError, match="an appeal for the item bad is open already"):
        appeals.open("bad", "by_bad", "Why??")


def test_wrong_outcomes_are_refused(appeals: Appeals) -> None:
    """An outcome that does not exist, no answer, an unknown or decided appeal."""
    opened = appeals.open("bad", "by_bad", "Why?")
    with pytest.raises(
        InputError, match="unknown outcome 'maybe'; expected one of uphold, overturn"
    ):
        appeals.decide(opened.appeal_id, "ada", "maybe", "Hm.")
    with pytest.raises(InputError, match="the answer is empty; tell the author why"):
        appeals.decide(opened.appeal_id, "ada", "uphold", "  ")
    with pytest.raises(UnknownError, match="no appeal has the id 'x'"):
        appeals.decide("x", "ada", "uphold", "No.")
    appeals.decide(opened.appeal_id, "ada", "uphold", "No.")
    with pytest.raises(ConflictError, match="is upheld already"):
        appeals.decide(opened.appeal_id, "ben", "overturn", "Yes.")
