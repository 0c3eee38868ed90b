"""The search through clusters and the steps of making them, compiled.

A search keeps the interpreter to itself: a thread that got it meanwhile would keep it for longer
than the search takes. Making clusters takes seconds and lets it go.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.features.candidate_kernels import products
from inhouse.features.machine import plain, popcount, prefetch
from inhouse.recommend.retrieval.heaps import make_heap, place, select, sink
from inhouse.recommend.types import Floats, Rows

_AT_FIRST: Final = 4  # times as many as are wanted are scored before the first selection
FAR: Final = 1.3  # times the radius: no member lies farther from its centre
_HEAPED: Final = -1  # instead of how many are kept: k of them, in a heap
_PIECE: Final = 1_024  # slots looked at together
_WIDE: Final = 4_095  # the largest number of a query: 127 times it fits 32 bits 4,000 times
_ERROR: Final = 0.6  # root of 1 - 2 / pi: how far signs are off, of gain times length
_DOUBT: Final = 1.0  # times the error by which a slot may lie above what its signs say
_FAR_MORE: Final = 1.5  # standard deviations above the mean promise
Small = NDArray[np.int8]
Wide = NDArray[np.int16]
Starts = NDArray[np.int64]
Bits = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Real = float | np.float32


class Centres(NamedTuple):
    """The clusters as a search chooses among them."""

    exact: Floats  # [C, d]
    codes: Small  # [C, d] code * scale is about the centre
    scales: Floats  # [C]
    radii: Floats  # [C] root of the mean square of its members' distance


class Members(NamedTuple):
    """The vectors by slot: code * scale is about the vector less its cluster's centre."""

    starts: Starts  # [C + 1] cluster c lies in slots starts[c] to starts[c + 1]
    codes: Small  # [slots, d]
    scales: Floats  # [slots]


class Signs(NamedTuple):
    """One bit a dimension of what lies between a centre and a member: whether it is above 0.

    Gao and Long, "RaBitQ", SIGMOD 2024, section 3.1: after a rotation by chance every dimension
    says about as much, and residual . query is about gain * sum of +-query_j by the bits, without
    bias; the error's deviation is about `_ERROR` * gain * |query|.
    """

    rotation: Floats  # [d, d] orthogonal
    words: Bits  # [W, slots] 64 dimensions each
    gains: Bytes  # [slots] gain / step of the cluster: |residual|^2 / sum of |residual_j|
    steps: Floats  # [C]


class Index(NamedTuple):
    """All that a search reads."""

    centres: Centres
    members: Members
    signs: Signs


class Query(NamedTuple):
    """What is looked for."""

    vector: Floats  # [d]
    wide: Wide  # [d] wide * step is about the vector
    step: Real
    planes: Bits  # [4, W] bit by bit the rotated vector, of which each dimension is 0 to 15 steps
    low: Real  # what a dimension of 0 steps stands for
    step_turned: Real
    shift: Real  # what is added to a sum of signs: less the half of all, and the doubt


class Barred(NamedTuple):
    """Items that are not looked for, but for the best few."""

    rows: Rows  # [slots] which item lies there
    barred: Rows  # sorted
    misses: int  # so many of them are found beside the others


@njit(cache=True)
def ask(vector: Floats, rotation: Floats) -> Query:
    """A query for float32[d]."""
    dims = len(vector)
    most = np.float32(1e-27)
    for j in range(dims):
        most = max(most, abs(vector[j]))
    step = most / np.float32(_WIDE)
    wide = np.empty(dims, dtype=np.int16)
    for j in range(dims):
        wide[j] = np.int16(np.rint(vector[j] / step))
    turned = products(rotation, np.arange(dims, dtype=np.int32), vector)
    far, length = np.float32(1e-27), np.float32(0)
    for j in range(dims):
        far = max(far, abs(turned[j]))
        length += vector[j] * vector[j]
    fine = np.float32(2) * far / np.float32(15)
    planes = np.zeros((4, -(-dims // 64)), dtype=np.uint64)
    total = np.float32(0)
    for j in range(dims):
        level = np.int64(np.rint((turned[j] + far) / fine))
        total += np.float32(level) * fine - far
        for bit in range(4):
            planes[bit, j // 64] |= np.uint64((level >> bit) & 1) << np.uint64(j % 64)
    shift = np.float32(_DOUBT * _ERROR) * np.sqrt(length) - total
    return Query(vector, wide, step, planes, -far, fine, shift)


@njit(cache=True)
def found_rows(index: Index, vector: Floats, k: int, reach: float, without: Barred) -> Rows:
    """int32[at most k + misses]: the rows that `search` finds for float32[d]. Everything comes
    without names, as `handed` and `plain` give it."""
    whole = Index(Centres(*index[0]), Members(*index[1]), Signs(*index[2]))
    barred = Barred(*without)
    slots, _, _ = search(whole, ask(vector, whole.signs.rotation), k, reach, barred)
    return barred.rows[slots]


def handed(index: Index) -> Index:
    """The index without names, for handing over."""
    centres, members, signs = index
    return plain(Index(plain(centres), plain(members), plain(signs)))


@njit(cache=True)
def search(
    index: Index, asked: Query, k: int, reach: float, without: Barred
) -> tuple[Rows, int, int]:
    """int32[at most k + misses]: slots of the best by small integers, in no order; how many were
    looked at, and how many of these closely.

    A cluster promises centre . query + reach * radius * |query|. Clusters are looked through from
    the highest promise on until none promises more than the k-th best that was found. Of the first
    `_AT_FIRST` times k slots the k best are selected at once; from there on a heap keeps them, and
    only those slots are looked at closely whose signs leave hope to come into it.

    At a reach of `FAR` nothing is missed but for rounding: every slot is then looked at closely.
    Barred items are passed over, but the best few are found as well. Memory of the cluster that
    will probably be next is asked for while one is looked through.
    """
    promises = _promises(index.centres, asked, reach)
    order, later = _first_order(promises)
    left, looked, closely, size, sure = len(order), 0, 0, 0, reach >= FAR
    kept, marks = _nothing_kept(k, without.misses), _marks(without.barred)
    while True:
        if left == 0:
            order, left, later = later, len(later), later[:0]
            make_heap(promises, order, left)
        worst = kept.best[0] if size == _HEAPED else np.float32(-np.inf)
        if left == 0 or promises[order[0]] < worst:
            break
        c = order[0]
        left -= 1
        order[0] = order[left]
        sink(promises, order, 0, left)
        if left and promises[order[0]] >= worst:
            _expect(index, order[0], size == _HEAPED)
        size, seen = _look_through(index, asked, c, (k, size, sure), kept, (without, marks))
        looked += index.members.starts[c + 1] - index.members.starts[c]
        closely += seen
    if size > k:
        select(kept.best, kept.slots, size, k)
    found = kept.slots[: k if size == _HEAPED else min(size, k)]
    missed = kept.missed[:-1]
    return np.concatenate((found, missed[missed >= 0])), looked, closely


class Kept(NamedTuple):
    """The best so far: at first a list, from `_AT_FIRST` times k on a heap of k."""

    best: Floats  # [room + 1] scores
    slots: Rows  # [room + 1]
    near: Floats  # [misses + 1] a heap of the best barred ones' scores
    missed: Rows  # [misses + 1] their slots, -1 where there is none
    hopes: Floats  # [_PIECE] what signs say
    hopeful: Rows  # [_PIECE] slots worth a closer look


@njit(cache=True)
def _nothing_kept(k: int, misses: int) -> Kept:
    room = _AT_FIRST * k + 1
    near = np.full(misses + 1, -np.inf, dtype=np.float32)
    near[misses] = np.inf
    return Kept(
        np.empty(room, dtype=np.float32),
        np.empty(room, dtype=np.int32),
        near,
        np.full(misses + 1, -1, dtype=np.int32),
        np.empty(_PIECE, dtype=np.float32),
        np.empty(_PIECE, dtype=np.int32),
    )


@njit(cache=True)
def _look_through(
    index: Index,
    asked: Query,
    c: int,
    so_far: tuple[int, int, bool],
    kept: Kept,
    without: tuple[Barred, Bits],
) -> tuple[int, int]:
    """Keep the best of a cluster; how many are kept now (`_HEAPED`: k, in a heap), and how many
    were looked at closely. so_far: k, how many were kept before, and whether all are."""
    k, size, sure = so_far
    closely, base = 0, _base(index.centres, c, asked.vector)
    for start in range(index.members.starts[c], index.members.starts[c + 1], _PIECE):
        end = min(start + _PIECE, index.members.starts[c + 1])
        bar = kept.best[0] if size == _HEAPED and not sure else np.float32(-np.inf)
        count = _hopeful(index.signs, asked, (c, start, end, base), bar, kept)
        closely += count
        for i in range(count):
            slot = kept.hopeful[i]
            score = base + _within(index.members, slot, asked)
            if size == _HEAPED and score <= kept.best[0]:
                continue
            if _is_barred(without[0], without[1], slot):
                if score > kept.near[0]:
                    place(kept.near, kept.missed, 0, without[0].misses, score, slot)
            else:
                size = _keep(kept, k, size, score, slot)
    return size, closely


@njit(cache=True)
def _keep(kept: Kept, k: int, size: int, score: Real, slot: int) -> int:
    """Keep one more; how many there are then."""
    best, slots = kept.best, kept.slots
    if size == _HEAPED:
        place(best, slots, 0, k, score, slot)
        return size
    best[size], slots[size] = score, slot
    size += 1
    if size < _AT_FIRST * k:
        return size
    select(best, slots, size, k)
    best[k] = np.inf
    for root in range(k // 2 - 1, -1, -1):
        place(best, slots, root, k, best[root], slots[root])
    return _HEAPED


@njit(cache=True)
def _expect(index: Index, c: int, is_heap: bool) -> None:
    """Have what will be read of a cluster fetched from memory."""
    centres, members, signs = index
    start, end = members.starts[c], members.starts[c + 1]
    prefetch(centres.exact, c)
    if is_heap:
        for word in range(len(signs.words)):
            for slot in range(start, end, 8):
                prefetch(signs.words[word], slot)
        for slot in range(start, end, 64):
            prefetch(signs.gains, slot)
    else:
        for slot in range(start, end):
            prefetch(members.codes, slot)
        for slot in range(start, end, 16):
            prefetch(members.scales, slot)


@njit(cache=True)
def _base(centres: Centres, c: int, vector: Floats) -> np.float32:
    base = np.float32(0)
    for j in range(len(vector)):
        base += centres.exact[c, j] * vector[j]
    return base


@njit(cache=True)
def _within(members: Members, slot: int, asked: Query) -> np.float32:
    """The dot product of the query with what lies between the centre and a member.

    The sum is kept in 32 bits and one factor in 16, for which processors have an instruction of
    their own; left to itself the compiler sums in 64, at a third of the speed.
    """
    total = np.int32(0)
    for j in range(len(asked.wide)):
        total = np.int32(total + np.int32(members.codes[slot, j]) * asked.wide[j])
    found: np.float32 = np.float32(total) * (members.scales[slot] * np.float32(asked.step))
    return found


@njit(cache=True)
def _hopeful(
    signs: Signs, asked: Query, piece: tuple[int, int, int, Real], bar: Real, kept: Kept
) -> int:
    """Slots of a piece of a cluster that may lie above the bar, into `kept.hopeful`; how many.

    piece: cluster, first slot, slot behind the last, the centre's score.
    """
    c, start, end, base = piece
    hopes, hopeful, count = kept.hopes, kept.hopeful, end - start
    if bar == -np.inf:
        for i in range(count):
            hopeful[i] = start + i
        return count
    _estimate(signs, asked, start, count, hopes)
    step, least = signs.steps[c], np.float32(bar - base)
    found = 0
    for i in range(count):
        hopeful[found] = start + i
        found += np.float32(signs.gains[start + i]) * step * hopes[i] > least
    return found


@njit(cache=True)
def _estimate(signs: Signs, asked: Query, start: int, count: int, sums: Floats) -> None:
    """What the signs say of each slot, before its gain: the sum of +-query_j, and the doubt."""
    low, fine = np.float32(2 * asked.low), np.float32(2 * asked.step_turned)
    for word in range(len(signs.words)):
        p0, p1 = asked.planes[0, word], asked.planes[1, word]
        p2, p3 = asked.planes[2, word], asked.planes[3, word]
        bits = signs.words[word, start : start + count]
        before = np.float32(asked.shift if word == 0 else 0.0)
        for i in range(count):
            ones = np.int32(popcount(bits[i]))
            steps = np.int32(popcount(bits[i] & p0)) + np.int32(2) * np.int32(
                popcount(bits[i] & p1)
            )
            steps += np.int32(4) * np.int32(popcount(bits[i] & p2))
            steps += np.int32(8) * np.int32(popcount(bits[i] & p3))
            told = low * np.float32(ones) + fine * np.float32(steps) + before
            sums[i] = told if word == 0 else sums[i] + told


@njit(cache=True)
def _marks(barred: Rows) -> Bits:
    """One bit for each rest of a division by 8,192, so that few items need a closer look."""
    marks = np.zeros(128, dtype=np.uint64)
    for row in barred:
        marks[(row >> 6) & 127] |= np.uint64(1) << np.uint64(row & 63)
    return marks


@njit(cache=True)
def _is_barred(without: Barred, marks: Bits, slot: int) -> bool:
    row = without.rows[slot]
    if not (marks[(row >> 6) & 127] >> np.uint64(row & 63)) & np.uint64(1):
        return False
    at = np.searchsorted(without.barred, row)
    return bool(at < len(without.barred) and without.barred[at] == row)


@njit(cache=True)
def _promises(centres: Centres, asked: Query, reach: float) -> Floats:
    """float32[C]: of each cluster the highest dot product that a member may have."""
    _, codes, scales, radii = centres
    query, wide, step = asked.vector, asked.wide, asked.step
    dims, step32, length = len(query), np.float32(step), np.float32(0)
    for j in range(dims):
        length += query[j] * query[j]
    length = np.float32(reach) * np.sqrt(length)
    promises = np.empty(len(radii), dtype=np.float32)
    for c in range(len(radii)):
        total = np.int32(0)
        for j in range(dims):
            total = np.int32(total + np.int32(codes[c, j]) * wide[j])
        promises[c] = np.float32(total) * (scales[c] * step32) + radii[c] * length
    return promises


@njit(cache=True)
def _first_order(promises: Floats) -> tuple[Rows, Rows]:
    """A heap of the clusters that promise far more than most, and the others.

    A search hardly ever comes to the others, and a heap of all would cost more than the look at
    those that it comes to.
    """
    total, squares = 0.0, 0.0
    for promise in promises:
        total += promise
        squares += promise * promise
    mean = total / len(promises)
    spread = math.sqrt(max(squares / len(promises) - mean * mean, 0.0))
    bar = mean + _FAR_MORE * spread
    order = np.empty(len(promises), dtype=np.int32)
    ahead, behind = 0, len(promises)
    for c in range(len(promises)):
        if promises[c] > bar:
            order[ahead] = c
            ahead += 1
        else:
            behind -= 1
            order[behind] = c
    make_heap(promises, order, ahead)
    return order[:ahead], order[ahead:]


@njit(nogil=True, cache=True)
def means(vectors: Floats, rows: Rows, nearest: Rows, centres: Floats) -> Floats:
    """float32[C, d]: the mean of each centre's members, the centre itself where it has none.

    rows: [n] of the vectors that count; nearest: [n] the centre of each.
    """
    sums, sizes = np.zeros(centres.shape), np.zeros(len(centres))
    dims = len(vectors[0])
    for i in range(len(rows)):
        sizes[nearest[i]] += 1
        for j in range(dims):
            sums[nearest[i], j] += vectors[rows[i], j]
    found = centres.copy()
    for c in range(len(sums)):
        if sizes[c]:
            for j in range(dims):
                found[c, j] = np.float32(sums[c, j] / sizes[c])
    return found


@njit(nogil=True, cache=True)
def distances(vectors: Floats, rows: Rows, nearest: Rows, centres: Floats) -> Floats:
    """float32[n]: how far each of these rows lies from its centre."""
    found = np.empty(len(rows), dtype=np.float32)
    for i in range(len(rows)):
        total = np.float32(0)
        for j in range(centres.shape[1]):
            off = vectors[rows[i], j] - centres[nearest[i], j]
            total += off * off
        found[i] = np.sqrt(total)
    return found
