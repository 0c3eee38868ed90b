"""Finding the nearest: what an index finds, and what it may cost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_vectors import DIMS, exactly, indexed, of_kinds

from inhouse.core.random import stream
from inhouse.features.candidate_kernels import products
from inhouse.recommend.retrieval import space as module
from inhouse.recommend.retrieval.clusters import EVERYTHING, _signs, cluster
from inhouse.recommend.retrieval.kernels import (
    Barred,
    Centres,
    Index,
    Members,
    Query,
    Signs,
    ask,
    distances,
    means,
    search,
)
from inhouse.recommend.retrieval.partition import partition
from inhouse.recommend.retrieval.space import Space


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> Space:
    """Over 4,000 items, with an index from 1,000 on."""
    return indexed(monkeypatch)


def test_few_items_are_searched_exactly() -> None:
    """Below the limit every item is compared."""
    space, vectors = Space(), of_kinds(500)
    space.refresh(vectors)
    rows, scores = space.nearest(vectors[3], 20)
    assert rows.tolist() == exactly(vectors, vectors[3], 20)
    assert scores.tolist() == pytest.approx((vectors[rows] @ vectors[3]).tolist())


def test_an_index_finds_nearly_all_of_the_best(space: Space) -> None:
    """Among vectors of kinds, a person of one kind is answered from a few clusters."""
    found = []
    for row in range(0, 4_000, 100):
        wanted = exactly(space.vectors, space.vectors[row], 50)
        rows, scores = space.nearest(space.vectors[row], 50)
        assert (np.diff(scores) <= 0).all()
        found.append(len(set(rows.tolist()) & set(wanted)) / 50)
    assert np.mean(found) > 0.9


def test_the_widest_reach_is_exact_but_for_rounding() -> None:
    """No member can be better than its cluster then promises: only rounding loses anything."""
    vectors = of_kinds(3_000)
    clusters = cluster(vectors)
    for row in (5, 700, 2_999):
        rows = clusters.preselect(vectors[row], 40, EVERYTHING)
        assert set(exactly(vectors, vectors[row], 40)) <= set(rows.tolist())
    assert np.array_equal(clusters.rows[clusters.slot_of], np.arange(3_000))


def test_the_odd_ones_among_many_are_found() -> None:
    """A few long vectors, strewn over all kinds, do not hide in clusters that promise little."""
    vectors = of_kinds(6_000)
    odd = np.arange(0, 6_000, 60)
    vectors[odd] += stream(4, "odd").normal(size=(len(odd), DIMS)).astype(np.float32) * 1.5
    clusters = cluster(vectors)
    found = [
        len({*clusters.preselect(vectors[row], 20, 0.65)} & {*exactly(vectors, vectors[row], 20)})
        for row in odd.tolist()
    ]
    assert np.mean(found) / 20 > 0.97


def test_an_index_over_not_so_many_isexactly() -> None:
    """Up to a size no search stops before it is sure: the answer is one product's over all."""
    space = Space(patient=True, indexed_beyond=1_000)
    noise = stream(6, "noise").normal(size=(3_000, DIMS)).astype(np.float32)
    for vectors in (of_kinds(3_000), noise):
        space.refresh(vectors)
        space.build()
        for row in range(0, 3_000, 150):
            for k in (5, 300):
                found, _ = space.nearest(vectors[row], k)
                assert found.tolist() == exactly(vectors, vectors[row], k)


def test_what_came_after_the_index_is_found_at_once(space: Space) -> None:
    """New rows are compared one by one until the next build."""
    newest = 3 * space.vectors[7]
    space.refresh(np.concatenate([space.vectors, newest[None]]))
    rows, _ = space.nearest(space.vectors[7], 3)
    assert rows[0] == 4_000


def test_a_vector_that_moved_is_found_where_it_is_now(space: Space) -> None:
    """Its bytes are overwritten in its cluster."""
    vector = space.vectors[11]
    row = int(np.argmin(space.vectors @ vector))
    space.vectors[row] = 5 * space.vectors[row]
    space.moved(np.array([row, 9_999], dtype=np.int32)[:1])
    rows, _ = space.nearest(space.vectors[row], 1)
    assert rows.tolist() == [row]


def test_a_vector_that_moved_far_is_found_from_anywhere(space: Space) -> None:
    """Its cluster promises more from then on, though it lies where the cluster does not."""
    wanted = stream(5, "elsewhere").normal(size=DIMS).astype(np.float32)
    row = int(np.argmin(space.vectors @ wanted))
    space.vectors[row] = 9 * wanted
    space.moved(np.array([row], dtype=np.int32))
    assert space.nearest(wanted, 1)[0].tolist() == [row]


def test_neighbours_are_remembered_and_stay_up_to_date(space: Space) -> None:
    """The second answer is the first, and a new neighbour is in it."""
    first, _ = space.neighbours(20, 10)
    again, _ = space.neighbours(20, 10)
    assert first.tolist() == again.tolist()
    space.refresh(np.concatenate([space.vectors, 2 * space.vectors[20][None]]))
    later, _ = space.neighbours(20, 10)
    assert later.tolist() == [4_000, *first.tolist()[:9]]
    assert space.neighbours(20, 10)[0].tolist() == later.tolist()
    assert space.neighbours(20, 4_001)[0].tolist()[:10] == later.tolist()  # more than is remembered


def test_neighbours_that_are_remembered_for_long_are_looked_for_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A vector that moved is not met while few items are new, and is when more are."""
    monkeypatch.setattr(module, "_ADDED_SINCE", 10)
    space, vectors = Space(), of_kinds(500)
    space.refresh(vectors)
    assert 7 not in space.neighbours(20, 10)[0]
    vectors[7] = 3 * vectors[20]

    met = []
    for _ in range(11):
        space.refresh(np.concatenate([space.vectors, -vectors[20][None]]))
        met.append(7 in space.neighbours(20, 10)[0])

    assert met == [False] * 10 + [True]


def test_only_what_is_searched_is_indexed() -> None:
    """Vectors that are only looked at cost no index; the first search has one made."""
    space, vectors = Space(patient=True, indexed_beyond=1_000), of_kinds(4_000)
    space.refresh(vectors)
    assert space._builder is None
    space.nearest(vectors[3], 5)
    assert space._clusters is not None
    assert space._clusters.count == 4_000


def test_an_impatient_space_answers_while_the_index_is_made() -> None:
    """A server never waits: until the clusters are there, everything is compared."""
    space, vectors = Space(indexed_beyond=1_000), of_kinds(4_000)
    space.refresh(vectors)
    rows, _ = space.nearest(vectors[3], 5)
    assert space._builder is not None
    space._builder.join()
    assert rows.tolist() == exactly(vectors, vectors[3], 5)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**16),
    dims=st.sampled_from([1, 7, 64, 100]),
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=12),
    k=st.integers(1, 30),
    reach=st.sampled_from([0.0, 0.4, EVERYTHING]),
)
def test_a_search_is_its_plain_definition(
    seed: int, dims: int, sizes: list[int], k: int, reach: float
) -> None:
    """Clusters by what they promise, until none promises more than the k-th best found so far.

    Before four times k were scored, nobody knows the k-th best.
    """
    dice = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    centres = Centres(
        dice.normal(size=(len(sizes), dims)).astype(np.float32),
        dice.integers(-127, 128, (len(sizes), dims)).astype(np.int8),
        dice.random(len(sizes)).astype(np.float32),
        dice.random(len(sizes)).astype(np.float32),
    )
    members = Members(
        starts,
        dice.integers(-127, 128, (starts[-1], dims)).astype(np.int8),
        dice.random(starts[-1]).astype(np.float32),
    )
    wide = dice.integers(-4_095, 4_096, dims).astype(np.int16)
    query = (wide * 0.25).astype(np.float32)

    slots, scored, closely = search(
        Index(centres, members, _all_hopeful(starts, dims)),
        _query(query, wide, 0.25),
        k,
        reach,
        _nothing_barred(int(starts[-1])),
    )

    about = query.astype(np.float64)
    promises = (centres.codes @ about) * centres.scales
    promises += centres.radii * reach * np.linalg.norm(about)
    best: list[float] = []
    looked = 0
    for c in np.argsort(-promises, kind="stable").tolist():
        if len(best) >= 4 * k and promises[c] < sorted(best)[-k]:
            break
        part = slice(int(starts[c]), int(starts[c + 1]))
        base = centres.exact[c].astype(np.float64) @ about
        best += (base + (members.codes[part] @ about) * members.scales[part]).tolist()
        looked += sizes[c]
    at = dict(zip(_slots_in_order(promises, starts, looked), best, strict=True))
    assert scored == closely == looked
    assert len(slots) == len(set(slots.tolist())) == min(k, looked)
    assert sorted(at[slot] for slot in slots.tolist()) == pytest.approx(
        sorted(best)[-k:], rel=1e-4, abs=1.0
    )


def _all_hopeful(starts: np.ndarray, dims: int) -> Signs:
    """Signs of which none ever speaks against a slot: with `_query` each promises the most."""
    return Signs(
        np.eye(dims, dtype=np.float32),
        np.zeros((-(-dims // 64), int(starts[-1])), dtype=np.uint64),
        np.full(int(starts[-1]), 255, dtype=np.uint8),
        np.ones(len(starts) - 1, dtype=np.float32),
    )


def _query(vector: np.ndarray, wide: np.ndarray, step: float) -> Query:
    planes = np.zeros((4, -(-len(wide) // 64)), dtype=np.uint64)
    return Query(vector, wide, step, planes, 0.0, 0.0, 1e12)


def _nothing_barred(slots: int) -> Barred:
    return Barred(np.arange(slots, dtype=np.int32), np.empty(0, dtype=np.int32), 3)


@pytest.mark.parametrize("dims", [16, 64, 100])
def test_signs_say_about_how_near_a_vector_is(dims: int) -> None:
    """Without bias, off by no more than a tenth of both lengths, or the doubt is in vain."""
    dice = stream(5, "signs")
    off = dice.normal(size=(3_000, dims)).astype(np.float32)
    rotation = np.linalg.qr(dice.normal(size=(dims, dims)))[0].astype(np.float32)
    words, gains = _signs(off, rotation)
    query = dice.normal(size=dims).astype(np.float32)
    asked = ask(query, rotation)

    bits = np.unpackbits(words.T.astype("<u8").view(np.uint8), axis=1, bitorder="little")
    signed = 2.0 * bits[:, :dims] - 1.0
    levels = sum(
        (1 << bit) * np.unpackbits(asked.planes[bit].view(np.uint8), bitorder="little")
        for bit in range(4)
    )
    turned = asked.low + asked.step_turned * levels[:dims]
    about = gains * (signed @ turned)
    true = off @ query
    lengths = np.linalg.norm(off, axis=1) * np.linalg.norm(query)

    assert turned == pytest.approx(rotation @ query, abs=float(asked.step_turned) / 2 + 1e-4)
    assert np.mean((about - true) / lengths) == pytest.approx(0.0, abs=0.01)
    assert np.std((about - true) / lengths) < 0.9 / np.sqrt(dims)
    # What is added for doubt makes most promises true.
    doubt = float(asked.shift) + float(turned.sum())
    assert np.mean(true <= about + gains * doubt) > 0.75
    assert doubt == pytest.approx(0.6 * np.linalg.norm(query), rel=1e-3)


def test_what_is_barred_takes_no_place(space: Space) -> None:
    """The best that are not barred are all found, and of the barred ones the best few."""
    vector = space.vectors[20]
    order = exactly(space.vectors, vector, 4_000)
    barred = np.array(sorted(order[:300:2]), dtype=np.int32)

    rows, scores = space.nearest(vector, 100, barred)

    allowed = [row for row in order if row not in set(barred.tolist())]
    found = [row for row in rows.tolist() if row not in set(barred.tolist())]
    assert found[:100] == allowed[:100]
    assert [row for row in rows.tolist() if row in set(barred.tolist())] == order[:24:2]
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)


def test_few_items_are_searched_exactly_without_the_barred() -> None:
    """As with an index; where all are barred the best of them remain."""
    space, vectors = Space(), of_kinds(60)
    space.refresh(vectors)
    order = exactly(vectors, vectors[3], 60)
    barred = np.array(sorted(order[:30]), dtype=np.int32)
    rows, _ = space.nearest(vectors[3], 10, barred)
    assert rows.tolist() == order[:12] + order[30:40]
    everything = np.arange(60, dtype=np.int32)
    assert space.nearest(vectors[3], 10, everything)[0].tolist()[:12] == order[:12]


def test_neighbours_may_be_looked_for_before_anybody_asks(space: Space) -> None:
    """Rows that are no more are passed over."""
    space.meet({20: 10, 4_000: 10})
    space._clusters = None  # no search from here on would be by it
    space.vectors = space.vectors.copy()
    assert space.neighbours(20, 10)[0].tolist() == exactly(space.vectors, space.vectors[20], 10)


def _slots_in_order(promises: np.ndarray, starts: np.ndarray, most: int) -> list[int]:
    order = np.argsort(-promises, kind="stable").tolist()
    return [s for c in order for s in range(int(starts[c]), int(starts[c + 1]))][:most]


def test_sums_of_the_largest_numbers_do_not_overflow() -> None:
    """127 times the widest query, over more dimensions than any model has, is still exact."""
    dims = 1_024
    centres = Centres(
        np.zeros((1, dims), dtype=np.float32),
        np.zeros((1, dims), dtype=np.int8),
        np.ones(1, dtype=np.float32),
        np.ones(1, dtype=np.float32),
    )
    codes = np.full((2, dims), 127, dtype=np.int8)
    codes[0] = -127
    members = Members(np.array([0, 2]), codes, np.ones(2, dtype=np.float32))
    wide = np.full(dims, 4_095, dtype=np.int16)
    slots, _, _ = search(
        Index(centres, members, _all_hopeful(members.starts, dims)),
        _query(wide.astype(np.float32), wide, 1.0),
        1,
        1.0,
        _nothing_barred(2),
    )
    assert slots.tolist() == [1]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**16), count=st.integers(1, 60), clusters=st.integers(1, 9))
def test_products_means_and_distances_are_what_they_say(
    seed: int, count: int, clusters: int
) -> None:
    """As numpy has them, with clusters that nobody belongs to."""
    dice = np.random.default_rng(seed)
    vectors = dice.normal(size=(80, 5)).astype(np.float32)
    rows = dice.integers(0, 80, count).astype(np.int32)
    nearest = dice.integers(0, clusters, count).astype(np.int32)
    centres = dice.normal(size=(clusters, 5)).astype(np.float32)

    # Not by matmul, which warns of numbers that lie beyond its short operands.
    expected_products = (vectors[rows] * centres[0]).sum(axis=1)
    assert products(vectors, rows, centres[0]) == pytest.approx(expected_products, abs=1e-5)
    far = np.linalg.norm(vectors[rows] - centres[nearest], axis=1)
    assert distances(vectors, rows, nearest, centres) == pytest.approx(far, abs=1e-5)
    expected = [
        vectors[rows[nearest == c]].mean(axis=0) if (nearest == c).any() else centres[c]
        for c in range(clusters)
    ]
    assert means(vectors, rows, nearest, centres) == pytest.approx(np.array(expected), abs=1e-5)


def test_nobody_is_farther_from_the_centre_than_the_radius_says() -> None:
    """The promise of a cluster rests on it."""
    vectors = of_kinds(5_000)
    vectors[::500] *= 8
    parts = partition(vectors, np.arange(len(vectors), dtype=np.int32))
    far = np.linalg.norm(vectors - parts.centres[parts.nearest], axis=1)
    assert (far <= EVERYTHING * parts.radii[parts.nearest] * 1.0001).all()


def test_a_post_that_comes_into_a_small_community_is_a_neighbour_at_once() -> None:
    """Where all there are were neighbours already, the new one is one more, not one to wait for."""
    space = Space()
    vectors = np.eye(4, dtype=np.float32)
    space.refresh(vectors[:3])
    assert set(space.neighbours(0, 10)[0].tolist()) == {0, 1, 2}
    vectors[3] = vectors[0]

    space.refresh(vectors)

    assert set(space.neighbours(0, 10)[0].tolist()) == {0, 1, 2, 3}
