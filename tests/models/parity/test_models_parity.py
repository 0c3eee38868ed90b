"""Agreement and parity: yes, no, or how many labels it still takes."""

import math
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from inhouse.core.random import stream
from inhouse.models.harvest.labels import Example
from inhouse.models.parity.agreement import ANY, LEAST_EACH, Agreement, agreement
from inhouse.models.parity.gate import Finding, Parity, parity
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Scores
from inhouse.stats.types import Interval, NotEnough

SETTINGS = ModelSettings()
_COUNTS = st.integers(0, 400)


def counts(both: int, missed: int, extra: int, neither: int) -> Agreement:
    """Agreement by its four counts."""
    return Agreement(category=ANY, both=both, missed=missed, extra=extra, neither=neither)


@given(_COUNTS, _COUNTS, _COUNTS, _COUNTS)
def test_kappa_is_cohens(both: int, missed: int, extra: int, neither: int) -> None:
    """The same as scikit-learn's, and None exactly where that is undefined."""
    told = counts(both, missed, extra, neither)
    reference = [1] * (both + missed) + [0] * (extra + neither)
    model = [1] * both + [0] * missed + [1] * extra + [0] * neither
    if len(set(reference) | set(model)) < 2:
        assert told.kappa is None
    else:
        assert told.kappa is not None
        assert math.isclose(cohen_kappa_score(reference, model), told.kappa, abs_tol=1e-9)


def test_flagging_nothing_is_no_agreement() -> None:
    """However rare harm is, silence earns nothing."""
    assert counts(0, 50, 0, 9_950).kappa == 0.0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Drawn again and again from a known table, 95 in 100 intervals hold the true kappa."""
    random = stream(8, "kappa")
    shares = (0.06, 0.03, 0.01, 0.90)
    truth = counts(*(round(share * 1_000_000) for share in shares)).kappa
    assert truth is not None
    hits = 0
    for _ in range(600):
        drawn = counts(*(int(n) for n in random.multinomial(1_500, shares))).interval()
        assert isinstance(drawn, Interval)
        hits += drawn.low <= truth <= drawn.high
    assert abs(hits / 600 - 0.95) < 0.025


def test_the_standard_error_is_that_of_the_delta_method() -> None:
    """The closed formula against numerical derivatives of kappa, on a lopsided table."""
    cells = [300, 20, 250, 430]
    n, step = sum(cells), 0.5

    def kappa_with(place: int, by: float) -> float:
        moved = [cell * 1_000 + (by * 1_000 if at == place else 0) for at, cell in enumerate(cells)]
        told = counts(*(round(cell) for cell in moved)).kappa
        assert told is not None
        return told

    slopes = [(kappa_with(at, step) - kappa_with(at, -step)) / (2 * step) * n for at in range(4)]
    shares = [cell / n for cell in cells]
    mean = sum(share * slope for share, slope in zip(shares, slopes, strict=True))
    spread = sum(share * slope**2 for share, slope in zip(shares, slopes, strict=True)) - mean**2
    interval = counts(*cells).interval()
    assert isinstance(interval, Interval)
    half = interval.high - interval.estimate
    assert pytest.approx(1.959964 * math.sqrt(spread / n), rel=0.01) == half


def test_the_watching_interval_is_wider() -> None:
    """Looking as often as one likes has its price."""
    once, often = counts(60, 10, 10, 900).interval(), counts(60, 10, 10, 900).sequence()
    assert isinstance(once, Interval)
    assert isinstance(often, Interval)
    assert often.low < once.low < once.high < often.high


def test_perfect_agreement_keeps_a_width() -> None:
    """A few texts without a difference prove little."""
    interval = counts(LEAST_EACH, 0, 0, 80).interval()
    assert isinstance(interval, Interval)
    assert (interval.estimate, interval.low < 0.96) == (1.0, True)


def test_too_few_flags_say_nothing() -> None:
    """The answer names how many there are and how many it takes."""
    assert counts(10, 9, 0, 500).interval() == NotEnough(
        reason="the reference has flagged, or let pass, too few texts", have=19, need=LEAST_EACH
    )


@pytest.mark.parametrize(
    ("told", "bar", "expected"),
    [
        (counts(10, 0, 0, 90), 0.6, 100),
        (counts(0, 0, 0, 90), 0.6, None),
        (counts(200, 5, 5, 2_000), 0.6, 0),
        (counts(5, 200, 5, 2_000), 0.6, 0),
    ],
)
def test_how_many_more(told: Agreement, bar: float, expected: int | None) -> None:
    """In proportion to what is there; 0 where it is settled, None where nothing is flagged."""
    assert expected == told.more_needed(bar)


def test_the_number_that_is_asked_for_settles_it() -> None:
    """With that many more of the same kind the interval ends at the bar."""
    before = counts(24, 12, 5, 300)
    more = before.more_needed(0.6)
    assert more is not None
    assert more > 0
    factor = (before.pairs + more) / before.pairs
    after = counts(*(math.ceil(n * factor) for n in (24, 12, 5, 300)))
    interval = after.interval()
    assert isinstance(interval, Interval)
    assert abs(interval.low - 0.6) < 0.02


def test_any_compares_only_what_the_reference_spoke_of() -> None:
    """A reference that never speaks of spam is not contradicted by it."""
    pairs: list[tuple[Scores, Scores]] = [({"hate": 0.1}, {"hate": 0.2, "spam": 0.9})]
    assert (agreement(ANY, pairs, 0.5).extra, agreement(ANY, pairs, 0.5).neither) == (0, 1)
    assert agreement("spam", pairs, 0.5).pairs == 0


def example(
    teacher: Mapping[str, float] | None = None, people: Mapping[str, float] | None = None
) -> Example:
    """A held-out text."""
    return Example(
        ref="r",
        text="t",
        at_ms=1,
        teacher=teacher or {},
        people=people or {},
        sources=(),
        terms=(),
    )


YES: Scores = {"hate": 0.9}
NO: Scores = {"hate": 0.1}
HARMFUL: Scores = {"hate": 1.0}
HARMLESS: Scores = {"hate": 0.0}
Row = tuple[int, Scores | None, Scores, Scores | None]  # how many; teacher, student, people


def judge(*rows: Row, signed: bool = False) -> Parity:
    """The report on so many texts of each kind."""
    held, student = [], []
    for count, teacher, own, people in rows:
        held.extend([example(teacher, people)] * count)
        student.extend([own] * count)
    return parity(held, student, SETTINGS, signed=signed)


def _finding(report: Parity, start: str) -> Finding:
    return next(f for f in report.findings if f.category == ANY and f.question.startswith(start))


def test_a_student_that_agrees_passes() -> None:
    """The interval of kappa lies above the bar."""
    report = judge((150, YES, YES, None), (10, YES, NO, None), (1_000, NO, NO, None))
    assert (report.verdict, report.more_needed, report.held_out) == ("pass", 0, 1_160)
    assert report.reason.startswith("agreement with the rented model (kappa) is 0.96")
    assert report.kappa is not None
    assert report.kappa > 0.9


def test_a_student_that_finds_little_fails() -> None:
    """The interval lies below the bar."""
    report = judge((30, YES, YES, None), (150, YES, NO, None), (1_000, NO, NO, None))
    assert report.verdict == "fail"
    assert report.reason.startswith("any: agreement with the rented model (kappa) is 0.2")


def test_a_few_labels_are_not_enough() -> None:
    """The answer says how many more of the kind it takes."""
    report = judge((10, YES, YES, None), (200, NO, NO, None))
    assert (report.verdict, report.more_needed) == ("not_enough", 210)
    assert report.reason.startswith("not enough evidence, 210 more labels needed: agreement with")


def test_nothing_held_out_is_not_enough() -> None:
    """No text, no verdict."""
    assert (
        judge().verdict,
        judge().reason,
        judge().more_needed,
    ) == ("not_enough", "not enough evidence: no labelled text is held out", None)


def test_one_category_may_refuse() -> None:
    """Good overall, blind to hate: refused, and the category is named."""
    spam, none = {"spam": 0.9, "hate": 0.1}, {"spam": 0.1, "hate": 0.1}
    hate = {"spam": 0.1, "hate": 0.9}
    report = judge((400, spam, spam, None), (40, hate, none, None), (2_000, none, none, None))
    assert report.verdict == "fail"
    assert report.reason.startswith("hate: agreement with the rented model (kappa) is 0.000")


def test_a_rare_category_does_not_stand_in_the_way() -> None:
    """It is listed with what it lacks."""
    spam, none = {"spam": 0.9, "hate": 0.1}, {"spam": 0.1, "hate": 0.1}
    hate = {"spam": 0.1, "hate": 0.9}
    report = judge((200, spam, spam, None), (3, hate, none, None), (2_000, none, none, None))
    rare = next(finding for finding in report.findings if finding.category == "hate")
    assert (report.verdict, rare.verdict) == ("pass", "not_enough")


def test_people_settle_the_differences() -> None:
    """The rented model errs at random: by kappa the student fails, people say it is better."""
    agreed: tuple[Row, ...] = ((200, YES, YES, None), (2_000, NO, NO, None))
    differ = 300
    without = judge(*agreed, (differ, YES, NO, None))
    judged = judge(*agreed, (differ, YES, NO, HARMLESS))
    assert (without.verdict, judged.verdict) == ("fail", "pass")
    harmless = _finding(judged, "right about what is harmless")
    assert harmless.estimate is not None
    assert harmless.estimate > 0.1


def test_people_may_refuse_what_the_teacher_lets_pass() -> None:
    """Where people say that the student is wrong, agreement in general does not help it."""
    report = judge((200, YES, YES, None), (2_000, NO, NO, None), (40, YES, NO, HARMFUL))
    assert report.verdict == "fail"
    assert report.reason.startswith("any: right about what is harmful, compared with")


def test_unjudged_differences_count_against_the_student() -> None:
    """They are what people are asked to look at."""
    report = judge(
        (200, YES, YES, None),
        (2_000, NO, NO, None),
        (200, YES, NO, None),
        (60, YES, NO, HARMLESS),
    )
    harmful = _finding(report, "right about what is harmful")
    assert (harmful.verdict, harmful.more_needed) == ("not_enough", 200)
    assert "200 differences unjudged by people" in harmful.question


def test_people_correct_what_both_models_say() -> None:
    """A text both flag and a person calls harmless is wrong for both, and decides nothing."""
    report = judge((100, YES, YES, HARMLESS), (100, YES, YES, HARMFUL), (800, NO, NO, None))
    harmful = _finding(report, "right about what is harmful")
    harmless = _finding(report, "right about what is harmless")
    assert (harmful.n, harmless.n) == (100, 900)


def test_with_people_alone_the_student_must_agree_with_them() -> None:
    """Where nothing was ever rented, people are the reference."""
    report = judge((150, None, YES, HARMFUL), (900, None, NO, HARMLESS))
    assert report.verdict == "pass"
    assert report.reason.startswith("agreement with people (kappa) is 1.000")
    assert report.kappa is None


def test_a_report_survives_being_stored() -> None:
    """It is kept as JSON beside the version."""
    report = judge((150, YES, YES, None), (1_000, NO, NO, None))
    assert report == msgspec.json.decode(msgspec.json.encode(report), type=Parity)


def test_where_the_margin_is_signed_people_alone_decide() -> None:
    """Agreement with the rented model then lets nothing pass: it takes people's word on what both
    differ on, and the answer says on how many; with it the version passes."""
    agreed: tuple[Row, ...] = ((300, YES, YES, None), (2_000, NO, NO, None))
    without = judge(*agreed, (40, YES, NO, None))
    signed = judge(*agreed, (40, YES, NO, None), signed=True)
    settled = judge(*agreed, (40, YES, NO, HARMLESS), signed=True)
    assert (without.verdict, signed.verdict, signed.more_needed) == ("pass", "not_enough", 40)
    assert signed.reason.startswith("not enough evidence, 40 more labels needed: right about what")
    assert settled.verdict == "pass"
