"""What the people of one experiment did since each of them was first exposed.

Kept up to date event by event. Exposures and events are two logs: an event may be read before its
person's exposure is. So events of people not (yet) exposed wait for two hours; an exposure that
turns up later than that makes everything be read again (`missed`).
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import sqlalchemy as sa

from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.engagement.experiments.types import REMOVALS, Experiment
from inhouse.engagement.reading import Codes, event_chunks, last_offset
from inhouse.engagement.sessions import merged, no_sessions
from inhouse.events.types import TIMED_KINDS
from inhouse.stats.types import Bools, Floats, Ints
from inhouse.store import tables
from inhouse.store.database import Database

_COUNTED: Final = {
    "impressions": "impression",
    "likes": "like",
    "hides": "hide",
    "reports": "report",
}
_WAIT_MS: Final = 2 * HOUR_MS
_MOST_RETURN_DAYS: Final = 63
_EXPOSURES: Final = {
    "log_offset": pl.Int64(),
    "user_id": pl.String(),
    "arm": pl.String(),
    "at_ms": pl.Int64(),
}
_WAITING: Final = {
    "user_id": pl.String(),
    "at_ms": pl.Int64(),
    "kind": pl.String(),
    "item_id": pl.String(),
    "value": pl.Float64(),
}
_SEEN: Final = {"person": pl.UInt32(), "post": pl.UInt32(), "times": pl.Int64()}


class Gathered:
    """Sums per exposed person, up to an offset of both logs. Arrays are indexed by person."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.event_offset = experiment.log_offset
        self.exposure_offset = 0
        self.people = Codes()
        self.arm: Ints = np.zeros(0, np.int64)  # index of the first arm seen
        self.exposed_ms: Ints = np.zeros(0, np.int64)  # first exposure
        self.several: Bools = np.zeros(0, np.bool_)  # exposed to more than one arm
        self.sums: dict[str, Floats] = {name: np.zeros(0) for name in ("time_ms", *_COUNTED)}
        self._came_back: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)  # a bit a day since
        self._sessions = no_sessions()
        self._posts = Codes()
        self._seen = pl.DataFrame(schema=_SEEN)
        self._waiting = pl.DataFrame(schema=_WAITING)
        self._waits_since_ms = experiment.started_ms

    def returned_on(self, day: int) -> Bools:
        """Who did anything in the 24 hours that begin `day` times 24 hours after exposure."""
        return np.asarray((self._came_back >> np.uint64(day)) & np.uint64(1), dtype=np.bool_)

    def sessions(self) -> Floats:
        """Sessions since exposure, per person."""
        found = np.bincount(self._sessions["person"].to_numpy(), minlength=len(self.people))
        return found.astype(np.float64)

    def impressions_of(self, posts: set[str]) -> Floats:
        """Impressions since exposure of some posts, per person; counted where REMOVALS is asked."""
        codes = self._posts.known(pl.Series(sorted(posts), dtype=pl.String)).drop_nulls()
        rows = self._seen.filter(pl.col("post").is_in(codes.implode()))
        people, times = rows["person"].to_numpy(), rows["times"].to_numpy()
        found = np.bincount(people, weights=times, minlength=len(self.people))
        return found.astype(np.float64)

    def missed(self, exposures: pl.DataFrame) -> bool:
        """Whether somebody's exposure lies before the events that still wait."""
        has_read = self.event_offset > self.experiment.log_offset
        return has_read and bool((exposures["at_ms"] < self._waits_since_ms).any())

    def expose(self, exposures: pl.DataFrame) -> None:
        """Take in new exposures, in the order of their log, and the events that waited for them."""
        if exposures.is_empty():
            return
        self.exposure_offset = int(exposures["log_offset"][-1])
        keys = [arm.key for arm in self.experiment.arms]
        rows = exposures.filter(pl.col("arm").is_in(keys)).with_columns(
            arm=pl.col("arm").replace_strict(keys, list(range(len(keys))), return_dtype=pl.Int64)
        )
        known = len(self.people)
        rows = rows.with_columns(person=self.people.of(rows["user_id"]).cast(pl.Int64))
        first = rows.filter(pl.col("person") >= known).unique("person", keep="first").sort("person")
        self._admit(first)
        person, arm = rows["person"].to_numpy(), rows["arm"].to_numpy()
        self.several[person[self.arm[person] != arm]] = True
        theirs = pl.col("user_id").is_in(first["user_id"].implode())
        self._count(self._waiting.filter(theirs))
        self._waiting = self._waiting.filter(~theirs)

    def fold(self, events: pl.DataFrame) -> None:
        """Take in the next events of the log."""
        self.event_offset = int(events["log_offset"][-1])
        stopped_ms = self.experiment.stopped_ms
        rows = events.select(*_WAITING)
        if stopped_ms is not None:
            rows = rows.filter(pl.col("at_ms") < stopped_ms)
        exposed = self.people.known(rows["user_id"]).is_not_null()
        self._count(rows.filter(exposed))
        late = pl.col("at_ms") < self._waits_since_ms
        self._waiting = pl.concat([self._waiting, rows.filter(~exposed).filter(~late)])

    def forget(self, now_ms: int) -> None:
        """Let go of waiting events that are too old to be anybody's."""
        self._waits_since_ms = max(self._waits_since_ms, now_ms - _WAIT_MS)
        self._waiting = self._waiting.filter(pl.col("at_ms") >= self._waits_since_ms)

    def _admit(self, first: pl.DataFrame) -> None:
        """Make room for people exposed for the first time, in the order of their codes."""
        zeros = np.zeros(len(first))
        self.arm = np.concatenate((self.arm, first["arm"].to_numpy()))
        self.exposed_ms = np.concatenate((self.exposed_ms, first["at_ms"].to_numpy()))
        self.several = np.concatenate((self.several, zeros.astype(np.bool_)))
        self._came_back = np.concatenate((self._came_back, zeros.astype(np.uint64)))
        self.sums = {name: np.concatenate((sums, zeros)) for name, sums in self.sums.items()}

    def _count(self, rows: pl.DataFrame) -> None:
        """Add the events of exposed people that lie behind their exposure."""
        person = self.people.known(rows["user_id"]).cast(pl.Int64)
        since = pl.Series(rows["at_ms"].to_numpy() - self.exposed_ms[person.to_numpy()])
        behind = rows.with_columns(person=person, since_ms=since).filter(pl.col("since_ms") >= 0)
        timed = behind.filter(pl.col("kind").is_in(list(TIMED_KINDS)))
        self._add("time_ms", timed, timed["value"])
        for name, kind in _COUNTED.items():
            self._add(name, behind.filter(pl.col("kind") == kind))
        day = np.minimum(behind["since_ms"].to_numpy() // DAY_MS, _MOST_RETURN_DAYS)
        bits = np.left_shift(np.uint64(1), day.astype(np.uint64))
        np.bitwise_or.at(self._came_back, behind["person"].to_numpy(), bits)
        self._sessions = merged(
            self._sessions, behind.select(pl.col("person").cast(pl.UInt32), "at_ms")
        )
        if REMOVALS in self.experiment.measured:
            self._see(behind.filter(pl.col("kind") == "impression"))

    def _add(self, name: str, rows: pl.DataFrame, values: pl.Series | None = None) -> None:
        weights = None if values is None else values.to_numpy()
        self.sums[name] += np.bincount(
            rows["person"].to_numpy(), weights=weights, minlength=len(self.people)
        )

    def _see(self, impressions: pl.DataFrame) -> None:
        rows = impressions.drop_nulls("item_id")
        fresh = rows.select(
            pl.col("person").cast(pl.UInt32),
            post=self._posts.of(rows["item_id"]),
            times=pl.lit(1, pl.Int64),
        )
        self._seen = (
            pl.concat([self._seen, fresh]).group_by("person", "post").agg(pl.col("times").sum())
        )


def gather(
    database: Database, experiment: Experiment, known: Gathered | None, now_ms: int
) -> Gathered:
    """Bring what is known of an experiment up to date; reads only what was appended since.

    Only events that were durable before the exposures are read: so nobody's first events are
    folded before their exposure is known, however the two logs interleave.
    """
    gathered = known or Gathered(experiment)
    until = last_offset(database)
    exposures = _exposures(database, experiment.key, gathered.exposure_offset)
    if gathered.missed(exposures):
        return gather(database, experiment, None, now_ms)
    gathered.expose(exposures)
    for chunk in event_chunks(database, gathered.event_offset, until):
        gathered.fold(chunk)
    gathered.forget(now_ms)
    return gathered


def _exposures(database: Database, key: str, after: int) -> pl.DataFrame:
    table = tables.exposures.c
    query = (
        sa.select(*(table[name] for name in _EXPOSURES))
        .where(table.experiment == key, table.log_offset > after)
        .order_by(table.log_offset)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    return pl.DataFrame(rows, schema=_EXPOSURES, orient="row")
