"""What may be learned from no more: paused, taken back, reset, erased."""

from dataclasses import replace

import numpy as np
from test_learning_joiner import START_MS, _event, _joiner, _later, _page

from inhouse.core.ids import EventId, UserId
from inhouse.events.types import Event, EventKind, LoggedEvent
from inhouse.learning.examples.memory import ImpressionMemory
from inhouse.learning.examples.types import Impressions, no_impressions


def _wish(offset: int, kind: EventKind) -> LoggedEvent:
    event = Event(
        event_id=EventId(f"w{offset}"),
        at_ms=START_MS + offset * 1_000,
        kind=kind,
        user_id=UserId("u"),
    )
    return LoggedEvent(log_offset=offset, received_ms=0, event=event)


def test_nothing_done_while_paused_makes_an_example() -> None:
    """Neither what was wanted, nor pages without a profile, nor outcomes on earlier pages."""
    joiner = _joiner()
    before = _page("p", 0, [0, 1, 2])
    during = replace(_page("q", 2, [3, 4]), profiled=False)
    events = [
        _event(1, "impression", 0, page_id="p"),
        _wish(2, "pause"),
        _event(3, "like", 1, page_id="p"),
        _event(4, "like", 3, page_id="q"),
        _wish(5, "resume"),
        _event(6, "like", 2, page_id="p"),
        _later(7),
    ]
    joined = joiner.take(events, [(1, before), (2, during)])

    assert joined.wanted.targets.tolist() == [2]
    assert joined.shown.clicked.tolist() == [False, True]
    assert joined.shown.position.tolist() == [0, 2]


def test_what_was_taken_back_was_no_outcome() -> None:
    """A hidden post whose hiding was undone was seen, and that is all."""
    joiner = _joiner()
    events = [
        _event(1, "impression", 0, page_id="p"),
        _event(2, "hide", 0, page_id="p"),
        _event(3, "undo", 0, page_id="p"),
        _later(4),
    ]
    joined = joiner.take(events, [(1, _page("p", 0, [0]))])

    assert (joined.shown.hidden.tolist(), joined.shown.clicked.tolist()) == ([False], [False])


def test_pages_that_wait_at_a_reset_give_no_example() -> None:
    """Those of others do, and so do pages served after it."""
    joiner = _joiner()
    pages = [(1, _page("p", 0, [0])), (2, _page("v", 0, [1], user="v")), (3, _page("q", 3, [2]))]
    events = [
        _event(1, "click", 0, page_id="p"),
        _event(2, "click", 1, page_id="v", user_id=UserId("v")),
        _wish(3, "reset"),
        _event(4, "click", 2, page_id="q"),
        _later(5),
    ]
    joined = joiner.take(events, pages)

    assert len(joined.shown) == 2
    assert joined.shown.at_ms.tolist() == [START_MS + 500, START_MS + 3_500]


def _shown(times: list[int]) -> Impressions:
    rows = np.zeros(len(times), dtype=np.int64)
    empty = no_impressions().arrays()
    blank = {
        name: np.zeros((len(rows), *part.shape[1:]), part.dtype) for name, part in empty.items()
    }
    return Impressions(**{**blank, "at_ms": np.array(times, dtype=np.int64)})


def test_memory_drops_what_is_gone_and_keeps_the_order() -> None:
    """Also where the ring has turned; and goes on from there."""
    memory = ImpressionMemory(5)
    memory.add(_shown([1, 2, 3, 4, 5, 6, 7]))
    memory.forget(np.array([4, 6, 99], dtype=np.int64))
    after = memory.all().at_ms.tolist()
    memory.add(_shown([8, 9, 10]))

    assert after == [3, 5, 7]
    assert memory.all().at_ms.tolist() == [5, 7, 8, 9, 10]
