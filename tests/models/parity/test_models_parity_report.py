"""Parity by slices: many questions, one chance to be wrong, and what is lacking."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from inhouse.core.clock import DAY_MS
from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.models.harvest.labels import Example
from inhouse.models.owned.registry import Registry
from inhouse.models.parity.margins import Margin
from inhouse.models.parity.report import (
    REST,
    UNKNOWN,
    About,
    Judged,
    NoFacts,
    ParityReport,
    Slice,
    report_of,
    week_of,
)
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.training.judging import Judge
from inhouse.models.types import Scores
from inhouse.store.database import Database

YES: Scores = {"hate": 0.9}
NO: Scores = {"hate": 0.1}
ABOUT = About(task="text_harm", version="v1", made_ms=9, signed=None)
Row = tuple[int, Scores, Scores, Scores | None, str]  # how many; teacher, student, people, language


class Languages:
    """A language for each ref, as the ref begins."""

    def of(self, refs: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        return {
            ref: {"language": ref.split("-")[0]} for ref in refs if not ref.startswith("unknown")
        }


def _judged(*rows: Row, at_ms: int = 1) -> Judged:
    held, student = [], []
    for place, (n, teacher, own, people, language) in enumerate(rows):
        for number in range(n):
            held.append(
                Example(
                    ref=f"{language}-{place}-{number}",
                    text=f"words {place} {number}",
                    at_ms=at_ms,
                    teacher=teacher,
                    people=people or {},
                    sources=(),
                    terms=(),
                )
            )
            student.append(own)
    return Judged(held_out=held, student=student)


def _report(judged: Judged, about: About = ABOUT, margin: float = 0.05) -> ParityReport:
    return report_of(about, judged, Languages(), ModelSettings(margin=margin))


def _slice(report: ParityReport, fact: str, value: str) -> Slice:
    return next(one for one in report.slices if (one.fact, one.value) == (fact, value))


GOOD: tuple[Row, ...] = (
    (200, YES, YES, None, "en"),
    (2_000, NO, NO, None, "en"),
    (20, YES, NO, {"hate": 0.0}, "en"),
)


def test_a_language_it_is_blind_to_refuses_a_version_that_is_good_overall() -> None:
    """Thirty posts in Turkish of two thousand: overall it passes, the slice says no."""
    blind: Row = (60, YES, NO, {"hate": 1.0}, "tr")
    judged = _judged(*GOOD, *GOOD, *GOOD, *GOOD, *GOOD, *GOOD, blind)
    report = _report(judged)
    assert _slice(report, "language", "tr").verdict == "fail"
    assert _slice(report, "language", "en").verdict == "pass"
    assert report.overall.verdict == "fail"
    assert report.overall.reason.startswith("language tr: worse than the rented model, p = 0.0000")


def test_a_small_slice_says_how_many_labels_it_lacks() -> None:
    """Ten posts decide nothing, and stand in nobody's way."""
    report = _report(_judged(*GOOD, (10, NO, NO, None, "de")))
    small = _slice(report, "language", "de")
    assert (small.verdict, small.texts, report.overall.verdict) == ("not_enough", 10, "pass")


def test_asking_more_questions_asks_for_more_evidence() -> None:
    """The same texts in one language pass; beside twelve others the p-value is multiplied and the
    lacking labels are counted for the stricter question."""
    mine: tuple[Row, ...] = (
        (60, YES, YES, None, "en"),
        (240, NO, NO, None, "en"),
        (4, YES, NO, {"hate": 0.0}, "en"),
    )
    few = _report(_judged(*mine, (5, NO, NO, None, "de")))
    many = _report(_judged(*mine, *[(5, NO, NO, None, f"l{n}") for n in range(9)]))
    first, second = (_slice(report, "language", "en") for report in (few, many))
    assert first.p_pass < second.p_pass
    assert len(few.slices) < len(many.slices)


def test_without_any_difference_false_alarms_are_rare() -> None:
    """Twelve languages, a student as good as its teacher: in 60 reports none says that a slice
    fails more often than it may."""
    failed = 0
    for seed in range(60):
        random = stream(seed, "slices")
        rows: list[Row] = []
        for language in range(12):
            gained = int(random.binomial(40, 0.5))
            rows += [
                (60, YES, YES, None, f"l{language}"),
                (200, NO, NO, None, f"l{language}"),
                (gained, NO, YES, {"hate": 1.0}, f"l{language}"),
                (40 - gained, YES, NO, {"hate": 1.0}, f"l{language}"),
            ]
        report = _report(_judged(*rows), margin=0.01)
        failed += any(one.verdict == "fail" for one in report.slices)
    assert failed <= 4


def test_rare_values_are_taken_together_and_unknown_ones_named() -> None:
    """Twelve of a fact have a line of their own."""
    rows = [(30 - n, NO, NO, None, f"l{n:02d}") for n in range(14)]
    report = _report(_judged(*rows, (40, NO, NO, None, "unknown")))
    named = [one.value for one in report.slices if one.fact == "language"]
    assert (len(named), REST in named, UNKNOWN in named) == (13, True, True)
    assert _slice(report, "language", REST).texts == 17 + 18 + 19
    assert (
        sum(one.texts for one in report.slices if one.fact == "language")
        == len([row for n in range(14) for row in range(30 - n)]) + 40
    )


def test_weeks_are_slices() -> None:
    """Time is told by the texts themselves."""
    first, second = _judged(*GOOD, at_ms=1), _judged(*GOOD, at_ms=8 * DAY_MS)
    both = Judged(
        held_out=[*first.held_out, *second.held_out], student=[*first.student, *second.student]
    )
    report = report_of(ABOUT, both, NoFacts(), ModelSettings())
    weeks = [one.value for one in report.slices if one.fact == "week"]
    assert weeks == [week_of(1), week_of(8 * DAY_MS)]


def test_cases_are_where_they_differ_most_the_unjudged_first() -> None:
    """Words only where they were asked for."""
    near: Scores = {"hate": 0.4}
    judged = _judged(
        (2, YES, NO, {"hate": 1.0}, "en"), (1, YES, near, None, "en"), (1, YES, NO, None, "tr")
    )
    report = _report(judged)
    told = [(c.ref, c.people, c.text, c.teacher_flags, c.student_flags) for c in report.cases]
    assert told == [
        ("tr-2-0", None, None, True, False),
        ("en-1-0", None, None, True, False),
        ("en-0-0", True, None, True, False),
        ("en-0-1", True, None, True, False),
    ]
    assert (report.differences, report.unjudged) == (4, 2)
    shown = _report(judged, replace(ABOUT, with_texts=True))
    assert shown.cases[0].text == "words 2 0"


def test_the_signed_margin_is_in_the_report_and_survives() -> None:
    """With the name, through JSON."""
    signed = Margin(task="text_harm", margin=0.03, signed_by="ann", at_ms=2)
    report = _report(_judged(*GOOD), replace(ABOUT, signed=signed), margin=0.03)
    again = msgspec.json.decode(msgspec.json.encode(report), type=ParityReport)
    assert (again, again.margin) == (report, 0.03)


def test_nothing_trained_cannot_be_judged(database: Database, tmp_path: Path) -> None:
    """And the answer says what to do."""
    judge = Judge(database, Registry(database, tmp_path), ModelSettings())
    with pytest.raises(InputError, match="no model is trained for text_harm; train one with"):
        judge.report(TEXT_HARM, NoFacts(), 1)
    with pytest.raises(InputError, match="no model is trained"):
        judge.differences(TEXT_HARM)


def test_a_report_on_nothing_held_out_is_not_enough() -> None:
    """No text, no slice, no case."""
    report = _report(Judged(held_out=[], student=[]))
    assert (report.overall.verdict, report.slices, report.cases) == ("not_enough", (), ())
