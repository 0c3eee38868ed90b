"""Shares of a population from stratified samples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.stats.intervals import clopper_pearson
from inhouse.stats.prevalence import Stratum, allocate, share, share_within, stratum_of
from inhouse.stats.types import Interval, NotEnough

_CUTS = (0.02, 0.2, 0.5)
_DRAWS = 400


def _stratum(size: int, sampled: int, found: int) -> Stratum:
    return stratum_of(size, [place < found for place in range(sampled)])


class _World:
    """20,000 posts of which a share belongs, with a model's opinion of each."""

    def __init__(self, p_belongs: float, sharpness: float) -> None:
        random = stream(7, "prevalence", str(p_belongs), str(sharpness))
        belongs = random.random(20_000) < p_belongs
        noise = random.normal(0, sharpness / 2, len(belongs))
        p = special.expit(special.logit(p_belongs) + noise + sharpness * belongs)
        place = np.searchsorted(_CUTS, p, side="right")
        parts = [place == index for index in range(len(_CUTS) + 1)]
        self.sizes = [int(part.sum()) for part in parts]
        self.belong = [int(belongs[part].sum()) for part in parts]
        self.p_means = [float(p[part].mean()) if part.any() else 0.0 for part in parts]

    def strata(self, n: int, seed: int) -> list[Stratum]:
        """One sample of n."""
        random = stream(seed, "draw")
        drawn = allocate(self.sizes, self.p_means, n)
        return [
            _stratum(size, count, int(random.hypergeometric(belong, size - belong, count)))
            for size, belong, count in zip(self.sizes, self.belong, drawn, strict=True)
        ]


def _covered(truth: float, found: list[Interval | NotEnough]) -> float:
    intervals = [one for one in found if isinstance(one, Interval)]
    assert len(intervals) > 0.9 * len(found)
    return sum(one.low <= truth <= one.high for one in intervals) / len(intervals)


@pytest.mark.parametrize("p_belongs", [0.002, 0.02, 0.2])
def test_intervals_of_a_share_hold_as_often_as_they_say(p_belongs: float) -> None:
    """Of 1,600 samples, small and large, of a weak and a strong model, 93 to 99 in a hundred
    intervals hold the truth, from rare to frequent; of none of the four kinds fewer."""
    kinds = []
    for sharpness in (2.0, 4.0):
        world = _World(p_belongs, sharpness)
        truth = sum(world.belong) / sum(world.sizes)
        for n in (200, 1_000):
            kinds.append(_covered(truth, [share(world.strata(n, seed)) for seed in range(_DRAWS)]))
    assert min(kinds) >= 0.93, kinds
    assert float(np.mean(kinds)) <= 0.99, kinds


@pytest.mark.parametrize("p_belongs", [0.002, 0.02, 0.2])
def test_intervals_of_precision_and_recall_hold(p_belongs: float) -> None:
    """At a threshold that is a border of strata both hold 93 times in a hundred or more."""
    world = _World(p_belongs, 4.0)
    samples = [world.strata(1_000, seed) for seed in range(_DRAWS)]
    precision = world.belong[3] / world.sizes[3]
    recall = world.belong[3] / sum(world.belong)
    assert _covered(precision, [share(strata[3:]) for strata in samples]) >= 0.93
    assert _covered(recall, [share_within(strata[3:], strata[:3]) for strata in samples]) >= 0.93


def test_a_model_that_knows_nothing_widens_the_interval_and_no_more() -> None:
    """Where the model's opinion has nothing to do with the truth the estimate stays right."""
    sizes, belong = [18_000, 1_000, 800, 200], [360, 20, 16, 4]
    found = []
    for seed in range(_DRAWS):
        random = stream(seed, "blind")
        drawn = allocate(sizes, [0.01, 0.1, 0.4, 0.8], 400)
        strata = [
            _stratum(s, n, int(random.hypergeometric(b, s - b, n)))
            for s, b, n in zip(sizes, belong, drawn, strict=True)
        ]
        found.append(share(strata))
    assert _covered(0.02, found) >= 0.93
    mean = np.mean([one.estimate for one in found if isinstance(one, Interval)])
    assert mean == pytest.approx(0.02, rel=0.1)


def test_one_stratum_is_the_exact_interval() -> None:
    """Of a population far larger than the sample the ends are those of Clopper and Pearson."""
    found, exact = share([_stratum(10**9, 20, 3)]), clopper_pearson(3, 20)
    assert isinstance(found, Interval)
    assert isinstance(exact, Interval)
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (exact.estimate, exact.low, exact.high), abs=1e-6
    )


def test_exact_ends_are_those_published() -> None:
    """Three of twenty: 3.2 to 37.9 in a hundred, as in tables; none and all reach 0 and 1."""
    found = clopper_pearson(3, 20)
    assert isinstance(found, Interval)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0321, 0.3789)
    none, every = clopper_pearson(0, 5), clopper_pearson(5, 5)
    assert isinstance(none, Interval)
    assert isinstance(every, Interval)
    assert (none.low, every.high) == (0.0, 1.0)
    assert clopper_pearson(0, 0) == NotEnough(reason="no trials", have=0, need=1)


def test_what_was_looked_at_whole_is_known() -> None:
    """A census has no interval, and a stratum that was looked at whole adds nothing to one."""
    found = share([_stratum(10, 10, 4), _stratum(10, 10, 0)])
    assert found == Interval(estimate=0.2, low=0.2, high=0.2, level=0.95)


def test_views_count_as_weights() -> None:
    """A post that belongs and has nine of ten views makes nine tenths of its stratum."""
    stratum = stratum_of(2, [True, False], weights=[9.0, 1.0], mass=10.0)
    assert stratum == Stratum(mass=10.0, size=2, sampled=2, p_found=0.9, n_effective=100 / 82)
    assert share([stratum]) == Interval(estimate=0.9, low=0.9, high=0.9, level=0.95)


def test_what_was_not_looked_at_has_no_share() -> None:
    """A stratum without a look, an empty population and nothing found are no numbers."""
    assert share([_stratum(5, 2, 1), _stratum(1_000, 0, 0)]) == NotEnough(
        reason="none of 1,000 in a part of the population was looked at", have=2
    )
    assert share([]) == NotEnough(reason="the population is empty", have=0, need=1)
    assert share([_stratum(0, 0, 0), _stratum(3, 3, 0)]) == Interval(
        estimate=0.0, low=0.0, high=0.0, level=0.95
    )
    assert share_within([_stratum(9, 3, 0)], [_stratum(9, 2, 0)]) == NotEnough(
        reason="none that belongs was found", have=5
    )


def test_recall_without_a_flag_is_nothing_and_with_all_flagged_everything() -> None:
    """Where all that belongs lies on one side the estimate is 0 or 1, and the interval is not."""
    flagged, rest = _stratum(100, 10, 5), _stratum(1_000, 50, 0)
    every, nothing = share_within([flagged], [rest]), share_within([rest], [flagged])
    assert isinstance(every, Interval)
    assert isinstance(nothing, Interval)
    assert every.estimate == every.high == 1.0
    assert 0.3 < every.low < 0.6
    assert nothing.estimate == nothing.low == 0.0
    assert nothing.high == pytest.approx(1 - every.low)
    assert share_within([_stratum(9, 9, 1)], []) == Interval(
        estimate=1.0, low=1.0, high=1.0, level=0.95
    )


def test_impossible_samples_are_refused() -> None:
    """More sampled than there are, and weights without the mass they are part of."""
    with pytest.raises(InputError, match="2 sampled of 1, expected at most as many"):
        stratum_of(1, [True, False])
    with pytest.raises(InputError, match="weights come with the mass"):
        stratum_of(3, [True], weights=[1.0])
    with pytest.raises(InputError, match="2 weights for 1 rows"):
        stratum_of(3, [True], weights=[1.0, 2.0], mass=4.0)


_PARTS = st.lists(
    st.tuples(st.integers(1, 500), st.integers(1, 60), st.integers(0, 60)), min_size=1, max_size=5
)


@given(_PARTS, _PARTS)
def test_an_interval_holds_its_estimate_and_stays_in_range(
    inside: list[tuple[int, int, int]], outside: list[tuple[int, int, int]]
) -> None:
    """0 <= low <= estimate <= high <= 1, and what lies inside and outside are each other's rest."""
    first, second = (
        [_stratum(s, min(n, s), min(n, s, x)) for s, n, x in part] for part in (inside, outside)
    )
    within, beyond = share_within(first, second), share_within(second, first)
    for found in (share(first), share([*first, *second]), within):
        if isinstance(found, Interval):
            assert -1e-9 <= found.low <= found.estimate + 1e-9
            assert found.estimate - 1e-9 <= found.high <= 1 + 1e-9
    if isinstance(within, Interval):
        assert isinstance(beyond, Interval)
        assert (within.estimate, within.low) == pytest.approx(
            (1 - beyond.estimate, 1 - beyond.high)
        )


@given(
    st.lists(st.tuples(st.integers(0, 2_000), st.floats(0, 1)), min_size=1, max_size=6),
    st.integers(1, 3_000),
)
def test_an_allocation_draws_what_was_asked_for(parts: list[tuple[int, float]], n: int) -> None:
    """As many as asked for or as there are, none from nowhere, and every stratum gets its part."""
    sizes = [size for size, _ in parts]
    drawn = allocate(sizes, [p for _, p in parts], n)
    assert sum(drawn) == min(n, sum(sizes))
    filled = sum(size > 0 for size in sizes)
    for size, count in zip(sizes, drawn, strict=True):
        assert min(size, n // (2 * max(filled, 1))) <= count <= size
    assert not any(math.isnan(count) for count in drawn)
