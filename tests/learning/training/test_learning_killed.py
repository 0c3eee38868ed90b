"""The learner's own process, killed with SIGKILL as the log grows: each example once, none torn."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learning_community import Community
from numpy.typing import NDArray

from inhouse.app.roles.learner import CHECKPOINT
from inhouse.core.clock import FollowingClock
from inhouse.core.random import stream
from inhouse.learning.settings import LearningSettings
from inhouse.learning.snapshots.snapshot import SnapshotStore
from inhouse.learning.training import kept
from inhouse.learning.training.learner import CONSUMER, Learner

PROGRAM = Path(__file__).parents[1] / "mortal_learner.py"
# When a snapshot is due depends on the clock, so nothing may be refused: a model that is goes back.
SETTINGS = LearningSettings(first_positives=100, every_positives=200, table_mb=1, gate_margin=1)
KILLS, DEADLINE_S = 4, 30.0
# What is published already, and which rows are due to be: when that happened depends on the clock
# and on the kills, since a life publishes on after its last checkpoint.
PUBLICATION = ("taste/table/published", "taste/table/touched")


@contextmanager
def _process(folder: Path, life: int) -> Iterator[subprocess.Popen[bytes]]:
    """One life of the learner over the data folder; what it says goes to a file of its own."""
    environment = {
        **os.environ,
        "INHOUSE_STORE_FOLDER": str(folder / "data"),
        "INHOUSE_APP_CLOCK": "log",
        "INHOUSE_APP_LEARN_EVERY_S": "0.1",
        "INHOUSE_LEARNING_FIRST_POSITIVES": str(SETTINGS.first_positives),
        "INHOUSE_LEARNING_EVERY_POSITIVES": str(SETTINGS.every_positives),
        "INHOUSE_LEARNING_TABLE_MB": str(SETTINGS.table_mb),
        "INHOUSE_LEARNING_GATE_MARGIN": str(SETTINGS.gate_margin),
    }
    with (folder / f"life-{life}.log").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM)], cwd=folder, env=environment, stderr=said
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _until(met: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not met():
        assert time.monotonic() < deadline, "the learner did not come so far"
        meanwhile()
        time.sleep(0.03)


def _live_and_die(community: Community, folder: Path, life: int, dice: np.random.Generator) -> None:
    """Killed up to 1.2 s from a sign on, while people go on: the first life as it starts, the
    second once it has a checkpoint, the others once they have taken one up."""
    sign = (b"", b"learner_kept")[life] if life < 2 else b"learner_ready"
    with _process(folder, life) as process:
        said = folder / f"life-{life}.log"
        _until(lambda: sign in said.read_bytes() or process.poll() is not None)
        end = time.monotonic() + float(dice.uniform(0.1, 1.2))
        _until(lambda: time.monotonic() > end, lambda: community.live(6))
        assert process.poll() is None, said.read_text()
        process.send_signal(signal.SIGKILL)
        process.wait()


class _Witness:
    """Looks at the folder after each death: nothing may be torn, nothing may go back."""

    def __init__(self, community: Community, folder: Path) -> None:
        self._log = community.logs.events
        self._folder = folder
        self._latest = [0, 0, 0]  # of the checkpoint, what was published, and the consumer

    def looks(self) -> None:
        found = kept.load(self._folder / CHECKPOINT)
        store = SnapshotStore(self._folder / "snapshots")
        published = [store.load(snapshot_id) for snapshot_id in store.ids()]
        for snapshot in published:
            store.bring_up(snapshot)
        newest = published[0].log_offset if published else 0
        offset = 0 if found is None else found.state.log_offset
        now = [offset, newest, self._log.consumer_offset(CONSUMER)]
        assert all(ours >= before for ours, before in zip(now, self._latest, strict=True))
        for snapshot in published:
            deltas = len(list((store.folder / snapshot.snapshot_id).glob("delta-*.bin")))
            assert snapshot.sequence == deltas
        self._latest = now

    @property
    def published(self) -> int:
        """Offset of the newest snapshot, with its deltas, that it saw."""
        return self._latest[1]


def _learned(path: Path) -> dict[str, NDArray[Any]]:
    found = kept.load(path)
    assert found is not None
    return found.arrays


def _unmarked(arrays: dict[str, NDArray[Any]]) -> int:
    """Rows that differ from what was published and are not due to be: they would never be."""
    table = {name: arrays[f"taste/table/{name}"] for name in ("values", "published", "touched")}
    differs = (table["values"] != table["published"]).any(axis=1)
    return int((differs & ~table["touched"]).sum())


def _examples(arrays: dict[str, NDArray[Any]]) -> dict[str, list[Any]]:
    """What was learned from, in order, and what waits: wanted events and impressions."""
    shown = {
        part: list(
            zip(arrays[f"{part}/at_ms"].tolist(), arrays[f"{part}/position"].tolist(), strict=True)
        )
        for part in ("head/memory", "shown")
    }
    return {
        "wanted": arrays["taste/memory/offsets"].tolist(),
        "wanted waiting": arrays["wanted/offsets"].tolist(),
        "shown": shown["head/memory"] + shown["shown"],
    }


@pytest.mark.slow
@pytest.mark.usefixtures("small_model")
def test_killed_as_a_process_it_learns_each_example_once(
    community: Community, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at random moments over a growing log, the last life has learned from the examples that
    one undisturbed life would have, each once and in the same order, to the same weights."""
    monkeypatch.setattr("inhouse.learning.training.learner._EVENTS_AT_ONCE", 150)
    data, dice = tmp_path / "data", stream(7, "kills of a process")
    community.live(20)
    witness = _Witness(community, data)
    for life in range(KILLS):
        _live_and_die(community, tmp_path, life, dice)
        witness.looks()
    with _process(tmp_path, KILLS) as process:
        last = community.logs.events.last_offset()
        path = data / CHECKPOINT
        _until(lambda: _offset(path) == last)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
    witness.looks()

    one = Learner(
        community.logs, SnapshotStore(tmp_path / "one"), FollowingClock(), SETTINGS, tmp_path / "1"
    )
    while one.step().was_busy:
        pass
    one.keep()
    mortal, undisturbed = _learned(path), _learned(tmp_path / "1")

    assert witness.published > 0
    assert _examples(mortal) == _examples(undisturbed)
    wanted = mortal["taste/memory/offsets"]
    assert len(wanted) > 200
    assert (np.diff(wanted) > 0).all()
    for name, array in undisturbed.items():
        if name.startswith("taste/") and name not in PUBLICATION:
            assert (name, mortal[name].tobytes()) == (name, array.tobytes())
    assert _unmarked(mortal) == _unmarked(undisturbed) == 0


def _offset(path: Path) -> int:
    found = kept.load(path)
    return 0 if found is None else found.state.log_offset
