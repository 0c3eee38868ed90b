"""From a row per person and day to actives, lifecycle and returns. Pure; days are integers."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
WEEK_DAYS: Final = 7
MONTH_DAYS: Final = 28
_NEVER: Final = 2**31  # later than any day


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """Who was active when: one entry per person and day, by person and then by day."""

    person: Ints  # dense codes
    day: Ints  # days since 1970, rising within a person
    previous: Ints  # the person's active day before, -1 where this is the first
    following: Ints  # the person's next active day, far in the future where there is none
    first: Ints  # the person's first active day


def activity_until(person_days: pl.DataFrame, today: int) -> Activity:
    """Activity of all people up to and with `today`; what lies in the future is left out."""
    rows = person_days.filter(pl.col("day") <= today).sort("person", "day")
    person = rows["person"].to_numpy().astype(np.int64)
    day = rows["day"].to_numpy().astype(np.int64)
    opens, closes = np.ones(len(day), np.bool_), np.ones(len(day), np.bool_)
    opens[1:] = closes[:-1] = person[1:] != person[:-1]
    return Activity(
        person=person,
        day=day,
        previous=np.where(opens, -1, np.roll(day, 1)),
        following=np.where(closes, _NEVER, np.roll(day, -1)),
        first=day[opens][np.cumsum(opens) - 1],
    )


def actives(activity: Activity, days: Ints, window: int) -> Ints:
    """How many people were active in the `window` days up to and with each of consecutive `days`.

    An active day keeps its person active until `window` days later or the next active day, which
    then takes over: so nobody is counted twice, and one pass over the rows is enough.
    """
    from_day, until = activity.day, np.minimum(activity.day + window, activity.following)
    start = np.clip(from_day - days[0], 0, len(days))
    end = np.clip(until - days[0], 0, len(days))
    change = np.zeros(len(days) + 1, np.int64)
    np.add.at(change, start, 1)
    np.add.at(change, end, -1)
    return np.cumsum(change)[:-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lifecycle:
    """People by what their activity means, one entry a day."""

    new: Ints  # never seen before
    returning: Ints  # active the day before too
    resurrecting: Ints  # seen before, not the day before
    dormant: Ints  # active the day before, not on the day


def lifecycle(activity: Activity, days: Ints) -> Lifecycle:
    """New, returning, resurrecting and dormant people on each of consecutive `days`."""
    is_new = activity.previous < 0
    came_again = ~is_new & (activity.previous == activity.day - 1)
    left = activity.following > activity.day + 1
    return Lifecycle(
        new=_per_day(activity.day[is_new], days),
        returning=_per_day(activity.day[came_again], days),
        resurrecting=_per_day(activity.day[~is_new & ~came_again], days),
        dormant=_per_day(activity.day[left] + 1, days),
    )


def newcomers(activity: Activity, days: Ints) -> Ints:
    """How many people had their first day on each of consecutive `days`."""
    return _per_day(activity.day[activity.previous < 0], days)


def returns(activity: Activity, days: Ints, after: int) -> Ints:
    """Of those first seen on each of `days`, how many were active exactly `after` days later."""
    return _per_day(activity.first[activity.day == activity.first + after], days)


def active_day_counts(activity: Activity, today: int, window: int = MONTH_DAYS) -> Ints:
    """People by the number of days, 1 to `window`, on which they were active of the last ones."""
    recent = activity.person[activity.day > today - window]
    per_person = np.bincount(recent) if len(recent) else np.zeros(0, np.int64)
    return np.bincount(per_person, minlength=window + 1)[1 : window + 1].astype(np.int64)


def _per_day(values: Ints, days: Ints) -> Ints:
    inside = values[(values >= days[0]) & (values <= days[-1])]
    return np.bincount(inside - days[0], minlength=len(days)).astype(np.int64)
