"""Checkpoints: the state that comes back is the state that went in."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from test_features_state import _EVENTS, _random_log, _state

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item, User
from inhouse.core.clock import FollowingClock
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.log import EventLog
from inhouse.events.pages import PageLog
from inhouse.events.types import Event, EventKind
from inhouse.features import checkpoint
from inhouse.features.content import word_hash
from inhouse.features.follow import Follower
from inhouse.features.items import COLUMNS
from inhouse.features.ports import Logs
from inhouse.features.state import LiveState
from inhouse.store.database import Database


def _same(one: LiveState, other: LiveState) -> None:
    assert one.people == other.people
    assert one.items.ids == other.items.ids
    assert (one.log_offset, one.change_offset, one.page_offset, one.last_event_ms) == (
        other.log_offset,
        other.change_offset,
        other.page_offset,
        other.last_event_ms,
    )
    for name in COLUMNS:
        a, b = (getattr(state.items, name)[: state.items.count] for state in (one, other))
        assert a.tobytes() == b.tobytes()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_EVENTS)
def test_a_state_survives_the_disk(
    tmp_path: Path, drawn: list[tuple[EventKind, int, int, int]]
) -> None:
    """Whatever happened, the loaded state equals the saved one and goes on like it."""
    log = _random_log(drawn)
    half = len(log) // 2
    state = _state()
    state.apply_events(log[:half])
    checkpoint.save(state, tmp_path / "state")
    loaded = checkpoint.load(tmp_path / "state")
    assert loaded is not None
    _same(loaded, state)
    for each in (state, loaded):
        each.apply_events(log[half:])
        each.apply_items([Item(item_id=ItemId("new"), creator_id=UserId("c9"), title="late post")])

    _same(loaded, state)
    late = np.array([5], dtype=np.int32)
    assert loaded.items.has_any_word(late, np.array([word_hash("late")], dtype=np.uint32)).all()


@pytest.mark.parametrize("harm", ["absent", "empty", "cut", "flipped"])
def test_a_harmed_checkpoint_is_passed_over(tmp_path: Path, harm: str) -> None:
    """A missing, empty, cut or changed file is no state, and no error either."""
    path = tmp_path / "state"
    checkpoint.save(_state(), path)
    data = path.read_bytes()
    if harm == "absent":
        path.unlink()
    else:
        flipped = data[:100] + bytes([data[100] ^ 1]) + data[101:]
        path.write_bytes({"empty": b"", "cut": data[:-5], "flipped": flipped}[harm])

    assert checkpoint.load(path) is None


def test_a_follower_goes_on_from_a_checkpoint(database: Database, tmp_path: Path) -> None:
    """A state from a checkpoint and one built from nothing agree once both have caught up."""
    catalog, log = Catalog(database), EventLog(database)
    logs = Logs(catalog=catalog, events=log, pages=PageLog(database))
    catalog.put_users([User(user_id=UserId("u0"), topics=("t1",))])
    catalog.put_items([Item(item_id=ItemId(f"i{i}"), creator_id=UserId("c")) for i in range(3)])

    def like(number: int) -> Event:
        return Event(
            event_id=EventId(f"e{number}"),
            at_ms=number,
            kind="like",
            user_id=UserId("u0"),
            item_id=ItemId(f"i{number % 4}"),
        )

    def caught_up(state: LiveState) -> LiveState:
        Follower(state, logs, FollowingClock()).rebuild()
        return state

    log.append([like(1), like(2)])
    checkpoint.save(caught_up(LiveState()), tmp_path / "state")
    catalog.put_items([Item(item_id=ItemId("i3"), creator_id=UserId("c"))])
    log.append([like(3), like(4)])
    loaded = checkpoint.load(tmp_path / "state")
    assert loaded is not None

    _same(caught_up(loaded), caught_up(LiveState()))
