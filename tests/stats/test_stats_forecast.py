"""The forecast covers as often as it says, and says so where it cannot."""

import numpy as np
import pytest

from inhouse.core.errors import InputError
from inhouse.stats.forecast import LEAST, drift_sum
from inhouse.stats.intervals import ratio_interval
from inhouse.stats.types import Interval, NotEnough


def test_a_straight_line_goes_on() -> None:
    """Steps without spread: 20 and 22 follow, exactly."""
    found = drift_sum([2.0 * n for n in range(10)], ahead=2)
    assert found == Interval(estimate=42.0, low=42.0, high=42.0, level=0.95)


def test_a_short_history_is_not_enough() -> None:
    """Seven values, and what would do."""
    assert drift_sum([1.0] * (LEAST - 1), ahead=4) == NotEnough(
        reason="too short a history", have=7, need=8
    )
    with pytest.raises(InputError, match="ahead: got 0, expected 1 or more"):
        drift_sum([1.0] * 9, ahead=0)


@pytest.mark.parametrize("length", [8, 26])
def test_it_covers_as_often_as_it_says(length: int) -> None:
    """In worlds of steps with a drift, 95 of 100 sums of the next four lie within."""
    draw, worlds, inside = np.random.default_rng(5), 4_000, 0
    for _ in range(worlds):
        values = 100 + np.cumsum(draw.normal(1.0, 3.0, length + 4))
        found = drift_sum(values[:length], ahead=4)
        assert isinstance(found, Interval)
        inside += found.low <= values[length:].sum() <= found.high
    assert abs(inside / worlds - 0.95) < 0.012


def test_about_a_level_it_is_wider_than_needed() -> None:
    """Values that merely vary are covered more often than promised, never less."""
    draw, inside = np.random.default_rng(6), 0
    for _ in range(1_000):
        values = draw.normal(100.0, 10.0, 24)
        found = drift_sum(values[:20], ahead=4)
        assert isinstance(found, Interval)
        inside += found.low <= values[20:].sum() <= found.high
    assert inside >= 960


def test_a_ratio_covers_the_true_one() -> None:
    """Money for an answer, on days of differing traffic and prices; 14 days, 95 of 100."""
    draw, worlds, inside = np.random.default_rng(7), 3_000, 0
    for _ in range(worlds):
        answers = draw.integers(800, 1_200, 14).astype(float)
        money = answers * draw.normal(0.002, 0.0003, 14)
        found = ratio_interval(money, answers)
        assert isinstance(found, Interval)
        inside += found.low <= 0.002 <= found.high
    assert abs(inside / worlds - 0.95) < 0.02


def test_a_ratio_needs_a_week() -> None:
    """Days without anything below the line do not count."""
    assert ratio_interval([1.0] * 9, [1.0] * 6 + [0.0] * 3) == NotEnough(
        reason="too few days with answers", have=6, need=7
    )
    with pytest.raises(InputError, match="below: got 1 values, expected 2"):
        ratio_interval([1.0, 2.0], [1.0])
