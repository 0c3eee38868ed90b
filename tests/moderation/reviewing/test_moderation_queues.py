"""Queues: which case goes where, who may take it, and what wrong settings answer."""

import pytest
from moderation_worlds import Community

from inhouse.catalog.types import Item
from inhouse.core.errors import ConflictError, InputError, SettingError, UnknownError
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.complaints.reports import Reports
from inhouse.moderation.reviewing.queues import (
    QueueSettings,
    ReviewQueues,
    RoutingFacts,
    Takes,
    route,
)
from inhouse.moderation.reviewing.review import CaseNote, QueueCount, Review
from inhouse.moderation.reviewing.search import CaseFilter


def queues_of(community: Community) -> ReviewQueues:
    categories = community.tools.rules.policy.categories
    return ReviewQueues(community.database, community.clock, categories)


def review_of(community: Community) -> Review:
    return Review(community.database, community.clock, community.tools)


def items_in(review: Review, **which: str) -> list[str]:
    return [case.item_id for case in review.queue(CaseFilter(**which))]


def test_cases_go_where_the_settings_say(any_community: Community) -> None:
    """By language, by signal, by reason; the queue with the lower place is asked first; what
    nobody takes lies in its category's queue."""
    queues = queues_of(any_community)
    queues.put(QueueSettings(name="german", takes=Takes(languages=("de",)), place=1))
    queues.put(QueueSettings(name="links", takes=Takes(signals=("links",), categories=("hate",))))
    queues.put(QueueSettings(name="told", takes=Takes(reasons=("reported",)), place=0))
    any_community.post(
        plain="hate=0.7", linked="hate=0.7 see https://bad.example/x", quiet="just a text"
    )
    german = Item(
        item_id=ItemId("german"),
        creator_id=UserId("c"),
        text="hate=0.7 https://bad.example/",
        language="de-AT",
    )
    any_community.catalog.put_items([german])
    any_community.scan()
    Reports(any_community.database, any_community.clock, any_community.tools).file(
        "quiet", "u", "spam"
    )
    review = review_of(any_community)
    where = {case.item_id: case.queue for case in review.queue()}
    assert where == {"plain": "hate", "linked": "links", "german": "german", "quiet": "told"}
    assert [queue.name for queue in queues.list()] == ["told", "german", "links"]


def test_cases_opened_to_learn_stay_where_they_are() -> None:
    """A queue that takes everything does not take what another part asked for by name."""
    everything = QueueSettings(name="all", takes=Takes())
    learning = RoutingFacts(category="learning", kind="learning")
    assert route(learning, [everything]) == "learning"
    assert route(RoutingFacts(category="hate", kind="rule"), [everything]) == "all"


def test_a_queue_may_be_for_some_alone(community: Community) -> None:
    """Others are given nothing of it, and may neither take nor decide by its id."""
    queues_of(community).put(QueueSettings(name="hate", reviewers=("ada", "ben"), lock_ms=20_000))
    community.post(a="hate=0.7")
    community.scan()
    review = review_of(community)
    (case,) = review.queue()
    assert review.next("cyd") is None
    message = "the queue hate is reviewed by ada, ben; ask to be one of them"
    with pytest.raises(ConflictError, match=message):
        review.take(case.case_id, "cyd")
    with pytest.raises(ConflictError, match=message):
        review.decide(case.case_id, "cyd", "allow", None, None)
    taken = review.next("ada")
    assert taken is not None
    assert (taken.locked_until_ms, taken.taken_ms) == (21_000, 1_000)


def test_settings_are_changed_and_forgotten(community: Community) -> None:
    """A queue without settings is what it is by itself, and only the gravest ask two people."""
    queues = queues_of(community)
    assert queues.get("spam") == QueueSettings(name="spam")
    assert (queues.get("spam").asks_two, queues.get("terrorism").asks_two) == (False, True)
    queues.put(QueueSettings(name="terrorism", two_person=False))
    queues.put(QueueSettings(name="terrorism", gold_share=0.1))
    assert queues.list() == [QueueSettings(name="terrorism", gold_share=0.1)]
    queues.remove("terrorism")
    assert queues.list() == []
    with pytest.raises(UnknownError, match="no queue named 'terrorism' has settings"):
        queues.remove("terrorism")


def test_every_fault_of_a_queue_is_told(community: Community) -> None:
    """Names, shares, times, reasons, categories: all at once."""
    wrong = QueueSettings(
        name="Böse 🙈",
        takes=Takes(categories=("hat",), reasons=("mood",), languages=("",)),
        reviewers=("ada",),
        two_person=True,
        gold_share=0.9,
        lock_ms=1,
    )
    with pytest.raises(SettingError) as caught:
        queues_of(community).put(wrong)
    assert [fault.field for fault in caught.value.faults] == [
        "name",
        "gold_share",
        "lock_ms",
        "takes.reasons",
        "takes.languages",
        "reviewers",
        "takes.categories",
    ]
    assert str(caught.value).splitlines()[-1] == (
        "  takes.categories: got 'hat', expected one of hate, spam, privacy, other, unscored"
    )


def test_cases_are_found_by_what_the_post_says(any_community: Community) -> None:
    """By creator, words in any case, domain and its parts, rule, and age."""
    any_community.post(
        a="hate=0.79 Free MONEY at https://shop.bad.example/x",
        b="hate=0.75 100% free",
        c="hate=0.7 https://notbad.example/ is not bad.example!",
    )
    any_community.scan()
    any_community.wait(5_000)
    any_community.post(late="hate=0.65")
    any_community.scan()
    review = review_of(any_community)
    assert items_in(review, text="free money") == ["a"]
    assert items_in(review, text="0% f") == ["b"]
    assert items_in(review, domain="bad.example") == ["a"]
    assert items_in(review, creator_id="by_c") == ["c"]
    assert items_in(review, rule="hate_likely") == ["a", "b", "c", "late"]
    assert items_in(review, rule="hate") == []
    found = review.queue(CaseFilter(opened_after_ms=2_000))
    assert [case.item_id for case in found] == ["late"]
    found = review.queue(CaseFilter(opened_before_ms=2_000), limit=2, offset=1)
    assert [case.item_id for case in found] == ["b", "c"]
    with pytest.raises(InputError, match="text has 201 characters; expected 1 to 200"):
        CaseFilter(text="x" * 201)


def test_a_skipped_case_comes_back_when_nothing_else_is_left(any_community: Community) -> None:
    """Whoever skips is given others for an hour; others get it at once, and read why."""
    any_community.post(a="hate=0.8", b="hate=0.7")
    any_community.scan()
    review = review_of(any_community)
    first = review.next("ada")
    assert first is not None
    peeked = review.peek("ada")
    assert peeked is not None
    assert peeked.item_id == "b"
    review.skip(first.case_id, "ada", "I do not read this language")
    second = review.next("ada")
    assert second is not None
    assert (first.item_id, second.item_id) == ("a", "b")
    review.decide(second.case_id, "ada", "allow", None, None)
    again = review.next("ada")
    assert again is not None
    assert again.item_id == "a"
    assert review.notes(first.case_id) == [
        CaseNote(
            case_id=first.case_id,
            item_id="a",
            reviewer="ada",
            at_ms=1_000,
            kind="skip",
            words="I do not read this language",
        )
    ]


def test_a_case_is_sent_to_another_queue(community: Community) -> None:
    """With its reasons and why; it is free there, and the queue must exist."""
    queues_of(community).put(QueueSettings(name="lawyers", reviewers=("lee",)))
    community.post(a="hate=0.8")
    community.scan()
    review = review_of(community)
    case = review.next("ada")
    assert case is not None
    with pytest.raises(UnknownError, match="no queue is named 'nowhere'; expected one of lawyers"):
        review.escalate(case.case_id, "ada", "nowhere", "who knows")
    with pytest.raises(InputError, match="the words have 0 characters; expected 1 to 2000"):
        review.escalate(case.case_id, "ada", "lawyers", "")
    moved = review.escalate(case.case_id, "ada", "lawyers", "is this legal?")
    assert (moved.queue, moved.reason, moved.locked_by) == (
        "lawyers",
        "rule hate_likely; escalated from hate",
        None,
    )
    assert review.next("ada") is None
    taken = review.next("lee")
    assert taken is not None
    review.remark(taken.case_id, "lee", "it is")
    assert [(n.kind, n.words, n.queue) for n in review.notes(case.case_id)] == [
        ("escalate", "is this legal?", "lawyers"),
        ("note", "it is", None),
    ]
    assert review.counts() == [
        QueueCount(queue="lawyers", open=1, closed=0, oldest_ms=1_000, locked=1)
    ]
