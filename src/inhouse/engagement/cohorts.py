"""Who came back: returns on exactly the first, seventh and thirtieth day after the first."""

from typing import Final

import numpy as np

from inhouse.engagement.activity import Activity, Ints, newcomers, returns
from inhouse.engagement.days import day_name
from inhouse.engagement.types import Cohort, Retention, Return
from inhouse.stats.intervals import wilson
from inhouse.stats.types import Interval

RETURN_DAYS: Final = (1, 7, 30)


def cohorts(activity: Activity, window: Ints) -> tuple[Cohort, ...]:
    """A cohort for each of consecutive days, today last, on which somebody was new."""
    if len(window) == 0:
        return ()
    people = newcomers(activity, window)
    came = {after: returns(activity, window, after) for after in RETURN_DAYS}
    today = int(window[-1])

    def of(i: int, after: int) -> Return | None:
        is_over = int(window[i]) + after < today
        return _return(int(people[i]), int(came[after][i])) if is_over else None

    return tuple(
        Cohort(
            day=day_name(int(day)), people=int(people[i]), d1=of(i, 1), d7=of(i, 7), d30=of(i, 30)
        )
        for i, day in enumerate(window)
        if people[i]
    )


def retention(activity: Activity, today: int, days: int) -> Retention:
    """All returns that fell into the last `days` days that are over, together."""

    def of(after: int) -> Return | None:
        first_days = np.arange(today - days - after, today - after)
        people = int(newcomers(activity, first_days).sum())
        return _return(people, int(returns(activity, first_days, after).sum()))

    return Retention(d1=of(1), d7=of(7), d30=of(30))


def _return(people: int, came_back: int) -> Return | None:
    rate = wilson(came_back, people)
    if not isinstance(rate, Interval):
        return None
    return Return(people=people, came_back=came_back, rate=rate)
