"""Metrics over the log, cheap to ask for often."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inhouse.catalog.erasures import News, marked
from inhouse.core.clock import DAY_MS
from inhouse.core.errors import InputError
from inhouse.engagement.activity import Ints, active_day_counts, activity_until
from inhouse.engagement.aggregates import Aggregates
from inhouse.engagement.checkpoint import load, save
from inhouse.engagement.cohorts import cohorts, retention
from inhouse.engagement.creators import Creators
from inhouse.engagement.days import day_metrics, window_of
from inhouse.engagement.types import Cohort, DayMetrics, Engagement, Retention
from inhouse.store.database import Database

MOST_DAYS: Final = 1_000
CHECKPOINT: Final = "engagement.bin"
SAVE_EVERY: Final = 500_000  # events: about four seconds of reading


class Metrics:
    """Engagement of one community. The log is read once; later asks read only what is new.

    Safe to use from several threads: one asks, the others wait. Given a data folder, what was read
    is kept there now and then, and the next process goes on from it.
    """

    def __init__(self, database: Database, folder: Path | None = None) -> None:
        self._database = database
        self._file = None if folder is None else folder / CHECKPOINT
        self._aggregates = Aggregates()
        self._saved_offset: int | None = None  # None before the first ask
        self._news = News(database, 0)
        self._creators = Creators()
        self._lock = threading.Lock()
        self._people: tuple[tuple[int, int, int], _People] | None = None

    def engagement(self, now_ms: int, days: int = 30) -> Engagement:
        """The picture at `now_ms` over the last `days` days, today included.

        What the log says of days after `now_ms` is left out until they come.
        Raises InputError where `days` is not 1 to MOST_DAYS.
        """
        if not 1 <= days <= MOST_DAYS:
            raise InputError(f"days is {days}, expected 1 to {MOST_DAYS}")
        with self._lock:
            self._catch_up()
            return self._picture(now_ms, days)

    def _catch_up(self) -> None:
        if self._saved_offset is None:
            known = None if self._file is None else load(self._database, self._file)
            self._aggregates = known or self._aggregates
            # An empty picture has nobody to forget.
            self._news = News(self._database, self._aggregates.change_offset if known else None)
            self._saved_offset = self._aggregates.log_offset
        self._forget_erased()
        self._aggregates.catch_up(self._database)
        if self._file and self._aggregates.log_offset - self._saved_offset >= SAVE_EVERY:
            save(self._aggregates, self._database, self._file)
            self._saved_offset = self._aggregates.log_offset

    def _forget_erased(self) -> None:
        """Before the log is read: who is erased by then is in it no more."""
        for mark in self._news.fresh():
            for name in marked(mark, self._aggregates.people.names):
                self._aggregates.forget(name)
            self._creators, self._people = Creators(), None
        self._aggregates.change_offset = self._news.offset

    def _picture(self, now_ms: int, days: int) -> Engagement:
        rows, today = self._aggregates, now_ms // DAY_MS
        key = (rows.log_offset, today, days)
        if self._people is None or self._people[0] != key:
            self._people = key, _people(rows, today, days)
        people = self._people[1]
        return Engagement(
            at_ms=now_ms,
            log_offset=rows.log_offset,
            days=people.days,
            retention=people.retention,
            cohorts=people.cohorts,
            active_days=people.active_days,
            creators=self._creators.metrics(self._database, rows, people.window),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _People:
    """What does not change until the next event or the next day."""

    window: Ints  # the days
    days: tuple[DayMetrics, ...]  # one a day
    retention: Retention  # of the window
    cohorts: tuple[Cohort, ...]  # one a day with newcomers
    active_days: tuple[int, ...]  # people by days of the last 28


def _people(rows: Aggregates, today: int, days: int) -> _People:
    activity = activity_until(rows.person_days, today)
    window = window_of(activity, today, days)
    return _People(
        window=window,
        days=day_metrics(rows, activity, window),
        retention=retention(activity, today, days),
        cohorts=cohorts(activity, window),
        active_days=tuple(active_day_counts(activity, today).tolist()),
    )
