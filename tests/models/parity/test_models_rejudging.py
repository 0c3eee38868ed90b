"""When a version is judged again by itself: as a table."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse.core.clock import MINUTE_MS
from inhouse.models.harvest.labels import Example
from inhouse.models.parity.beside import unreadable
from inhouse.models.parity.gate import Parity, parity
from inhouse.models.parity.rejudging import Known, is_due, wanted
from inhouse.models.settings import ModelSettings

REPORT = Parity(
    verdict="not_enough",
    reason="",
    held_out=300,
    more_needed=12,
    findings=(),
    people=40,
    made_ms=1_000,
    labels_to=7,
)
PASSED = replace(REPORT, verdict="pass", more_needed=0)
LATER = 1_000 + 10 * MINUTE_MS


def known(report: Parity | None = REPORT, fresh: int = 0) -> Known:
    """Of a task that rented models answer."""
    return Known(report=report, fresh=fresh, serves=None, beside=None, is_routed=False)


@pytest.mark.parametrize(
    ("report", "labels"),
    [
        (REPORT, 12),  # so many it lacked
        (replace(REPORT, more_needed=900), 20),
        (replace(REPORT, more_needed=900, people=200), 50),  # a quarter more
        (replace(REPORT, more_needed=None), 20),  # nobody can tell how many it takes
        (replace(REPORT, verdict="fail", more_needed=0, people=0), 20),
    ],
)
def test_a_report_waits_for_so_many_labels(report: Parity, labels: int) -> None:
    """For what it lacked, or a quarter more than it rests on; one label less is not enough."""
    assert wanted(report) == labels
    assert [is_due(known(report, labels - less), LATER, 10) for less in (1, 0)] == [False, True]


def test_no_more_often_than_is_set() -> None:
    """However many labels come; a clock that was behind, and a report without a time, do not stop
    it."""
    assert not is_due(known(fresh=500), LATER - 1, 10)
    assert is_due(known(fresh=500), 1_000, 0)
    assert is_due(known(fresh=500), 999, 10)
    assert is_due(known(replace(REPORT, made_ms=None), 500), 0, 10)


def test_what_passed_is_left_alone() -> None:
    """Live traffic decides from there on; without a report nobody wanted a gate."""
    assert not is_due(known(PASSED, 5_000), LATER, 10)
    assert not is_due(known(None, 5_000), LATER, 10)


def test_what_may_replace_another_is_held_against_it_once() -> None:
    """Also where a person let it on its way; not where it was done already, in whatever way it
    ended."""
    beside = replace(known(PASSED), serves="v1")
    assert is_due(beside, LATER, 10)
    assert is_due(replace(beside, beside=unreadable("v0")), LATER, 10)
    assert not is_due(replace(beside, beside=unreadable("v1")), LATER, 10)
    assert not is_due(replace(beside, report=REPORT), LATER, 10)
    assert is_due(replace(beside, report=REPORT, is_routed=True), LATER, 10)


@settings(deadline=None, max_examples=300)
@given(
    harmful=st.integers(21, 60),
    harmless=st.integers(21, 60),
    differing=st.integers(0, 30),
    rights=st.lists(st.booleans(), min_size=30, max_size=30),
    judged=st.integers(0, 30),
)
def test_looking_again_lets_nothing_pass_that_the_last_look_would_not(
    harmful: int, harmless: int, differing: int, rights: list[bool], judged: int
) -> None:
    """On the same texts: whoever passes with some differences judged passes with all of them
    judged, whatever people say of the rest."""

    def report(first: int) -> Parity:
        held_out, student = [], []
        for place in range(harmful + harmless):
            theirs = place < harmful
            differs = place % 2 == 0 and place // 2 < differing
            ours = theirs != differs
            truth = ours if rights[place // 2 % 30] else theirs
            known = {"hate": float(truth)} if differs and place // 2 < first else {}
            held_out.append(_example(place, theirs, known))
            student.append({"hate": float(ours)})
        return parity(held_out, student, ModelSettings(margin=0.2), signed=True)

    if report(min(judged, differing)).verdict == "pass":
        assert report(differing).verdict == "pass"


def _example(place: int, teacher: bool, people: dict[str, float]) -> Example:
    return Example(
        ref=str(place),
        text=str(place),
        at_ms=place,
        teacher={"hate": float(teacher)},
        people=people,
        sources=(),
        terms=(),
        banks={},
    )
