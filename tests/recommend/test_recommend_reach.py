"""How far a search looks, and what is told of what it finds."""

import threading

import numpy as np
import pytest
from recommend_vectors import DIMS, exactly, indexed, of_kinds
from recommend_worlds import ColourModel, World

from inhouse.core.random import stream
from inhouse.recommend.retrieval import reach as module
from inhouse.recommend.retrieval import space as space_module
from inhouse.recommend.retrieval.reach import Reach, Reaches
from inhouse.recommend.retrieval.space import Space, share_found
from inhouse.recommend.retrieval.spaces import Spaces

_NOBODY = np.empty(0, dtype=np.int32)


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> Space:
    """Over 4,000 items, with an index from 1,000 on."""
    return indexed(monkeypatch)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every search is compared with the exact answer."""
    monkeypatch.setattr(module, "_EVERY", 1)
    monkeypatch.setattr(module, "_EVERY_AT_FIRST", 1)


@pytest.mark.usefixtures("always")
def test_too_low_a_recall_widens_the_search(space: Space) -> None:
    """Vectors without any structure defeat clusters: more are looked through until it suffices."""
    dice, reaches = stream(2, "noise"), Reaches()
    few, many = reaches.few, reaches.many.value
    noise = Space(patient=True, indexed_beyond=1_000, reaches=reaches)
    noise.refresh(dice.normal(size=(4_000, DIMS)).astype(np.float32))
    few.value = 0.1
    for _ in range(120):
        noise.nearest(dice.normal(size=DIMS).astype(np.float32), 100)
    assert noise.recall is not None
    assert noise.recall > 0.95
    assert few.value > 0.3
    assert reaches.many.value == many  # searches for many are another matter


@pytest.mark.usefixtures("always")
def test_more_recall_than_is_wanted_narrows_the_search(space: Space) -> None:
    """Where little would do a search does not stay wide; it comes to stand at what is wanted."""
    few = space._reaches.few
    few.value = 1.2
    for row in range(200):
        space.nearest(space.vectors[row * 17], 100)
    assert few.value < 0.8
    assert few.recall is not None
    assert few.recall > 0.97


@pytest.mark.usefixtures("always")
def test_equals_are_as_good_as_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand posts that lie in one place any hundred are the best hundred."""
    monkeypatch.setattr(space_module, "EXACT_UP_TO", 1_000)
    space = Space(patient=True, indexed_beyond=1_000)
    space.refresh(np.repeat(of_kinds(4), 1_000, axis=0))
    for row in range(0, 4_000, 100):
        space.nearest(space.vectors[row], 100)
    assert space.recall == 1.0


@pytest.mark.usefixtures("always")
def test_recall_is_judged_without_the_barred(space: Space) -> None:
    """And by as many as were asked for, where these are fewer than a hundred."""
    barred = np.array(sorted(exactly(space.vectors, space.vectors[20], 90)), dtype=np.int32)
    for _ in range(30):
        space.nearest(space.vectors[20], 40, barred)
    assert space.recall is not None
    assert space.recall > 0.98


def test_the_share_that_was_found_is_that_of_one_product_over_all() -> None:
    """Of posts alone, without the barred; half of the best ten is half."""
    vectors = of_kinds(900)
    posts = np.arange(0, 900, 2, dtype=np.int32)
    scores = vectors[posts] @ vectors[1]
    order = np.argsort(-scores)
    barred = np.sort(posts[order[:3]]).astype(np.int32)
    best = scores[order[3:]]
    for found, share in ((best[:10], 1.0), (best[5:15], 0.5), (best[20:30], 0.0), (best[:0], 1.0)):
        assert share_found(vectors, posts, vectors[1], barred, found) == share
    assert share_found(vectors, posts, vectors[1], _NOBODY, best[:10]) == 0.7


def test_nothing_is_told_of_recall_before_it_is_known() -> None:
    """The first answer counts whole, not as a tenth beside a hope of 1."""
    reaches = Reaches()
    assert reaches.recall is None
    reaches.many.hear(0.6)
    assert reaches.recall == pytest.approx(0.6)
    reaches.many.hear(0.8)
    assert reaches.recall == pytest.approx(0.7)
    reaches.few.hear(0.5)
    assert reaches.recall == pytest.approx(0.5)
    for _ in range(100):
        reaches.few.hear(0.9)
    assert reaches.few.recall == pytest.approx(0.9, abs=1e-4)  # a moving mean forgets


def test_at_first_more_searches_are_compared() -> None:
    """So that a server which has just begun soon looks as far as it should."""
    reach, due = Reach(0.6), []
    for search in range(1, 5_001):
        if reach.is_due():
            due.append(search)
            reach.hear(0.99)
    assert due == [*range(100, 1_001, 100), 2_000, 3_000, 4_000, 5_000]


def test_an_exact_search_finds_everything() -> None:
    """Where all are compared nothing is sampled, and nothing missed."""
    space = Space()
    space.refresh(of_kinds(500))
    assert space.recall == 1.0


@pytest.mark.usefixtures("always")
def test_whoever_is_served_does_not_wait_for_the_exact_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is looked for on a thread of its own, one at a time."""
    monkeypatch.setattr(space_module, "EXACT_UP_TO", 1_000)
    go_on, asked = threading.Event(), []

    def slow(*given: object) -> float:
        asked.append(given)
        assert go_on.wait(10)
        return 0.5

    monkeypatch.setattr(space_module, "share_found", slow)
    space = Space(indexed_beyond=1_000)
    space.refresh(of_kinds(4_000))
    space.build()
    for row in range(3):
        assert space.nearest(space.vectors[row], 20)[0][0] >= 0
    assert space.recall is None
    go_on.set()
    assert space._checker is not None
    space._checker.join()
    assert space.recall == 0.5
    assert len(asked) == 1


def test_a_newer_model_goes_on_with_what_was_learned() -> None:
    """Its vectors lie much as the last one's: a server with a new model every minute would else
    never come to look as far as it should."""
    world = World()
    world.item("i1", topics=("red",))
    spaces, table = Spaces(), world.state.items
    first = spaces.learned(ColourModel(), table)
    first._reaches.many.hear(0.4)
    prepared = spaces.prepare(ColourModel(), table)
    spaces.use(prepared)
    assert prepared.space is not first
    assert prepared.space._reaches is first._reaches
