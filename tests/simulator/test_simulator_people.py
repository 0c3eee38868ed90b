"""The laws people live by."""

import numpy as np
from simulator_fakes import START_MS

from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.random import stream
from inhouse.simulator import people


def test_a_longer_draw_begins_with_the_same_people() -> None:
    """Newcomers change nobody who is there already."""
    few, many = people.draw_traits(3, 100), people.draw_traits(3, 900)
    for name in people.Traits.__slots__:
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:100])


def test_tastes_return_to_their_home() -> None:
    """A gap of a whole unit shrinks by e^-DRIFT_PER_DAY a day on average."""
    traits = people.draw_traits(1, 2_000)
    moods = people.newcomers(traits, 0, START_MS)
    moods.taste[:] = traits.taste_home + 1.0
    for day in range(1, 6):
        people.drift(moods, traits, stream(1, "drift", day))
    inside = np.abs(traits.taste_home) < people.TASTE_LIMIT - 2.0
    gap = float((moods.taste - traits.taste_home)[inside].mean())
    np.testing.assert_allclose(gap, np.exp(-5 * people.DRIFT_PER_DAY), atol=0.01)


def test_tastes_spread_as_far_as_promised() -> None:
    """After long drifting the spread around home is DRIFT_SPREAD."""
    traits = people.draw_traits(1, 1_000)
    moods = people.newcomers(traits, 0, START_MS)
    for day in range(1, 40):
        people.drift(moods, traits, stream(2, "drift", day))
    inside = np.abs(traits.taste_home) < people.TASTE_LIMIT - 2.0
    spread = float((moods.taste - traits.taste_home)[inside].std())
    np.testing.assert_allclose(spread, people.DRIFT_SPREAD, rtol=0.03)


def test_satisfied_people_come_more_and_leave_less() -> None:
    """Visits rise and the churn hazard falls with accumulated satisfaction, for everybody."""
    traits = people.draw_traits(1, 300)
    moods = people.newcomers(traits, 0, START_MS)
    rates, hazards = [], []
    for level in (0.2, 0.5, 0.8):
        moods.satisfaction[:] = level
        rates.append(people.visit_rates(moods, traits, START_MS + 18 * HOUR_MS))
        hazards.append(people.churn_hazards(moods))
    assert (rates[0] < rates[1]).all()
    assert (rates[1] < rates[2]).all()
    assert (hazards[0] > hazards[1]).all()
    assert (hazards[1] > hazards[2]).all()
    np.testing.assert_allclose(hazards[1], people.CHURN_PER_DAY)


def test_a_week_of_visits_adds_up_to_the_daily_rate() -> None:
    """Hours and weekdays move visits about; over a week of weekdays the mean is as declared."""
    traits = people.draw_traits(1, 200)
    moods = people.newcomers(traits, 0, START_MS)
    monday = sum(people.visit_rates(moods, traits, START_MS + h * HOUR_MS) for h in range(24, 48))
    np.testing.assert_allclose(monday, traits.visits_per_day, rtol=1e-4)


def test_weekends_and_nights_differ() -> None:
    """Saturday weighs as the person's trait says, and few come at four in the morning."""
    traits = people.draw_traits(1, 200)
    moods = people.newcomers(traits, 0, START_MS)
    noon = START_MS + 12 * HOUR_MS
    saturday = people.visit_rates(moods, traits, noon + 5 * DAY_MS)
    tuesday = people.visit_rates(moods, traits, noon + DAY_MS)
    np.testing.assert_allclose(saturday / tuesday, traits.weekend_weight, rtol=1e-5)
    evening = people.visit_rates(moods, traits, START_MS + 20 * HOUR_MS).sum()
    night = people.visit_rates(moods, traits, START_MS + 3 * HOUR_MS).sum()
    assert night < 0.25 * evening


def test_who_left_never_comes() -> None:
    """Churn is for good."""
    traits = people.draw_traits(1, 50)
    moods = people.newcomers(traits, 0, START_MS)
    moods.churned[:] = True
    assert not people.visit_rates(moods, traits, START_MS).any()
    assert not people.churn_hazards(moods).any()
    assert not people.return_chances(moods, traits).any()
