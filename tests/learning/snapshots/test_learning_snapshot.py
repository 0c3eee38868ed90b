"""Snapshots: whole or absent, checked when read, and the last good one serves."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import structlog

from inhouse.catalog.types import Item
from inhouse.core.errors import SnapshotError
from inhouse.core.ids import ItemId, SnapshotId, UserId
from inhouse.features.history import HistoryArrays
from inhouse.features.items import ItemTable
from inhouse.learning.examples.types import Impressions, NextItems
from inhouse.learning.head.arrays import HeadWeights
from inhouse.learning.head.train import HeadTrainer, HeadTraining
from inhouse.learning.snapshots.snapshot import (
    SnapshotFacts,
    SnapshotStore,
    TasteSnapshot,
    new_snapshot_id,
)
from inhouse.learning.taste.arrays import TasteShape, TasteWeights
from inhouse.learning.taste.train import TasteTrainer, TasteTraining


@pytest.fixture
def table() -> ItemTable:
    """Ten posts."""
    filled = ItemTable()
    for k in range(10):
        filled.upsert(_item(k))
    return filled


def _item(k: int) -> Item:
    return Item(item_id=ItemId(f"i{k}"), creator_id=UserId("c"), title=f"post number{k}")


@pytest.fixture
def taste(table: ItemTable, checkerboard: Callable[..., NextItems]) -> TasteWeights:
    """Trained a little on the even and odd of the first eight posts."""
    trainer = TasteTrainer(TasteTraining(shape=TasteShape(dims=8, length=16)))
    trainer.grow(table.content[:10])
    return trainer.export(tuple(table.ids))


@pytest.fixture
def head(planted: Callable[..., Impressions]) -> HeadWeights:
    """Trained a little."""
    trainer = HeadTrainer(HeadTraining(hidden=4))
    trainer.remember(planted(100))
    trainer.learn(3)
    return trainer.export()


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    """An empty one."""
    return SnapshotStore(tmp_path / "snapshots", kept=3)


def _snapshot(taste: TasteWeights, head: HeadWeights | None = None) -> TasteSnapshot:
    facts = SnapshotFacts(
        snapshot_id=new_snapshot_id(),
        created_ms=5,
        log_offset=7,
        page_offset=3,
        watermark_ms=9,
        metrics={"taste_loss": 1.5},
    )
    return TasteSnapshot(facts, taste, head)


def _history(items: list[int]) -> HistoryArrays:
    n = len(items)
    return HistoryArrays(
        items=np.array(items, dtype=np.int32),
        kinds=np.full(n, 1, dtype=np.int8),
        ages_ms=np.arange(n, dtype=np.int64) * 1_000,
        values=np.zeros(n, dtype=np.float32),
        count=n,
    )


def test_an_empty_folder_has_no_snapshot(store: SnapshotStore) -> None:
    """Before anything was published there is nothing to serve from, and that is no fault."""
    assert store.current() is None
    assert store.load_current() is None
    assert store.ids() == []


def test_what_is_published_is_loaded_as_it_was(
    store: SnapshotStore, taste: TasteWeights, head: HeadWeights
) -> None:
    """Facts, weights and memory come back byte for byte."""
    published = _snapshot(taste, head)

    store.publish(published, {"x": np.arange(3)})
    loaded = store.load_current()

    assert loaded is not None
    assert loaded.facts == published.facts
    assert loaded.taste.item_ids == taste.item_ids
    for name, part in taste.arrays().items():
        assert loaded.taste.arrays()[name].tobytes() == part.tobytes()
    assert loaded.head is not None
    for name, part in head.arrays().items():
        assert loaded.head.arrays()[name].tobytes() == part.tobytes()
    assert store.memory(published.snapshot_id)["x"].tolist() == [0, 1, 2]


def test_a_snapshot_may_come_without_a_head(store: SnapshotStore, taste: TasteWeights) -> None:
    """It says so, and refuses to predict by name."""
    snapshot = store.load(store.publish(_snapshot(taste)))

    assert not snapshot.has_head
    assert store.memory(snapshot.snapshot_id) == {}
    with pytest.raises(SnapshotError) as error:
        snapshot.predict(np.zeros((1, 24), dtype=np.float32))
    assert str(error.value) == (
        f"snapshot {snapshot.snapshot_id} has no head; ask `has_head` before `predict`"
    )


def test_item_vectors_follow_the_table_as_it_grows(table: ItemTable, taste: TasteWeights) -> None:
    """New posts are added behind, by content alone; what was there keeps its vector."""
    snapshot = _snapshot(taste)
    before = snapshot.item_vectors(table).copy()

    for k in range(10, 40):
        table.upsert(_item(k))
    after = snapshot.item_vectors(table)

    assert after.shape == (40, 8)
    np.testing.assert_array_equal(after[:10], before)
    np.testing.assert_allclose(after[10:], table.content[10:40] @ taste.content_map, atol=1e-6)


def test_rows_follow_the_ids_whatever_the_order_of_the_table(taste: TasteWeights) -> None:
    """A process that met the items in another order serves the same vectors by id."""
    forwards, backwards = ItemTable(), ItemTable()
    for k in range(10):
        forwards.upsert(_item(k))
        backwards.upsert(_item(9 - k))

    np.testing.assert_allclose(
        _snapshot(taste).item_vectors(forwards),
        _snapshot(taste).item_vectors(backwards)[::-1],
        atol=1e-6,
    )


def test_another_table_is_computed_anew(table: ItemTable, taste: TasteWeights) -> None:
    """Vectors of one table are never given for another."""
    snapshot = _snapshot(taste)
    snapshot.item_vectors(table)
    other = ItemTable()
    other.upsert(_item(3))

    assert snapshot.item_vectors(other).shape == (1, 8)


def test_scores_are_the_dot_products(table: ItemTable, taste: TasteWeights) -> None:
    """For a person with history; 0 for one without."""
    snapshot = _snapshot(taste)
    rows = np.array([4, 1], dtype=np.int32)

    scores = snapshot.scores(table, _history([2, 6]), rows)

    person = snapshot.user_vector(_history([2, 6]))
    told = snapshot.item_vectors(table)[rows] @ person
    np.testing.assert_allclose(scores, told, rtol=1e-6)
    assert snapshot.scores(table, _history([]), rows).tolist() == [0, 0]


@pytest.mark.parametrize("name", ["taste.safetensors", "head.safetensors", "manifest.json"])
@pytest.mark.parametrize("harm", ["torn", "altered", "gone"])
def test_a_harmed_snapshot_falls_back_to_the_last_good_one(
    store: SnapshotStore, taste: TasteWeights, head: HeadWeights, name: str, harm: str
) -> None:
    """Whatever file is torn, altered or gone, the one before serves and the log says so once."""
    good = store.publish(_snapshot(taste, head))
    bad = store.publish(_snapshot(taste, head))
    fresh = SnapshotStore(store.folder)
    path = store.folder / bad / name
    data = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) // 2] if harm == "torn" else data[:-3] + b"xyz")

    with structlog.testing.capture_logs() as logs:
        assert fresh.current() == good
        assert fresh.current() == good

    assert [(entry["event"], entry["snapshot"]) for entry in logs] == [("snapshot_refused", bad)]


def test_a_snapshot_for_other_features_is_refused(
    store: SnapshotStore, taste: TasteWeights
) -> None:
    """A model trained on other columns would rank nonsense, so it does not load."""
    published = store.publish(_snapshot(taste))
    path = store.folder / published / "manifest.json"
    told = json.loads(path.read_text())
    told["features"] = told["features"][1:]
    path.write_text(json.dumps(told))

    with pytest.raises(SnapshotError) as error:
        SnapshotStore(store.folder).load(published)
    assert str(error.value) == (
        f"snapshot {published}: made for other features, kinds of event or format than this "
        "version's (format 1); train a new one"
    )


def test_an_unfinished_publication_is_invisible_and_swept(
    store: SnapshotStore, taste: TasteWeights
) -> None:
    """What a killed process left behind is never served, and goes with the next publication."""
    dead = store.folder / ".part-snap_dead-0"
    dead.mkdir(parents=True)
    (dead / "taste.safetensors").write_bytes(b"half")

    assert store.current() is None
    published = store.publish(_snapshot(taste))

    assert store.ids() == [published]
    assert [path.name for path in store.folder.iterdir()] == [published]


def test_old_snapshots_are_pruned(store: SnapshotStore, taste: TasteWeights) -> None:
    """Only the newest so many stay on disk."""
    published = [store.publish(_snapshot(taste)) for _ in range(5)]

    assert store.ids() == published[:1:-1]


def test_the_last_good_one_outlives_pruning(store: SnapshotStore, taste: TasteWeights) -> None:
    """However many broken ones came after it, the only one that can serve stays."""
    good = store.publish(_snapshot(taste))
    for k in range(5):
        (store.folder / f"snap_z{k}").mkdir()
    store.current()

    assert good in SnapshotStore(store.folder, kept=2).ids()
    store._prune()
    assert store.current() == good


def test_loading_an_unknown_id_is_a_snapshot_fault(store: SnapshotStore) -> None:
    """It names the snapshot and what could not be read."""
    with pytest.raises(SnapshotError) as error:
        store.load(SnapshotId("snap_none"))
    assert str(error.value) == "snapshot snap_none: cannot read its manifest"


def test_serving_a_snapshot_needs_no_torch(
    store: SnapshotStore, taste: TasteWeights, head: HeadWeights
) -> None:
    """A fresh process that loads and serves a snapshot never imports torch."""
    store.publish(_snapshot(taste, head))
    program = (
        "import sys; from pathlib import Path; import numpy as np;"
        "from inhouse.learning.snapshots.snapshot import SnapshotStore;"
        f"s = SnapshotStore(Path({str(store.folder)!r})).load_current();"
        "s.predict(np.zeros((2, len(s.head.mean)), dtype=np.float32));"
        "import inhouse.learning.joining.joiner;"
        "import inhouse.learning.measuring.baselines, inhouse.learning.measuring.evaluate;"
        "sys.exit('torch' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
