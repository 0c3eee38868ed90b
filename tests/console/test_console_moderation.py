"""The moderation desk: cases one after the other, and back again."""

import dataclasses
from collections.abc import Iterator

import pytest

from inhouse.app.build import Services
from inhouse.catalog.types import Item
from inhouse.console.moderation import page
from inhouse.console.moderation.around import context_html
from inhouse.console.moderation.desk import SNOOZE_S, Desk, Lost
from inhouse.console.moderation.model import gather_case, rules_on, thresholds
from inhouse.core.errors import ConflictError
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.reviewing.queues import QueueSettings
from inhouse.moderation.reviewing.reviewers import ReviewerSettings
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
    found = services.review.counts()
    assert [(queue.queue, queue.open, queue.locked) for queue in found] == [
        ("harassment", 2, 0),
        ("spam", 2, 0),
        ("hate", 1, 0),
    ]


def test_a_queue_for_others_is_not_offered(services: Services) -> None:
    """Whoever may not take its cases is not shown how many wait there."""
    services.queues.put(QueueSettings(name="spam", reviewers=("Ben", "Cyd")))
    desks = {name: Desk(services, name) for name in ("Ada", "Ben")}
    for one in desks.values():
        one.look()
    offered = {name: {queue.queue for queue in one.queues} for name, one in desks.items()}
    for one in desks.values():
        one.put_back()

    assert offered == {"Ada": {"harassment", "hate"}, "Ben": {"harassment", "hate", "spam"}}


def test_the_most_harmful_case_comes_first_with_all_about_it(desk: Desk) -> None:
    """A reported post comes before others; its reports, creator and rules are at hand."""
    facts = desk.facts
    assert facts is not None
    assert facts.case.item_id.startswith("hostile")
    assert [one.category for one in facts.around.reports] == ["spam"]
    assert facts.around.creator is not None
    assert facts.around.creator.posts >= 1
    assert facts.rules
    assert desk.category == facts.case.queue
    assert [queue.locked for queue in desk.queues if queue.queue == facts.case.queue] == [1]


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
    """Skipping frees the case; it is shown here again only when nothing else is left, and whoever
    takes it reads why it was skipped."""
    skipped = _item(desk)
    desk.skip("a language I do not read")
    free = services.review.queue(CaseFilter(free_for="Ben"))
    assert skipped in {case.item_id for case in free}
    seen = []
    while _item(desk) != skipped:
        seen.append(_item(desk))
        desk.decide("allow")
    assert len(seen) == 4
    assert desk.facts is not None
    assert "a language I do not read" in context_html(desk.facts)


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
    assert desk.decide("remove", "typed with <care>") is None
    assert desk.lost == Lost(
        why="Your time on it ran out, and Ben decided it meanwhile.", draft="typed with <care>"
    )
    assert "typed with &lt;care&gt;" in page.lost(desk.lost)
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
    desk.search(CaseFilter(queue="spam"))
    assert desk.facts is not None
    assert desk.facts.case.queue == "spam"
    desk.search(CaseFilter(queue="violence"))
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


def test_a_lock_that_ran_out_is_taken_again_or_told_of(desk: Desk, services: Services) -> None:
    """Back at the desk the case is ours again where nobody has it; where somebody does, the page
    says who, and what was typed comes back with the case."""
    assert desk.facts is not None
    case_id, lock_ms = desk.facts.case.case_id, services.settings.moderation.lock_ms
    services.clock.advance(services.clock.now_ms() + lock_ms + 1)
    desk.draft = "half a sentence"
    desk.keep()
    assert desk.facts.case.case_id == case_id
    assert desk.facts.case.locked_until_ms == services.clock.now_ms() + lock_ms
    assert (desk.lost, desk.draft) == (None, "half a sentence")
    services.clock.advance(services.clock.now_ms() + lock_ms + 1)
    services.review.take(case_id, "Ben")
    desk.keep()
    assert desk.lost == Lost(
        why="Your time on it ran out, and Ben has it on the table now.", draft="half a sentence"
    )
    assert desk.draft == ""
    services.review.release(case_id, "Ben")
    desk.put_back()
    desk.look()
    assert desk.facts.case.case_id == case_id
    assert desk.draft == "half a sentence"


def test_what_was_typed_goes_with_its_case(desk: Desk) -> None:
    """A decision uses it up, putting the case back keeps it."""
    desk.draft = "for the first"
    desk.search(CaseFilter(queue="hate"))
    assert desk.draft == ""
    desk.search(CaseFilter())
    assert desk.draft == "for the first"
    desk.decide("allow", desk.draft)
    desk.undo()
    assert desk.draft == ""


def test_the_next_case_is_gathered_ahead(
    desk: Desk, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is read the next one's facts are there; it is taken only when its turn comes."""
    desk.look_ahead()
    gathered = []
    monkeypatch.setattr("inhouse.console.moderation.desk.gather_case", gathered.append)
    free = {case.case_id for case in services.review.queue(CaseFilter(free_for="Ben"))}
    assert len(free) == 4
    desk.decide("allow")
    assert gathered == []
    assert desk.facts is not None
    assert desk.facts.case.case_id in free
    assert desk.facts.case.locked_by == "Ada"


def test_a_case_is_sent_to_another_queue(desk: Desk, services: Services) -> None:
    """It is gone from here with its reason, and the next is on the table."""
    assert desk.facts is not None
    case_id = desk.facts.case.case_id
    assert {"hate", "other"} <= set(desk.queue_names)
    desk.escalate("privacy", "a telephone number")
    assert services.review.case(case_id).queue == "privacy"
    assert desk.facts.case.case_id != case_id
    assert desk.tally[:2] == (0, 1)


def test_two_people_differ_and_the_third_sees_both(services: Services) -> None:
    """The first opinion is no one's to see; after the second, the third reads both."""
    services.queues.put(QueueSettings(name="harassment", two_person=True))
    for name, action in (("Ada", "remove"), ("Ben", "allow")):
        desk = Desk(services, name)
        desk.search(CaseFilter(queue="harassment"))
        assert desk.facts is not None
        assert "in force when two people agree" in page.why_html(desk.facts)
        whole = context_html(desk.facts) + page.why_html(desk.facts)
        assert "Two people differ" not in whole
        assert "Ada" not in whole.replace("Ada 1", "")
        decision = desk.decide(action)  # type: ignore[arg-type]
        assert decision is not None
        desk.put_back()
    assert "two differ, a third decides" in page.decided(decision)
    third = Desk(services, "Cyd")
    third.search(CaseFilter(queue="harassment"))
    assert third.facts is not None
    shown = context_html(third.facts)
    assert "Two people differ" in shown
    assert "by Ada" in shown
    third.put_back()


def test_a_known_case_shows_nothing_of_its_answer(services: Services) -> None:
    """Its answer, who gave it and what it did to the post are not on the page."""
    services.queues.put(QueueSettings(name="spam", gold_share=0.5))
    first = Desk(services, "Ada")
    first.search(CaseFilter(queue="spam"))
    assert first.facts is not None
    case = first.facts.case
    whole = [page.why_html(first.facts), context_html(first.facts)]
    first.decide("remove", "known by now")
    first.put_back()
    services.gold.add(case.case_id, "Lee", "remove", "spam")
    services.review.chance = lambda: 0.0
    desk = Desk(services, "Ben")
    desk.search(CaseFilter(queue="spam"))
    assert desk.facts is not None
    assert desk.facts.item is not None
    assert desk.facts.item.item_id == case.item_id
    again = [page.why_html(desk.facts), context_html(desk.facts)]
    assert [part.replace(desk.facts.case.case_id, case.case_id) for part in again] == whole
    desk.put_back()


def test_a_break_is_due_after_hard_cases_or_minutes_as_chosen(services: Services) -> None:
    """As the reviewer set it; an undone decision does not count, and it can be put off."""
    now = [0.0]
    desk = Desk(services, "Ada", lambda: now[0])
    desk.look()
    desk.choose(ReviewerSettings(break_after_hard=2, break_after_minutes=30))
    desk.decide("remove")
    desk.undo()
    desk.decide("remove")
    desk.decide("allow")
    assert not desk.break_due
    desk.decide("remove")
    assert desk.break_due
    assert desk.tally == (3, 2, 0.0)
    desk.snooze()
    assert not desk.break_due
    now[0] = SNOOZE_S
    assert desk.break_due
    desk.rested()
    assert not desk.break_due
    desk.decide("allow")
    now[0] += 1_800
    assert desk.break_due
    desk.choose(ReviewerSettings(break_after_hard=0, break_after_minutes=0))
    assert not desk.break_due
    assert Desk(services, "Ada").own.break_after_hard == 0
    desk.put_back()


def test_hostile_posts_are_shown_as_text(desk: Desk) -> None:
    """Whatever a post holds, the page shows it and nothing runs."""
    while desk.facts is not None:
        shown = page.post_html(desk.facts, desk.own)
        assert "<img src=x" not in shown
        assert "<script" not in shown
        assert page.scores_html(desk.facts)
        assert context_html(desk.facts)
        assert page.policy_html(desk.facts)
        desk.decide("allow")
    assert "Nothing waits for a person" in page.nothing_waits(CaseFilter())
    assert "Nothing that fits waits" in page.nothing_waits(CaseFilter(text="x"))


def test_a_picture_comes_from_the_console_and_a_film_is_a_link(desk: Desk) -> None:
    """Whoever posted it learns of no reviewer: a picture is fetched by the console, blurred as the
    reviewer chose; a film opens on purpose, without a referrer; other addresses are not shown."""
    assert desk.facts is not None

    def shown(**changes: object) -> str:
        assert desk.facts is not None
        assert desk.facts.item is not None
        item = dataclasses.replace(desk.facts.item, **changes)
        around = dataclasses.replace(desk.facts.around, item=item)
        return page.post_html(dataclasses.replace(desk.facts, around=around), desk.own)

    picture = shown(media_url="http://127.0.0.1:1/a.png?a=1&b=2", kind="picture")
    assert f'src="/moderation/media/{_item(desk)}"' in picture
    assert 'class="cover strong grey"' in picture
    assert "127.0.0.1" not in picture
    film = shown(media_url="https://films.example/a.mp4", kind="video")
    assert 'href="https://films.example/a.mp4"' in film
    assert 'rel="noreferrer noopener" referrerpolicy="no-referrer"' in film
    assert "<video" not in film
    assert "javascript" not in shown(media_url="javascript:alert(1)", kind="picture")


def test_a_post_that_is_gone_says_so(desk: Desk) -> None:
    """A case whose post was deleted can be skipped."""
    assert desk.facts is not None
    around = dataclasses.replace(desk.facts.around, item=None, creator=None, verdict=None)
    gone = dataclasses.replace(desk.facts, around=around, decision=None)
    assert "The post is gone" in page.post_html(gone, desk.own)
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


def test_a_reply_is_shown_in_its_thread(services: Services) -> None:
    """What it answers from the top, grey where it was taken down; long ones and neighbours unfold;
    nothing that anybody wrote runs."""
    hostile = "<script>alert(1)</script> \u202eبهذا &"
    case = services.review.queue()[0]
    item = services.catalog.item(case.item_id)
    assert item is not None
    chain = [
        Item(item_id=ItemId("top"), creator_id=UserId("zed"), text=hostile, created_ms=1),
        Item(item_id=ItemId("t2"), creator_id=UserId("zed"), text="w " * 200, created_ms=2),
        Item(item_id=ItemId("t3"), creator_id=UserId("zed"), created_ms=3, hidden=True),
        Item(item_id=ItemId("t4"), creator_id=UserId("zed"), text="the last", created_ms=4),
    ]
    answers = {"t2": "top", "t3": "t2", "t4": "t3", "top": "never-came"}
    services.catalog.put_items(
        [
            *(dataclasses.replace(one, reply_to=ItemId(answers[one.item_id])) for one in chain),
            dataclasses.replace(item, reply_to=ItemId("t4")),
            Item(
                item_id=ItemId("beside"),
                creator_id=UserId("zed"),
                text="me too",
                created_ms=item.created_ms + 1,
                reply_to=ItemId("t4"),
            ),
        ]
    )
    shown = context_html(gather_case(services, case))
    begin, _, rest = shown.partition("<h3>Its thread</h3>")
    thread = rest.partition("</section>")[0]

    assert not begin.replace('<section class="block">', "")
    assert "<script" not in thread
    assert 'class="thread-words" dir="auto">&lt;script&gt;alert(1)' in thread
    order = ["2 posts further up", "not there", "alert(1)", "w w", "withdrawn", "the last"]
    places = [thread.index(words) for words in [*order, "the post of this case", "1 after it"]]
    assert places == sorted(places)
    assert thread.count('class="away"') == 2
    assert "before it" not in thread
    assert "Its thread" not in context_html(gather_case(services, services.review.queue()[1]))
