"""Compiled: a page filled place by place, by the rules that the files beside this one state.

Everything about one request comes in as arrays over the candidates, best first; a row is a rank.
A creator is a small number of its own in each request.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.features.machine import plain
from inhouse.recommend.types import SOURCE_BIT, Floats, Mask, Rows

BY_VALUE, PINNED, EXPLORED, NEWCOMER = 0, 1, 2, 3  # how a place was filled
NEIGHBOUR, CAP, SPREAD, ALIKE = 1, 2, 3, 4  # why one was passed over, places in `base.HELD`
UNIFORM_SHARE = 0.2  # of a lottery, see `chance`
_FEW_IMPRESSIONS = 200
_EXPLORE = SOURCE_BIT["explore"]
_BESIDE = 32  # posts that came just before, and as many just after
_UNCAPPED, _BORDER, _APART, _ANYBODY = 1, 2, 3, 4  # how the creator rule gives way

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
Bytes = NDArray[np.uint8]


class Creators(NamedTuple):
    """The creator rule's state; see `creators`."""

    who: Places  # [n] the number of each row's creator
    remaining: Places  # [creators] rows without a place
    crowd: Places  # [creators] posts on this page and the places before it
    previous: int  # who stands on the place above, -1 where it is none of them
    cap: int  # most posts of one creator


class Merit(NamedTuple):
    """What the order by value and likeness needs; see `likeness`."""

    worth: Numbers  # [n] (1 - d) value', never rising
    diversity: float  # d
    items: Rows  # [n] in the table
    content: Floats  # [items, d] unit length or zero


class Newcomers(NamedTuple):
    """Whose turn the place for new creators is; see `newcomers`."""

    unknown: Mask  # [n] by a creator whom few have met
    place: int  # -1 where there is none
    items: Rows  # [n] in the table
    shown: Numbers  # [items] impressions
    items_there: int  # how many there are in the table


class Gifts(NamedTuple):
    """Places that do not go by value; see `pins`, `chance` and `newcomers`."""

    pin_places: Places  # [pins] rising
    pin_rows: Places  # [pins]
    pool: Places  # [pool] rows that may be drawn
    draws: Numbers  # [S, pool] joint posterior draws
    by_chance: Mask  # [n places] which are given by chance
    uniforms: Numbers  # [by chance] one random number for each of them, in [0, 1)
    newcomers: Newcomers


class Filled(NamedTuple):
    """Who stands where, and who does not."""

    rows: Places  # [length]
    how: Bytes  # [length] BY_VALUE, PINNED, EXPLORED or NEWCOMER
    told: Places  # [length] PINNED: which pin; EXPLORED: among how many
    propensities: Numbers  # [length] of each choice, given the places above
    held: Bytes  # [n] why a row was passed over first, 0 where it was not
    left: Mask  # [n] has no place


@njit(cache=True)
def numbered(codes: Rows, served: Rows) -> tuple[Places, Places, Places, int]:
    """Number the creators of the candidates: who, remaining, crowd, previous as in `Creators`.

    codes: [n] of the candidates' creators; served: [m] of those on the places before, in order.
    """
    size = 16
    while size < 4 * len(codes):
        size *= 2
    known = np.full(size, -1, dtype=np.int64)  # open addressing: the number at each place
    first = np.empty(len(codes), dtype=np.int32)  # code of each number
    who = np.empty(len(codes), dtype=np.int64)
    remaining = np.zeros(len(codes), dtype=np.int64)
    count = 0
    for row in range(len(codes)):
        at = _place(known, first, codes[row])
        if known[at] < 0:
            known[at] = count
            first[count] = codes[row]
            count += 1
        who[row] = known[at]
        remaining[who[row]] += 1
    crowd = np.zeros(count, dtype=np.int64)
    previous = -1
    for i in range(len(served)):
        previous = known[_place(known, first, served[i])]
        if previous >= 0:
            crowd[previous] += 1
    return who, remaining[:count], crowd, previous


@njit(cache=True)
def pool_of(items: Rows, sources: NDArray[np.uint16], shown: Numbers, most: int) -> Places:
    """Who may be drawn for a place by chance, by rank: rows that the explore source offered, then
    others that few have seen, at most `most`.

    items, sources: [n] of the candidates; shown: impressions of all items.
    """
    pool = np.empty(most, dtype=np.int64)
    count = 0
    for explored in (True, False):
        for row in range(len(items)):
            if count == most:
                break
            offered = (sources[row] >> _EXPLORE) & 1 == 1
            if offered == explored and (explored or shown[items[row]] < _FEW_IMPRESSIONS):
                pool[count] = row
                count += 1
    return np.sort(pool[:count])


@njit(cache=True)
def _place(known: Places, first: Rows, code: int) -> int:
    """Where a code stands, or the empty place where it would."""
    at = (code * 40_503) & (len(known) - 1)
    while known[at] >= 0 and first[known[at]] != code:
        at = (at + 1) & (len(known) - 1)
    return at


@njit(cache=True)
def fill(
    length: int, creators: Creators, merit: Merit, gifts: Gifts
) -> tuple[Places, Bytes, Places, Numbers, Bytes, Mask]:
    """Fill the first `length` places; `remaining` and `crowd` of the creators are used up.

    Tuples may come without their names, and go so: `Filled(*fill(...))`.
    """
    who, remaining, crowd, previous, cap = creators
    merit, gifts = Merit(*merit), _named(gifts)
    n = len(who)
    left, mask = np.ones(n, dtype=np.bool_), np.empty(n, dtype=np.bool_)
    held, waiting = np.zeros(n, dtype=np.uint8), np.zeros(n, dtype=np.bool_)
    waiting[gifts.pin_rows] = True
    rows, told = np.empty(length, dtype=np.int64), np.zeros(length, dtype=np.int64)
    how, propensities = np.zeros(length, dtype=np.uint8), np.ones(length)
    nearest, compared = np.zeros(n), np.zeros(n, dtype=np.int64)
    pin, drawn, met = 0, 0, False
    for place in range(length):
        keeps = _keep_apart(remaining, length - place - 1)
        strict, anybody = _allow(
            place, left, waiting, Creators(who, remaining, crowd, previous, cap), keeps, mask
        )
        while pin < len(gifts.pin_rows) and not waiting[gifts.pin_rows[pin]]:
            pin += 1
        row = -1
        if pin < len(gifts.pin_rows) and (gifts.pin_places[pin] <= place or not anybody):
            row, how[place], told[place] = gifts.pin_rows[pin], PINNED, pin
        if row < 0 and strict and gifts.by_chance[place]:
            row, k, p = _draw(gifts, mask, drawn)
            if row >= 0:
                how[place], told[place], propensities[place] = EXPLORED, k, p
                drawn += 1
        if row < 0 and strict and place == gifts.newcomers.place and not met:
            row = _first_newcomer(gifts.newcomers, mask)
            if row >= 0:
                how[place] = NEWCOMER
        if row < 0:
            row = _best(merit, mask, rows[:place], nearest, compared)
            for passed in range(row):
                if left[passed] and held[passed] == 0:
                    its = who[passed]
                    held[passed] = _reason(mask[passed], its == previous, crowd[its] >= cap)
        rows[place], left[row], waiting[row] = row, False, False
        met = met or (place < gifts.newcomers.place and _is_their_turn(gifts.newcomers, row))
        previous = who[row]
        remaining[previous] -= 1
        crowd[previous] += 1
    return rows, how, told, propensities, held, left


def handed(gifts: Gifts) -> Gifts:
    """The gifts without names, for handing over; see `machine.plain`."""
    return plain(gifts._replace(newcomers=plain(gifts.newcomers)))


@njit(cache=True, inline="always")
def _named(gifts: Gifts) -> Gifts:
    places, rows, pool, draws, by_chance, uniforms, newcomers = gifts
    return Gifts(places, rows, pool, draws, by_chance, uniforms, Newcomers(*newcomers))


@njit(cache=True)
def _keep_apart(remaining: Places, to_come: int) -> Mask:
    """bool[creators]: after whom the places to come can be filled without neighbours.

    With m places to come each creator counts at most ceil(m/2) times, the one just placed
    floor(m/2) times; together they must fill m.
    """
    keeps = np.ones(len(remaining), dtype=np.bool_)
    some, total = 0, 0
    for rest in remaining:
        some += rest > 0
        total += min(rest, (to_come + 1) // 2)
        if some > to_come:
            return keeps
    for i in range(len(remaining)):
        usable, own = min(remaining[i], (to_come + 1) // 2), min(remaining[i] - 1, to_come // 2)
        keeps[i] = total - usable + own >= to_come
    return keeps


@njit(cache=True)
def _allow(
    place: int, left: Mask, waiting: Mask, creators: Creators, keeps: Mask, mask: Mask
) -> tuple[bool, bool]:
    """Set `mask` to those who may stand here by the strictest rules that leave anybody.

    What gives way first is the cap; whoever waits for a pinned place is counted among those left,
    but not allowed. Returns whether the strictest rules hold, and whether anybody is allowed.
    """
    who, _, crowd, previous, cap = creators
    fine = keeps & (crowd < cap)
    if previous >= 0:
        fine[previous] = False
    found, anybody = False, False
    for row in range(len(left)):
        good = left[row] and fine[who[row]]
        found = found or good
        mask[row] = good and not waiting[row]
        anybody = anybody or mask[row]
    if found:
        return True, anybody
    for level in range(_UNCAPPED, _ANYBODY + 1):
        found, anybody = False, False
        for row in range(len(left)):
            mask[row] = False
            if not left[row]:
                continue
            its = who[row]
            good = True
            if level == _UNCAPPED:
                good = its != previous and keeps[its]
            elif level == _BORDER and place == 0:  # only the page before can be the trouble there
                good = keeps[its]
            elif level < _ANYBODY:
                good = its != previous
            found = found or good
            mask[row] = good and not waiting[row]
            anybody = anybody or mask[row]
        if found:
            return False, anybody
    return False, False


@njit(cache=True)
def _draw(gifts: Gifts, mask: Mask, drawn: int) -> tuple[int, int, float]:
    """A row of the pool that is allowed, of how many, and with which probability; see `chance`."""
    members = np.flatnonzero(mask[gifts.pool])
    k = len(members)
    if k == 0:
        return -1, 0, 1.0
    highest = np.zeros(k)
    for draw in gifts.draws:
        best = 0
        for i in range(1, k):
            if draw[members[i]] > draw[members[best]]:
                best = i
        highest[best] += 1
    total, last = 0.0, 1.0
    for i in range(k):
        last = (1 - UNIFORM_SHARE) * (highest[i] / len(gifts.draws)) + UNIFORM_SHARE / k
        total += last
        if total > gifts.uniforms[drawn]:
            return gifts.pool[members[i]], k, last
    return gifts.pool[members[k - 1]], k, last


@njit(cache=True)
def _first_newcomer(newcomers: Newcomers, mask: Mask) -> int:
    """The first allowed row whose turn it is, -1 where there is none."""
    for row in range(len(mask)):
        if mask[row] and _is_their_turn(newcomers, row):
            return row
    return -1


@njit(cache=True)
def _is_their_turn(newcomers: Newcomers, row: int) -> bool:
    return newcomers.unknown[row] and lags(
        newcomers.shown, newcomers.items_there, newcomers.items[row]
    )


@njit(cache=True)
def lags(shown: Numbers, count: int, item: int) -> bool:
    """Whether an item was shown less than those beside it in the table were on average.

    Those came about when it did. As many before as after count, for the earlier have had more time.
    """
    reach = min(item, count - 1 - item, _BESIDE)
    total = 0.0
    for other in range(item - reach, item + reach + 1):
        total += shown[other]
    return bool(shown[item] * (2 * reach + 1) < total)


@njit(cache=True)
def _best(merit: Merit, mask: Mask, above: Places, nearest: Numbers, compared: Places) -> int:
    """Of the allowed the one with the highest worth - d max cos(content, place above), see
    `likeness`; equals by rank.

    Likeness only lowers, and worth never rises from row to row: so the search ends where worth
    alone is no better than what was found, and only rows that come that far by worth and by what is
    known of their likeness are compared with the places above. `nearest` keeps what they gave,
    `compared` with how many places it did.
    """
    best, most = -1, -np.inf
    for row in range(len(mask)):
        if not mask[row]:
            continue
        if merit.worth[row] <= most:
            break
        if merit.worth[row] - merit.diversity * nearest[row] <= most:
            continue
        if merit.diversity:
            for i in range(compared[row], len(above)):
                one, other = merit.items[row], merit.items[above[i]]
                nearest[row] = max(nearest[row], _dot(merit.content[one], merit.content[other]))
            compared[row] = len(above)
        marginal = merit.worth[row] - merit.diversity * nearest[row]
        if marginal > most:
            best, most = row, marginal
    return best


@njit(cache=True, fastmath={"reassoc", "contract"})
def _dot(a: Floats, b: Floats) -> np.float32:
    """The sum of products, in the order that is fastest; the same for the same numbers."""
    total = np.float32(0)
    for j in range(len(a)):
        total += a[j] * b[j]
    return total


@njit(cache=True)
def _reason(allowed: bool, neighbour: bool, capped: bool) -> int:
    """Why one of higher value does not get the place."""
    if allowed:
        return ALIKE
    if neighbour:
        return NEIGHBOUR
    return CAP if capped else SPREAD
