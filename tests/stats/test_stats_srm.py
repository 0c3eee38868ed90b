"""Sample ratio mismatch: the right alarms and no others."""

import numpy as np
import pytest

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.stats.srm import SrmCheck, srm
from inhouse.stats.types import NotEnough


def checked(counts: list[int], weights: list[float]) -> SrmCheck:
    """The check, which must be possible."""
    found = srm(counts, weights)
    assert isinstance(found, SrmCheck)
    return found


def test_the_chi_square_is_the_textbooks() -> None:
    """5,100 against 4,900 is chi2 = 4 with one degree of freedom: p = 0.0455."""
    assert pytest.approx(0.0455, abs=1e-4) == checked([5_100, 4_900], [1, 1]).p_value


def test_false_alarms_are_rare_and_a_46_to_54_split_is_found() -> None:
    """At 20,000 people a fair split alarms at most 0.2% of the time, 46/54 always."""
    random = stream(4, "srm")
    fair = random.binomial(20_000, 0.5, 10_000)
    skewed = random.binomial(20_000, 0.46, 1_000)
    alarms = [checked([int(n), 20_000 - int(n)], [1, 1]).alarm for n in fair]
    found = [checked([int(n), 20_000 - int(n)], [1, 1]).alarm for n in skewed]
    assert np.mean(alarms) <= 0.002
    assert np.mean(found) >= 0.99


def test_the_anytime_p_survives_daily_looks() -> None:
    """Looked at after every 100 of 20,000 people, at most 5% of fair splits ever look wrong."""
    random = stream(6, "srm daily")
    ever = 0
    for _ in range(200):
        left = np.cumsum(random.binomial(100, 0.5, 200))
        ever += any(
            checked([int(n), 100 * (day + 1) - int(n)], [1, 1]).p_anytime < 0.05
            for day, n in enumerate(left)
        )
    assert ever / 200 <= 0.05


def test_the_anytime_p_finds_a_46_to_54_split() -> None:
    """The cautious test too settles a gross mismatch at 20,000 people."""
    assert checked([9_200, 10_800], [0.5, 0.5]).p_anytime < 1e-9


def test_an_arm_without_a_share_must_be_empty() -> None:
    """One person in an arm of weight 0 cannot be chance."""
    found = checked([500, 500, 1], [1, 1, 0])
    assert (found.p_value, found.alarm) == (0.0, True)
    assert not checked([500, 500, 0], [1, 1, 0]).alarm


def test_few_people_are_not_enough() -> None:
    """Below five expected in an arm nothing is said, and how many it takes is."""
    expected = NotEnough(reason="an arm expects fewer than 5 people", have=20, need=50)
    assert expected == srm([19, 1], [0.9, 0.1])
    assert NotEnough(reason="fewer than two arms have a share", have=1, need=2) == srm([9], [1.0])


def test_counts_and_weights_must_match() -> None:
    """A forgotten arm is a mistake, not a mismatch."""
    with pytest.raises(InputError, match="2 counts and 3 weights, expected as many"):
        srm([1, 2], [1, 1, 1])
    with pytest.raises(InputError, match="negative or not finite"):
        srm([1, -2], [1, 1])
