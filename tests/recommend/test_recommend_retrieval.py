"""Finding the nearest: what an index finds, and what it may cost."""

import numpy as np
import pytest

from inhouse.core.random import stream
from inhouse.recommend.best import top
from inhouse.recommend.retrieval import space as module
from inhouse.recommend.retrieval.clusters import cluster
from inhouse.recommend.retrieval.kernels import scan
from inhouse.recommend.retrieval.space import Space

DIMS = 16


def _vectors(count: int, seed: int = 1) -> np.ndarray:
    """Of forty kinds, with some chance in each."""
    dice = stream(seed, "vectors")
    kinds = dice.normal(size=(40, DIMS))
    told = kinds[dice.integers(0, 40, count)] + 0.3 * dice.normal(size=(count, DIMS))
    return told.astype(np.float32)


def _exact(vectors: np.ndarray, vector: np.ndarray, k: int) -> list[int]:
    return top(vectors @ vector, k).tolist()


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> Space:
    """Over 4,000 items, with an index from 1,000 on."""
    monkeypatch.setattr(module, "EXACT_UP_TO", 1_000)
    space = Space(patient=True)
    space.refresh(_vectors(4_000))
    space.build()
    return space


def test_few_items_are_searched_exactly() -> None:
    """Below the limit every item is compared."""
    space, vectors = Space(), _vectors(500)
    space.refresh(vectors)
    rows, scores = space.nearest(vectors[3], 20)
    assert rows.tolist() == _exact(vectors, vectors[3], 20)
    assert scores.tolist() == pytest.approx((vectors[rows] @ vectors[3]).tolist())


def test_an_index_finds_nearly_all_of_the_best(space: Space) -> None:
    """Among vectors of kinds, a person of one kind is answered from a few clusters."""
    found = []
    for row in range(0, 4_000, 100):
        wanted = _exact(space.vectors, space.vectors[row], 50)
        rows, scores = space.nearest(space.vectors[row], 50)
        assert (np.diff(scores) <= 0).all()
        found.append(len(set(rows.tolist()) & set(wanted)) / 50)
    assert np.mean(found) > 0.9


def test_all_clusters_together_are_exact_but_for_rounding() -> None:
    """Looking through everything loses only what a byte a dimension cannot tell apart."""
    vectors = _vectors(3_000)
    clusters = cluster(vectors)
    rows = clusters.preselect(vectors[5], 40, len(clusters.centroids))
    assert set(_exact(vectors, vectors[5], 40)) <= set(rows.tolist())
    assert np.array_equal(clusters.rows[clusters.slot_of], np.arange(3_000))


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


def test_too_low_a_recall_widens_the_search(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors without any structure defeat clusters: more are looked through until it suffices."""
    monkeypatch.setattr(module, "_CHECKED_EVERY", 1)
    dice = stream(2, "noise")
    noise = Space(patient=True)
    noise.refresh(dice.normal(size=(4_000, DIMS)).astype(np.float32))
    for _ in range(120):
        noise.nearest(dice.normal(size=DIMS).astype(np.float32), 100)
    assert noise.recall > 0.95
    assert noise._share > 10 * space._share


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
    space, vectors = Space(), _vectors(500)
    space.refresh(vectors)
    assert 7 not in space.neighbours(20, 10)[0]
    vectors[7] = 3 * vectors[20]

    met = []
    for _ in range(11):
        space.refresh(np.concatenate([space.vectors, -vectors[20][None]]))
        met.append(7 in space.neighbours(20, 10)[0])

    assert met == [False] * 10 + [True]


def test_only_what_is_searched_is_indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors that are only looked at cost no index; the first search has one made."""
    monkeypatch.setattr(module, "EXACT_UP_TO", 1_000)
    space, vectors = Space(patient=True), _vectors(4_000)
    space.refresh(vectors)
    assert space._builder is None
    space.nearest(vectors[3], 5)
    assert space._clusters is not None
    assert space._clusters.count == 4_000


def test_an_impatient_space_answers_while_the_index_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server never waits: until the clusters are there, everything is compared."""
    monkeypatch.setattr(module, "EXACT_UP_TO", 1_000)
    space, vectors = Space(), _vectors(4_000)
    space.refresh(vectors)
    rows, _ = space.nearest(vectors[3], 5)
    assert space._builder is not None
    space._builder.join()
    assert rows.tolist() == _exact(vectors, vectors[3], 5)


@pytest.mark.parametrize("dims", [1, 7, 64, 100])
def test_the_scan_is_the_product_of_small_integers(dims: int) -> None:
    """Exact sums for any length and for the largest numbers there are, in the order of ranges."""
    dice = stream(3, "scan")
    codes = dice.integers(-127, 128, (60, dims)).astype(np.int8)
    codes[:2], codes[2:4] = 127, -127
    scales = dice.random(60).astype(np.float32)
    ranges = np.array([[40, 55], [0, 9], [9, 9]])
    expected_slots = [*range(40, 55), *range(9)]

    for query in (codes[0], codes[2], codes[50]):
        slots, scores = scan(codes, scales, ranges, query)

        products = codes[expected_slots].astype(np.int64) @ query.astype(np.int64)
        assert slots.tolist() == expected_slots
        assert np.array_equal(scores, scales[expected_slots] * products.astype(np.float32))
