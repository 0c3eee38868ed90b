"""Assignment: published values, the traps of other implementations, and laws."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.engagement.experiments.arms import arm_of
from inhouse.engagement.experiments.assignment import (
    bucket_ranges,
    choose_variation,
    fnv1a32,
    hash_value,
    in_namespace,
    in_range,
)
from inhouse.engagement.experiments.types import Arm, Experiment, Filter, layer

ARMS = (Arm(key="control"), Arm(key="treatment"))


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)]
)
def test_the_hash_is_fnv1a(text: str, expected: int) -> None:
    """The test values of FNV's authors."""
    assert expected == fnv1a32(text)


@pytest.mark.parametrize(
    ("value", "expected"), [("user-1", 0.3004), ("José", 0.2831), ("😀", 0.7506)]
)
def test_ids_are_hashed_by_utf16_units(value: str, expected: float) -> None:
    """As JavaScript does: bytes would give José .0613, code points the emoji .3250."""
    assert expected == hash_value("exp", value)


def test_half_a_character_is_hashed_too() -> None:
    """A lone surrogate, which JavaScript can send, is a unit like any other."""
    assert hash_value("exp", "\ud83d") is not None


def test_versions_that_do_not_exist_give_none() -> None:
    """Neither a guess nor a crash."""
    assert None is hash_value("exp", "user-1", 3)


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from([1, 2]))
def test_hashes_lie_in_the_unit_interval(seed: str, value: str, version: int) -> None:
    """Every id of every alphabet has a place, the same at every asking."""
    n = hash_value(seed, value, version)
    assert n is not None
    assert 0 <= n < 1
    assert n == hash_value(seed, value, version)


WEIGHTS = st.lists(st.floats(0.01, 1), min_size=2, max_size=6).map(
    lambda raw: [w / sum(raw) for w in raw]
)


@given(WEIGHTS, st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.9999))
def test_more_coverage_moves_nobody(weights: list[float], a: float, b: float, n: float) -> None:
    """Who has an arm at a smaller coverage has the same arm at a larger one."""
    small, large = sorted((a, b))
    before = choose_variation(n, bucket_ranges(len(weights), small, weights))
    after = choose_variation(n, bucket_ranges(len(weights), large, weights))
    assert before in (-1, after)


@given(WEIGHTS, st.floats(0, 1))
def test_slices_have_the_planned_size(weights: list[float], coverage: float) -> None:
    """Each arm's slice is its weight times the coverage, and slices do not overlap."""
    ranges = bucket_ranges(len(weights), coverage, weights)
    assert pytest.approx([w * coverage for w in weights]) == [end - start for start, end in ranges]
    assert all(a[1] <= b[0] + 1e-12 for a, b in pairwise(ranges))


@pytest.mark.parametrize("weights", [None, [], [0.4], [0.2, 0.2], [0.9, 0.9]])
def test_weights_that_cannot_be_are_equal_ones(weights: list[float] | None) -> None:
    """The specification's answer to a wrong number of weights or a wrong sum."""
    assert bucket_ranges(2, 1.0, weights) == [(0.0, 0.5), (0.5, 1.0)]


@pytest.mark.parametrize(("coverage", "end"), [(-1.0, 0.0), (None, 0.5), (7.0, 0.5)])
def test_coverage_is_clamped(coverage: float | None, end: float) -> None:
    """Below 0 is none, above 1 and absent is all."""
    assert (0.0, end) == bucket_ranges(2, coverage, None)[0]


def test_ranges_hold_their_start_and_not_their_end() -> None:
    """So that neighbours share nobody."""
    assert (
        in_range(0.2, (0.2, 0.4)),
        in_range(0.4, (0.2, 0.4)),
        in_range(0.2, (0.2, 0.2)),
    ) == (True, False, False)
    assert tuple(choose_variation(n, [(0, 0.5), (0.5, 0.6)]) for n in (0.1, 0.5, 0.7)) == (0, 1, -1)


@given(st.text(min_size=1, max_size=20), st.floats(0, 1))
def test_a_namespace_parts_people(user: str, cut: float) -> None:
    """Everybody is in exactly one of two slices that share a border."""
    assert in_namespace(user, ("n", 0, cut)) != in_namespace(user, ("n", cut, 1))


def test_a_namespace_uses_version_one() -> None:
    """Its place is that of the legacy hash under the doubly underlined name."""
    n = hash_value("__ranking", "user-1", 1)
    assert n is not None
    assert in_namespace("user-1", ("ranking", n, n + 0.001))


def test_arms_fill_by_weight() -> None:
    """Of 20,000 people three quarters get the arm of weight three."""
    arms = (Arm(key="control", weight=1), Arm(key="treatment", weight=3))
    experiment = Experiment(key="weights", arms=arms)
    found = [arm_of(experiment, f"user-{i}") for i in range(20_000)]
    assert pytest.approx(0.75, abs=0.01) == found.count("treatment") / 20_000
    assert found.count(None) == 0


def test_coverage_leaves_people_out() -> None:
    """A tenth of the people take part."""
    experiment = Experiment(key="small", arms=ARMS, coverage=0.1)
    found = [arm_of(experiment, f"user-{i}") for i in range(20_000)]
    assert pytest.approx(0.9, abs=0.01) == found.count(None) / 20_000


def test_slices_of_a_layer_share_nobody() -> None:
    """Two experiments in the halves of one layer divide the people between them."""
    first = Experiment(key="a", arms=ARMS, filters=(layer("ranking", 0, 0.5),))
    second = Experiment(key="b", arms=ARMS, filters=(layer("ranking", 0.5, 1),))
    users = [f"user-{i}" for i in range(5_000)]
    assert {True} == {(arm_of(first, u) is None) != (arm_of(second, u) is None) for u in users}


def test_all_filters_must_pass() -> None:
    """Two halves of two layers leave a quarter."""
    filters = (layer("a", 0, 0.5), Filter(seed="b", ranges=((0, 0.2), (0.7, 1.0))))
    experiment = Experiment(key="quarter", arms=ARMS, filters=filters)
    found = [arm_of(experiment, f"user-{i}") for i in range(20_000)]
    assert pytest.approx(0.75, abs=0.01) == found.count(None) / 20_000


def test_nobody_is_assigned_without_an_id_or_after_the_stop() -> None:
    """The first two rules of the order."""
    experiment = Experiment(key="e", arms=ARMS)
    assert None is arm_of(experiment, "")
    assert None is arm_of(Experiment(key="e", arms=ARMS, stopped_ms=1), "user-1")


def correlation(version: int, people: int) -> float:
    """Of people's places in two experiments."""
    sides = [
        [hash_value(seed, str(i), version) or 0.0 for i in range(people)]
        for seed in ("exp-1", "exp-2")
    ]
    return float(np.corrcoef(sides)[0, 1])


@pytest.mark.slow
def test_parallel_experiments_do_not_disturb_each_other() -> None:
    """Over 200,000 people the places in two experiments correlate by less than 0.01."""
    assert abs(correlation(2, 200_000)) < 0.01


@pytest.mark.slow
def test_version_one_is_as_biased_as_known() -> None:
    """The legacy hash correlates by about -0.08, which is why it is not the default."""
    assert pytest.approx(-0.081, abs=0.005) == correlation(1, 200_000)
