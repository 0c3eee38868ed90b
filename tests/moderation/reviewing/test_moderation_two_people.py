"""Queues for two people: nobody's word is in force alone."""

import pytest
from moderation_worlds import Community

from inhouse.core.errors import ConflictError
from inhouse.models.harvest.labels import Labels
from inhouse.moderation.complaints.reports import Reports
from inhouse.moderation.measuring.agreement import alpha, second_looks
from inhouse.moderation.measuring.quality import review_quality
from inhouse.moderation.reviewing.queues import QueueSettings, ReviewQueues
from inhouse.moderation.reviewing.review import Review
from inhouse.moderation.types import Case
from inhouse.moderation.verdicts.decide import decide


@pytest.fixture
def review(any_community: Community) -> Review:
    """Two cases wait in a queue for two people."""
    return two_person(any_community, a="hate=0.8", b="hate=0.7")


def two_person(community: Community, *, gold_share: float = 0.0, **texts: str) -> Review:
    queues = ReviewQueues(community.database, community.clock, ("hate", "spam"))
    queues.put(QueueSettings(name="hate", two_person=True, gold_share=gold_share))
    community.post(**texts)
    community.scan()
    return Review(community.database, community.clock, community.tools)


def case_of(review: Review, item_id: str) -> Case:
    return next(case for case in review.queue() if case.item_id == item_id)


def action(community: Community, item_id: str) -> tuple[str, str]:
    verdict = community.latest(item_id)
    assert verdict is not None
    found = decide(verdict.evidence, community.tools.rules.policy, "feed", "adult")
    return found.action, found.decided_by


def test_two_people_who_agree_decide(review: Review, any_community: Community) -> None:
    """The first word waits and goes to nobody twice; the second, without knowing it, decides."""
    case = case_of(review, "a")
    first = review.decide(case.case_id, "ada", "warn", "hate", None)
    assert first.effect == "waits_for_second"
    assert action(any_community, "a") == ("review", "rule:hate_likely")
    assert review.decisions() == []
    assert review.opinions(case.case_id) == []
    given = review.next("ada")
    assert given is not None
    assert given.item_id == "b"
    with pytest.raises(ConflictError, match="ada has said what they think of the case"):
        review.take(case.case_id, "ada")
    any_community.wait(5)
    taken = review.next("ben")
    assert taken is not None
    assert taken.case_id == case.case_id
    second = review.decide(case.case_id, "ben", "warn", "hate", None)
    assert (second.effect, second.took_ms) == ("in_force", 0)
    assert action(any_community, "a") == ("warn", "person:ben")
    assert review.case(case.case_id).state == "closed"
    assert [d.decision_id for d in review.decisions()] == [second.decision_id]
    assert [o.reviewer for o in review.opinions(case.case_id)] == ["ada"]
    assert len(Labels(any_community.database).latest("text_harm", 10)) == 1


def test_where_two_differ_a_third_decides(review: Review, any_community: Community) -> None:
    """Another category is another answer; the third sees both and their word holds."""
    case = case_of(review, "a")
    review.decide(case.case_id, "ada", "warn", "hate", "borderline")
    any_community.wait(5)
    second = review.decide(case.case_id, "ben", "warn", "spam", None)
    assert second.effect == "waits_for_third"
    assert [(o.reviewer, o.category, o.note) for o in review.opinions(case.case_id)] == [
        ("ada", "hate", "borderline"),
        ("ben", "spam", None),
    ]
    with pytest.raises(ConflictError, match="ben has said what they think"):
        review.decide(case.case_id, "ben", "warn", "hate", None)
    third = review.decide(case.case_id, "cyd", "allow", None, None)
    assert third.effect == "in_force"
    assert action(any_community, "a") == ("allow", "person:cyd")


def test_a_post_one_wants_removed_is_hidden_until_others_have_spoken(
    any_community: Community,
) -> None:
    """A reported post that everybody can see is held; taking the word back shows it again."""
    review = two_person(any_community, seen="hate=0.1")

    Reports(any_community.database, any_community.clock, any_community.tools).file(
        "seen", "u", "hate"
    )
    case = case_of(review, "seen")
    assert action(any_community, "seen") == ("allow", "no rule")
    first = review.decide(case.case_id, "ada", "remove", "hate", None)
    assert action(any_community, "seen") == ("review", "person:ada")
    any_community.wait(5)
    review.undo(first.decision_id, "ada")
    assert action(any_community, "seen") == ("allow", "no rule")
    any_community.wait(5)
    again = review.decide(case.case_id, "ada", "remove", "hate", None)
    any_community.wait(5)
    agreed = review.decide(case.case_id, "ben", "remove", "hate", None)
    assert action(any_community, "seen") == ("remove", "person:ben")
    with pytest.raises(ConflictError, match=r"others decided the case .* since; undo that"):
        review.undo(again.decision_id, "ada")
    any_community.wait(5)
    review.undo(agreed.decision_id, "ben")
    assert action(any_community, "seen") == ("review", "person:ada")
    assert review.case(case.case_id).state == "open"
    assert review.decide(case.case_id, "cyd", "remove", "hate", None).effect == "in_force"


def test_only_who_said_it_takes_an_opinion_back_and_once(
    review: Review, any_community: Community
) -> None:
    """Others decide instead; twice is refused."""
    case = case_of(review, "a")
    first = review.decide(case.case_id, "ada", "warn", "hate", None)
    with pytest.raises(ConflictError, match="only ada may take this back"):
        review.undo(first.decision_id, "ben")
    undoing = review.undo(first.decision_id, "ada")
    assert undoing.undoes == first.decision_id
    with pytest.raises(ConflictError, match="was undone already"):
        review.undo(first.decision_id, "ada")
    with pytest.raises(ConflictError, match="an undoing cannot be undone"):
        review.undo(undoing.decision_id, "ada")
    assert review.decide(case.case_id, "ben", "allow", None, None).effect == "waits_for_second"


def test_pairs_count_as_second_looks(review: Review, any_community: Community) -> None:
    """One pair agrees, one differs; the third who decides between two is no second of a pair."""
    for item_id, second in (("a", "warn"), ("b", "allow")):
        case = case_of(review, item_id)
        review.decide(case.case_id, "ada", "warn", "hate", None)
        any_community.wait(5)
        category = None if second == "allow" else "hate"
        review.decide(case.case_id, "ben", second, category, None)
        any_community.wait(5)
    review.decide(case_of(review, "b").case_id, "cyd", "warn", "hate", None)
    quality = review_quality(any_community.database)
    (hate,) = quality.pairs
    assert (hate.queue, hate.pairs.looks, hate.pairs.same) == ("hate", 2, 1)
    assert hate.alpha == alpha([["w", "w"], ["w", "a"]])
    looks = second_looks(any_community.database)
    assert sorted((x.first, x.second) for x in looks) == [
        ("ada", "ben"),
        ("ada", "ben"),
        ("ben", "cyd"),
    ]
    assert [one.reviewer for one in quality.by_reviewer] == ["ada", "ben", "cyd"]


def test_alpha_is_what_the_book_says() -> None:
    """Krippendorff's example of two observers and ten binary units (2011, Computing
    Krippendorff's Alpha-Reliability, section A): 0.095."""
    ann = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    ben = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    found = alpha(list(zip(ann, ben, strict=True)))
    assert found is not None
    assert round(found, 3) == 0.095
    assert alpha([[1], [2]]) is None
    assert alpha([[1, 1], [1, 1]]) is None
