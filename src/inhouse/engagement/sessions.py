"""Sessions: a person's events with less than half an hour between them."""

from typing import Final

import polars as pl

from inhouse.core.clock import MINUTE_MS

GAP_MS: Final = 30 * MINUTE_MS
SCHEMA: Final = {"person": pl.UInt32(), "start_ms": pl.Int64(), "end_ms": pl.Int64()}


def no_sessions() -> pl.DataFrame:
    """An empty table of sessions: person, start_ms, end_ms."""
    return pl.DataFrame(schema=SCHEMA)


def merged(sessions: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Sessions after more events (columns person, at_ms), which may come in any order and late.

    Two stretches of a person are one session where the gap between them is at most GAP_MS. Merging
    stretches that already satisfy this is exact: in any order and any batches the result is the
    same as from all events at once.
    """
    if events.is_empty():
        return sessions
    fresh = events.select("person", start_ms=pl.col("at_ms"), end_ms=pl.col("at_ms"))
    # A session that ended more than a gap before the first new event can no longer change.
    horizon = int(fresh["start_ms"].min()) - GAP_MS  # type: ignore[arg-type]
    settled = pl.col("end_ms") < horizon
    joined = _join(pl.concat([sessions.filter(~settled), fresh]))
    return pl.concat([sessions.filter(settled), joined])


def _join(stretches: pl.DataFrame) -> pl.DataFrame:
    reach = pl.col("end_ms").cum_max().shift(1).over("person")
    starts_anew = reach.is_null() | (pl.col("start_ms") - reach > GAP_MS)
    return (
        stretches.sort("person", "start_ms")
        .with_columns(session=starts_anew.cum_sum())
        .group_by("session", maintain_order=True)
        .agg(pl.col("person").first(), pl.col("start_ms").min(), pl.col("end_ms").max())
        .select(*SCHEMA)
    )
