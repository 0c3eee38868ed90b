"""The learner: learns a two-coloured community, resumes after being killed, and guards the gate."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import structlog
from learning_community import ITEMS, PEOPLE, START_MS, Community

from causal_models import beside
from inhouse.catalog.types import Item
from inhouse.core.clock import FollowingClock
from inhouse.core.errors import StoreError
from inhouse.core.ids import ItemId, SnapshotId, UserId
from inhouse.features.history import history_arrays
from inhouse.learning.settings import LearningSettings
from inhouse.learning.snapshots.snapshot import SnapshotStore
from inhouse.learning.taste.train import TasteTrainer
from inhouse.learning.training.learner import CONSUMER, Learner, LearnReport
from inhouse.learning.training.train import train_once

pytestmark = pytest.mark.usefixtures("small_model")
SETTINGS = LearningSettings(first_positives=100, every_positives=200, table_mb=1)


def _learner(community: Community, store: SnapshotStore) -> Learner:
    return Learner(community.logs, store, FollowingClock(), SETTINGS)


def _matured(community: Community, store: SnapshotStore) -> int:
    """Impressions that one reading of the whole log gives, for a learner that never learns."""
    whole = Learner(
        community.logs,
        SnapshotStore(store.folder / "never"),
        FollowingClock(),
        replace(SETTINGS, first_positives=100_000),
    )
    whole.step()
    return whole._course.waiting()[1]


def _run(learner: Learner) -> list[LearnReport]:
    reports = [learner.step()]
    while reports[-1].was_busy:
        reports.append(learner.step())
    return reports


def test_nothing_is_published_before_enough_is_known(
    community: Community, store: SnapshotStore
) -> None:
    """A few pages are no reason for a model."""
    community.live(10)

    report = _learner(community, store).step()

    assert (report.round, report.published, report.caught_up) == (None, None, True)
    assert report.pages == 10
    assert store.ids() == []


def test_a_community_is_learned(community: Community, store: SnapshotStore) -> None:
    """After a few rounds the snapshot ranks a person's colour first, and expects its clicks."""
    learner = _learner(community, store)
    for _ in range(4):
        community.live(80)
        _run(learner)

    snapshot = store.load_current()
    assert snapshot is not None
    assert snapshot.has_head
    table, last = learner.state.items, learner.state.last_event_ms
    rows = np.arange(ITEMS, dtype=np.int32)
    own, other = [], []
    for person in range(PEOPLE):
        known = learner.state.person(UserId(f"u{person}"))
        scores = snapshot.scores(table, history_arrays(known, last), rows)
        own.append(scores[person % 2 :: 2].mean())
        other.append(scores[1 - person % 2 :: 2].mean())
    assert (np.array(own) > np.array(other)).mean() > 0.9
    metrics = snapshot.facts.metrics
    assert metrics["taste_loss"] < np.log(ITEMS)
    assert learner._logs.events.consumer_offset(CONSUMER) == snapshot.facts.log_offset


def test_the_head_learns_who_clicks(community: Community, store: SnapshotStore) -> None:
    """Progressive loss of the head ends well below that of telling everyone the rates."""
    learner = _learner(community, store)
    contests = []
    for _ in range(4):
        community.live(80)
        for report in _run(learner):
            contests += report.round.contests if report.round is not None else ()

    first = next(contest for contest in contests if contest.part == "head")
    last = [contest for contest in contests if contest.part == "head"][-1]
    assert last.learner.loss < first.rival.loss - 0.1


def test_a_killed_learner_goes_on_where_it_stood(
    community: Community, store: SnapshotStore, tmp_path: Path
) -> None:
    """A fresh process learns from what came after the snapshot, and from nothing twice."""
    community.live(120)
    _run(_learner(community, store))
    before = store.load_current()
    assert before is not None
    community.live(40)

    fresh = _learner(community, store)
    fresh.start()

    assert fresh.state.log_offset == before.facts.log_offset
    assert fresh._course.serving is not None
    assert fresh._course.serving.snapshot_id == before.snapshot_id
    assert fresh._course.waiting()[0] == 0
    report = fresh.step()
    uninterrupted = _learner(community, SnapshotStore(tmp_path / "other"))
    uninterrupted.step()
    assert report.events == community.logs.events.last_offset() - before.facts.log_offset
    assert fresh.state.log_offset == uninterrupted.state.log_offset
    assert fresh.state.items.clicks.tobytes() == uninterrupted.state.items.clicks.tobytes()


def test_each_impression_is_learned_once_over_a_restart(
    community: Community, store: SnapshotStore
) -> None:
    """What the head was taught before and after a kill is what one life would have taught it."""
    community.live(120)
    first = _learner(community, store)
    taught = sum(r.round.shown for r in _run(first) if r.round is not None)
    published = store.load_current()
    assert published is not None
    assert len(store.memory(published.snapshot_id)["clicked"]) == taught
    community.live(120)

    second = _learner(community, store)
    taught += sum(r.round.shown for r in _run(second) if r.round is not None)
    taught += second._course.waiting()[1]

    assert taught == _matured(community, store)


def test_a_worse_model_is_not_published(
    community: Community, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where learning bursts, the serving model stays, the log says why, and learning goes on."""
    learner = _learner(community, store)
    community.live(120)
    _run(learner)
    serving = store.current()
    learn = TasteTrainer.learn

    def burst(trainer: TasteTrainer, *args: object, **kwargs: object) -> float:
        loss = learn(trainer, *args, **kwargs)  # type: ignore[arg-type]
        trainer._table._values *= 40
        return loss

    monkeypatch.setattr(TasteTrainer, "learn", burst)
    community.live(200)
    with structlog.testing.capture_logs() as logs:
        rounds = [report.round for report in _run(learner) if report.round is not None]

    taste = [c for held in rounds for c in held.contests if c.part == "taste"]
    assert [contest.passed for contest in taste] == [False] * len(taste)
    refused = [entry for entry in logs if entry["event"] == "gate_refused"]
    assert {entry["model"] for entry in refused} == {"taste"}
    kept = store.load_current()
    assert kept is not None
    assert serving is not None
    assert kept.taste.mix.tobytes() == store.load(serving).taste.mix.tobytes()

    monkeypatch.setattr(TasteTrainer, "learn", learn)
    community.live(300)
    healed = [report.round for report in _run(learner) if report.round is not None]
    assert any(c.passed for held in healed for c in held.contests if c.part == "taste")


def test_a_torn_memory_does_not_stop_the_learner(
    community: Community, store: SnapshotStore
) -> None:
    """The file that serving never reads may be lost; the learner says so and rehearses nothing."""
    community.live(120)
    _run(_learner(community, store))
    current = store.current()
    assert current is not None
    (store.folder / current / "memory.safetensors").write_bytes(b"torn")

    with structlog.testing.capture_logs() as logs:
        fresh = _learner(community, SnapshotStore(store.folder))
        fresh.start()

    assert "memory_refused" in [entry["event"] for entry in logs]
    assert fresh._course.serving is not None


def test_training_once_publishes_once(community: Community, store: SnapshotStore) -> None:
    """A whole log is learned in rounds, told about, and published at its end."""
    community.live(200)
    told: list[tuple[str, int, int]] = []

    report = train_once(
        community.logs,
        store,
        FollowingClock(),
        SETTINGS,
        progress=lambda *step: told.append(step),
    )

    assert report.published is not None
    assert store.ids() == [report.published]
    assert report.events == community.logs.events.count()
    assert {what for what, _, _ in told} >= {"log", "taste"}


def test_training_once_more_learns_the_rest(community: Community, store: SnapshotStore) -> None:
    """A second run goes on from the snapshot and learns what came since, though it is little."""
    community.live(200)
    train_once(community.logs, store, FollowingClock(), SETTINGS)
    community.live(80)

    report = train_once(community.logs, store, FollowingClock(), SETTINGS)

    assert report.round is not None
    assert 50 <= report.round.wanted < 200


def test_training_once_on_nothing_publishes_nothing(
    community: Community, store: SnapshotStore
) -> None:
    """An empty log gives no model and no fault."""
    report = train_once(community.logs, store, FollowingClock(), SETTINGS)

    assert (report.events, report.published, store.ids()) == (0, None, [])


def test_items_that_come_later_are_learned_too(community: Community, store: SnapshotStore) -> None:
    """The tables grow with the catalog while the learner runs."""
    learner = _learner(community, store)
    community.live(120)
    _run(learner)
    community.logs.catalog.put_items(
        [Item(item_id=ItemId("new"), creator_id=UserId("c1"), title="red", created_ms=START_MS)]
    )
    community.live(200)
    _run(learner)

    snapshot = store.load_current()
    assert snapshot is not None
    vectors = snapshot.item_vectors(learner.state.items)
    assert learner.state.items.ids[-1] == "new"
    assert vectors.shape == (61, snapshot.dims)
    assert len(snapshot.taste.item_ids) == len(set(snapshot.taste.item_ids)) <= 61


def test_in_a_hurry_each_example_is_learned_once_and_rehearsed_later(
    community: Community, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When much comes at once a step is over what is new; the steps left out come in the quiet."""
    monkeypatch.setattr("inhouse.learning.training.learner._MANY", 100)
    done: list[str] = []
    learn, latest = TasteTrainer.learn, TasteTrainer.learn_latest

    def noted(trainer: TasteTrainer, *args: object, **kwargs: object) -> float:
        done.append("rehearsed")
        return learn(trainer, *args, **kwargs)  # type: ignore[arg-type]

    def noted_latest(trainer: TasteTrainer, n: int) -> float:
        done.append("new")
        return latest(trainer, n)

    monkeypatch.setattr(TasteTrainer, "learn", noted)
    monkeypatch.setattr(TasteTrainer, "learn_latest", noted_latest)
    learner = _learner(community, store)
    community.live(120)
    _run(learner)
    known = len(learner._course._taste.memory)
    done.clear()
    community.live(200)
    reports = _run(learner)

    wanted = sum(report.round.wanted for report in reports if report.round is not None)
    assert len(learner._course._taste.memory) - known == wanted > 200
    assert done == sorted(done)
    assert done.count("rehearsed") == sum(report.rehearsed for report in reports) > 0


ITEM_NAMES = [f"i{k:02}" for k in range(ITEMS)]


def test_a_causal_model_is_taken_up_at_the_next_look(
    community: Community, store: SnapshotStore
) -> None:
    """A snapshot of what serves with it beside, and every later snapshot names it too."""
    learner = _learner(community, store)
    community.live(120)
    _run(learner)
    before = store.load_current()
    store.publish_causal(beside(ITEM_NAMES))

    report, quiet = learner.step(), learner.step()

    after = store.load_current()
    assert before is not None
    assert after is not None
    assert (before.facts.causal, after.facts.causal) == (None, "causal_1")
    assert (report.published, quiet.published) == (after.snapshot_id, None)
    assert after.taste.id_part.tobytes() == before.taste.id_part.tobytes()
    assert after.log_offset == before.log_offset
    assert store.memory(after.snapshot_id).keys() == store.memory(before.snapshot_id).keys()
    community.live(200)
    _run(learner)
    later = store.load_current()
    assert later is not None
    assert later.snapshot_id > after.snapshot_id
    assert later.facts.causal == "causal_1"


def test_the_joiner_reads_with_the_causal_model_that_serves(
    community: Community, store: SnapshotStore
) -> None:
    """Its tastes are those of the snapshot that was published, the causal part among them."""
    learner = _learner(community, store)
    community.live(120)
    _run(learner)
    store.publish_causal(beside(ITEM_NAMES))
    learner.step()

    served, model = store.load_current(), learner._course.joiner.model

    assert served is not None
    assert model is not None
    table, last = learner.state.items, learner.state.last_event_ms
    history = history_arrays(learner.state.person(UserId("u1")), last)
    rows = np.arange(ITEMS, dtype=np.int32)
    assert served.dims > served.taste.shape.dims
    scores = served.scores(table, history, rows)
    assert model.scores(table, history, rows).tobytes() == scores.tobytes()


def test_a_causal_model_that_is_harmed_is_served_with_no_more(
    community: Community, store: SnapshotStore
) -> None:
    """A new process finds a snapshot that it can load, by the taste model alone."""
    store.publish_causal(beside(ITEM_NAMES))
    learner = _learner(community, store)
    community.live(120)
    _run(learner)
    both = store.load_current()
    (store.causal.folder / "causal_1.safetensors").write_bytes(b"torn")

    with structlog.testing.capture_logs() as logs:
        learner.step()
        learner.step()

    alone = SnapshotStore(store.folder).load_current()
    assert both is not None
    assert alone is not None
    assert (both.facts.causal, alone.facts.causal) == ("causal_1", None)
    assert alone.taste.id_part.tobytes() == both.taste.id_part.tobytes()
    assert [entry["event"] for entry in logs].count("causal_refused") == 1


def test_what_a_new_disk_refused_is_published_later(
    community: Community, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk at the moment of taking up: the same snapshot comes at the next look."""
    learner = _learner(community, store)
    community.live(120)
    _run(learner)
    store.publish_causal(beside(ITEM_NAMES))
    publish = SnapshotStore.publish

    def full(*_: object) -> SnapshotId:
        raise StoreError("cannot publish: no space left; free space or fix permissions")

    monkeypatch.setattr(SnapshotStore, "publish", full)
    with pytest.raises(StoreError):
        learner.step()
    monkeypatch.setattr(SnapshotStore, "publish", publish)
    learner.step()

    found = store.load_current()
    assert found is not None
    assert found.facts.causal == "causal_1"
    assert len(store.memory(found.snapshot_id)["clicked"]) > 0


def test_each_impression_is_learned_once_though_a_causal_model_came_between(
    community: Community, store: SnapshotStore
) -> None:
    """The snapshot that takes it up is one to go on from like any other."""
    community.live(120)
    first = _learner(community, store)
    taught = sum(r.round.shown for r in _run(first) if r.round is not None)
    store.publish_causal(beside(ITEM_NAMES))
    first.step()
    community.live(120)

    second = _learner(community, store)
    taught += sum(r.round.shown for r in _run(second) if r.round is not None)
    taught += second._course.waiting()[1]

    assert taught == _matured(community, store)


def test_training_once_takes_up_a_causal_model_too(
    community: Community, store: SnapshotStore
) -> None:
    """On a machine without a learner; also where nothing new was to be learned."""
    community.live(200)
    train_once(community.logs, store, FollowingClock(), SETTINGS)
    store.publish_causal(beside(ITEM_NAMES))

    report = train_once(community.logs, store, FollowingClock(), SETTINGS)

    found = store.load_current()
    assert found is not None
    assert (found.snapshot_id, found.facts.causal) == (report.published, "causal_1")
