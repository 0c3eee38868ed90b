"""Review: exclusive locks, decisions that are verdicts and labels, undo, bulk, agreement."""

import pytest
from moderation_worlds import Community

from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.models.harvest.labels import Labels, examples
from inhouse.moderation.complaints.appeals import Appeals
from inhouse.moderation.complaints.reports import Reports
from inhouse.moderation.measuring.agreement import agreement, second_looks
from inhouse.moderation.reviewing.review import QueueCount, Review
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.types import Case, Decision, PersonCall
from inhouse.moderation.verdicts.decide import decide
from inhouse.stats.types import Interval

LOCK_MS = 600_000


@pytest.fixture
def review(community: Community) -> Review:
    """Three cases wait: b is the most urgent one, then c, then a."""
    community.post(a="hate=0.65", b="hate=0.85", c="hate=0.75")
    community.scan()
    return Review(community.database, community.clock, community.tools)


def taken(review: Review, reviewer: str) -> Case:
    case = review.next(reviewer)
    assert case is not None
    return case


def now(community: Community, item_id: str) -> Decision:
    verdict = community.latest(item_id)
    assert verdict is not None
    return decide(verdict.evidence, community.tools.rules.policy, "feed", "adult")


def taught(community: Community, item_id: str) -> dict[str, float]:
    """What people's labels say of the item's text."""
    found = examples(Labels(community.database).latest("text_harm", 1_000))
    return next((dict(e.people) for e in found if e.ref == item_id), {})


# -- taking ----------------------------------------------------------------------------------------


def test_reviewers_get_different_cases_the_most_urgent_first(review: Review) -> None:
    """A case on somebody's table is nobody else's; an empty queue is None."""
    assert [taken(review, name).item_id for name in ("ada", "ben", "cyd")] == ["b", "c", "a"]
    assert review.next("dan") is None


def test_asking_again_gives_the_case_on_ones_own_table(review: Review) -> None:
    """A reviewer who reloads the page keeps the case, and its lock begins anew."""
    first = taken(review, "ada")
    assert (first.locked_by, first.locked_until_ms) == ("ada", 1_000 + LOCK_MS)
    assert taken(review, "ada").case_id == first.case_id


def test_a_lock_runs_out_unless_renewed(review: Review, community: Community) -> None:
    """After the time-out others get the case; a renewal in time keeps it."""
    first, second = taken(review, "ada"), taken(review, "ben")
    community.wait(LOCK_MS - 1)
    renewed = review.renew(second.case_id, "ben")
    assert renewed.locked_until_ms == 1_000 + 2 * LOCK_MS - 1
    community.wait(1)
    assert taken(review, "cyd").case_id == first.case_id
    with pytest.raises(ConflictError, match="is not on the table of ada; take it first"):
        review.renew(first.case_id, "ada")


def test_a_released_case_is_free_at_once(review: Review) -> None:
    """Putting a case back undecided leaves it open and unlocked."""
    case = taken(review, "ada")
    back = review.release(case.case_id, "ada")
    assert (back.state, back.locked_by, back.locked_until_ms) == ("open", None, None)
    assert taken(review, "ben").case_id == case.case_id


def test_a_reviewer_may_take_from_one_queue(review: Review, community: Community) -> None:
    """Only cases of the named queue are handed out."""
    assert review.next("ada", queue="spam") is None
    assert taken(review, "ada").queue == "hate"


def test_the_queue_can_be_filtered_and_paged(review: Review) -> None:
    """By state, item, words of the reason, priority and who is free to take it."""
    assert [c.item_id for c in review.queue()] == ["b", "c", "a"]
    assert [c.item_id for c in review.queue(limit=1, offset=1)] == ["c"]
    taken(review, "ada")
    cases = {
        "item": CaseFilter(item_id="a"),
        "reason": CaseFilter(reason="hate_lik"),
        "percent": CaseFilter(reason="%"),
        "priority": CaseFilter(least_priority=0.7),
        "free": CaseFilter(free_for="ben"),
        "closed": CaseFilter(state="closed"),
        "any": CaseFilter(state=None, queue="hate"),
    }
    found = {name: "".join(c.item_id for c in review.queue(f)) for name, f in cases.items()}
    assert found == {
        "item": "a",
        "reason": "bca",
        "percent": "",
        "priority": "bc",
        "free": "ca",
        "closed": "",
        "any": "bca",
    }


# -- deciding --------------------------------------------------------------------------------------


def test_a_decision_is_a_verdict_a_label_and_a_closed_case(
    review: Review, community: Community
) -> None:
    """All of it in one transaction, told to whoever follows the changes."""
    case = taken(review, "ada")
    before = community.catalog.last_change()
    decision = review.decide(case.case_id, "ada", "remove", "hate", "a clear one")
    assert now(community, "b") == Decision(
        action="remove", decided_by="person:ada", category="hate"
    )
    verdict = community.latest("b")
    assert verdict is not None
    assert (verdict.decided_by, verdict.note, verdict.model_version) == (
        "person:ada",
        "a clear one",
        "fake-1",
    )
    assert verdict.evidence.labels == community.history("b")[0].evidence.labels
    closed = review.case(case.case_id)
    assert (closed.state, closed.closed_ms, closed.locked_by) == ("closed", 1_000, None)
    assert review.decisions(case_id=case.case_id) == [decision]
    news = community.catalog.changes(before)
    assert [(change.entity, change.entity_id) for change in news] == [("verdict", "b")]
    (label,) = Labels(community.database).latest("text_harm", 10)
    assert (label.ref, label.text, dict(label.scores), label.source, label.terms) == (
        "b",
        "hate=0.85",
        {"hate": 1.0},
        "person:ada",
        "own",
    )


def test_allowing_teaches_that_no_category_fits(review: Review, community: Community) -> None:
    """An allowed text is a counter-example for every category models are asked about."""
    review.decide(taken(review, "ada").case_id, "ada", "allow", None, None)
    assert now(community, "b").action == "allow"
    assert taught(community, "b") == dict.fromkeys(
        ("harassment", "hate", "sexual", "violence", "self_harm", "spam"), 0.0
    )


def test_a_category_that_no_model_is_asked_about_teaches_nothing(
    review: Review, community: Community
) -> None:
    """The verdict names it, the harvest is left alone."""
    review.decide(taken(review, "ada").case_id, "ada", "limit", "privacy", None)
    assert now(community, "b").category == "privacy"
    assert Labels(community.database).latest("text_harm", 10) == []


def test_an_item_that_nothing_has_judged_can_be_decided(community: Community) -> None:
    """A reported item may be decided before its scan; the person's word then stands."""
    from_reports = Review(community.database, community.clock, community.tools)
    community.post(a="hate=0.95")
    community.scorer.down = True
    community.scan()
    Reports(community.database, community.clock, community.tools).file("a", "u1", "hate")
    from_reports.decide(taken(from_reports, "ada").case_id, "ada", "warn", "hate", None)
    community.scorer.down = False
    assert community.scan().unchanged == 1
    assert now(community, "a") == Decision(action="warn", decided_by="person:ada", category="hate")


def test_nobody_decides_what_is_on_another_table_or_decided(
    review: Review, community: Community
) -> None:
    """The lock holds against others until it runs out; a closed case is closed."""
    case = taken(review, "ada")
    with pytest.raises(ConflictError, match=f"is on the table of ada until {1_000 + LOCK_MS}"):
        review.decide(case.case_id, "ben", "allow", None, None)
    community.wait(LOCK_MS)
    review.decide(case.case_id, "ben", "allow", None, None)
    with pytest.raises(ConflictError, match="is decided already; undo that decision"):
        review.decide(case.case_id, "ada", "remove", "hate", None)
    assert len(community.history("b")) == 2


ACTIONS = "allow, limit, warn, age_gate, remove"
CATEGORIES = "hate, spam, privacy, other"


@pytest.mark.parametrize(
    ("action", "category", "reviewer", "message"),
    [
        ("review", "hate", "ada", f"unknown action 'review'; expected one of {ACTIONS}"),
        (
            "remove",
            None,
            "ada",
            f"category None with the action remove; expected one of {CATEGORIES}",
        ),
        (
            "remove",
            "hat",
            "ada",
            f"category 'hat' with the action remove; expected one of {CATEGORIES}",
        ),
        ("allow", "hate", "ada", "category 'hate' with the action allow; leave the category out"),
        ("allow", None, " ", "reviewer ' '; expected 1 to 100 printable characters"),
    ],
)
def test_wrong_rulings_say_what_was_expected(
    review: Review, action: str, category: str | None, reviewer: str, message: str
) -> None:
    """Nothing is written for a ruling that makes no sense."""
    case = review.queue()[0]
    with pytest.raises(InputError) as caught:
        review.decide(case.case_id, reviewer, action, category, None)
    assert str(caught.value) == message
    assert review.decisions() == []


def test_unknown_cases_and_decisions_are_named(review: Review) -> None:
    """An id that does not exist is an error of its own."""
    with pytest.raises(UnknownError, match="no case has the id 'x'"):
        review.decide("x", "ada", "allow", None, None)
    with pytest.raises(UnknownError, match="no decision has the id 'x'"):
        review.undo("x", "ada")


# -- undoing ---------------------------------------------------------------------------------------


def test_undo_restores_what_was_in_force_and_opens_the_case(
    review: Review, community: Community
) -> None:
    """The rules decide again, the label is taken back, the history keeps both rows."""
    case = taken(review, "ada")
    decision = review.decide(case.case_id, "ada", "remove", "spam", None)
    assert taught(community, "b") == {"spam": 1.0}
    community.wait(5)
    undoing = review.undo(decision.decision_id, "ben")
    assert (undoing.action, undoing.undoes, undoing.reviewer) == (
        "undo",
        decision.decision_id,
        "ben",
    )
    assert now(community, "b") == Decision(
        action="review", decided_by="rule:hate_likely", category="hate"
    )
    verdict = community.latest("b")
    assert verdict is not None
    assert (verdict.decided_by, verdict.note) == ("rule:hate_likely", "undone: person:ada")
    assert taught(community, "b") == {}
    assert review.case(case.case_id).state == "open"
    assert [d.action for d in review.decisions(item_id="b")] == ["remove", "undo"]
    assert [v.decided_by for v in community.history("b")] == [
        "rule:hate_likely",
        "person:ada",
        "rule:hate_likely",
    ]


def test_undo_of_a_second_decision_restores_the_first(review: Review, community: Community) -> None:
    """An earlier person's call, and what it taught, is in force again."""
    case = taken(review, "ada")
    review.decide(case.case_id, "ada", "warn", "hate", None)
    community.wait(5)
    reopened = _reopen(community, review, "b")
    second = review.decide(reopened.case_id, "ben", "allow", None, None)
    community.wait(5)
    review.undo(second.decision_id, "ben")
    verdict = community.latest("b")
    assert verdict is not None
    assert verdict.evidence.person == PersonCall(action="warn", category="hate", name="ada")
    assert verdict.decided_by == "person:ada"
    assert taught(community, "b") == {"hate": 1.0}


def test_only_the_decision_that_stands_can_be_undone(review: Review, community: Community) -> None:
    """Not one under a later one, not twice, and not an undoing."""
    first = review.decide(taken(review, "ada").case_id, "ada", "warn", "hate", None)
    community.wait(5)
    second = review.decide(_reopen(community, review, "b").case_id, "ben", "allow", None, None)
    with pytest.raises(ConflictError, match="no longer stands: the item was decided on"):
        review.undo(first.decision_id, "ada")
    community.wait(5)
    undoing = review.undo(second.decision_id, "ben")
    with pytest.raises(ConflictError, match="was undone already"):
        review.undo(second.decision_id, "ben")
    with pytest.raises(ConflictError, match="an undoing cannot be undone; decide the case anew"):
        review.undo(undoing.decision_id, "ben")
    community.wait(5)
    review.undo(first.decision_id, "ada")
    assert now(community, "b").decided_by == "rule:hate_likely"


def test_of_two_equal_decisions_only_the_later_can_be_undone(
    review: Review, community: Community
) -> None:
    """The same person saying the same again is a decision of its own."""
    first = review.decide(taken(review, "ada").case_id, "ada", "warn", "hate", None)
    community.wait(5)
    again = review.decide(_reopen(community, review, "b").case_id, "ada", "warn", "hate", None)
    with pytest.raises(ConflictError, match="no longer stands"):
        review.undo(first.decision_id, "ada")
    community.wait(5)
    review.undo(again.decision_id, "ada")
    assert now(community, "b").decided_by == "person:ada"
    community.wait(5)
    review.undo(first.decision_id, "ada")
    assert now(community, "b").decided_by == "rule:hate_likely"


def _reopen(community: Community, review: Review, item_id: str) -> Case:
    """Enough people report a decided item."""
    reports = Reports(community.database, community.clock, community.tools)
    for who in ("u1", "u2", "u3"):
        reports.file(item_id, who, "hate")
    return next(case for case in review.queue() if case.item_id == item_id)


# -- many at once, and how well --------------------------------------------------------------------


def test_counts_say_how_full_each_queue_is(review: Review, community: Community) -> None:
    """Open and closed cases, and since when the oldest one waits."""
    review.decide(taken(review, "ada").case_id, "ada", "allow", None, None)
    assert review.counts() == [QueueCount(queue="hate", open=2, closed=1, oldest_ms=1_000)]


def test_agreement_counts_second_looks_by_others(review: Review, community: Community) -> None:
    """A repeated case and an appeal are second looks; a decision taken back is none."""
    community.wait(5)
    for case in review.queue():
        review.decide(case.case_id, "ada", "remove", "hate", None)
    community.wait(5)
    review.decide(_reopen(community, review, "a").case_id, "ben", "remove", "hate", None)
    undone = review.decide(_reopen(community, review, "b").case_id, "ben", "allow", None, None)
    community.wait(5)
    review.undo(undone.decision_id, "ben")
    appeals = Appeals(community.database, community.clock, community.tools)
    appeal = appeals.open("c", "by_c", "I quoted somebody")
    appeals.decide(appeal.appeal_id, "ben", "overturn", "You are right.")
    looks = second_looks(community.database)
    assert sorted((x.first, x.second, x.second_restricts) for x in looks) == [
        ("ada", "ben", False),
        ("ada", "ben", True),
    ]
    found = agreement(looks)
    assert (found.looks, found.same, found.kappa) == (2, 1, 0.0)
    assert isinstance(found.share, Interval)
    assert found.share.estimate == 0.5
    assert second_looks(community.database, since_ms=10_000) == []
    assert agreement([]).kappa is None


def test_the_whole_way_of_a_case_on_both_databases(any_community: Community) -> None:
    """Taken, decided, undone, decided again, appealed and overturned; counted and agreed on."""
    community = any_community
    community.post(a="hate=0.65", b="hate=0.85")
    community.scan()
    review = Review(community.database, community.clock, community.tools)
    case = taken(review, "ada")
    assert [c.item_id for c in review.queue(CaseFilter(reason="hate_", free_for="ben"))] == ["a"]
    decision = review.decide(case.case_id, "ada", "warn", "hate", None)
    community.wait(5)
    review.undo(decision.decision_id, "ada")
    community.wait(5)
    review.decide(case.case_id, "ada", "remove", "hate", None)
    appeals = Appeals(community.database, community.clock, community.tools)
    appeal = appeals.open("b", "by_b", "Look again.")
    community.wait(5)
    appeals.decide(appeal.appeal_id, "ben", "overturn", "You are right.")
    assert now(community, "b") == Decision(action="allow", decided_by="person:ben", category=None)
    assert taught(community, "b")["hate"] == 0.0
    assert review.counts() == [QueueCount(queue="hate", open=1, closed=1, oldest_ms=1_000)]
    assert agreement(second_looks(community.database)).looks == 1
    assert community.moderator.backlog() == 0
