"""What metrics need of the log, kept by day and brought up to date event by event.

Three small tables stand for the log: a row per person and day, a row per post and day, a row per
session. All three can take events late and out of order, and do not depend on how the log is cut
into chunks.
"""

from typing import Final

import polars as pl

from inhouse.core.clock import DAY_MS
from inhouse.engagement.reading import Codes, event_chunks, last_offset
from inhouse.engagement.sessions import merged, no_sessions
from inhouse.events.types import TIMED_KINDS
from inhouse.store.database import Database

_COUNTED: Final = {
    "impressions": "impression",
    "likes": "like",
    "hides": "hide",
    "reports": "report",
}
_PERSON_DAYS: Final = {
    "day": pl.Int32(),
    "person": pl.UInt32(),
    "time_ms": pl.Float64(),
    **{name: pl.Int64() for name in _COUNTED},
}
_POST_DAYS: Final = {"day": pl.Int32(), "post": pl.UInt32(), "impressions": pl.Int64()}


class Aggregates:
    """The log by day, up to an offset."""

    def __init__(self) -> None:
        self.log_offset = 0
        self.change_offset = 0  # erasures up to here are heeded
        self.people = Codes()
        self.posts = Codes()
        self.person_days = pl.DataFrame(schema=_PERSON_DAYS)
        self.post_days = pl.DataFrame(schema=_POST_DAYS)
        self.sessions = no_sessions()

    def catch_up(self, database: Database) -> None:
        """Take in everything that was appended since the last time; reads nothing else."""
        for chunk in event_chunks(database, self.log_offset, last_offset(database)):
            self._fold(chunk)
            self.log_offset = int(chunk["log_offset"][-1])

    def forget(self, name: str) -> None:
        """Know nothing of somebody any more; which posts were seen stays counted."""
        code = self.people.forget(name)
        if code is not None:
            self.person_days = self.person_days.filter(pl.col("person") != code)
            self.sessions = self.sessions.filter(pl.col("person") != code)

    def _fold(self, events: pl.DataFrame) -> None:
        coded = events.select(
            "at_ms",
            "kind",
            day=(pl.col("at_ms") // DAY_MS).cast(pl.Int32),
            person=self.people.of(events["user_id"]),
            post=self.posts.of(events["item_id"]),
            value=pl.col("value"),
        )
        seen = coded.filter(pl.col("kind") == "impression")
        self.person_days = _added(self.person_days, _by_person(coded), "person")
        self.post_days = _added(self.post_days, _by_post(seen), "post")
        self.sessions = merged(self.sessions, coded.select("person", "at_ms"))


def _by_person(events: pl.DataFrame) -> pl.DataFrame:
    time = pl.when(pl.col("kind").is_in(list(TIMED_KINDS))).then(pl.col("value")).sum()
    counts = {name: (pl.col("kind") == kind).sum() for name, kind in _COUNTED.items()}
    rows = events.group_by("day", "person").agg(time_ms=time, **counts)
    return rows.select(pl.col(name).cast(kind) for name, kind in _PERSON_DAYS.items())


def _by_post(seen: pl.DataFrame) -> pl.DataFrame:
    rows = seen.drop_nulls("post").group_by("day", "post").agg(impressions=pl.len())
    return rows.select(pl.col(name).cast(kind) for name, kind in _POST_DAYS.items())


def _added(table: pl.DataFrame, fresh: pl.DataFrame, key: str) -> pl.DataFrame:
    """The sums of both; only days that `fresh` touches are worked on."""
    if fresh.is_empty():
        return table
    touched = pl.col("day") >= fresh["day"].min()
    sums = pl.concat([table.filter(touched), fresh]).group_by("day", key).sum()
    return pl.concat([table.filter(~touched), sums.select(table.columns)])
