"""Reports: kept, gathered into one case, ordered by expected harm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from moderation_worlds import Community

from inhouse.core.errors import InputError, UnknownError
from inhouse.core.ids import ItemId
from inhouse.moderation.cases import LEAST_P_HARM, priority
from inhouse.moderation.reports import Reports
from inhouse.moderation.review import CaseFilter, Review


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
        "unknown category 'rude'; expected one of hate, spam, privacy, other"
    )
    with pytest.raises(InputError, match="the note has 2001 characters; expected at most 2000"):
        reports.file("a", "u1", "hate", "x" * 2_001)
    assert reports.of_item("a") == []
    assert queue(community).queue() == []
