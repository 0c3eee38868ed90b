"""Worlds in which it is known how good the predictions are."""

from typing import Any

import numpy as np
import pytest

from inhouse.core.random import stream
from inhouse.learning.measuring.calibration_report import (
    Figure,
    Judging,
    ProbabilityReport,
    SliceReport,
    judge_foreseen,
)
from inhouse.learning.measuring.foreseen import Foreseen
from inhouse.stats.types import Interval, NotEnough

N, PEOPLE = 8_000, 200


def _world(n: int = N, **given: Any) -> Foreseen:
    """Everybody is told the truth, to which each click is one throw; dwell is as predicted."""
    dice = stream(1, "foreseen")
    p = dice.beta(1, 9, n)
    dwell_ms = 20_000 * p
    truth: dict[str, Any] = {
        "people": np.arange(n) % PEOPLE,
        "models": np.zeros(n, dtype=np.int64),
        "snapshot_ids": ("snap-1",),
        "position": np.arange(n) % 20,
        "explored": np.zeros(n, dtype=np.bool_),
        "propensity": np.ones(n),
        "item_impressions": np.full(n, 1_000.0),
        "person_actions": np.full(n, 50.0),
        "predicted": {"p_click": p, "p_like": p, "p_hide": p, "dwell_ms": dwell_ms},
        "happened": {name: dice.random(n) < p for name in ("p_click", "p_like", "p_hide")},
        "dwell_ms": dwell_ms.copy(),
    }
    return Foreseen(**{**truth, **given})


def _judged(world: Foreseen) -> tuple[SliceReport, ...]:
    return judge_foreseen(world, Judging(draws=40))


def _clicks(part: SliceReport) -> ProbabilityReport:
    return part.probabilities[0]


def _said(world: Foreseen, p: np.ndarray) -> Foreseen:  # type: ignore[type-arg]
    return _world(predicted={**world.predicted, "p_click": p})


def _interval(figure: Figure) -> Interval:
    assert isinstance(figure.range, Interval)
    return figure.range


def _slice(reports: tuple[SliceReport, ...], name: str) -> SliceReport:
    return next(part for part in reports if part.name == name)


def _number(value: float | NotEnough) -> float:
    assert isinstance(value, float)
    return value


def test_who_tells_the_truth_is_found_right() -> None:
    """The ratio is 1 within its range, bins hold what they say, and it tells more than the rate."""
    found = _clicks(_judged(_world())[0])

    ratio = _interval(found.ratio)
    assert ratio.low < 1 < ratio.high
    assert ratio.high - ratio.low < 0.2
    assert sum(row.rate.low <= row.p_mean <= row.rate.high for row in found.bins) >= 8
    assert sum(row.n for row in found.bins) == found.n == N
    assert _interval(found.normalised_entropy).high < 1
    assert _interval(found.auc).low > 0.6
    assert _number(found.average_precision) > 1.3 * _number(found.rate.value)
    assert _number(found.ece) < 0.015


def test_twice_too_much_is_a_ratio_of_two_and_the_same_order() -> None:
    """Calibration suffers, the order does not: the area is the same to the last bit."""
    world = _world()
    right = _clicks(_judged(world)[0])
    off = _clicks(_judged(_said(world, np.minimum(2 * world.predicted["p_click"], 1)))[0])

    assert _number(off.ratio.value) == pytest.approx(2, abs=0.2)
    assert _interval(off.ratio).low > 1.5
    assert _number(off.ece) == pytest.approx(_number(off.rate.value), abs=0.02)
    assert _number(off.auc.value) == pytest.approx(_number(right.auc.value), abs=1e-3)
    assert _number(off.log_loss.value) > _number(right.log_loss.value)
    assert _number(off.brier.value) > _number(right.brier.value)


def test_a_backward_order_is_told_by_the_area_and_by_the_dwell() -> None:
    """Whoever is likeliest is given least: below a half, worse than the plain rate, rho -1."""
    world = _world()
    p = world.predicted["p_click"]
    order = np.argsort(p)
    backward = np.empty(N)
    backward[order] = p[order[::-1]]
    told = {**world.predicted, "p_click": backward, "dwell_ms": -world.dwell_ms + 1e6}

    every = _judged(_world(predicted=told))[0]

    assert _interval(_clicks(every).auc).high < 0.5
    assert _interval(_clicks(every).normalised_entropy).low > 1
    assert every.dwell.rank_correlation.value == pytest.approx(-1)
    assert _judged(world)[0].dwell.rank_correlation.value == pytest.approx(1)
    assert _judged(world)[0].dwell.ratio.value == pytest.approx(1)


def test_one_person_has_figures_without_ranges() -> None:
    """What one person did says nothing of how people vary."""
    found = _clicks(_judged(_world(people=np.zeros(N, dtype=np.int64)))[0])

    lacking = NotEnough(reason="fewer than two people or groups", have=1, need=2)
    assert _number(found.ratio.value) == pytest.approx(1, abs=0.1)
    assert {found.ratio.range, found.auc.range, found.rate.range} == {lacking}


def test_people_count_not_impressions() -> None:
    """A hundred places of each of few people are worth less than as many people's."""
    few = _world(people=np.arange(N) // (N // 4))
    alike = _world(
        people=np.arange(N) // (N // 4),
        happened={**few.happened, "p_click": np.arange(N) < N // 4},
    )
    ranges = [_interval(_clicks(_judged(world)[0]).rate) for world in (few, alike)]

    assert ranges[1].high - ranges[1].low > 5 * (ranges[0].high - ranges[0].low)


def test_without_a_click_nothing_is_made_up() -> None:
    """The rate is 0, for that was seen; what would divide by it says why it cannot be told."""
    none = {name: np.zeros(N, dtype=np.bool_) for name in ("p_click", "p_like", "p_hide")}

    found = _clicks(_judged(_world(happened=none))[0])

    assert found.rate.value == 0.0
    assert found.ratio.value == NotEnough(reason="it never happened", need=1)
    for value in (found.auc.value, found.average_precision):
        assert value == NotEnough(reason="only one class occurs", have=N)
    assert found.normalised_entropy.value == NotEnough(reason="only one outcome occurs", have=N)


def test_places_given_by_chance_are_apart_and_weighed() -> None:
    """Chance favoured what is clicked three times as often: undone, the ratio is right, which is
    that of an even choice; the ranker's places have none of it."""
    dice = stream(2, "chance")
    good = dice.random(N) < 0.75  # an even choice would take a half of them
    rate = np.where(good, 0.3, 0.1)
    clicked = dice.random(N) < rate
    world = _world(
        explored=np.ones(N, dtype=np.bool_),
        propensity=np.where(good, 0.75, 0.25),
        predicted={**_world().predicted, "p_click": np.full(N, 0.2)},
        happened={**_world().happened, "p_click": clicked},
    )

    reports = _judged(world)
    found = _clicks(_slice(reports, "given by chance"))

    assert _number(found.ratio.value) == pytest.approx(0.2 / 0.25, abs=0.04)
    assert _number(found.ratio_weighted.value) == pytest.approx(1.0, abs=0.07)
    nothing = _slice(reports, "given by the ranker")
    assert (nothing.n, nothing.people) == (0, 0)
    assert isinstance(_clicks(nothing).rate.value, NotEnough)
    assert isinstance(_clicks(nothing).ratio_weighted.value, NotEnough)
    assert isinstance(nothing.dwell.seen_ms.value, NotEnough)


def test_slices_hold_what_they_say() -> None:
    """Places, the cold and the models each count every place once; who is off is found there."""
    numbers = np.arange(N)
    p = _world().predicted["p_click"].copy()
    cold = numbers % 4 == 0
    p[cold] *= 3
    world = _world(
        predicted={**_world().predicted, "p_click": np.minimum(p, 1)},
        item_impressions=np.where(cold, 3.0, 80.0),
        person_actions=np.where(numbers % 10 == 0, 0.0, 9.0),
        models=numbers % 12,
        snapshot_ids=(None, *(f"snap-{k:02}" for k in range(1, 12))),
    )

    reports = _judged(world)

    sizes = {
        kind: sum(r.n for r in reports if r.slices == kind)
        for kind in ("chance", "place", "item", "person", "model")
    }
    assert set(sizes.values()) == {N}
    assert _slice(reports, "place 1").n == N // 20
    assert _slice(reports, "people with fewer than 5 actions").n == N // 10
    off, right = (
        _slice(reports, "posts with fewer than 50 impressions"),
        _slice(reports, "known posts"),
    )
    assert _number(_clicks(off).ratio.value) > 2.2
    assert _number(_clicks(right).ratio.value) == pytest.approx(1, abs=0.15)
    models = [r.name for r in reports if r.slices == "model"]
    assert models == [
        *(f"snap-{k:02}" for k in range(11, 3, -1)),
        "3 earlier models",
        "no model yet",
    ]
