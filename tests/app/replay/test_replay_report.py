"""From ranks to figures: by hand on a few, with intervals over people."""

import numpy as np
import pytest

from inhouse.app.replay.report import Answers, standings_of
from inhouse.app.replay.types import ReplaySettings, Tally
from inhouse.stats.types import Interval, NotEnough

_FAR = np.iinfo(np.int64).max


def _answers() -> Answers:
    return Answers(
        ranks={
            "page": np.array([1, 2, _FAR, 11, 1, 3]),
            "order": np.array([1, 1, 5, 11, 1, 3]),
            "popular": np.array([4, _FAR, 1, 1, _FAR, 50]),
        },
        people=np.array([0, 0, 1, 1, 2, 2]),
        cold_people=np.array([True, False, True, False, False, False]),
        cold_items=np.array([False] * 6),
    )


def _estimate(measured: Interval | NotEnough) -> float:
    assert isinstance(measured, Interval)
    return measured.estimate


def test_hits_and_gains_are_means_over_questions() -> None:
    """HR@10 counts ranks up to ten, NDCG@10 weighs them by 1 / log2(rank + 1)."""
    standings, _ = standings_of(_answers(), ReplaySettings(windows=3))
    page, order, popular = standings

    assert [s.name for s in standings] == ["page", "order", "popular"]
    assert _estimate(page.overall.hit_rate) == pytest.approx(4 / 6)
    assert _estimate(page.overall.ndcg) == pytest.approx((1 + 1 / np.log2(3) + 1 + 0.5) / 6)
    assert _estimate(order.overall.hit_rate) == pytest.approx(5 / 6)
    assert _estimate(popular.overall.hit_rate) == pytest.approx(3 / 6)


def test_windows_are_stretches_of_time_with_as_many_questions() -> None:
    """Six questions in three windows are two each, in order."""
    page = standings_of(_answers(), ReplaySettings(windows=3))[0][0]

    assert [window.questions for window in page.windows] == [2, 2, 2]
    assert [window.hit_rate for window in page.windows] == [
        NotEnough(reason="fewer than two observations", have=1, need=2),
        NotEnough(reason="fewer than two observations", have=1, need=2),
        NotEnough(reason="fewer than two observations", have=1, need=2),
    ]


def test_cold_questions_stand_apart() -> None:
    """Those of new people, and those whose answer is new; none is said, not made up."""
    page = standings_of(_answers(), ReplaySettings())[0][0]

    assert page.cold_people.questions == 2
    assert _estimate(page.cold_people.hit_rate) == pytest.approx(1 / 2)
    nothing = NotEnough(reason="no questions", have=0, need=2)
    assert page.cold_items == Tally(questions=0, hit_rate=nothing, ndcg=nothing)


def test_differences_are_the_page_minus_each_baseline_on_the_same_questions() -> None:
    """The order before arranging is the feed's own and no baseline."""
    (difference,) = standings_of(_answers(), ReplaySettings())[1]

    assert difference.baseline == "popular"
    assert _estimate(difference.hit_rate) == pytest.approx(1 / 6)
    assert isinstance(difference.hit_rate, Interval)
    assert difference.hit_rate.low < 1 / 6 < difference.hit_rate.high


def test_intervals_resample_people_not_questions() -> None:
    """A thousand questions of two people are two observations: the interval stays wide."""
    hit, missed = np.ones(500, dtype=np.int64), np.full(500, _FAR)
    answers = Answers(
        ranks={"page": np.concatenate([hit, missed])},
        people=np.repeat([0, 1], 500),
        cold_people=np.zeros(1_000, dtype=np.bool_),
        cold_items=np.zeros(1_000, dtype=np.bool_),
    )
    (page,), _ = standings_of(answers, ReplaySettings())

    assert page.overall.hit_rate == Interval(estimate=0.5, low=0.0, high=1.0, level=0.95)


def test_no_questions_give_no_figures() -> None:
    """A recording in which nobody wants anything new has nothing to be scored on."""
    none = np.empty(0, dtype=np.int64)
    answers = Answers(
        ranks={}, people=none, cold_people=none.astype(bool), cold_items=none.astype(bool)
    )

    assert standings_of(answers, ReplaySettings()) == ((), ())
