"""How attention is spread over posts and creators."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
import sqlalchemy as sa

from inhouse.engagement.activity import Ints
from inhouse.engagement.aggregates import Aggregates
from inhouse.engagement.reading import Codes
from inhouse.engagement.types import CreatorMetrics
from inhouse.stats.ranking import gini
from inhouse.stats.types import Floats, NotEnough
from inhouse.store import tables
from inhouse.store.database import Database

_IDS_AT_ONCE: Final = 500
_UNKNOWN: Final = -1


class Creators:
    """Remembers who made each post that was ever seen, so that the catalog is asked once a post."""

    def __init__(self) -> None:
        self._codes = Codes()
        self._creator_of: list[int] = []  # post code -> creator code
        self._posts = 0  # in the catalog when it was last asked

    def metrics(self, database: Database, rows: Aggregates, window: Ints) -> CreatorMetrics:
        """Impressions of the days of `window` over the catalog as it is now."""
        posts, creators = _catalog_counts(database)
        self._learn(database, rows.posts.names, posts)
        seen = _impressions(rows, window)
        creator_of = np.asarray(self._creator_of, dtype=np.int64)
        known = np.flatnonzero((seen > 0) & (creator_of != _UNKNOWN))
        by_creator = np.bincount(creator_of[known], weights=seen[known])
        posts_seen, creators_seen = len(known), int((by_creator > 0).sum())
        return CreatorMetrics(
            posts=posts,
            posts_seen=posts_seen,
            share_seen=posts_seen / posts if posts else None,
            creators=creators,
            creators_seen=creators_seen,
            impressions=int(seen.sum()),
            gini_posts=_inequality(seen[known].astype(np.float64), posts),
            gini_creators=_inequality(by_creator[by_creator > 0].astype(np.float64), creators),
        )

    def _learn(self, database: Database, names: Sequence[str], posts: int) -> None:
        """Ask for posts new to us, and again for those unknown before where the catalog grew."""
        again = range(len(self._creator_of)) if posts != self._posts else ()
        ask = [code for code in again if self._creator_of[code] == _UNKNOWN]
        ask.extend(range(len(self._creator_of), len(names)))
        self._creator_of.extend([_UNKNOWN] * (len(names) - len(self._creator_of)))
        self._posts = posts
        for start in range(0, len(ask), _IDS_AT_ONCE):
            codes = ask[start : start + _IDS_AT_ONCE]
            made_by = _creators_of(database, [names[code] for code in codes])
            for code in codes:
                creator = made_by.get(names[code])
                if creator is not None:
                    self._creator_of[code] = self._codes.code(creator)


def _creators_of(database: Database, posts: Sequence[str]) -> dict[str, str]:
    items = tables.items.c
    query = sa.select(items.item_id, items.creator_id).where(items.item_id.in_(posts))
    with database.read() as connection:
        return {row.item_id: row.creator_id for row in connection.execute(query)}


def _catalog_counts(database: Database) -> tuple[int, int]:
    creator = tables.items.c.creator_id
    query = sa.select(sa.func.count(), sa.func.count(sa.distinct(creator))).select_from(
        tables.items
    )
    with database.read() as connection:
        posts, creators = connection.execute(query).one()
    return int(posts), int(creators)


def _impressions(rows: Aggregates, window: Ints) -> Ints:
    """Impressions within the window, per post code."""
    total = np.zeros(len(rows.posts), dtype=np.int64)
    if len(window) == 0:
        return total
    inside = rows.post_days.filter(pl.col("day").is_between(int(window[0]), int(window[-1])))
    np.add.at(total, inside["post"].to_numpy(), inside["impressions"].to_numpy())
    return total


def _inequality(seen: Floats, of_all: int) -> float | None:
    """Gini over `of_all` things of which those not in `seen` got nothing."""
    if of_all < 1:
        return None
    found = gini(np.concatenate((seen, np.zeros(max(0, of_all - len(seen))))))
    return None if isinstance(found, NotEnough) else found
