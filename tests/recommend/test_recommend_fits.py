"""The feed with the real board, the real snapshot and the learner's own features."""

import numpy as np
import pytest
from recommend_worlds import NOW_MS, World, checkerboard, ids, query, removed

from causal_models import beside
from inhouse.core.ids import ItemId, SnapshotId, UserId
from inhouse.core.random import stream
from inhouse.features.candidates import FEATURE_NAMES
from inhouse.features.content import CONTENT_DIMS
from inhouse.learning.encoding import AGE_CODES, DWELL_CODES
from inhouse.learning.head.arrays import HeadWeights
from inhouse.learning.joining.joiner import served_features
from inhouse.learning.snapshots.snapshot import SnapshotFacts, TasteSnapshot
from inhouse.learning.taste.arrays import KIND_COUNT, TasteWeights, start_gain
from inhouse.moderation.policy.parse import load_policy
from inhouse.moderation.types import Evidence, Label, Verdict
from inhouse.moderation.verdicts.board import DecisionBoard
from inhouse.recommend.pipeline import Feed


def _snapshot(world: World, *, headed: bool, causal: bool = False) -> TasteSnapshot:
    """Weights nobody trained: the identity on content, and a head that counts on taste."""
    d, h, length = CONTENT_DIMS, 2, 16
    known = tuple(world.state.items.ids[:100])
    taste = TasteWeights(
        item_ids=known,
        id_part=stream(5, "ids").normal(0, 0.01, (len(known), d)).astype(np.float32),
        content_map=np.eye(d, dtype=np.float32),
        place=np.zeros((h, length), dtype=np.float32),
        kind=np.zeros((h, KIND_COUNT), dtype=np.float32),
        age=np.zeros((h, AGE_CODES), dtype=np.float32),
        dwell=np.zeros((h, DWELL_CODES), dtype=np.float32),
        gain=start_gain(h),
        mix=np.stack([np.eye(d, dtype=np.float32)] * h),
        start=np.zeros(d, dtype=np.float32),
    )
    facts = SnapshotFacts(
        snapshot_id=SnapshotId("snap_1"), created_ms=0, log_offset=0, page_offset=0, watermark_ms=0
    )
    further = beside(known[:50]) if causal else None
    return TasteSnapshot(facts, taste, _head() if headed else None, further)


def _head() -> HeadWeights:
    f, k, tasks = len(FEATURE_NAMES), 1, 4
    straight = np.zeros((f, tasks), dtype=np.float32)
    straight[FEATURE_NAMES.index("taste"), 0] = 1.0
    return HeadWeights(
        mean=np.zeros(f, dtype=np.float32),
        spread=np.ones(f, dtype=np.float32),
        straight=straight,
        inward=np.zeros((f, k), dtype=np.float32),
        inward_bias=np.zeros(k, dtype=np.float32),
        outward=np.zeros((k, tasks), dtype=np.float32),
        bias=np.full(tasks, -3, dtype=np.float32),
    )


@pytest.mark.parametrize("causal", [False, True])
def test_the_learner_sees_byte_for_byte_what_the_feed_ranked_by(causal: bool) -> None:
    """One path of features: those of a served page, computed again as for training."""
    world = checkerboard()
    snapshot = _snapshot(world, headed=True, causal=causal)
    feed = world.feed()
    feed.use(snapshot)
    trace = feed.trace(query(user_id=UserId("p1")))
    assert trace.ranked.features is not None
    kept = trace.filtered.kept.items
    again = served_features(
        world.state, snapshot, trace.page, kept, np.zeros(len(kept), dtype=np.int32)
    )
    ranked = again[np.searchsorted(kept, trace.ranked.items)]
    assert trace.ranked.features.tobytes() == ranked.tobytes()
    varied = {name for i, name in enumerate(FEATURE_NAMES) if len(np.unique(ranked[:, i])) > 1}
    assert {"taste", "similar", "content_match", "topic_affinity"} <= varied


def test_a_snapshot_serves_with_and_without_a_head() -> None:
    """The checkerboard's answer either way, and the snapshot is on record."""
    for headed in (True, False):
        world = checkerboard()
        feed = world.feed(explore_share=0.0, diversity=0.0)
        feed.use(_snapshot(world, headed=headed))
        page = feed.serve(query(user_id=UserId("p1"), n=10))
        assert [world.state.items.index[shown.item_id] % 2 for shown in page.items] == [1] * 10
        assert page.snapshot_id == "snap_1"


def test_an_item_newer_than_the_snapshot_is_found_by_its_content() -> None:
    """At the next request, without a new snapshot."""
    world = checkerboard()
    feed = world.feed()
    feed.use(_snapshot(world, headed=True))
    feed.serve(query(user_id=UserId("p0")))
    row = world.item("late", creator="fresh face", topics=("red",), created_ms=NOW_MS)
    trace = feed.trace(query(user_id=UserId("p0")))
    place = trace.ranked.items.tolist().index(row)
    assert np.isfinite(trace.ranked.offered[place, 0])


def _verdict(item_id: str, text_key: str, p_violence: float) -> Verdict:
    return Verdict(
        item_id=ItemId(item_id),
        at_ms=NOW_MS,
        text_key=text_key,
        evidence=Evidence(labels=(Label(category="violence", p=p_violence, source="model:1"),)),
        decided_by="no rule",
        policy_version="v",
    )


def test_the_real_board_decides_what_is_served() -> None:
    """Awaited until judged, then shown or not by the default policy, whose version is logged."""
    world = World()
    for name in ("fine", "cruel", "unjudged"):
        world.item(name, creator=name)
    policy = load_policy()
    board = DecisionBoard(policy)
    feed = Feed(world.state, board)
    assert ids(feed.serve(query(surface="latest"))) == []
    keys = [f"{key:015x}" for key in world.state.items.text_key[:2]]
    board.update([0, 1], [_verdict("fine", keys[0], 0.0), _verdict("cruel", keys[1], 0.99)])
    page = feed.serve(query(surface="latest"))
    assert ids(page) == ["fine"]
    assert removed(page) == {"cruel": "verdict_remove", "unjudged": "verdict_awaited"}
    assert page.policy_version == policy.version
