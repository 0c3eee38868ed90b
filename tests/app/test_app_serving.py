"""A serving process takes up what is published while it runs."""

from pathlib import Path

import numpy as np

from inhouse.app.build import Services
from inhouse.app.settings import load_settings
from inhouse.core.ids import ItemId, SnapshotId
from inhouse.learning.deltas import Delta, DeltaFacts
from inhouse.learning.snapshot import SnapshotFacts, TasteSnapshot
from inhouse.learning.train_taste import TasteTrainer, TasteTraining


def test_a_delta_is_taken_up_on_top_of_the_snapshot_that_serves(tmp_path: Path) -> None:
    """The first look loads the snapshot, the next its delta, and then there is nothing newer."""
    services = Services(load_settings({"INHOUSE_STORE_FOLDER": str(tmp_path)}, tmp_path / "none"))
    name = SnapshotId("snap_1")
    facts = SnapshotFacts(
        snapshot_id=name, created_ms=1, log_offset=1, page_offset=0, watermark_ms=0
    )
    weights = TasteTrainer(TasteTraining()).export(())
    services.snapshots.publish(TasteSnapshot(facts, weights, None))
    feeds = services.feeds

    first = feeds.swap_model()
    services.snapshots.publish_delta(
        Delta(
            facts=DeltaFacts(base=name, sequence=1, created_ms=2, log_offset=2),
            item_ids=(ItemId("a"),),
            rows=np.ones((1, 64), dtype=np.float32),
        )
    )
    second, third = feeds.swap_model(), feeds.swap_model()
    services.close()

    assert (first, second, third) == (True, True, False)
    assert feeds.feed.snapshot_id == name
    assert feeds._model is not None
    assert (feeds._model.sequence, feeds._model.taste.item_ids) == (1, ("a",))
