"""Appeals: who may, when, and what an outcome does."""

import pytest
from moderation_worlds import Community

from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.models.harvest.labels import Labels
from inhouse.moderation.complaints.appeals import Appeals, Instead
from inhouse.moderation.complaints.reports import Reports
from inhouse.moderation.recording.audit import Audit
from inhouse.moderation.reviewing.queues import QueueSettings, ReviewQueues
from inhouse.moderation.reviewing.review import Review
from inhouse.moderation.statements.book import Statements
from inhouse.moderation.statements.types import REDRESS_MS
from inhouse.moderation.verdicts.decide import decide

REMOVE = Instead(action="remove", category="hate")
LIMIT = Instead(action="limit", category="hate")


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


@pytest.fixture
def unheard(any_community: Community) -> str:
    """The id of Zoe's report on a post that Ada left as it is."""
    community = any_community
    community.post(fine="plain")
    community.scan()
    reports = Reports(community.database, community.clock, community.tools)
    filed = reports.file("fine", "zoe", "hate")
    assert filed.case_id is not None
    review = Review(community.database, community.clock, community.tools)
    review.decide(filed.case_id, "ada", "allow", None, None)
    community.wait(5)
    return filed.report_id


def _appeals(community: Community) -> Appeals:
    return Appeals(community.database, community.clock, community.tools)


def test_a_reporter_may_object_to_no_action(any_community: Community, unheard: str) -> None:
    """Somebody else looks, restricts the post, and everybody is told."""
    appeals = _appeals(any_community)
    opened = appeals.open("fine", "zoe", "It is an attack.", unheard)
    with pytest.raises(ConflictError, match="ada made the decision that is appealed"):
        appeals.decide(opened.appeal_id, "ada", "overturn", "Yes.", REMOVE)
    with pytest.raises(InputError, match="give action and category"):
        appeals.decide(opened.appeal_id, "ben", "overturn", "Yes.")
    done = appeals.decide(
        opened.appeal_id,
        "ben",
        "overturn",
        "You are right.",
        REMOVE,
    )
    assert (done.state, done.report_id) == ("overturned", unheard)
    assert appeals.of_user("zoe") == [done]
    verdict = any_community.latest("fine")
    assert verdict is not None
    assert verdict.decided_by == "person:ben"
    status = Reports(any_community.database, any_community.clock, any_community.tools).status(
        unheard
    )
    assert status.outcome == "action"
    (statement,) = Statements(any_community.database).of_user("by_fine")
    assert (statement.kinds, statement.state) == (("removed",), "in_force")
    (row,) = [r for r in Audit(any_community.database).rows() if r.what == "appeal"]
    assert row.actor == "person:ben"
    assert row.details == {"appeal": opened.appeal_id, "outcome": "overturned", "of": "reporter"}


def test_reporters_appeals_that_are_wrong_are_refused(
    any_community: Community, unheard: str
) -> None:
    """Only by one's own report on that post, after no action, for six months, once at a time."""
    appeals = _appeals(any_community)
    with pytest.raises(UnknownError, match="no report 'x' of the item fine"):
        appeals.open("fine", "zoe", "Why?", "x")
    with pytest.raises(InputError, match="only who reported an item can appeal by their report"):
        appeals.open("fine", "yan", "Why?", unheard)
    any_community.post(other="plain too")
    fresh = Reports(any_community.database, any_community.clock, any_community.tools).file(
        "other", "zoe", "hate"
    )
    with pytest.raises(ConflictError, match="was not answered with no action"):
        appeals.open("other", "zoe", "Why?", fresh.report_id)
    appeals.open("fine", "zoe", "Why?", unheard)
    with pytest.raises(ConflictError, match="is open already"):
        appeals.open("fine", "zoe", "Why?", unheard)


def test_appeals_are_taken_for_six_months(any_community: Community, unheard: str) -> None:
    """Of authors and reporters alike."""
    any_community.post(bad="hate=0.95")
    any_community.scan()
    any_community.wait(REDRESS_MS - 10)
    _appeals(any_community).open("bad", "by_bad", "Why?")
    any_community.wait(11)
    with pytest.raises(ConflictError, match="the decision is of 1970-01-01; appeals are taken for"):
        _appeals(any_community).open("fine", "zoe", "Why?", unheard)


def test_an_authors_appeal_is_not_granted_by_another_restriction(
    appeals: Appeals, community: Community
) -> None:
    """It is granted or it is not."""
    opened = appeals.open("bad", "by_bad", "Why?")
    with pytest.raises(InputError, match="granted by allowing the item; leave action out"):
        appeals.decide(opened.appeal_id, "ada", "overturn", "So-so.", LIMIT)
    assert community.history("bad")[-1].decided_by == "rule:hate_clear"


def test_neither_of_two_who_agreed_decides_the_appeal(community: Community) -> None:
    """Both made the decision; whoever only objected to it did not."""
    community.post(held="hate=0.7")
    community.scan()
    ReviewQueues(community.database, community.clock, community.tools.rules.policy.categories).put(
        QueueSettings(name="hate", two_person=True)
    )
    review = Review(community.database, community.clock, community.tools)
    (case,) = review.queue()
    for name, action in (("ada", "remove"), ("ben", "limit"), ("cleo", "remove")):
        review.decide(case.case_id, name, action, "hate", None)
    appeals = Appeals(community.database, community.clock, community.tools)
    opened = appeals.open("held", "by_held", "it was a quote")
    assert appeals.barred(opened.item_id) == {"ada", "cleo"}
    for name in ("ada", "cleo"):
        with pytest.raises(ConflictError, match=f"{name} made the decision that is appealed"):
            appeals.decide(opened.appeal_id, name, "uphold", "no")
    assert appeals.decide(opened.appeal_id, "ben", "uphold", "no").state == "upheld"
    assert appeals.get(opened.appeal_id).decided_by == "ben"
    assert [one.appeal_id for one in appeals.decided()] == [opened.appeal_id]
    with pytest.raises(UnknownError, match="no appeal has the id 'none'"):
        appeals.get("none")
