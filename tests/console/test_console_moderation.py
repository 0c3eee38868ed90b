"""The moderation desk: cases one after the other, and back again."""

import dataclasses
from collections.abc import Iterator

import pytest

from inhouse.app.build import Services
from inhouse.console.moderation import page
from inhouse.console.moderation.desk import BREAK_AFTER, Desk
from inhouse.console.moderation.model import queues, rules_on, thresholds
from inhouse.core.errors import ConflictError
from inhouse.core.ids import ItemId
from inhouse.moderation.reviewing.search import CaseFilter


@pytest.fixture
def desk(services: Services) -> Iterator[Desk]:
    """Ada's desk, with the first case on it."""
    made = Desk(services, "Ada")
    made.look()
    yield made
    made.put_back()


def _item(desk: Desk) -> str:
    assert desk.facts is not None
    return desk.facts.case.item_id


def test_queues_are_counted_by_category(services: Services) -> None:
    """Five cases wait, in three queues, none on a table."""
    found = queues(services.database, services.clock.now_ms())
    assert [(queue.name, queue.open, queue.locked) for queue in found] == [
        ("harassment", 2, 0),
        ("spam", 2, 0),
        ("hate", 1, 0),
    ]


def test_the_most_harmful_case_comes_first_with_all_about_it(desk: Desk) -> None:
    """A reported post comes before others; its reports, creator and rules are at hand."""
    facts = desk.facts
    assert facts is not None
    assert facts.case.item_id.startswith("hostile")
    assert [one.category for one in facts.reports] == ["spam"]
    assert facts.creator is not None
    assert facts.creator.posts >= 1
    assert facts.rules
    assert desk.category == facts.case.queue
    assert [queue.locked for queue in desk.queues if queue.name == facts.case.queue] == [1]


def test_a_decision_brings_the_next_case_at_once(desk: Desk, services: Services) -> None:
    """The verdict is a person's, the case is closed, another lies on the table."""
    first = _item(desk)
    decision = desk.decide("remove", "as in the policy")
    assert decision is not None
    assert (decision.item_id, decision.action, decision.note) == (
        first,
        "remove",
        "as in the policy",
    )
    assert _item(desk) != first
    verdict = services.verdicts.latest([first])[ItemId(first)]
    assert verdict.decided_by == "person:Ada"


def test_allowing_needs_no_category(desk: Desk) -> None:
    """What is allowed violates nothing, whatever category was chosen."""
    desk.category = "spam"
    decision = desk.decide("allow")
    assert decision is not None
    assert decision.category is None


def test_a_restriction_is_for_the_chosen_category(desk: Desk) -> None:
    """The number keys choose what it violates."""
    desk.category = desk.categories[-1]
    decision = desk.decide("warn")
    assert decision is not None
    assert decision.category == "other"


def test_undo_lays_the_same_case_on_the_table_again(desk: Desk, services: Services) -> None:
    """What was in force before holds again, and further undos go further back."""
    first = _item(desk)
    desk.decide("remove")
    second = _item(desk)
    desk.decide("limit")
    assert desk.undo() is not None
    assert _item(desk) == second
    assert desk.undo() is not None
    assert _item(desk) == first
    assert desk.undo() is None
    verdict = services.verdicts.latest([first])[ItemId(first)]
    assert verdict.evidence.person is None


def test_a_skipped_case_is_left_to_others_and_comes_back_last(
    desk: Desk, services: Services
) -> None:
    """Skipping frees the case; it is shown here again only when nothing else is left."""
    skipped = _item(desk)
    desk.skip()
    free = services.review.queue(CaseFilter(free_for="Ben"))
    assert skipped in {case.item_id for case in free}
    seen = []
    while desk.facts is not None:
        seen.append(_item(desk))
        desk.decide("allow")
    assert len(seen) == 4
    assert skipped not in seen
    assert desk.look()
    assert _item(desk) == skipped


def test_two_reviewers_never_have_the_same_case(desk: Desk, services: Services) -> None:
    """A lock keeps a case with whoever has it."""
    other = Desk(services, "Ben")
    other.look()
    assert _item(other) != _item(desk)


def test_a_case_decided_by_somebody_else_is_passed_over(desk: Desk, services: Services) -> None:
    """Where a lock ran out and another decided, nothing is decided twice."""
    assert desk.facts is not None
    case_id = desk.facts.case.case_id
    services.review.release(case_id, "Ada")
    services.review.decide(case_id, "Ben", "allow", None, None)
    assert desk.decide("remove") is None
    assert desk.facts is not None
    assert desk.facts.case.case_id != case_id
    decisions = services.review.decisions(case_id=case_id)
    assert [decision.action for decision in decisions] == ["allow"]


def test_an_undo_that_no_longer_stands_is_refused(desk: Desk, services: Services) -> None:
    """What was decided anew meanwhile is not silently overturned."""
    desk.decide("remove")
    assert desk.last is not None
    services.review.undo(desk.last.decision_id, "Ben")
    with pytest.raises(ConflictError):
        desk.undo()


def test_one_queue_can_be_looked_at_alone(desk: Desk) -> None:
    """Choosing a queue puts the case on the table back."""
    desk.choose_queue("spam")
    assert desk.facts is not None
    assert desk.facts.case.queue == "spam"
    desk.choose_queue("violence")
    assert desk.facts is None
    assert ("violence", "violence 0", True) in page.queue_chips(desk.queues, "violence")


def test_a_case_stays_with_who_looks_at_it(desk: Desk, services: Services) -> None:
    """The lock is held for longer once half of its time is gone."""
    assert desk.facts is not None
    until_ms = desk.facts.case.locked_until_ms
    desk.keep()
    assert desk.facts.case.locked_until_ms == until_ms
    services.clock.advance(services.clock.now_ms() + services.settings.moderation.lock_ms * 3 // 4)
    desk.keep()
    assert (desk.facts.case.locked_until_ms or 0) > (until_ms or 0)


def test_a_break_is_due_after_many_decisions(desk: Desk) -> None:
    """The count begins anew after each break, and an undone decision does not count."""
    for _ in range(BREAK_AFTER):
        desk.decide("allow")
        desk.undo()
    assert not desk.break_due
    desk._tally.decided = BREAK_AFTER
    assert desk.break_due
    assert desk.rested()[0] == BREAK_AFTER
    assert not desk.break_due


def test_hostile_posts_are_shown_as_text(desk: Desk) -> None:
    """Whatever a post holds, the page shows it and nothing runs."""
    while desk.facts is not None:
        shown = page.post_html(desk.facts)
        assert "<img src=x" not in shown
        assert "<script" not in shown
        assert page.scores_html(desk.facts)
        assert page.context_html(desk.facts)
        assert page.policy_html(desk.facts)
        desk.decide("allow")
    assert "Nothing waits for a person" in page.nothing_waits(None)


def test_a_cover_is_a_picture_over_http_alone(desk: Desk) -> None:
    """A cover is loaded lazily and without a referrer; another kind of address is not loaded."""
    assert desk.facts is not None
    assert desk.facts.item is not None
    item = dataclasses.replace(desk.facts.item, media_url="http://127.0.0.1:1/a.png?a=1&b=2")
    shown = page.post_html(dataclasses.replace(desk.facts, item=item))
    assert 'src="http://127.0.0.1:1/a.png?a=1&amp;b=2"' in shown
    assert 'referrerpolicy="no-referrer"' in shown
    bad = dataclasses.replace(item, media_url="javascript:alert(1)")
    assert "javascript" not in page.post_html(dataclasses.replace(desk.facts, item=bad))


def test_a_post_that_is_gone_says_so(desk: Desk) -> None:
    """A case whose post was deleted can be skipped."""
    assert desk.facts is not None
    gone = dataclasses.replace(desk.facts, item=None, creator=None, verdict=None, decision=None)
    assert "The post is gone" in page.post_html(gone)
    assert "no verdict yet" in page.why_html(gone)
    assert "No scores" in page.scores_html(gone)


def test_every_key_is_one_of_its_kind() -> None:
    """No key does two things, and every action but review has one."""
    keys = [key.key for key in page.KEYS]
    assert len(set(keys)) == len(keys)
    assert {key.action for key in page.KEYS if key.action} == {
        "allow",
        "limit",
        "warn",
        "age_gate",
        "remove",
    }


def test_the_policy_is_told_in_words(services: Services) -> None:
    """Rules of a category are sentences, and every category with rules has a threshold."""
    policy = services.policy
    rules = rules_on(policy, "spam")
    assert rules
    assert all(rule.endswith(").") and "This is about" not in rule for rule in rules)
    found = thresholds(policy)
    assert set(found) <= set(policy.categories)
    assert all(0 < p <= 1 for p in found.values())
    assert rules_on(policy, "unscored") == ()
