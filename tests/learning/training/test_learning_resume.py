"""A learner that is killed goes on from its own checkpoint as if nothing had happened."""

from pathlib import Path

import numpy as np
import pytest
import structlog
from learning_community import Community
from numpy.typing import NDArray

from inhouse.core.clock import FollowingClock
from inhouse.core.random import stream
from inhouse.learning.examples.memory import ImpressionMemory, NextItemMemory
from inhouse.learning.examples.types import Impressions, NextItems
from inhouse.learning.settings import LearningSettings
from inhouse.learning.snapshots.snapshot import SnapshotStore
from inhouse.learning.taste.train import TasteTrainer
from inhouse.learning.training.learner import Learner

pytestmark = pytest.mark.usefixtures("small_model")
SETTINGS = LearningSettings(first_positives=100, every_positives=200, table_mb=1)


@pytest.fixture
def _short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of some thousand events is read in many stretches."""
    monkeypatch.setattr("inhouse.learning.training.learner._EVENTS_AT_ONCE", 150)


def _learner(community: Community, folder: Path) -> Learner:
    store = SnapshotStore(folder / "snapshots")
    return Learner(community.logs, store, FollowingClock(), SETTINGS, folder / "learner.bin")


def _taught(learner: Learner) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What both parts learned from: offsets of wanted events, times of impressions."""
    memory = learner._course._taste.memory
    return memory.latest(len(memory)).offsets, learner._course.remembered().at_ms


def _run(learner: Learner) -> None:
    while learner.step().was_busy:
        pass


@pytest.mark.usefixtures("_short_stretches")
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_it_learns_what_one_life_would_have(
    community: Community, tmp_path: Path, seed: int
) -> None:
    """The same examples in the same order, and the same weights to the last bit."""
    community.live(300)
    one = _learner(community, tmp_path / "one")
    _run(one)
    chance = stream(seed, "kills")
    mortal = _learner(community, tmp_path / "mortal")
    kills = 0
    while mortal.step().was_busy:
        if chance.random() < 0.4:
            mortal.keep()
        if chance.random() < 0.3:
            mortal = _learner(community, tmp_path / "mortal")
            kills += 1

    assert kills >= 3
    for ours, theirs in zip(_taught(mortal), _taught(one), strict=True):
        assert ours.tolist() == theirs.tolist()
    ours, theirs = (each._course._taste.export(()) for each in (mortal, one))
    assert ours.mix.tobytes() == theirs.mix.tobytes()
    every = np.arange(60)
    tables = [each._course._taste._table.values_of(every) for each in (mortal, one)]
    assert tables[0].numpy().tobytes() == tables[1].numpy().tobytes()


def test_it_goes_on_without_reading_the_log_again(community: Community, tmp_path: Path) -> None:
    """What a fresh process reads first is what came after its checkpoint, pages included."""
    community.live(200)
    first = _learner(community, tmp_path)
    _run(first)
    first.keep()
    read = community.logs.events.last_offset()
    community.live(20)

    fresh = _learner(community, tmp_path)
    report = fresh.step()

    assert report.events == community.logs.events.last_offset() - read
    assert report.pages == 20
    assert fresh._course._taste.memory.latest(10**6).offsets.min() < read


def test_each_example_is_learned_once(
    community: Community, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a kill between two checkpoints no example enters a memory that holds it already."""
    twice: list[object] = []
    wanted_add, shown_add = NextItemMemory.add, ImpressionMemory.add

    def add_wanted(memory: NextItemMemory, examples: NextItems) -> None:
        held = memory.latest(len(memory)).offsets
        twice.extend(np.intersect1d(held, examples.offsets).tolist())
        wanted_add(memory, examples)

    def add_shown(memory: ImpressionMemory, examples: Impressions) -> None:
        held = memory.all()
        new = set(zip(examples.at_ms.tolist(), examples.position.tolist(), strict=True))
        twice.extend(new & set(zip(held.at_ms.tolist(), held.position.tolist(), strict=True)))
        shown_add(memory, examples)

    monkeypatch.setattr(NextItemMemory, "add", add_wanted)
    monkeypatch.setattr(ImpressionMemory, "add", add_shown)
    for _ in range(4):
        community.live(60)
        learner = _learner(community, tmp_path)
        _run(learner)
        learner.keep()
        community.live(30)
        _run(learner)

    offsets, _ = _taught(learner)
    assert twice == []
    assert (np.diff(offsets) > 0).all()


@pytest.mark.parametrize("fault", ["torn", "of another version", "of another log"])
def test_a_checkpoint_that_cannot_be_used_is_refused(
    community: Community, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The learner says why, and starts from the newest snapshot and the log."""
    community.live(200)
    first = _learner(community, tmp_path)
    _run(first)
    with monkeypatch.context() as patch:
        if fault == "of another log":
            patch.setattr(Learner, "_event_at", lambda learner, offset: "foreign")
        if fault == "of another version":
            patch.setattr("inhouse.learning.training.kept.FORMAT", 0)
        first.keep()
    path = tmp_path / "learner.bin"
    if fault == "torn":
        path.write_bytes(path.read_bytes()[:-100])

    with structlog.testing.capture_logs() as logs:
        fresh = _learner(community, tmp_path)
        fresh.start()

    refused = [entry for entry in logs if entry["event"] == "checkpoint_refused"]
    assert len(refused) == 1
    assert fault in refused[0]["reason"]
    serving = fresh._course.serving
    assert serving is not None
    assert fresh.state.log_offset == serving.facts.log_offset > 0


def test_what_was_published_after_the_checkpoint_is_not_judged_by_it(
    community: Community, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that has learned an example is no rival on it, and serves until it is overtaken."""
    community.live(200)
    first = _learner(community, tmp_path)
    _run(first)
    first.keep()
    community.live(100)
    _run(first)
    newest = first._course.serving
    assert newest is not None
    judged: list[int] = []
    judge = TasteTrainer.judge

    def noted(trainer: TasteTrainer, examples: NextItems, *more: object) -> object:
        judged.extend(examples.offsets.tolist())
        return judge(trainer, examples, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(TasteTrainer, "judge", noted)
    fresh = _learner(community, tmp_path)
    _run(fresh)

    assert fresh._course.serving is not None
    assert fresh._course.serving.snapshot_id == newest.snapshot_id
    assert all(offset > newest.log_offset for offset in judged)
    community.live(200)
    _run(fresh)
    assert judged
    assert fresh._course.serving.snapshot_id != newest.snapshot_id
