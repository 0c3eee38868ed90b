"""Many cases at once: shown first, decided in chunks, taken back as a whole."""

import threading

import pytest
import sqlalchemy as sa
from moderation_worlds import Community

from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.moderation.reviewing import bulk as bulk_module
from inhouse.moderation.reviewing.bulk import Bulk, Bulks
from inhouse.moderation.reviewing.queues import QueueSettings, ReviewQueues
from inhouse.moderation.reviewing.review import Review
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.verdicts.decide import decide
from inhouse.store import tables


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cases a transaction, so that few are many."""
    monkeypatch.setattr(bulk_module, "_CHUNK", 2)


def wave(community: Community, n: int = 5) -> tuple[Review, Bulks]:
    """Posts p0 to p4 link to one domain and wait, and one more waits."""
    texts = {f"p{i}": f"hate=0.{9 - i % 3} buy at https://wave.example/{i}" for i in range(n)}
    community.post(**{name: text.replace("0.9", "0.85") for name, text in texts.items()})
    community.post(other="hate=0.6")
    community.scan()
    review = Review(community.database, community.clock, community.tools)
    return review, Bulks(community.database, community.clock, community.tools)


def preview(review: Review, bulks: Bulks, reviewer: str = "ada", **which: str) -> Bulk:
    ruling = review.checked("remove", "spam", reviewer, "a wave")
    return bulks.preview(CaseFilter(**(which or {"domain": "wave.example"})), ruling)


def decided_by(community: Community, *items: str) -> list[str]:
    found = []
    for item_id in items:
        verdict = community.latest(item_id)
        assert verdict is not None
        policy = community.tools.rules.policy
        found.append(decide(verdict.evidence, policy, "feed", "adult").decided_by)
    return found


def test_exactly_what_was_shown_is_decided_and_taken_back(any_community: Community) -> None:
    """Counts and a sample first, and nothing has happened; then each case has a decision of its
    own with the id of the whole; then all of it is taken back."""
    review, bulks = wave(any_community)
    shown = preview(review, bulks)
    assert (shown.state, shown.cases, shown.left_out, dict(shown.by_queue)) == (
        "shown",
        5,
        0,
        {"hate": 5},
    )
    assert {case.item_id for case in shown.sample} == {"p0", "p1", "p2", "p3", "p4"}
    assert review.decisions() == []
    any_community.post(p9="hate=0.8 https://wave.example/9")
    any_community.scan()
    held = review.take(shown.sample[0].case_id, "ben")
    review.decide(shown.sample[1].case_id, "cyd", "allow", None, None)
    told: list[tuple[str, int]] = []
    done = bulks.run(shown.bulk_id, lambda bulk: told.append((bulk.state, bulk.done)))
    assert (done.state, done.done, done.decided, done.standing) == ("done", 5, 3, 3)
    assert told == [("running", 2), ("running", 4), ("done", 5)]
    made = [d for d in review.decisions() if d.bulk_id == shown.bulk_id]
    assert [(d.reviewer, d.action, d.note) for d in made] == [("ada", "remove", "a wave")] * 3
    assert [c.item_id for c in review.queue()] == [held.item_id, "p9", "other"]
    assert bulks.list() == [done]
    any_community.wait(5)
    undone = bulks.undo(shown.bulk_id, "lee")
    assert (undone.state, undone.standing) == ("undone", 0)
    assert set(decided_by(any_community, *(d.item_id for d in made))) == {"rule:hate_likely"}
    assert len(review.queue()) == 6
    with pytest.raises(ConflictError, match="was undone already"):
        bulks.undo(shown.bulk_id, "lee")
    with pytest.raises(ConflictError, match="is undone; choose its cases anew"):
        bulks.run(shown.bulk_id)


class _KilledError(Exception):
    """The process dies here."""


def test_one_that_was_killed_goes_on_where_it_was(any_community: Community) -> None:
    """A chunk is all or nothing: after the kill two are decided, afterwards all, each once."""
    review, bulks = wave(any_community)
    shown = preview(review, bulks)

    def die(bulk: Bulk) -> None:
        raise _KilledError

    with pytest.raises(_KilledError):
        bulks.run(shown.bulk_id, die)
    assert (bulks.get(shown.bulk_id).state, len(review.decisions())) == ("running", 2)
    later = Bulks(any_community.database, any_community.clock, any_community.tools)
    assert later.run(shown.bulk_id).decided == 5
    assert len(review.decisions()) == 5
    any_community.wait(5)
    with pytest.raises(_KilledError):
        bulks.undo(shown.bulk_id, "ada", die)
    assert bulks.get(shown.bulk_id).state == "undoing"
    assert later.undo(shown.bulk_id, "ada").standing == 0
    assert len(review.decisions()) == 10


def test_what_was_said_later_stays_when_the_whole_is_taken_back(
    any_community: Community,
) -> None:
    """A case decided anew, and one that was undone by itself, are left as they are."""
    review, bulks = wave(any_community)
    shown = preview(review, bulks)
    bulks.run(shown.bulk_id)
    any_community.wait(5)
    first, second = review.decisions()[:2]
    review.undo(first.decision_id, "ada")
    any_community.wait(5)
    review.decide(first.case_id, "ben", "allow", None, None)
    review.undo(second.decision_id, "ada")
    any_community.wait(5)
    undone = bulks.undo(shown.bulk_id, "ada")
    assert undone.standing == 0
    assert decided_by(any_community, first.item_id) == ["person:ben"]


def test_two_reviewers_at_once_decide_nothing_twice(any_community: Community) -> None:
    """Two bulks over the same cases and single decisions beside them: one decision a case."""
    review, bulks = wave(any_community)
    mine, yours = preview(review, bulks), preview(review, bulks, "ben")
    singles = [case.case_id for case in mine.sample]
    failed: list[BaseException] = []

    def run(work: "object") -> None:
        try:
            work()  # type: ignore[operator]
        except ConflictError:
            pass
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    def decide_singly() -> None:
        for case_id in singles:
            run(lambda case_id=case_id: review.decide(case_id, "cyd", "allow", None, None))

    works = [lambda: bulks.run(mine.bulk_id), lambda: bulks.run(yours.bulk_id), decide_singly]
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    decisions = review.decisions()
    assert sorted(d.case_id for d in decisions) == sorted(singles)
    assert bulks.get(mine.bulk_id).decided + bulks.get(yours.bulk_id).decided + sum(
        d.reviewer == "cyd" for d in decisions
    ) == len(singles)


def test_two_undos_at_once_undo_once(any_community: Community) -> None:
    """Of two reviewers who take the same decision back one is told it was undone already."""
    review, _ = wave(any_community)
    decision = review.decide(review.queue()[0].case_id, "ada", "allow", None, None)
    any_community.wait(5)
    outcomes: list[str] = []

    def undo(name: str) -> None:
        try:
            outcomes.append(review.undo(decision.decision_id, name).action)
        except ConflictError as error:
            outcomes.append("again" if "was undone already" in str(error) else str(error))

    threads = [threading.Thread(target=undo, args=(name,)) for name in ("ada", "ben")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["again", "undo"]


def test_two_bulks_agree_where_two_must(any_community: Community) -> None:
    """In a queue for two the first bulk is the first opinion of each case, the second decides."""
    queues = ReviewQueues(any_community.database, any_community.clock, ("hate", "spam"))
    queues.put(QueueSettings(name="hate", two_person=True))
    review, bulks = wave(any_community)
    first = bulks.run(preview(review, bulks).bulk_id)
    assert (first.decided, review.decisions()) == (5, [])
    any_community.wait(5)
    second = bulks.run(preview(review, bulks, "ben").bulk_id)
    assert (second.decided, len(review.decisions())) == (5, 5)
    assert preview(review, bulks).cases == 0
    any_community.wait(5)
    assert bulks.undo(second.bulk_id, "ben").standing == 0
    any_community.wait(5)
    assert bulks.undo(first.bulk_id, "ada").standing == 0
    assert set(decided_by(any_community, "p0", "p4")) == {"rule:hate_likely"}


def test_a_bulk_is_bounded_and_must_choose(
    any_community: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than the bound are left out and counted; an empty filter is refused; a preview that
    was not run is forgotten after a day."""
    monkeypatch.setattr(bulk_module, "MOST_CASES", 3)
    review, bulks = wave(any_community)
    shown = preview(review, bulks)
    assert (shown.cases, shown.left_out) == (3, 2)
    with pytest.raises(InputError, match="the filter is empty; give at least one of queue, item"):
        bulks.preview(CaseFilter(), review.checked("allow", None, "ada", None))
    with pytest.raises(ConflictError, match="was not decided; there is nothing to undo"):
        bulks.undo(shown.bulk_id, "ada")
    any_community.wait(86_400_001)
    preview(review, bulks)
    with pytest.raises(UnknownError, match="no bulk has the id"):
        bulks.run(shown.bulk_id)
    with any_community.database.read() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(tables.review_bulks))
        assert count.scalar_one() == 1
