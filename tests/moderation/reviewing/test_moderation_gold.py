"""Known answers: shown like any other case, never touching the post, and what they measure."""

import dataclasses

import pytest
import sqlalchemy as sa
from moderation_worlds import Community

from inhouse.core.errors import ConflictError, UnknownError
from inhouse.models.harvest.labels import Labels
from inhouse.moderation.measuring.quality import review_quality
from inhouse.moderation.reviewing.gold import Gold
from inhouse.moderation.reviewing.queues import QueueSettings, ReviewQueues
from inhouse.moderation.reviewing.review import QueueCount, Review
from inhouse.moderation.reviewing.statistics import review_statistics
from inhouse.moderation.types import Case
from inhouse.stats.intervals import wilson
from inhouse.store import tables


@pytest.fixture
def review(any_community: Community) -> Review:
    """The answer to `known` is `warn` for hate; `waits` and `later` wait. Every case that is taken
    from the queue is a known one while there is one."""
    queues = ReviewQueues(any_community.database, any_community.clock, ("hate", "spam"))
    queues.put(QueueSettings(name="hate", gold_share=0.5))
    any_community.post(known="hate=0.8")
    any_community.scan()
    made = Review(any_community.database, any_community.clock, any_community.tools)
    made.chance = lambda: 0.0
    any_community.wait(60_000)
    case = taken(made, "ada")
    made.decide(case.case_id, "ada", "warn", "hate", None)
    gold_of(any_community).add(case.case_id, "lee", "warn", "hate")
    any_community.post(waits="hate=0.7", later="hate=0.6")
    any_community.scan()
    any_community.wait(1_000)
    return made


def gold_of(community: Community) -> Gold:
    return Gold(community.database, community.clock, community.tools.rules.policy)


def taken(review: Review, reviewer: str) -> Case:
    case = review.next(reviewer)
    assert case is not None
    return case


def test_a_known_case_looks_like_any_other(review: Review, any_community: Community) -> None:
    """Same fields, state, reason and age as when it was new; the real queue does not list it; its
    answer is given like any other and changes nothing of the post."""
    before = any_community.history("known")
    labels = Labels(any_community.database).latest("text_harm", 10)
    case = taken(review, "ben")
    assert case == Case(
        case_id=case.case_id,
        item_id="known",
        queue="hate",
        reason="rule hate_likely",
        priority=0.8,
        state="open",
        opened_ms=2_000,
        locked_by="ben",
        locked_until_ms=662_000,
        taken_ms=62_000,
    )
    assert taken(review, "ben") == case
    assert [c.item_id for c in review.queue()] == ["waits", "later"]
    assert review.renew(case.case_id, "ben").case_id == case.case_id
    any_community.wait(2_000)
    decision = review.decide(case.case_id, "ben", "remove", "hate", "clear")
    assert dataclasses.asdict(decision) == {
        "decision_id": decision.decision_id,
        "case_id": case.case_id,
        "item_id": "known",
        "reviewer": "ben",
        "at_ms": 64_000,
        "action": "remove",
        "category": "hate",
        "note": "clear",
        "undoes": None,
        "bulk_id": None,
        "took_ms": 2_000,
        "effect": "in_force",
    }
    assert any_community.history("known") == before
    assert Labels(any_community.database).latest("text_harm", 10) == labels
    assert [d.reviewer for d in review.decisions(item_id="known")] == ["ada"]
    assert review.counts() == [QueueCount(queue="hate", open=2, closed=1, oldest_ms=61_000)]
    assert review_statistics(any_community.database, 0).queues[0].inbound == 3
    with pytest.raises(ConflictError, match="is decided already; undo that decision"):
        review.decide(case.case_id, "ben", "allow", None, None)


def test_nobody_is_asked_twice_or_what_they_decided_themselves(review: Review) -> None:
    """Whoever answered, or decided the post when it was real, gets real cases."""
    assert taken(review, "ada").item_id == "waits"
    case = taken(review, "ben")
    review.decide(case.case_id, "ben", "warn", "hate", None)
    assert taken(review, "ben").item_id == "later"


def test_a_known_case_is_nobody_elses(review: Review) -> None:
    """Another reviewer who knows its id can neither take nor decide it; skipped, it is gone."""
    case = taken(review, "ben")
    with pytest.raises(UnknownError, match="no case has the id"):
        review.take(case.case_id, "cyd")
    with pytest.raises(UnknownError, match="no case has the id"):
        review.decide(case.case_id, "cyd", "allow", None, None)
    review.escalate(case.case_id, "ben", "spam", "rather spam")
    assert [c.item_id for c in review.queue()] == ["waits", "later"]
    review.chance = lambda: 0.9
    assert taken(review, "ben").item_id == "waits"


def test_an_answer_may_be_taken_back_and_given_anew(review: Review) -> None:
    """Undo brings the case to the same table; the last answer is the one that counts."""
    case = taken(review, "ben")
    first = review.decide(case.case_id, "ben", "allow", None, None)
    review.undo(first.decision_id, "ben")
    assert review.take(case.case_id, "ben").case_id == case.case_id
    review.decide(case.case_id, "ben", "warn", "hate", None)
    (ben,) = review_quality(review._database).known
    assert (ben.name, ben.answers, ben.right) == ("ben", 1, 1)


def test_accuracy_says_in_which_direction_people_err(
    review: Review, any_community: Community
) -> None:
    """Right, too strict, too mild; each with Wilson's interval."""
    for name, action, category in (
        ("ben", "warn", "hate"),
        ("cyd", "remove", "hate"),
        ("dan", "allow", None),
        ("eve", "warn", "spam"),
    ):
        review.decide(taken(review, name).case_id, name, action, category, None)
    quality = review_quality(any_community.database)
    assert [(a.name, a.right, a.too_strict, a.too_mild) for a in quality.known] == [
        ("ben", 1, 0, 0),
        ("cyd", 0, 1, 0),
        ("dan", 0, 0, 1),
        ("eve", 0, 0, 0),
    ]
    (hate,) = quality.known_by_queue
    assert (hate.name, hate.answers, hate.right, hate.share) == ("hate", 4, 1, wilson(1, 4))
    assert quality.second_looks.looks == 0
    assert review_quality(any_community.database, since_ms=10**9).known == []


def test_an_edited_post_has_no_known_answer(review: Review, any_community: Community) -> None:
    """Another text is another question: it is dropped the first time it would be shown."""
    any_community.post(known="hate=0.8 and more")
    any_community.scan()
    assert taken(review, "ben").case_id in {case.case_id for case in review.queue()}
    assert gold_of(any_community).list() == []


def test_what_two_agree_on_is_a_known_answer_until_it_falls(any_community: Community) -> None:
    """In a queue for two with a share it is made by itself; an undo takes it away."""
    queues = ReviewQueues(any_community.database, any_community.clock, ("hate", "spam"))
    queues.put(QueueSettings(name="hate", gold_share=0.1, two_person=True))
    any_community.post(a="hate=0.8", b="hate=0.7")
    any_community.scan()
    review = Review(any_community.database, any_community.clock, any_community.tools)
    first, second = review.queue()
    review.decide(first.case_id, "ada", "warn", "hate", None)
    any_community.wait(7)
    agreed = review.decide(first.case_id, "ben", "warn", "hate", None)
    review.decide(second.case_id, "ada", "warn", "hate", None)
    review.decide(second.case_id, "ben", "limit", "hate", None)
    review.decide(second.case_id, "cyd", "limit", "hate", None)
    (gold,) = gold_of(any_community).list("hate")
    assert (gold.item_id, gold.action, gold.category, gold.source, gold.known_ms) == (
        "a",
        "warn",
        "hate",
        "agreed",
        1_000,
    )
    any_community.wait(7)
    review.undo(agreed.decision_id, "ben")
    assert gold_of(any_community).list() == []


def test_known_answers_by_hand_are_checked(review: Review, any_community: Community) -> None:
    """Only decided cases, once an item; removed ones are shown no more."""
    gold = gold_of(any_community)
    (known,) = gold.list()
    waiting = review.queue()[0]
    with pytest.raises(ConflictError, match="still waits; decide it first"):
        gold.add(waiting.case_id, "lee", "allow")
    with pytest.raises(UnknownError, match="no case has the id 'x'"):
        gold.add("x", "lee", "allow")
    closed = sa.select(tables.review_cases.c.case_id).where(tables.review_cases.c.state == "closed")
    with any_community.database.read() as connection:
        case_id = connection.execute(closed).scalar_one()
    with pytest.raises(ConflictError, match="the item known has a known answer already"):
        gold.add(case_id, "lee", "allow")
    gold.remove(known.gold_id)
    with pytest.raises(UnknownError, match="no known answer has the id"):
        gold.remove(known.gold_id)
    assert taken(review, "ben").item_id == "waits"
