"""Short lists over the whole catalogue, kept in order as it changes.

A request walks these instead of the catalogue, so it costs the same at a thousand items and at a
million. Each is exact and costs the fold next to nothing. They are part of the state: a fold over
the log, or `Shelves.rebuild` after a checkpoint. No reply stands on them: whatever part of a
community's items they are, they take no post's place.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from math import log2
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.features.items import HEAT_HALF_LIFE_MS, SLOW_HALF_LIFE_MS, ItemTable
from inhouse.features.rows import Rows, longer

NEWEST_KEPT: Final = 20_000
HOTTEST_KEPT: Final = 3_000
OF_CREATOR_KEPT: Final = 500
_NOBODY: Final = np.empty(0, dtype=np.int32)


class Newest:
    """The items posted last, in order of time; among equals the one that arrived first is first."""

    def __init__(self, most: int = NEWEST_KEPT) -> None:
        self._most = most
        self._times = np.empty(0, dtype=np.int64)  # oldest first
        self._rows = np.empty(0, dtype=np.int32)
        self._newest_first = _NOBODY

    def first(self, k: int) -> Rows:
        """int32[at most k], newest first."""
        if len(self._newest_first) != len(self._rows):
            self._newest_first = np.ascontiguousarray(self._rows[::-1])
        return self._newest_first[:k]

    def put(self, rows: Rows, created_ms: NDArray[np.int64]) -> None:
        """Take items in, each row once; one that is there already moves to its new time."""
        there = np.isin(self._rows, rows)
        if there.any():
            self._times, self._rows = self._times[~there], self._rows[~there]
        order = np.lexsort((-rows, created_ms))
        rows, created_ms = rows[order], created_ms[order]
        places = np.searchsorted(self._times, created_ms, side="left")
        self._times = np.insert(self._times, places, created_ms)[-self._most :]
        self._rows = np.insert(self._rows, places, rows)[-self._most :]
        self._newest_first = _NOBODY

    def drop(self, rows: Rows) -> None:
        """Let items go; nobody takes their places before something is posted."""
        kept = ~np.isin(self._rows, rows)
        self._times, self._rows = self._times[kept], self._rows[kept]
        self._newest_first = _NOBODY


class Hottest:
    """The items with the most heat, whatever the time is.

    Heat halves for all alike, so log2(heat) + time of heat / half-life orders items for ever and
    changes only for those that are warmed. What falls below the first `most` is let go; only being
    warmed brings it back, and then its key is compared again.
    """

    def __init__(self, half_life_ms: int, most: int = HOTTEST_KEPT) -> None:
        self._half_life_ms = half_life_ms
        self._most = most
        self._order: list[tuple[float, int]] = []  # (-key, row), hottest first
        self._keys: dict[int, float] = {}  # -key of each row in the order
        self._bar = np.inf  # -key that one must be below to come in
        self._rows = _NOBODY  # the start of the order, as far as it was asked for

    def first(self, k: int) -> Rows:
        """int32[at most k], hottest first; exact up to `most`."""
        there = min(k, self._most, len(self._order))
        if len(self._rows) < there:
            self._rows = np.array([row for _, row in self._order[:there]], dtype=np.int32)
        return self._rows[:there]

    def warmed(self, row: int, heat: float, heat_ms: int) -> None:
        """Hear that an item's heat rose."""
        key = -(log2(heat) + heat_ms / self._half_life_ms)
        old = self._keys.get(row)
        if old is None and key >= self._bar:
            return
        if old is not None:
            del self._order[bisect_left(self._order, (old, row))]
        insort(self._order, (key, row))
        self._keys[row] = key
        self._rows = _NOBODY
        if len(self._order) > 2 * self._most:
            self._let_go()

    def drop(self, row: int) -> None:
        """Let an item go; nobody takes its place before something is warmed."""
        key = self._keys.pop(row, None)
        if key is not None:
            del self._order[bisect_left(self._order, (key, row))]
            self._rows = _NOBODY

    def rebuild(self, heat: NDArray[np.float64], heat_ms: NDArray[np.int64]) -> None:
        """Start anew from all items."""
        rows = np.flatnonzero(heat > 0)
        keys = -(np.log2(heat[rows]) + heat_ms[rows] / self._half_life_ms)
        best = np.lexsort((rows, keys))[: self._most + 1]
        self._order = list(zip(keys[best].tolist(), rows[best].tolist(), strict=True))
        self._keys = {row: key for key, row in self._order}
        self._bar, self._rows = np.inf, _NOBODY
        if len(self._order) > self._most:
            self._let_go()

    def _let_go(self) -> None:
        for _, row in self._order[self._most :]:
            del self._keys[row]
        del self._order[self._most :]
        self._bar = self._order[-1][0]


class ByCreator:
    """The latest arrivals of each creator, and how often all their items were shown."""

    def __init__(self, kept: int = OF_CREATOR_KEPT) -> None:
        self._kept = kept
        self._rows: dict[int, array[int]] = {}
        self._shown = np.zeros(256, dtype=np.float64)

    def of(self, creators: Sequence[int]) -> Rows:
        """int32[k]: the last `kept` arrivals of each creator, in order of arrival."""
        parts = [
            self._rows[creator][-self._kept :] for creator in creators if creator in self._rows
        ]
        return np.concatenate([np.empty(0, dtype=np.int32), *parts]).astype(np.int32)

    def shown(self, creators: NDArray[np.int32]) -> NDArray[np.float64]:
        """float64[n]: impressions of all items of each creator."""
        return self._shown.take(creators, mode="clip")

    def put(self, row: int, creator: int) -> None:
        """Take an item in, once."""
        rows = self._rows.setdefault(creator, array("i"))
        rows.append(row)
        if len(rows) > 2 * self._kept:
            del rows[: -self._kept]

    def drop(self, row: int, creator: int) -> None:
        """Let an item go."""
        rows = self._rows.get(creator)
        if rows is not None and row in rows:
            rows.remove(row)

    def impressed(self, creator: int) -> None:
        """Hear that one of the creator's items was shown."""
        if creator >= len(self._shown) - 1:  # the last stays 0: for whom nothing is known
            self._shown = longer(self._shown, creator + 2, 0)
        self._shown[creator] += 1

    def rebuild(
        self, posts: Rows, creator: NDArray[np.int32], impressions: NDArray[np.float64]
    ) -> None:
        """Start anew from all items, in order of arrival. posts: the rows of those to find."""
        order = posts[np.argsort(creator[posts], kind="stable")]
        codes, starts = np.unique(creator[order], return_index=True)
        stops = np.append(starts, len(order))[1:]
        self._rows = {
            int(code): array("i", order[max(start, stop - self._kept) : stop].tolist())
            for code, start, stop in zip(codes, starts, stops, strict=True)
        }
        most = int(creator.max(initial=0))
        shown = np.bincount(creator, impressions, minlength=max(256, most + 2))
        self._shown = shown.astype(np.float64)


class Shelves:
    """All of them, over one table."""

    def __init__(self, table: ItemTable) -> None:
        self._table = table
        self.newest = Newest()
        self.hot = Hottest(HEAT_HALF_LIFE_MS)
        self.popular = Hottest(SLOW_HALF_LIFE_MS)
        self.creators = ByCreator()
        self.impressions = 0.0  # of all items
        self.wanted = 0.0  # clicks and likes of all items
        self.rebuild()

    def rebuild(self) -> None:
        """Start anew from the table."""
        table, count = self._table, self._table.count
        self.newest = Newest()
        posts, is_post = table.posts, ~table.is_reply[:count]
        latest = posts[np.argsort(table.created_ms[posts], kind="stable")[-NEWEST_KEPT:]]
        self.newest.put(latest, table.created_ms[latest])
        self.hot.rebuild(table.heat[:count] * is_post, table.heat_ms[:count])
        self.popular.rebuild(table.heat_slow[:count] * is_post, table.heat_ms[:count])
        self.creators.rebuild(posts, table.creator[:count], table.impressions[:count])
        self.impressions = float(table.impressions[:count].sum())
        self.wanted = float(table.clicks[:count].sum() + table.likes[:count].sum())

    def posted(self, rows: Rows, first: int) -> None:
        """Hear of items that are new (rows from `first` on) or whose facts changed, each once."""
        is_reply = self._table.is_reply[rows]
        if is_reply.any():
            self._leave_out(rows[is_reply & (rows < first)])
            rows = rows[~is_reply]
        self.newest.put(rows, self._table.created_ms[rows])
        for row in rows.tolist():
            creator = int(self._table.creator[row])
            if row >= first or row not in self.creators.of([creator]):
                self.creators.put(row, creator)
            if row < first and self._table.heat[row] > 0:  # it may have been a reply
                self.warmed(row)

    def impressed(self, row: int) -> None:
        """Hear that an item was shown once more."""
        self.impressions += 1
        self.creators.impressed(int(self._table.creator[row]))

    def warmed(self, row: int) -> None:
        """Hear that an item's heat rose."""
        table, at_ms = self._table, int(self._table.heat_ms[row])
        if table.is_reply[row]:
            return
        self.hot.warmed(row, float(table.heat[row]), at_ms)
        self.popular.warmed(row, float(table.heat_slow[row]), at_ms)

    def _leave_out(self, rows: Rows) -> None:
        """Posts that an edit has made replies of."""
        self.newest.drop(rows)
        for row in rows.tolist():
            self.hot.drop(row)
            self.popular.drop(row)
            self.creators.drop(row, int(self._table.creator[row]))
