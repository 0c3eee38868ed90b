"""Compiled: what is cheap to know of an item that speaks against showing it."""

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.recommend.types import Mask, Rows

ANY_REGION: Final = -2
NEVER: Final = np.iinfo(np.int64).max
Codes = NDArray[np.int16]
Times = NDArray[np.int64]


class Bars(NamedTuple):
    """What one request asks of every item. Columns are over all items."""

    now_ms: int
    expires_ms: Times
    hidden: Mask
    shown: Mask  # [7] by moderation's action: whether a post with it is shown
    creator: Rows
    silenced: Rows  # sorted: creators whose posts are not for this person
    topics: NDArray[np.int16]  # [items, 4] -1 where there is none
    muted: Codes  # topics
    region: Codes
    my_region: int  # ANY_REGION where it does not matter
    barred: Rows  # sorted: items that are excluded, seen or served
    created_ms: Times
    after_ms: int  # later posts were on a page before; NEVER where there is none
    after_row: int  # of posts of that very time, those up to this row were


@njit(cache=True)
def worthwhile(rows: Rows, actions: NDArray[np.uint8], bars: Bars) -> Mask:
    """bool[n]: which items nothing speaks against. actions: moderation's, [n].

    An item is worthwhile that is alive, whose action shows it, whose creator is not silenced, with
    no muted topic, of no region or of the person's, not barred, and not on a page before.
    """
    good = np.zeros(len(rows), dtype=np.bool_)
    regional = bars.my_region != ANY_REGION
    for i in range(len(rows)):
        row = rows[i]
        created = bars.created_ms[row]
        if not bars.shown[actions[i]] or bars.hidden[row] or bars.expires_ms[row] <= bars.now_ms:
            continue
        if regional and bars.region[row] >= 0 and bars.region[row] != bars.my_region:
            continue
        if created > bars.after_ms or (created == bars.after_ms and row <= bars.after_row):
            continue
        if _is_in(bars.silenced, bars.creator[row]) or _is_in(bars.barred, row):
            continue
        muted = False
        if len(bars.muted):
            for topic in bars.topics[row]:
                muted = muted or _is_in(bars.muted, topic)
        good[i] = not muted
    return good


@njit(cache=True)
def on_topic(rows: Rows, topics: Codes, wanted: Mask) -> Mask:
    """bool[n]: which of the items have one of the topics. topics: [items, 4] of all items; wanted:
    by topic, the last stands for -1, none."""
    hit = np.zeros(len(rows), dtype=np.bool_)
    for i in range(len(rows)):
        for k in range(topics.shape[1]):
            hit[i] |= wanted[topics[rows[i], k]]
    return hit


@njit(cache=True)
def among(rows: Rows, members: Rows) -> Mask:
    """bool[n]: which of the rows are among the sorted members."""
    found = np.zeros(len(rows), dtype=np.bool_)
    if len(members):
        for i in range(len(rows)):
            found[i] = _is_in(members, rows[i])
    return found


@njit(cache=True)
def _is_in(members: Rows | Codes, member: int) -> bool:
    """By halving what is left, without a branch that a processor could guess wrong."""
    start, left = 0, len(members)
    while left > 1:
        half = left // 2
        start += half if members[start + half] <= member else 0
        left -= half
    return left == 1 and members[start] == member
