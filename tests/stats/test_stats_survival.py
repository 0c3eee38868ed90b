"""Kaplan-Meier against a textbook's data."""

import pytest

from inhouse.core.errors import InputError
from inhouse.stats.survival import Survival, kaplan_meier
from inhouse.stats.types import Interval, NotEnough

# Freireich et al. 1963, weeks in remission under 6-MP; a negative number is censored.
WEEKS = [6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35]


def curve() -> Survival:
    """The curve of the trial."""
    found = kaplan_meier([abs(w) for w in WEEKS], [w > 0 for w in WEEKS])
    assert isinstance(found, Survival)
    return found


def test_the_published_curve() -> None:
    """The textbook's steps to three places."""
    expected = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert expected == [round(float(p), 3) for p in curve().p_survive]
    assert curve().times.tolist() == [6, 7, 10, 13, 16, 22, 23]


def test_reading_the_curve() -> None:
    """Flat between steps, 1 before the first, the median at half, None past the end."""
    found = curve()
    assert (1.0, found.at(10)) == (found.at(5.9), found.at(12))
    assert (found.median, found.at(36)) == (23.0, None)


def test_the_interval_is_on_the_loglog_scale() -> None:
    """At week 10 the standard software gives 0.503 to 0.889."""
    interval = curve().interval(10)
    assert isinstance(interval, Interval)
    assert (round(interval.low, 3), round(interval.high, 3)) == (0.503, 0.889)


def test_no_interval_without_events_or_watching() -> None:
    """Before the first event and after the last look the spread is unknown."""
    assert isinstance(curve().interval(1), NotEnough)
    assert isinstance(curve().interval(99), NotEnough)


def test_restricted_mean_is_the_area() -> None:
    """Without censoring it is the mean of the capped waits."""
    found = kaplan_meier([1, 2, 6], [True, True, True])
    assert isinstance(found, Survival)
    assert (pytest.approx(7 / 3), pytest.approx(3.0)) == (
        found.restricted_mean(4),
        found.restricted_mean(100),
    )
    assert curve().restricted_mean(36) is None


def test_nobody_returned_has_no_median() -> None:
    """All censored: the curve stays at 1."""
    found = kaplan_meier([3, 4], [False, False])
    assert isinstance(found, Survival)
    assert (found.median, found.at(4), found.restricted_mean(3)) == (None, 1.0, 3.0)


def test_empty_and_negative_waits() -> None:
    """Nobody is not enough; a negative wait is a mistake."""
    assert NotEnough(reason="nobody was watched", have=0, need=1) == kaplan_meier([], [])
    with pytest.raises(InputError, match="the shortest wait is -1, expected 0 or more"):
        kaplan_meier([-1.0], [True])
