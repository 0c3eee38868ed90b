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
    good = np.empty(len(rows), dtype=np.bool_)
    for i in range(len(rows)):
        row = rows[i]
        region, created = bars.region[row], bars.created_ms[row]
        good[i] = (
            bars.shown[actions[i]]
            and bars.expires_ms[row] > bars.now_ms
            and not bars.hidden[row]
            and not _is_in(bars.silenced, bars.creator[row])
            and (bars.my_region == ANY_REGION or region < 0 or region == bars.my_region)
            and not _has_any(bars.topics[row], bars.muted)
            and not _is_in(bars.barred, row)
            and created <= bars.after_ms
            and (created < bars.after_ms or row > bars.after_row)
        )
    return good


@njit(cache=True)
def on_topic(rows: Rows, topics: NDArray[np.int16], wanted: Codes) -> Mask:
    """bool[n]: which of the items have one of the topics. topics: [items, 4] of all items."""
    hit = np.zeros(len(rows), dtype=np.bool_)
    if len(wanted):
        for i in range(len(rows)):
            hit[i] = _has_any(topics[rows[i]], wanted)
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
def _is_in(members: Rows, member: int) -> bool:
    """By halving what is left."""
    low, high = 0, len(members)
    while low < high:
        middle = (low + high) // 2
        if members[middle] < member:
            low = middle + 1
        else:
            high = middle
    return low < len(members) and members[low] == member


@njit(cache=True)
def _has_any(topics: Codes, wanted: Codes) -> bool:
    """Whether one of an item's topics is wanted; the first -1 ends them."""
    for topic in topics:
        if topic < 0:
            return False
        for other in wanted:
            if topic == other:
                return True
    return False
