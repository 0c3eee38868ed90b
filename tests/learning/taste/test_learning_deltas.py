"""Deltas: what changed reaches whoever serves, in order and whole, and passes the gate."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import structlog
from learning_community import Community

from inhouse.catalog.types import Item
from inhouse.core.clock import FollowingClock
from inhouse.core.errors import SnapshotError
from inhouse.core.ids import ItemId, SnapshotId, UserId
from inhouse.features.items import ItemTable
from inhouse.learning.settings import LearningSettings
from inhouse.learning.snapshots.snapshot import SnapshotFacts, SnapshotStore, TasteSnapshot
from inhouse.learning.taste.arrays import TasteShape, TasteWeights
from inhouse.learning.taste.deltas import Delta, DeltaFacts, decode_delta, delta_name, encode_delta
from inhouse.learning.taste.train import TasteTrainer, TasteTraining
from inhouse.learning.training.learner import Learner

SNAPSHOT = SnapshotId("snap_1")
# The next snapshot is far away, so that only deltas tell what is new.
SETTINGS = LearningSettings(
    first_positives=100, every_positives=200, table_mb=1, snapshot_every_ms=86_400_000
)


def _weights() -> TasteWeights:
    trainer = TasteTrainer(TasteTraining(shape=TasteShape(dims=8)))
    weights = trainer.export(())
    rows = np.arange(16, dtype=np.float32).reshape(2, 8)
    return replace(weights, item_ids=(ItemId("a"), ItemId("b")), id_part=rows)


def _snapshot() -> TasteSnapshot:
    facts = SnapshotFacts(
        snapshot_id=SNAPSHOT, created_ms=1, log_offset=10, page_offset=0, watermark_ms=0
    )
    return TasteSnapshot(facts, _weights(), None)


def _delta(sequence: int, *names: str, value: float = 1.0, base: str = SNAPSHOT) -> Delta:
    facts = DeltaFacts(
        base=SnapshotId(base), sequence=sequence, created_ms=2, log_offset=10 + sequence
    )
    rows = np.full((len(names), 8), value, dtype=np.float32)
    return Delta(facts=facts, item_ids=tuple(ItemId(name) for name in names), rows=rows)


def _items(*names: str) -> ItemTable:
    table = ItemTable()
    for name in names:
        table.upsert(Item(item_id=ItemId(name), creator_id=UserId("c"), title=name))
    return table


def test_a_delta_survives_the_disk() -> None:
    """What is read is what was written."""
    delta = _delta(3, "b", "new")

    found = decode_delta(encode_delta(delta))

    assert (found.facts, found.item_ids) == (delta.facts, delta.item_ids)
    assert found.rows.tobytes() == delta.rows.tobytes()


def test_applied_rows_move_the_vectors_that_were_given_out() -> None:
    """Known, new and not yet known items lie where a fresh snapshot of the new rows puts them."""
    items = _items("a", "b", "new")
    snapshot = _snapshot()
    vectors = snapshot.item_vectors(items)
    before = vectors.copy()

    moved = snapshot.apply(_delta(1, "b", "new", "later"))

    assert moved.tolist() == [1, 2]
    fresh = TasteSnapshot(snapshot.facts, snapshot.taste, None)
    assert snapshot.taste.item_ids == ("a", "b", "new", "later")
    np.testing.assert_array_equal(vectors, fresh.item_vectors(items))
    np.testing.assert_array_equal(vectors[0], before[0])
    np.testing.assert_allclose(vectors[2], before[2] + 1, rtol=1e-6)
    items.upsert(Item(item_id=ItemId("later"), creator_id=UserId("c"), title="later"))
    np.testing.assert_array_equal(snapshot.item_vectors(items), fresh.item_vectors(items))
    assert (snapshot.sequence, snapshot.log_offset) == (1, 11)


@pytest.mark.parametrize(
    "delta", [_delta(2, "a"), _delta(1, "a", base="snap_2"), _delta(0, "a")], ids=lambda d: d.facts
)
def test_a_delta_that_does_not_follow_changes_nothing(delta: Delta) -> None:
    """One too far, of another snapshot, or applied already: refused as a whole."""
    snapshot = _snapshot()

    with pytest.raises(SnapshotError, match="does not follow delta 0 of snap_1"):
        snapshot.apply(delta)

    assert snapshot.sequence == 0
    assert snapshot.taste.id_part.tobytes() == _weights().id_part.tobytes()


@pytest.mark.parametrize("fault", ["torn", "missing", "misnamed"])
def test_serving_stops_before_a_bad_delta_and_says_so_once(tmp_path: Path, fault: str) -> None:
    """What was good before it is applied; nothing behind it is, however often one looks."""
    store = SnapshotStore(tmp_path)
    store.publish(_snapshot())
    for sequence in (1, 2, 3):
        store.publish_delta(_delta(sequence, "a", value=sequence))
    bad = tmp_path / SNAPSHOT / delta_name(2)
    if fault == "torn":
        bad.write_bytes(bad.read_bytes()[:-1])
    elif fault == "missing":
        bad.unlink()
    else:
        bad.write_bytes(encode_delta(_delta(1, "a", value=9)))

    with structlog.testing.capture_logs() as logs:
        snapshot = store.load_current()
        assert snapshot is not None
        assert store.bring_up(snapshot).tolist() == []

    assert snapshot.sequence == 1
    assert snapshot.taste.id_part[0].tolist() == [1.0] * 8
    assert [(e["event"], e["sequence"]) for e in logs] == [("delta_refused", 2)]


def test_deltas_go_with_their_snapshot(tmp_path: Path) -> None:
    """When a snapshot is pruned nothing of it is left."""
    store = SnapshotStore(tmp_path, kept=2)
    for number in range(1, 5):
        snapshot = _snapshot()
        snapshot.facts = replace(snapshot.facts, snapshot_id=SnapshotId(f"snap_{number}"))
        store.publish(snapshot)
        store.publish_delta(_delta(1, "a", base=f"snap_{number}"))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["snap_3", "snap_4"]


@pytest.mark.usefixtures("small_model")
def test_what_is_learned_is_served_before_the_next_snapshot(
    community: Community, store: SnapshotStore
) -> None:
    """Whoever serves from the first snapshot and its deltas has the learner's own rows."""
    learner = Learner(community.logs, store, FollowingClock(), SETTINGS)
    serving: TasteSnapshot | None = None
    reports = []
    for _ in range(30):
        community.live(10)
        reports.append(learner.step())
        serving = serving or store.load_current()
        if serving is not None:
            store.bring_up(serving)

    assert serving is not None
    assert len(store.ids()) == 1
    sequences = [report.delta for report in reports if report.delta is not None]
    assert sequences == list(range(1, len(sequences) + 1))
    assert len(sequences) > 5
    assert serving.sequence == sequences[-1]
    own = learner._course.serving
    assert own is not None
    assert own.taste.id_part.tobytes() == serving.taste.id_part.tobytes()


@pytest.mark.usefixtures("small_model")
def test_worse_rows_are_not_published_and_that_is_said_once(
    community: Community, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the latest examples speak against the learning rows no delta is made."""
    learner = Learner(community.logs, store, FollowingClock(), SETTINGS)
    community.live(150)
    while learner.step().was_busy:
        pass
    learn = TasteTrainer.learn

    def burst(trainer: TasteTrainer, *args: object, **kwargs: object) -> float:
        loss = learn(trainer, *args, **kwargs)  # type: ignore[arg-type]
        trainer._table._values *= 3
        return loss

    monkeypatch.setattr(TasteTrainer, "learn", burst)
    with structlog.testing.capture_logs() as logs:
        for _ in range(20):
            community.live(10)
            learner.step()

    published = learner._course.serving
    assert published is not None
    refused = [e for e in logs if e["event"] == "gate_refused" and e["model"] == "rows"]
    assert len(refused) == 1
    assert published.sequence < 5
