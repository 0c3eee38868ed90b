"""The transparency report of a period: counted right, for that period alone."""

import csv
import io

import pytest
from moderation_worlds import Community

from inhouse.core.clock import DAY_MS
from inhouse.core.errors import InputError
from inhouse.moderation.complaints.appeals import Appeals
from inhouse.moderation.complaints.reports import Reports
from inhouse.moderation.reviewing.review import Review
from inhouse.moderation.transparency.period import Period, PeriodReport, as_csv, report_of
from inhouse.moderation.types import Notice
from inhouse.stats.intervals import wilson
from inhouse.stats.types import NotEnough


@pytest.fixture
def lived(any_community: Community) -> Community:
    """A first day with removals, an appeal granted and one not, reports; a second day with a post
    alone."""
    community = any_community
    review = Review(community.database, community.clock, community.tools)
    reports = Reports(community.database, community.clock, community.tools)
    appeals = Appeals(community.database, community.clock, community.tools)
    community.post(bad="hate=0.95", worse="hate=0.99", held="hate=0.7", ad="spam=0.9", fine="plain")
    community.scan()
    filed = reports.file("fine", "zoe", "hate", None, Notice(good_faith=True))
    reports.file("ad", "zoe", "other")
    community.wait(3_000)
    for item_id, action, category in (("held", "remove", "hate"), ("fine", "allow", None)):
        (case,) = [c for c in review.queue() if c.item_id == item_id]
        review.decide(case.case_id, "ada", action, category, None)
    for item_id, outcome in (("bad", "overturn"), ("worse", "uphold")):
        opened = appeals.open(item_id, f"by_{item_id}", "Why?")
        community.wait(1_000)
        appeals.decide(opened.appeal_id, "ben", outcome, "So it is.")
    appeals.open("fine", "zoe", "It is.", filed.report_id)
    community.clock.advance(DAY_MS + 5)
    community.post(later="hate=0.96")
    community.scan()
    return community


def _report(community: Community, first: int, last: int) -> PeriodReport:
    period = Period(from_ms=first * DAY_MS, until_ms=last * DAY_MS)
    return report_of(community.database, period)


def test_a_day_is_counted(lived: Community) -> None:
    """Every section, with the medians and the shares that follow from what happened."""
    found = _report(lived, 0, 1)
    notices = found.notices
    assert (notices.received, notices.illegal) == (2, 1)
    assert notices.by_category == {"hate": 1, "other": 1}
    assert (notices.decided, notices.action, notices.median_ms) == (1, 0, 3_000.0)
    measures = found.measures
    assert measures.made == 5
    assert measures.by_kind == {"removed": 3, "demoted": 1, "disabled": 1}
    assert measures.by_category == {"hate": 4, "spam": 1}
    assert measures.by_decision == {"fully": 4, "partially": 1}
    assert measures.by_decider == {
        "rule:hate_clear": 2,
        "person": 1,
        "rule:hate_likely": 1,
        "rule:spam": 1,
    }
    assert measures.by_ground == {"terms": 5}
    complaints = found.complaints
    assert (complaints.received, complaints.of_reporters) == (3, 1)
    assert (complaints.decided, complaints.reversed, complaints.median_ms) == (2, 1, 1_000.0)
    assert complaints.reversal == wilson(1, 2)
    automated = found.automated
    assert (automated.judged, automated.decisions) == (5, 4)
    assert (automated.looked_at, automated.reversed) == (3, 1)
    assert automated.error == wilson(1, 3)
    assert (found.accounts, found.sealed) == ({}, 0)


def test_the_next_day_is_another_report(lived: Community) -> None:
    """Only what happened in it, and nothing is said of what nobody looked at."""
    found = _report(lived, 1, 2)
    assert (found.notices.received, found.notices.median_ms) == (0, None)
    assert (found.measures.made, found.automated.judged) == (1, 1)
    assert isinstance(found.automated.error, NotEnough)
    assert isinstance(found.complaints.reversal, NotEnough)


def test_days_add_up(lived: Community) -> None:
    """Two days are one period of both."""
    days, both = [_report(lived, n, n + 1) for n in (0, 1)], _report(lived, 0, 2)
    assert sum(day.measures.made for day in days) == both.measures.made
    assert sum(day.notices.received for day in days) == both.notices.received


def test_a_csv_file_has_every_figure_on_a_line(lived: Community) -> None:
    """RFC 4180; what is not known is empty, never 0."""
    rows = list(csv.reader(io.StringIO(as_csv(_report(lived, 1, 2)), newline="")))
    assert rows[0] == ["section", "indicator", "scope", "value"]
    told = {tuple(row[:3]): row[3] for row in rows[1:]}
    assert told["measures", "by_kind", "removed"] == "1"
    assert told["notices", "median_ms", "total"] == ""
    assert told["automated", "error", "total"] == ""
    assert {len(row) for row in rows} == {4}


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    """With both ends named."""
    with pytest.raises(InputError, match="the period ends at 5 ms, not after its begin at 5"):
        Period(from_ms=5, until_ms=5)
