"""Causal models on disk: whole or absent, checked when read, kept as long as they are needed."""

from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from causal_models import beside
from inhouse.core.errors import SnapshotError
from inhouse.core.ids import CausalId, SnapshotId
from inhouse.learning.causal.beside import Beside
from inhouse.learning.causal.store import FORMAT, CausalStore
from inhouse.learning.snapshots.snapshot import SnapshotFacts, SnapshotStore, TasteSnapshot
from inhouse.learning.taste.arrays import TasteShape
from inhouse.learning.taste.train import TasteTrainer, TasteTraining

NAMES = ["a", "b", "c"]


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    """An empty one."""
    return SnapshotStore(tmp_path / "snapshots", kept=2)


def _snapshot(name: str, causal: Beside | None) -> TasteSnapshot:
    facts = SnapshotFacts(
        snapshot_id=SnapshotId(name), created_ms=1, log_offset=1, page_offset=0, watermark_ms=0
    )
    taste = TasteTrainer(TasteTraining(shape=TasteShape(dims=8))).export(())
    return TasteSnapshot(facts, taste, None, causal)


def _weights(store: SnapshotStore, causal_id: str) -> Path:
    return store.causal.folder / f"{causal_id}.safetensors"


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def _altered(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")


def _without_facts(path: Path) -> None:
    path.with_suffix(".json").write_text("{}")


HARMS = [_torn, _altered, Path.unlink, _without_facts]


def test_a_causal_model_survives_the_disk(store: SnapshotStore) -> None:
    """Facts and weights come back byte for byte, and no file is left beside."""
    told = beside(NAMES)

    assert store.causal.newest() is None
    assert store.publish_causal(told) == "causal_1"
    found = CausalStore(store.causal.folder).newest()

    assert found is not None
    assert found.facts == told.facts
    assert found.weights.item_ids == told.weights.item_ids
    for name, part in told.weights.arrays().items():
        assert found.weights.arrays()[name].tobytes() == part.tobytes()
    assert len(list(store.causal.folder.iterdir())) == 2


def test_a_snapshot_names_the_causal_model_it_serves_with(store: SnapshotStore) -> None:
    """It is loaded with it, and one that serves alone names none."""
    store.publish_causal(beside(NAMES))
    store.publish(_snapshot("snap_1", None))
    store.publish(_snapshot("snap_2", beside(NAMES)))

    fresh = SnapshotStore(store.folder)
    alone, both = fresh.load(SnapshotId("snap_1")), fresh.load(SnapshotId("snap_2"))

    assert (alone.facts.causal, alone.beside, alone.dims) == (None, None, 8)
    assert (both.facts.causal, both.dims) == ("causal_1", 14)
    assert fresh.ids() == ["snap_2", "snap_1"]


def test_what_is_unchanged_is_read_once(store: SnapshotStore) -> None:
    """A snapshot every few minutes does not mean that everything is read anew."""
    store.publish_causal(beside(NAMES))

    first = store.causal.newest()

    assert first is store.causal.newest()
    assert first is store.causal.load(CausalId("causal_1"))


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_causal_model_is_passed_over(
    store: SnapshotStore, harm: Callable[[Path], None]
) -> None:
    """For the one before it, though it was held in memory, and the log says so once."""
    store.publish_causal(beside(NAMES, "causal_1"))
    store.publish_causal(beside(NAMES, "causal_2"))
    store.causal.newest()
    harm(_weights(store, "causal_2"))

    with structlog.testing.capture_logs() as logs:
        found = [store.causal.newest() for _ in range(3)]

    assert [each and each.causal_id for each in found] == ["causal_1"] * 3
    refused = [(entry["event"], entry.get("causal")) for entry in logs]
    assert refused == [("causal_refused", "causal_2")]


@pytest.mark.parametrize("harm", HARMS)
def test_a_snapshot_without_its_causal_model_is_passed_over(
    store: SnapshotStore, harm: Callable[[Path], None]
) -> None:
    """Its features would be others than those it was taught with: the last good one serves."""
    store.publish(_snapshot("snap_1", None))
    store.publish_causal(beside(NAMES))
    store.publish(_snapshot("snap_2", beside(NAMES)))
    harm(_weights(store, "causal_1"))

    found = SnapshotStore(store.folder).load_current()

    assert found is not None
    assert found.snapshot_id == "snap_1"


def test_a_causal_model_of_another_format_is_refused(store: SnapshotStore) -> None:
    """By name, and with a way out."""
    store.publish_causal(beside(NAMES))
    path = store.causal.folder / "causal_1.json"
    path.write_text(path.read_text().replace(f'"format": {FORMAT}', '"format": 99'))

    with pytest.raises(SnapshotError) as error:
        store.causal.load(CausalId("causal_1"))
    assert str(error.value) == (
        "causal model causal_1: it is of another format than this version's"
        f" ({FORMAT}); train a new one"
    )


def test_the_newest_two_and_those_in_use_are_kept(store: SnapshotStore) -> None:
    """A causal model goes when it is old and the last snapshot that names it has gone."""
    for number in (1, 2, 3, 4):
        store.publish_causal(beside(NAMES, f"causal_{number}"))
        if number == 1:
            store.publish(_snapshot("snap_1", beside(NAMES, "causal_1")))
    named = store.causal.ids()
    store.publish(_snapshot("snap_2", None))
    store.publish(_snapshot("snap_3", None))

    assert named == ["causal_4", "causal_3", "causal_1"]
    assert store.causal.ids() == ["causal_4", "causal_3"]
    assert len(list(store.causal.folder.iterdir())) == 4


def test_what_a_killed_process_left_behind_is_invisible_and_swept(store: SnapshotStore) -> None:
    """Half a file, or weights for which nothing vouches; what is younger may be being written."""
    folder = store.causal.folder
    folder.mkdir(parents=True)
    (folder / "causal_0.safetensors").write_bytes(b"whole, but not vouched for")
    (folder / ".causal_0.safetensors.1.ab.part").write_bytes(b"half")
    (folder / "causal_9.safetensors").write_bytes(b"being written")

    assert store.causal.newest() is None
    store.publish_causal(beside(NAMES))

    assert sorted(path.name for path in folder.iterdir()) == [
        "causal_1.json",
        "causal_1.safetensors",
        "causal_9.safetensors",
    ]
