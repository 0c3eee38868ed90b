"""Non-inferiority: published intervals, coverage, and the number of labels it asks for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.stats.noninferiority import Count, paired, paired_counts, unpaired
from inhouse.stats.types import Interval


def known(difference: Interval | None) -> Interval:
    """The interval, which must exist."""
    assert difference is not None
    return difference


@pytest.mark.parametrize(
    ("new", "old", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090)],
)
def test_unpaired_has_newcombes_published_intervals(
    new: tuple[int, int], old: tuple[int, int], low: float, high: float
) -> None:
    """Table II of Newcombe 1998, method 10, to four places."""
    found = known(
        unpaired(
            Count(successes=new[0], n=new[1]), Count(successes=old[0], n=old[1]), 0.05
        ).difference
    )
    assert (low, high) == (round(found.low, 4), round(found.high, 4))


def test_paired_interval_inverts_the_score_test() -> None:
    """At both ends the statistic, with the share found by brute force, is 1.96."""
    gained, lost, n = 40, 20, 160
    found = known(paired_counts(gained, lost, n, 0.05).difference)
    for delta in (found.low, found.high):
        shares = np.linspace(max(0, -delta) + 1e-9, (1 - delta) / 2 - 1e-9, 400_001)
        likelihood = (
            gained * np.log(shares + delta)
            + lost * np.log(shares)
            + (n - gained - lost) * np.log(1 - 2 * shares - delta)
        )
        share = shares[np.argmax(likelihood)]
        spread = np.sqrt(n * (2 * share + delta * (1 - delta)))
        assert pytest.approx(1.96, abs=1e-3) == abs(gained - lost - n * delta) / spread


@given(n=st.integers(1, 400), gained=st.floats(0, 1), lost=st.floats(0, 1))
def test_paired_is_antisymmetric(n: int, gained: float, lost: float) -> None:
    """Exchanging new and old mirrors the interval."""
    b = round(gained * n)
    c = round(lost * (n - b))
    one = known(paired_counts(b, c, n, 0.05).difference)
    other = known(paired_counts(c, b, n, 0.05).difference)
    assert -1 <= one.low <= one.estimate <= one.high <= 1
    assert (pytest.approx(-other.high, abs=1e-6), pytest.approx(-other.low, abs=1e-6)) == (
        one.low,
        one.high,
    )


def test_paired_covers_the_truth() -> None:
    """With few disagreements, in 3,000 samples, the 95% interval covers 93 to 98%."""
    random = stream(13, "paired")
    draws = random.multinomial(200, (0.03, 0.05, 0.92), 3_000)
    covered = 0
    for b, c, _ in draws:
        found = known(paired_counts(int(b), int(c), 200, 0.05).difference)
        covered += found.low <= -0.02 <= found.high
    assert 0.93 <= covered / 3_000 <= 0.98


def test_a_model_at_the_margin_is_rarely_passed() -> None:
    """A new one worse by exactly the margin is called non-inferior in at most 4% of samples."""
    random = stream(14, "margin")
    draws = random.multinomial(500, (0.04, 0.09, 0.87), 2_000)
    passed = sum(
        paired_counts(int(b), int(c), 500, 0.05).verdict == "non_inferior" for b, c, _ in draws
    )
    assert passed / 2_000 <= 0.04


def test_the_three_answers() -> None:
    """Clearly as good, clearly worse, and too few to say."""
    good = paired_counts(30, 30, 2_000, 0.03)
    bad = paired_counts(10, 300, 2_000, 0.03)
    unknown = paired_counts(3, 3, 60, 0.03)
    assert (
        good.verdict,
        bad.verdict,
        unknown.verdict,
    ) == ("non_inferior", "inferior", "not_enough")
    assert (good.more_needed, bad.more_needed) == (0, 0)


def test_the_labels_it_asks_for_are_about_right() -> None:
    """With as many labels as asked for, about 80% of repetitions reach an answer."""
    first = paired_counts(3, 3, 100, 0.03)
    assert first.more_needed is not None
    n = 100 + first.more_needed
    draws = stream(15, "power").multinomial(n, (0.03, 0.03, 0.94), 500)
    settled = [
        paired_counts(int(b), int(c), n, 0.03).verdict == "non_inferior" for b, c, _ in draws
    ]
    assert 0.7 <= np.mean(settled) <= 0.95


def test_no_labels_at_all_is_an_answer_too() -> None:
    """Nothing known, and a first number to aim for."""
    found = paired(np.array([], dtype=bool), np.array([], dtype=bool), 0.05)
    assert (found.verdict, found.difference) == ("not_enough", None)
    assert found.more_needed is not None
    assert found.more_needed > 100
    assert unpaired(Count(successes=0, n=0), Count(successes=3, n=4), 0.05).verdict == "not_enough"


def test_rates_that_lie_on_the_margin_cannot_be_planned() -> None:
    """No number of labels separates a difference from itself."""
    found = paired_counts(0, 10, 198, 0.05)
    assert (found.verdict, found.more_needed) == ("not_enough", None)


def test_margins_and_lengths_are_checked() -> None:
    """A margin in percent, or answers that do not pair, are refused."""
    with pytest.raises(InputError, match=r"margin is 5, expected more than 0 and less than 1"):
        paired([True], [True], 5)
    with pytest.raises(InputError, match="the new and the old answers have 1 and 2 values"):
        paired([True], [True, False], 0.05)
