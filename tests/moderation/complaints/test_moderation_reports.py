"""Reports: kept, gathered into one case, ordered by expected harm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
import sqlalchemy as sa
from moderation_worlds import Community

from inhouse.core.errors import InputError, UnknownError
from inhouse.core.ids import ItemId
from inhouse.moderation.complaints.reports import Reports
from inhouse.moderation.erasure import erase_person
from inhouse.moderation.recording.audit import Audit
from inhouse.moderation.reviewing.cases import LEAST_P_HARM, priority
from inhouse.moderation.reviewing.review import CaseFilter, Review
from inhouse.moderation.statements.answers import NOTICE_KEPT_MS, forget_notifiers
from inhouse.moderation.statements.types import REDRESS_MS
from inhouse.moderation.types import Notice, Report
from inhouse.store import tables


@dataclass
class Views:
    """Reach as a table."""

    by_item: dict[str, int] = field(default_factory=dict)

    def views(self, item_ids: Sequence[ItemId]) -> Sequence[int]:
        return [self.by_item.get(item_id, 0) for item_id in item_ids]


def reports_of(community: Community, views: Views | None = None) -> Reports:
    used = replace(community.tools, reach=views or Views())
    return Reports(community.database, community.clock, used)


def queue(community: Community) -> Review:
    return Review(community.database, community.clock, community.tools)


def test_reports_of_one_item_make_one_case(any_community: Community) -> None:
    """Every report is kept; the case counts people and names what they said."""
    any_community.post(a="hate=0.3")
    any_community.scan()
    reports = reports_of(any_community)
    filed = [
        reports.file("a", reporter, category, note)
        for reporter, category, note in (
            ("u1", "spam", None),
            ("u2", "hate", "see line 2"),
            ("u2", "hate", "still there"),
            ("u3", "hate", None),
        )
    ]
    (case,) = queue(any_community).queue()
    assert {report.case_id for report in filed} == {case.case_id}
    assert (case.reason, case.queue) == ("reported for hate by 2, spam by 1", "spam")
    assert case.priority == pytest.approx(0.3 * (1 + 3))
    kept = reports.of_item("a")
    assert [(r.reporter_id, r.category, r.note) for r in kept] == [
        ("u1", "spam", None),
        ("u2", "hate", "see line 2"),
        ("u2", "hate", "still there"),
        ("u3", "hate", None),
    ]


def test_a_report_joins_the_case_that_a_rule_opened(community: Community) -> None:
    """The case keeps its queue and has both reasons; its priority rises."""
    community.post(a="hate=0.7")
    community.scan()
    (before,) = queue(community).queue()
    report = reports_of(community).file("a", "u1", "spam")
    (after,) = queue(community).queue()
    assert report.case_id == before.case_id == after.case_id
    assert (after.queue, after.reason) == ("hate", "rule hate_likely; reported for spam by 1")
    assert after.priority == pytest.approx(2 * before.priority)


def test_harm_is_probability_times_people_times_reach(community: Community) -> None:
    """Of two reported items the one more people saw comes first; unknown harm is not no harm."""
    community.post(seen="hate=0.4", unseen="hate=0.4", unknown="not scanned")
    community.scan()
    reports = reports_of(community, Views({"seen": 1_000}))
    for item in ("unknown", "unseen", "seen"):
        reports.file(item, "u1", "hate")
    cases = queue(community).queue()
    assert [case.item_id for case in cases] == ["seen", "unseen", "unknown"]
    assert [case.priority for case in cases] == pytest.approx(
        [0.8 * math.log(math.e + 1_000), 0.8, 2 * LEAST_P_HARM]
    )


def test_priority_grows_with_each_of_its_parts() -> None:
    """More probable, more reported or more seen is never less urgent."""
    base = priority(0.5, 2, 100)
    assert base == pytest.approx(0.5 * 3 * math.log(math.e + 100))
    assert min(priority(0.6, 2, 100), priority(0.5, 3, 100), priority(0.5, 2, 101)) > base


def test_a_decided_item_comes_back_only_when_enough_new_people_report_it(
    any_community: Community,
) -> None:
    """One angry person cannot reopen what a reviewer has looked at; three different ones can."""
    any_community.post(a="hate=0.7")
    any_community.scan()
    review, reports = queue(any_community), reports_of(any_community)
    reports.file("a", "u0", "hate")
    (case,) = review.queue()
    review.decide(case.case_id, "ada", "allow", None, None)
    any_community.wait(10)
    opened = [reports.file("a", who, "hate").case_id for who in ("u1", "u1", "u2", "u3")]
    assert opened[:3] == [None, None, None]
    (again,) = review.queue()
    assert opened[3] == again.case_id != case.case_id
    assert len(review.queue(CaseFilter(state="closed"))) == 1


def test_wrong_reports_are_refused_and_not_kept(community: Community) -> None:
    """An item that does not exist, a category the policy does not know, a note without end."""
    community.post(a="plain")
    reports = reports_of(community)
    with pytest.raises(UnknownError, match="no item has the id 'nobody'"):
        reports.file("nobody", "u1", "hate")
    with pytest.raises(InputError) as caught:
        reports.file("a", "u1", "rude")
    assert str(caught.value) == (
        "unknown category 'rude'; expected one of hate, spam, privacy, child_abuse, other"
    )
    with pytest.raises(InputError, match="the note has 2001 characters; expected at most 2000"):
        reports.file("a", "u1", "hate", "x" * 2_001)
    assert reports.of_item("a") == []
    assert queue(community).queue() == []


def _case(filed: Report) -> str:
    assert filed.case_id is not None
    return filed.case_id


def test_a_report_is_acknowledged_and_answered(any_community: Community) -> None:
    """Received, decided with words and the time to object, and told anew when that changes."""
    community = any_community
    community.post(fine="plain")
    community.scan()
    reports = Reports(community.database, community.clock, community.tools)
    review = Review(community.database, community.clock, community.tools)
    filed = reports.file("fine", "zoe", "hate")
    before = reports.status(filed.report_id)
    assert (before.state, before.outcome, before.decided_ms) == ("received", None, None)
    assert before.words == "We have received your report. A person will look at it."
    community.wait(5)
    decision = review.decide(_case(filed), "ada", "allow", None, None)
    told = reports.status(filed.report_id)
    assert (told.state, told.outcome, told.decided_ms) == ("decided", "none", 1_005)
    assert told.redress_until_ms == 1_005 + REDRESS_MS
    assert "You can object" in told.words
    community.wait(5)
    review.undo(decision.decision_id, "ada")
    again = reports.status(filed.report_id)
    assert (again.state, again.words) == (
        "received",
        "We are looking again at the post you reported.",
    )
    review.decide(_case(filed), "ada", "remove", "hate", None)
    last = reports.status(filed.report_id)
    assert (last.outcome, last.redress_until_ms) == ("action", None)
    assert last.words == (
        "We looked at the post you reported, and it is no longer shown. Thank you."
    )
    kinds = [row.what for row in Audit(community.database).rows() if row.what == "report"]
    assert len(kinds) == 3
    with pytest.raises(UnknownError, match="no report has the id 'x'"):
        reports.status("x")


def test_who_reports_what_a_person_decided_is_answered_at_once(community: Community) -> None:
    """The decision that stands is the answer; nobody has to look again."""
    community.post(fine="plain")
    community.scan()
    reports = Reports(community.database, community.clock, community.tools)
    first = reports.file("fine", "zoe", "hate")
    Review(community.database, community.clock, community.tools).decide(
        _case(first), "ada", "allow", None, None
    )
    community.wait(5)
    late = reports.file("fine", "yan", "hate")
    assert late.case_id is None
    status = reports.status(late.report_id)
    assert (status.state, status.outcome, status.decided_ms) == ("decided", "none", 1_005)


def test_a_notice_keeps_a_name_no_longer_than_needed(any_community: Community) -> None:
    """Name and address go 30 days after the answer; that it was a notice stays."""
    community = any_community
    community.post(fine="plain")
    community.scan()
    reports = Reports(community.database, community.clock, community.tools)
    notice = Notice(good_faith=True, name="Zoe Zebra", email="zoe@example.org")
    filed = reports.file("fine", "zoe", "child_abuse", None, notice)

    def row() -> tuple[object, ...]:
        with community.database.read() as connection:
            found = connection.execute(sa.select(tables.notices)).one()
        return (found.illegal, found.good_faith, found.name, found.email)

    def forget() -> int:
        now_ms = community.clock.now_ms()
        return community.database.write(lambda c: forget_notifiers(c, now_ms))

    assert row() == (True, True, "Zoe Zebra", "zoe@example.org")
    community.wait(2 * NOTICE_KEPT_MS)
    assert forget() == 0
    Review(community.database, community.clock, community.tools).decide(
        _case(filed), "ada", "remove", "hate", None
    )
    community.wait(NOTICE_KEPT_MS + 1)
    assert (forget(), forget()) == (1, 0)
    assert row() == (True, True, None, None)


def test_an_erased_notifier_is_forgotten_at_once(any_community: Community) -> None:
    """Their name and address go with them."""
    community = any_community
    community.post(fine="plain")
    reports = Reports(community.database, community.clock, community.tools)
    reports.file("fine", "zoe", "hate", None, Notice(name="Zoe", email="zoe@example.org"))
    community.database.write(lambda c: erase_person(c, ["zoe"], [], 2_000))
    with community.database.read() as connection:
        found = connection.execute(sa.select(tables.notices)).one()
    assert (found.name, found.email) == (None, None)


@pytest.mark.parametrize(
    ("notice", "message"),
    [
        (Notice(name=" "), "the name has 1 characters; expected 1 to 320"),
        (Notice(email="x" * 321), "the email has 321 characters; expected 1 to 320"),
        (Notice(email="zoe at home"), "the email is no address; expected name@domain"),
    ],
)
def test_wrong_notices_are_refused(community: Community, notice: Notice, message: str) -> None:
    """With what was expected, and nothing is kept."""
    community.post(fine="plain")
    reports = Reports(community.database, community.clock, community.tools)
    with pytest.raises(InputError, match=message):
        reports.file("fine", "zoe", "hate", None, notice)
    assert reports.of_item("fine") == []
