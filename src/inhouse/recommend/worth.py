"""Compiled: what is cheap to know of an item that speaks against showing it.

Whatever walks through items by the hundred and has to know which may be shown stands here, in one
compiled step each: a call for every question would cost more than the answers. Tuples are handed
over without their names (`machine.plain`) and named again inside.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numba.extending import register_jitable
from numpy.typing import NDArray

from inhouse.features.machine import AHEAD, prefetch
from inhouse.moderation.types import ACTIONS
from inhouse.recommend.types import Mask, Rows

ANY_REGION: Final = -2
NEVER: Final = np.iinfo(np.int64).max
# What speaks against an item, the first of several: places in `filters.REASONS`, from 1 on. What
# operators block and muted words are not looked for here.
HIDDEN: Final = 1
EXPIRED: Final = 2
REPLY: Final = 3
VERDICT: Final = 4  # and the action's code
OPERATOR: Final = VERDICT + len(ACTIONS) + 1
BLOCKED: Final = OPERATOR + 1
BLOCKED_BY: Final = OPERATOR + 2
MUTED_CREATOR: Final = OPERATOR + 3
MUTED_TOPIC: Final = OPERATOR + 4
MUTED_WORD: Final = OPERATOR + 5
OWN: Final = OPERATOR + 6
OTHER_REGION: Final = OPERATOR + 7
EXCLUDED: Final = OPERATOR + 8
SEEN: Final = OPERATOR + 9
SERVED: Final = OPERATOR + 10

_COLD: Final = 255  # wanted too long ago to be in question
_AT_ONCE: Final = 64  # items are judged, since the first often are enough
_SLACK: Final = 32
_MARKS: Final = 128  # words of one bit for each rest of a division by 8,192
Codes = NDArray[np.int16]
Times = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Bits = NDArray[np.uint64]
Places = NDArray[np.int64]
Numbers = NDArray[np.float64]
BY_ROW: Final = np.empty(0, dtype=np.uint8)  # as actions: `Bars.verdicts` has them


class Bars(NamedTuple):
    """What one request asks of every item. Columns are over all items."""

    now_ms: int
    expires_ms: Times
    hidden: Mask
    is_reply: Mask
    shown: Mask  # [7] by moderation's action: whether a post with it is shown
    verdicts: Bytes  # moderation's action on each item, the last for all that came later
    creator: Rows
    silenced: Rows  # sorted: creators whose posts are not for this person
    silenced_for: Bytes  # for each of them the reason
    topics: Codes  # [items, 4] -1 where there is none; the first of them ends the list
    muted: Mask  # [topics + 1] by topic, the last for none; empty where none is muted
    region: Codes
    my_region: int  # ANY_REGION where it does not matter
    barred: Rows  # sorted: items that are excluded, seen or served
    marks: Bits  # [128] of these, so that few items need a closer look
    excluded: Rows  # sorted
    seen: Rows  # sorted; empty where what was seen may come again
    created_ms: Times
    after_ms: int  # later posts were on a page before; NEVER where there is none
    after_row: int  # of posts of that very time, those up to this row were


class Parts(NamedTuple):
    """What the parts of a list of the hottest go by. A part without anything to go by leaves its
    share to the hottest everywhere."""

    topics: Mask  # [topics + 1] by topic, the last for none; empty where none is wanted
    region: int  # -1 where it is none of the posts'
    heat_ms: Times  # over all items: when each was wanted last
    since_ms: int  # only what was wanted after that
    quota: int  # of all parts together


@njit(cache=True)
def marks_of(barred: Rows) -> Bits:
    """uint64[128] with a bit for each of these rows; some rows share one."""
    marks = np.zeros(_MARKS, dtype=np.uint64)
    for row in barred:
        marks[(row >> 6) & (_MARKS - 1)] |= np.uint64(1) << np.uint64(row & 63)
    return marks


@njit(cache=True)
def against(rows: Rows, actions: Bytes, bars: Bars) -> Bytes:
    """uint8[n]: the first reason not to show each item, 0 where there is none.

    actions: moderation's, [n], or `BY_ROW`. An item is worthwhile that is alive, no reply, whose
    action shows it, whose creator is not silenced, with no muted topic, of no region or of the
    person's, not barred, and not on a page before.
    """
    bars = Bars(*bars)
    codes = np.zeros(len(rows), dtype=np.uint8)
    regional, mutes = bars.my_region != ANY_REGION, len(bars.muted) > 0
    # Taken out of the tuple once: in a loop that costs as much as the look itself.
    hidden, expires_ms, is_reply, shown, created_ms = (
        bars.hidden,
        bars.expires_ms,
        bars.is_reply,
        bars.shown,
        bars.created_ms,
    )
    creators, silenced, silenced_for = bars.creator, bars.silenced, bars.silenced_for
    topics, muted, regions = bars.topics, bars.muted, bars.region
    marks, barred, excluded, seen = bars.marks, bars.barred, bars.excluded, bars.seen
    verdicts, by_row, last = bars.verdicts, len(actions) == 0, len(bars.verdicts) - 1
    now_ms, after_ms, after_row, my_region = (
        bars.now_ms,
        bars.after_ms,
        bars.after_row,
        bars.my_region,
    )
    for i in range(len(rows)):
        row = rows[i]
        if i + AHEAD < len(rows):  # what is known of an item lies in one line
            prefetch(hidden, rows[i + AHEAD])
        code = _no_post(hidden[row], expires_ms[row] <= now_ms, is_reply[row])
        action = verdicts[min(row, last)] if by_row else actions[i]
        if code == 0 and not shown[action]:
            code = VERDICT + action
        if code:
            codes[i] = code
            continue
        if len(silenced):
            place = _place(silenced, creators[row])
            code = silenced_for[place] if place >= 0 else 0
        if mutes and (code == 0 or code > MUTED_TOPIC) and _is_muted(topics, row, muted):
            code = MUTED_TOPIC
        if code == 0 and regional and regions[row] >= 0 and regions[row] != my_region:
            code = OTHER_REGION
        if code == 0:
            created = created_ms[row]
            if created > after_ms or (created == after_ms and row <= after_row):
                code = EXCLUDED
        if code == 0 and _is_marked(marks, row) and _place(barred, row) >= 0:
            code = SERVED
            if _place(excluded, row) >= 0:
                code = EXCLUDED
            elif _place(seen, row) >= 0:
                code = SEEN
        codes[i] = code
    return codes


@njit(cache=True, inline="always")
def _no_post(is_hidden: np.bool_, is_over: np.bool_, is_reply: np.bool_) -> int:
    if is_hidden:
        return HIDDEN
    if is_over:
        return EXPIRED
    return REPLY if is_reply else 0


@njit(cache=True, inline="always")
def _is_muted(topics: Codes, row: int, muted: Mask) -> bool:
    for k in range(topics.shape[1]):
        topic = topics[row, k]
        if topic < 0:
            return False
        if muted[topic]:
            return True
    return False


@njit(cache=True, inline="always")
def _is_marked(marks: Bits, row: int) -> bool:
    return bool((marks[(row >> 6) & (_MARKS - 1)] >> np.uint64(row & 63)) & np.uint64(1))


@register_jitable
def looked_at(quota: int, met: int = 0) -> int:
    """How many of an order are looked at first where `quota` of them are to be worthwhile.

    met: how many that are barred are likely to stand among them.
    """
    return quota + quota // 4 + _SLACK + met


@register_jitable
def enough(quota: int) -> int:
    """So many are as good as all of them: to look again for the rest would cost many times what it
    brings."""
    return quota - quota // 4


@njit(cache=True)
def picked(
    rows: Rows, actions: Bytes, bars: Bars, quota: int, misses: int, first: int
) -> tuple[Places, int]:
    """Places of the first `quota` worthwhile items, then of the first `misses` others above the
    last of them; and how many worthwhile ones those are.

    first: so many are looked at, and then more where those do not hold `enough`.
    """
    chosen, missed = np.empty(quota + misses, dtype=np.int64), np.empty(misses, dtype=np.int64)
    found, lost, start, until = 0, 0, 0, first
    while start < len(rows) and found < quota:
        if start == until:
            if found >= enough(quota):
                break
            until = max(2 * until, looked_at(quota, 2 * (until - found)))
        end = min(start + _AT_ONCE, until, len(rows))
        codes = against(rows[start:end], actions[start:end], bars)
        for i in range(len(codes)):
            if found == quota:
                break
            if codes[i] == 0:
                chosen[found] = start + i
                found += 1
            elif lost < misses:
                missed[lost] = start + i
                lost += 1
        start = end
    chosen[found : found + lost] = missed[:lost]
    return chosen[: found + lost], found


@njit(cache=True)
def first_of_each(
    rows: Rows, actions: Bytes, bars: Bars, ends: Places, most: int
) -> tuple[Rows, Places]:
    """Of each of several lists the first `most` that are worthwhile, all in the order of the
    catalogue, each once; and how many of each that were.

    rows: the lists one after the other; ends: behind the last of each.
    """
    codes = against(rows, actions, bars)
    found, counts = np.empty(len(rows), dtype=np.int32), np.zeros(len(ends), dtype=np.int64)
    total, start = 0, 0
    for which in range(len(ends)):
        for i in range(start, ends[which]):
            if codes[i] == 0 and counts[which] < most:
                found[total] = rows[i]
                counts[which] += 1
                total += 1
        start = ends[which]
    return each_once(found[:total]), counts


@njit(cache=True)
def seldom_shown(
    pool: Rows, rows: Rows, actions: Bytes, bars: Bars, seldom: tuple[Numbers, int]
) -> Rows:
    """The pool and those rows that are worthwhile and were seldom shown, in the order of the
    catalogue, each once. seldom: impressions over all items, and below how many that is."""
    codes = against(rows, actions, bars)
    found = np.empty(len(pool) + len(rows), dtype=np.int32)
    found[: len(pool)] = pool
    count = len(pool)
    for i in range(len(rows)):
        if codes[i] == 0 and seldom[0][rows[i]] < seldom[1]:
            found[count] = rows[i]
            count += 1
    return each_once(found[:count])


@njit(cache=True)
def each_once(rows: Rows) -> Rows:
    """The same, sorted, each once."""
    ordered = np.sort(rows)
    count = 0
    for i in range(len(ordered)):
        if i == 0 or ordered[i] != ordered[count - 1]:
            ordered[count] = ordered[i]
            count += 1
    return ordered[:count]


@njit(cache=True)
def first_on_topic(rows: Rows, actions: Bytes, bars: Bars, wanted: Mask, most: int) -> Rows:
    """int32[at most `most`]: the first worthwhile ones that have a wanted topic. wanted: by topic,
    the last stands for -1, none. They are looked at in parts, since the first often holds enough.
    """
    topics = Bars(*bars).topics
    found, count = np.empty(most, dtype=np.int32), 0
    for start in range(0, len(rows), 2 * _AT_ONCE):
        if count == most:
            break
        part = rows[start : start + 2 * _AT_ONCE]
        on = np.flatnonzero(on_topic(part, topics, wanted))
        those = part[on]
        codes = against(those, actions[start + on] if len(actions) else actions, bars)
        for i in range(len(codes)):
            if codes[i] == 0 and count < most:
                found[count] = those[i]
                count += 1
    return found[:count]


@njit(cache=True)
def trending_shares(
    rows: Rows, actions: Bytes, bars: Bars, parts: Parts, misses: int
) -> tuple[Rows, bool]:
    """Of rows in order of heat first a third of the quota by topic and one by region, then the
    hottest of the others, and the hottest `misses` that are not worthwhile, all in the order of
    the catalogue; and whether every part found its share."""
    bars, parts = Bars(*bars), Parts(*parts)
    codes = against(rows, actions, bars)
    for i in range(len(rows)):
        if parts.heat_ms[rows[i]] <= parts.since_ms:
            codes[i] = _COLD
    chosen, full, left = np.zeros(len(rows), dtype=np.bool_), True, parts.quota
    if len(parts.topics):
        got = _take(chosen, codes, on_topic(rows, bars.topics, parts.topics), parts.quota // 3)
        full, left = full and got == parts.quota // 3, left - got
    fit = np.ones(len(rows), dtype=np.bool_)
    if parts.region >= 0:
        for i in range(len(rows)):
            fit[i] = bars.region[rows[i]] == parts.region
        got = _take(chosen, codes, fit, parts.quota // 3)
        full, left = full and got == parts.quota // 3, left - got
        fit[:] = True
    full = _take(chosen, codes, fit, left) == left and full
    missed = 0
    for i in range(len(rows)):
        if missed < misses and codes[i] != 0 and codes[i] != _COLD:
            chosen[i] = True
            missed += 1
    return np.sort(rows[chosen]), full


@njit(cache=True)
def _take(chosen: Mask, codes: Bytes, fit: Mask, most: int) -> int:
    """Choose the first `most` worthwhile ones that fit and are not chosen yet; how many there
    were."""
    taken = 0
    for place in range(len(codes)):
        if taken == most:
            break
        if codes[place] == 0 and fit[place] and not chosen[place]:
            chosen[place] = True
            taken += 1
    return taken


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
            found[i] = _place(members, rows[i]) >= 0
    return found


@njit(cache=True, inline="always")
def _place(members: Rows, member: int) -> int:
    """Where it stands, -1 where it does not: by halving what is left, without a branch that a
    processor could guess wrong."""
    start, left = 0, len(members)
    while left > 1:
        half = left // 2
        start += half if members[start + half] <= member else 0
        left -= half
    return start if left == 1 and members[start] == member else -1
