"""The day-by-day table."""

import datetime

import numpy as np
import polars as pl

from inhouse.core.clock import DAY_MS
from inhouse.engagement.activity import (
    MONTH_DAYS,
    WEEK_DAYS,
    Activity,
    Ints,
    actives,
    lifecycle,
)
from inhouse.engagement.aggregates import Aggregates
from inhouse.engagement.types import DayMetrics


def day_name(day: int) -> str:
    """A day since 1970 as people write it.

    >>> day_name(20_454)
    '2026-01-01'
    """
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=day)).isoformat()


def window_of(activity: Activity, today: int, count: int) -> Ints:
    """The last `count` days up to and with `today`, none before the first active one."""
    if len(activity.day) == 0:
        return np.zeros(0, np.int64)
    return np.arange(max(int(activity.day.min()), today - count + 1), today + 1)


def day_metrics(rows: Aggregates, activity: Activity, window: Ints) -> tuple[DayMetrics, ...]:
    """One entry for each of consecutive days; the last one is today and not complete."""
    if len(window) == 0:
        return ()
    table = (
        _people(activity, window)
        .join(_sums(rows.person_days), on="day", how="left")
        .join(_sessions(rows.sessions, window), on="day", how="left")
        .with_columns(
            pl.col("time_ms", "impressions", "likes", "hides", "reports", "sessions").fill_null(0)
        )
        .with_columns(
            stickiness=_per("dau", "mau"),
            sessions_per_person=_per("sessions", "dau"),
            time_ms_per_person=_per("time_ms", "dau"),
            hides_per_1k=1_000 * _per("hides", "impressions"),
            reports_per_1k=1_000 * _per("reports", "impressions"),
            complete=pl.col("day") < int(window[-1]),
        )
        .sort("day")
    )
    named = table.with_columns(day=pl.Series([day_name(day) for day in table["day"]]))
    return tuple(DayMetrics(**row) for row in named.iter_rows(named=True))


def _people(activity: Activity, window: Ints) -> pl.DataFrame:
    life = lifecycle(activity, window)
    columns = {
        "dau": actives(activity, window, 1),
        "wau": actives(activity, window, WEEK_DAYS),
        "mau": actives(activity, window, MONTH_DAYS),
        "new": life.new,
        "returning": life.returning,
        "resurrecting": life.resurrecting,
        "dormant": life.dormant,
    }
    return pl.DataFrame({"day": window, **columns})


def _sums(person_days: pl.DataFrame) -> pl.DataFrame:
    return person_days.group_by(pl.col("day").cast(pl.Int64)).agg(
        pl.col("time_ms", "impressions", "likes", "hides", "reports").sum()
    )


def _sessions(sessions: pl.DataFrame, window: Ints) -> pl.DataFrame:
    """A session belongs to the day on which it began, also where it crosses midnight."""
    length = pl.col("end_ms") - pl.col("start_ms")
    return (
        sessions.filter(pl.col("start_ms") >= int(window[0]) * DAY_MS)
        .group_by(day=pl.col("start_ms") // DAY_MS)
        .agg(
            sessions=pl.len(),
            session_ms_mean=length.mean(),
            session_ms_median=length.median(),
        )
    )


def _per(top: str, bottom: str) -> pl.Expr:
    """A ratio that is null where there is nothing to divide by."""
    return pl.when(pl.col(bottom) > 0).then(pl.col(top) / pl.col(bottom))
