"""A causal model beside the taste: one geometry, and zeros where it knows nothing."""

from dataclasses import replace

import numpy as np
import pytest

from causal_models import SHAPE, beside
from inhouse.catalog.types import Item
from inhouse.core.errors import SnapshotError
from inhouse.core.ids import ItemId, SnapshotId, UserId
from inhouse.core.random import stream
from inhouse.features.history import HistoryArrays
from inhouse.features.items import ItemTable
from inhouse.features.outcomes import KIND_CODES
from inhouse.learning.causal.beside import read_wanted
from inhouse.learning.causal.serving import ReadRows
from inhouse.learning.sequences.flat import timed_codes
from inhouse.learning.snapshots.snapshot import SnapshotFacts, TasteSnapshot, with_beside
from inhouse.learning.taste.arrays import TasteShape, TasteWeights
from inhouse.learning.taste.deltas import Delta, DeltaFacts
from inhouse.learning.taste.train import TasteTrainer, TasteTraining

OWN = 8
NAMES = [f"i{k}" for k in range(10)]
FACTS = SnapshotFacts(
    snapshot_id=SnapshotId("snap_1"), created_ms=0, log_offset=3, page_offset=0, watermark_ms=0
)


def _table(count: int = 10) -> ItemTable:
    table = ItemTable()
    for k in range(count):
        table.upsert(_item(k))
    return table


def _item(k: int) -> Item:
    return Item(item_id=ItemId(f"i{k}"), creator_id=UserId("c"), title=f"post number{k}")


def _taste() -> TasteWeights:
    weights = TasteTrainer(TasteTraining(shape=TasteShape(dims=OWN, length=16))).export(())
    rows = stream(1, "rows").normal(size=(10, OWN)).astype(np.float32)
    return replace(weights, item_ids=tuple(ItemId(name) for name in NAMES), id_part=rows)


def _both(weight: float = 0.5) -> TasteSnapshot:
    """The causal model knows the first six items."""
    return TasteSnapshot(FACTS, _taste(), None, beside(NAMES[:6], weight=weight))


def _history(*did: tuple[int, str], value: float = 0.0) -> HistoryArrays:
    n = len(did)
    return HistoryArrays(
        items=np.array([item for item, _ in did], dtype=np.int32),
        kinds=np.array([KIND_CODES[kind] for _, kind in did], dtype=np.int8),  # type: ignore[index]
        ages_ms=np.arange(n, dtype=np.int64)[::-1] * 1_000,
        values=np.full(n, value, dtype=np.float32),
        count=n,
    )


CLICKS = _history((2, "click"), (8, "click"), (4, "like"))


def test_one_dot_product_is_the_weighted_mean_of_both() -> None:
    """The order of their weighted sum, on the scale of one of them."""
    table, rows = _table(), np.arange(10, dtype=np.int32)
    both, alone, causal = _both(weight=0.5), TasteSnapshot(FACTS, _taste(), None), beside(NAMES[:6])
    vectors = causal.placed(table.ids, table.content[:10])
    second = np.array([0, 1_000, 2_000])
    codes = timed_codes(second, np.array([0, 3]))[None]
    read = ReadRows(items=np.array([[2, 8, 4]]), codes=codes)
    person = causal.weights.people(vectors, read)[0]

    scores = both.scores(table, CLICKS, rows)

    wanted = (alone.scores(table, CLICKS, rows) + 0.5 * (vectors @ person)) / 1.5
    np.testing.assert_allclose(scores, wanted, atol=1e-5)
    np.testing.assert_allclose(both.item_vectors(table) @ both.user_vector(CLICKS), scores, 1e-5)
    assert both.dims == OWN + SHAPE.dims
    assert np.abs(vectors @ person).min() > 0


def test_the_first_numbers_are_those_of_the_taste_model() -> None:
    """Byte for byte of items; of people in their share of the mean."""
    table = _table()
    both, alone = _both(), TasteSnapshot(FACTS, _taste(), None)

    items, own = both.item_vectors(table), alone.item_vectors(table)

    assert np.ascontiguousarray(items[:, :OWN]).tobytes() == own.tobytes()
    shared = both.user_vector(CLICKS)[:OWN] * 1.5
    np.testing.assert_allclose(shared, alone.user_vector(CLICKS), rtol=1e-6)


def test_an_item_that_the_causal_model_does_not_know_lies_by_its_content() -> None:
    """New posts have a place in both parts at once, also in a table that grows."""
    table, snapshot = _table(), _both()
    snapshot.item_vectors(table)
    for k in range(10, 14):
        table.upsert(_item(k))

    found = snapshot.item_vectors(table)[:, OWN:]

    causal = beside(NAMES[:6]).weights
    content = table.content[:14] @ causal.content_map
    np.testing.assert_allclose(found[6:], content[6:], atol=1e-6)
    np.testing.assert_allclose(found[:6], content[:6] + causal.id_part, atol=1e-6)


@pytest.mark.parametrize(
    "history",
    [
        _history(),
        _history((3, "hide"), (4, "report")),
        _history((3, "dwell"), value=900.0),
        _history((70, "click"), (-1, "click")),
    ],
    ids=["nothing", "unwanted", "looks", "unknown"],
)
def test_where_nothing_was_wanted_the_causal_model_adds_nothing(history: HistoryArrays) -> None:
    """The taste model stands alone for them, and no number is made up."""
    table, snapshot = _table(), _both()
    snapshot.item_vectors(table)

    vector = snapshot.user_vector(history)

    assert vector.shape == (OWN + SHAPE.dims,)
    assert not vector[OWN:].any()
    assert np.isfinite(vector).all()


def test_before_any_item_was_placed_a_person_still_has_a_vector() -> None:
    """Of full length, as a server may ask in any order."""
    vector = _both().user_vector(CLICKS)

    assert vector.shape == (OWN + SHAPE.dims,)
    assert not vector[OWN:].any()


def test_wanted_is_read_once_each_oldest_first() -> None:
    """As in the sequences of training: no hides, no short looks, nothing twice, and gaps between
    those that are left."""
    table = _table()
    history = _history((5, "click"), (1, "hide"), (3, "like"), (5, "share"), (9, "click"))

    read, fewer = read_wanted(history, table, 10), read_wanted(history, table, 9)
    assert read.items.tolist() == [[5, 3, 9]]
    assert fewer.items.tolist() == [[5, 3]]
    trained = timed_codes(np.array([0, 2_000, 4_000]), np.array([0, 3]))
    assert read.codes.tolist() == [trained.tolist()]
    assert trained[:, 1].tolist() == [0, 1, 1]


def test_a_delta_moves_its_own_part_alone() -> None:
    """Rows are of the taste model; what the causal model says stays."""
    table, snapshot = _table(), _both()
    before = snapshot.item_vectors(table).copy()
    facts = DeltaFacts(base=SnapshotId("snap_1"), sequence=1, created_ms=0, log_offset=9)

    moved = snapshot.apply(
        Delta(facts=facts, item_ids=(ItemId("i3"),), rows=np.ones((1, OWN), dtype=np.float32))
    )

    after = snapshot.item_vectors(table)
    assert moved.tolist() == [3]
    np.testing.assert_array_equal(after[:, OWN:], before[:, OWN:])
    assert (after[3, :OWN] != before[3, :OWN]).all()
    wide = np.ones((1, snapshot.dims), dtype=np.float32)
    with pytest.raises(SnapshotError, match="has rows of 14 numbers"):
        snapshot.apply(Delta(facts=replace(facts, sequence=2), item_ids=(ItemId("i3"),), rows=wide))


def test_the_same_weights_may_stand_beside_another_model() -> None:
    """A new snapshot with what deltas brought, that says so of its offset."""
    snapshot = TasteSnapshot(FACTS, _taste(), None)
    facts = DeltaFacts(base=SnapshotId("snap_1"), sequence=1, created_ms=0, log_offset=9)
    rows = np.ones((1, OWN), dtype=np.float32)
    snapshot.apply(Delta(facts=facts, item_ids=(ItemId("i3"),), rows=rows))

    changed = with_beside(snapshot, beside(NAMES), 11)
    back = with_beside(changed, None, 12)

    assert (snapshot.facts.causal, changed.facts.causal, back.facts.causal) == (
        None,
        "causal_1",
        None,
    )
    assert changed.snapshot_id != "snap_1"
    assert (changed.facts.created_ms, changed.log_offset, changed.sequence) == (11, 9, 0)
    assert changed.taste.id_part.tobytes() == snapshot.taste.id_part.tobytes()
