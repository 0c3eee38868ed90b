"""What a person asks of the feed, as the state folds it in."""

import copy
import dataclasses

from inhouse.catalog.types import Item
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.types import Event, LoggedEvent
from inhouse.features.people import Person
from inhouse.features.state import LiveState

START_MS = 1_750_000_000_000
_COUNTERS = ("impressions", "clicks", "likes", "hides", "reports", "dwell_ms_sum")


def _state(items: int = 5) -> LiveState:
    state = LiveState()
    state.apply_items(
        Item(
            item_id=ItemId(f"i{i}"),
            creator_id=UserId(f"c{i}"),
            title=f"post {i}",
            topics=(f"t{i}",),
            created_ms=START_MS,
        )
        for i in range(items)
    )
    return state


def _fold(state: LiveState, *events: tuple[str, str, str | None]) -> None:
    """(kind, who, item or target), one second apart."""
    for kind, who, what in events:
        offset = state.log_offset + 1
        event = Event(
            event_id=EventId(f"e{offset}"),
            at_ms=START_MS + offset * 1_000,
            kind=kind,  # type: ignore[arg-type]
            user_id=UserId(who),
            item_id=ItemId(what) if what and what.startswith("i") else None,
            target=what if what and not what.startswith("i") else None,
        )
        state.apply_events([LoggedEvent(log_offset=offset, received_ms=0, event=event)])


def _counted(state: LiveState) -> dict[str, list[float]]:
    return {name: getattr(state.items, name)[: state.items.count].tolist() for name in _COUNTERS}


def _known(state: LiveState, who: str) -> Person:
    """Without the times, which a later event moves."""
    return dataclasses.replace(state.person(UserId(who)), first_ms=0, last_ms=0)


def test_what_is_taken_back_leaves_only_that_it_was_seen() -> None:
    """After an undo history and counters are as if the post had only been seen."""
    seen, undone = _state(), _state()
    _fold(seen, ("impression", "u", "i0"), ("visit", "u", None), ("like", "u", "i1"))
    _fold(seen, ("impression", "u", "i2"))
    _fold(undone, ("impression", "u", "i0"), ("hide", "u", "i0"), ("like", "u", "i1"))
    _fold(undone, ("impression", "u", "i2"), ("undo", "u", "i0"))

    assert _known(undone, "u") == _known(seen, "u")
    assert _counted(undone) == _counted(seen)


def test_taking_back_what_was_never_done_changes_nothing() -> None:
    """An undo of a stranger, or twice, is no undo."""
    state = _state()
    _fold(state, ("like", "u", "i0"), ("undo", "u", "i0"))
    once = _counted(state)
    _fold(state, ("undo", "u", "i0"), ("undo", "v", "i1"))

    assert _counted(state) == once
    assert state.items.likes[0] == 0


def test_nothing_is_concluded_from_what_is_done_while_paused() -> None:
    """Only that it was seen, and what is asked for, counts; after resuming all does again."""
    state = _state()
    _fold(state, ("like", "u", "i0"), ("pause", "u", None))
    before = _counted(state)
    _fold(state, ("like", "u", "i1"), ("impression", "u", "i2"), ("mute", "u", "topic:t3"))
    during = copy.deepcopy(_known(state, "u"))
    after_pause = _counted(state)
    _fold(state, ("resume", "u", None), ("like", "u", "i4"))
    resumed = state.person(UserId("u"))

    assert (during.paused, resumed.paused) == (True, False)
    assert after_pause == before
    assert set(during.seen) == {0, 1, 2}
    assert during.muted_topics == {state.items.topic_names.find("t3")}
    assert resumed.recent.latest().items.tolist() == [0, 4]


def test_a_linked_session_becomes_the_person() -> None:
    """Histories are joined in the order of time, orders too, and the session is gone."""
    state = _state()
    _fold(state, ("like", "session:s", "i0"), ("like", "u", "i1"), ("like", "session:s", "i2"))
    _fold(state, ("mute", "session:s", "topic:t3"), ("link", "u", "session:s"))
    person = state.person(UserId("u"))

    assert person.recent.latest().items.tolist() == [0, 1, 2]
    assert set(person.seen) == {0, 1, 2}
    assert person.muted_topics == {state.items.topic_names.find("t3")}
    assert UserId("session:s") not in state.people


def test_a_session_never_joins_a_person_by_itself() -> None:
    """Without a link nothing of a session is known of anybody else."""
    state = _state()
    _fold(state, ("like", "session:s", "i0"), ("visit", "u", None))

    assert _known(state, "u") == Person(user_id=UserId("u"))
