"""Noticing changes: seldom where there is none, soon where there is one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.stats.detection import ALTERNATIVES, FALSE_EACH, RateWatch
from inhouse.stats.drift import Population, drift, population
from inhouse.stats.multiplicity import holm


def _until_alarm(bound: float, rate: float, seed: int, most: int) -> int | None:
    random = stream(seed, "detection")
    watch = RateWatch(bound=bound)
    for start in range(0, most, 50):
        for hit in random.random(50) < rate:
            watch = watch.after([bool(hit)])
            if watch.alarmed:
                return watch.n
        assert watch.n == start + 50
    return None


def test_a_rate_at_its_bound_raises_no_alarm() -> None:
    """On the very bound, the worst that is allowed, 40 runs of 4,000 observations are quiet."""
    assert {_until_alarm(0.1, 0.1, seed, 4_000) for seed in range(40)} == {None}


def test_the_mean_step_is_at_most_one() -> None:
    """What makes false alarms rare: at the bound each e-value has mean 1, below it less."""
    for bound in (0.01, 0.1, 0.5, 0.9):
        for part in ALTERNATIVES:
            q = bound + (1 - bound) * part
            for rate in (bound, bound / 2):
                mean = rate * q / bound + (1 - rate) * (1 - q) / (1 - bound)
                assert mean <= 1 + 1e-12


def test_a_bad_change_is_seen_soon_however_long_it_was_fine() -> None:
    """20,000 good observations hide nothing: a rate gone from 0.02 to 0.9 shows within 20."""
    watch = RateWatch(bound=0.1).after([True, *[False] * 49] * 400)
    assert not watch.alarmed
    bad = watch.after([True] * 9)
    assert (bad.alarmed, watch.after([True] * 4).alarmed) == (True, False)


def test_a_small_change_is_seen_too() -> None:
    """From within the bound of 0.1 to 0.2: within some hundreds."""
    found = [_until_alarm(0.1, 0.2, seed, 3_000) for seed in range(10)]
    assert all(n is not None and n < 1_200 for n in found)


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 60))
def test_it_does_not_matter_in_which_parts_it_comes(hits: list[bool], cut: int) -> None:
    """Observations one by one, at once or in two parts end the same."""
    whole = RateWatch(bound=0.2).after(hits)
    assert RateWatch(bound=0.2).after(hits[:cut]).after(hits[cut:]) == whole
    assert (whole.n, whole.hits) == (len(hits), sum(hits))


def test_the_run_that_raised_the_alarm_is_told_apart() -> None:
    """What was fine before is not in it, and what comes after the alarm neither."""
    watch = RateWatch(bound=0.1).after([*[False] * 500, *[True] * 12, *[False] * 30])
    assert (watch.alarmed, watch.n, watch.hits) == (True, 542, 12)
    assert watch.run == watch.run_hits
    assert 5 <= watch.run <= 9


def test_an_alarm_stays() -> None:
    """Good observations afterwards do not take it back, nor do huge numbers break it."""
    watch = RateWatch(bound=0.001).after([True] * 2_000)
    assert watch.after([False] * 5_000).alarmed
    assert watch.evidence > 1


def test_evidence_is_one_at_the_alarm() -> None:
    """The mean of the detectors against the one that raises it."""
    quiet = RateWatch(bound=0.1)
    assert quiet.evidence == 0.0
    at = RateWatch(bound=0.1, logs=(math.log(FALSE_EACH),) * len(ALTERNATIVES))
    assert pytest.approx(1.0) == at.evidence


@pytest.mark.parametrize("bound", [0.0, 1.0, -0.5, math.nan])
def test_a_bound_is_a_share(bound: float) -> None:
    """Neither 0 nor 1, nor nonsense."""
    with pytest.raises(InputError, match="expected more than 0 and less than 1"):
        RateWatch(bound=bound)


def test_the_same_population_has_not_drifted() -> None:
    """Of 300 draws none is beyond the bound and the noise; without any bound one in a thousand."""
    random = stream(3, "drift")
    before = population(random.beta(1, 8, 800).tolist())
    over = 0
    for _ in range(300):
        counts = [0] * len(before.counts)
        for value in random.beta(1, 8, 500):
            counts[before.bin_of(float(value))] += 1
        told = drift(before, counts)
        over += told.psi > told.noise
    assert over <= 3


def test_another_population_has() -> None:
    """Probabilities turned upside down."""
    random = stream(4, "drift")
    before = population(random.beta(1, 8, 800).tolist())
    counts = [0] * len(before.counts)
    for value in 1 - random.beta(1, 8, 500):
        counts[before.bin_of(float(value))] += 1
    told = drift(before, counts)
    assert told.psi > 1 + told.noise


def test_equal_values_make_one_bin_and_no_drift() -> None:
    """A model that always says the same has no population to speak of."""
    same = population([0.2] * 50)
    assert same == Population(edges=(0.2,), counts=(0, 50))
    assert drift(Population(edges=(), counts=(50,)), [9]).psi == 0


def test_bins_must_be_the_same() -> None:
    """Counts of other bins, or no values at all, are refused."""
    with pytest.raises(InputError, match="3 bins, expected 2"):
        drift(Population(edges=(0.5,), counts=(1, 1)), [1, 1, 1])
    with pytest.raises(InputError, match="no values"):
        population([])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_rejects_between_bonferroni_and_nothing(p_values: list[float]) -> None:
    """Never below the p-value, never above Bonferroni's, and in the same order."""
    adjusted = holm(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        assert p <= q <= min(1.0, p * len(p_values)) + 1e-12
    ranked = sorted(zip(p_values, adjusted, strict=True))
    assert [q for _, q in ranked] == sorted(adjusted)
