"""Joining: features as they were served, outcomes as they came, and no answer seen in advance."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from causal_models import beside
from inhouse.catalog.types import Item
from inhouse.core.clock import MINUTE_MS
from inhouse.core.ids import EventId, ItemId, PageId, SnapshotId, UserId
from inhouse.events.types import Event, EventKind, LoggedEvent, PageItem, ServedPage
from inhouse.features.candidates import FEATURE_NAMES, Scores, candidate_features
from inhouse.features.history import history_arrays
from inhouse.features.nearness import latest_positives, nearness
from inhouse.features.state import LiveState
from inhouse.learning.encoding import encode_history
from inhouse.learning.joining.joiner import Joiner
from inhouse.learning.snapshots.snapshot import SnapshotFacts, TasteSnapshot
from inhouse.learning.taste.arrays import TasteShape
from inhouse.learning.taste.train import TasteTrainer, TasteTraining

START_MS = 1_700_000_000_000
WAIT_MS = 10 * MINUTE_MS
ITEMS = 12


def _state() -> LiveState:
    state = LiveState()
    state.apply_items(
        Item(
            item_id=ItemId(f"i{k}"),
            creator_id=UserId(f"c{k % 3}"),
            title=f"word{k % 4} post",
            topics=(f"t{k % 3}",),
            created_ms=START_MS,
        )
        for k in range(ITEMS)
    )
    return state


def _joiner() -> Joiner:
    return Joiner(_state(), wait_ms=WAIT_MS, length=16)


def _event(offset: int, kind: EventKind, item: int, **more: object) -> LoggedEvent:
    given = {"user_id": UserId("u"), "at_ms": START_MS + offset * 1_000, **more}
    event = Event(
        event_id=EventId(f"e{offset}"),
        kind=kind,
        item_id=ItemId(f"i{item}"),
        **given,  # type: ignore[arg-type]
    )
    return LoggedEvent(log_offset=offset, received_ms=0, event=event)


def _page(
    name: str, log_offset: int, items: Sequence[int], *, user: str = "u", surface: str = "for_you"
) -> ServedPage:
    return ServedPage(
        page_id=PageId(name),
        at_ms=START_MS + log_offset * 1_000 + 500,
        user_id=UserId(user),
        surface=surface,
        items=tuple(
            PageItem(
                item_id=ItemId(f"i{item}"),
                position=place,
                source="taste",
                sources=("taste",),
                value=0.0,
                predicted={},
                propensity=0.5 if place == 1 else 1.0,
                explored=place == 1,
            )
            for place, item in enumerate(items)
        ),
        log_offset=log_offset,
    )


def _later(offset: int) -> LoggedEvent:
    """Somebody else's visit, long after: it lets pages mature."""
    return _event(offset, "impression", 11, user_id=UserId("other"), at_ms=START_MS + 2 * WAIT_MS)


def _model(state: LiveState, *, causal: bool = False) -> TasteSnapshot:
    trainer = TasteTrainer(TasteTraining(shape=TasteShape(dims=8, length=16)))
    trainer.grow(state.items.content[: state.items.count])
    facts = SnapshotFacts(
        snapshot_id=SnapshotId("s"), created_ms=0, log_offset=0, page_offset=0, watermark_ms=0
    )
    further = beside([f"i{k}" for k in range(6)]) if causal else None
    return TasteSnapshot(facts, trainer.export(tuple(state.items.ids)), None, further)


@pytest.mark.parametrize("causal", [False, True])
def test_features_equal_those_served_byte_for_byte(causal: bool) -> None:
    """What the head is taught with is what a server computed at that moment from its own state.

    With a causal model beside the taste model and without.
    """
    events = [
        _event(1, "click", 0),
        _event(2, "like", 0),
        _event(3, "click", 5, user_id=UserId("v")),
        _event(4, "hide", 2),
    ]
    page = _page("p", 4, [3, 1, 4])
    server = _state()
    server.apply_events(events)
    person = server.person(UserId("u"))
    items = np.array([3, 1, 4], dtype=np.int32)
    history = history_arrays(person, page.at_ms)
    served = candidate_features(
        server,
        person,
        items,
        Scores(
            taste=_model(server, causal=causal).scores(server.items, history, items),
            similar=nearness(server.items, latest_positives(server.items, person), items),
            positions=np.arange(3, dtype=np.int32),
        ),
        page.at_ms,
    )

    joiner = _joiner()
    joiner.model = _model(joiner.state, causal=causal)
    outcome = [
        _event(offset, "impression", item, page_id=PageId("p"))
        for offset, item in enumerate((3, 1, 4), 5)
    ]
    joined = joiner.take([*events, *outcome, _later(9)], [(1, page)])

    assert joined.shown.features.tobytes() == served.tobytes()
    assert served[:, FEATURE_NAMES.index("taste")].any()


def test_histories_equal_those_of_serving_byte_for_byte() -> None:
    """The taste model is taught with the history that a request at that moment would read."""
    events = [_event(1, "click", 0), _event(2, "hide", 3), _event(3, "like", 6)]
    server = _state()
    server.apply_events(events)
    served = encode_history(history_arrays(server.person(UserId("u")), START_MS + 4_000, 16), 16)

    joined = _joiner().take([*events, _event(4, "click", 9)], [])

    last = joined.wanted.histories.take(np.array([2]))
    assert joined.wanted.targets.tolist() == [0, 6, 9]
    for name in ("items", "kinds", "ages", "dwells"):
        assert getattr(last, name).tobytes() == getattr(served, name).tobytes()


@pytest.mark.parametrize("kind", ["click", "like", "hide", "dwell", "impression"])
def test_no_example_sees_its_own_outcome(kind: EventKind) -> None:
    """A planted leak: whatever the person does on the page, its features stay the same."""
    before = [_event(1, "click", 0)]
    page = _page("p", 1, [3, 1])
    seen = [
        _event(2, "impression", 3, page_id=PageId("p")),
        _event(3, "impression", 1, page_id=PageId("p")),
    ]
    acted = [_event(k, kind, 3, page_id=PageId("p"), value=30_000.0) for k in range(4, 9)]

    quiet = _joiner().take([*before, *seen, _later(20)], [(1, page)])
    lively = _joiner().take([*before, *seen, *acted, _later(20)], [(1, page)])

    assert lively.shown.features.tobytes() == quiet.shown.features.tobytes()
    assert len(lively.shown) == 2


def test_the_wanted_item_is_never_in_its_own_history() -> None:
    """A short look and a like on one post: the look does not give the like away."""
    events = [
        _event(1, "click", 0),
        _event(2, "dwell", 7, value=900.0),
        _event(3, "like", 7),
    ]

    wanted = _joiner().take(events, []).wanted

    assert wanted.targets.tolist() == [0, 7]
    assert wanted.histories.items[1, -1] == 0
    assert (wanted.histories.items[1] != 7).all()


def test_an_item_is_wanted_once() -> None:
    """Click, like and share of one post are one example, not three."""
    events = [_event(1, "click", 4), _event(2, "like", 4), _event(3, "share", 4)]

    assert _joiner().take(events, []).wanted.targets.tolist() == [4]


def test_a_long_watch_counts_as_wanted_and_a_short_one_does_not() -> None:
    """The rule of what is wanted is the one of `features.outcomes`."""
    events = [_event(1, "watch", 4, value=2_000.0), _event(2, "watch", 5, value=20_000.0)]

    assert _joiner().take(events, []).wanted.targets.tolist() == [5]


def test_outcomes_are_those_of_the_waiting_time() -> None:
    """What comes within ten minutes is the label; what comes later is not."""
    page = _page("p", 1, [3, 1, 4])
    events = [
        _event(1, "click", 0),
        _event(2, "impression", 3, page_id=PageId("p")),
        _event(3, "impression", 1, page_id=PageId("p")),
        _event(4, "click", 3, page_id=PageId("p")),
        _event(5, "like", 3, page_id=PageId("p")),
        _event(6, "dwell", 3, page_id=PageId("p"), value=4_000.0),
        _event(7, "hide", 1, page_id=PageId("p")),
        _later(8),
        _event(9, "like", 1, page_id=PageId("p")),
    ]

    shown = _joiner().take(events, [(1, page)]).shown

    assert shown.clicked.tolist() == [True, False]
    assert shown.liked.tolist() == [True, False]
    assert shown.hidden.tolist() == [False, True]
    assert shown.dwell_ms.tolist() == [4_000.0, 0.0]
    assert shown.position.tolist() == [0, 1]
    assert shown.propensity.tolist() == [1.0, 0.5]
    assert shown.at_ms.tolist() == [page.at_ms] * 2


def test_a_page_waits_for_its_time() -> None:
    """Nothing is given out before the waiting time is over, and then exactly once."""
    joiner = _joiner()
    page = _page("p", 1, [3])

    early = joiner.take(
        [_event(1, "click", 0), _event(2, "impression", 3, page_id=PageId("p"))], [(1, page)]
    )
    by_clock = joiner.mature(page.at_ms + WAIT_MS)
    again = joiner.mature(page.at_ms + 5 * WAIT_MS)

    assert (len(early.shown), len(by_clock), len(again)) == (0, 1, 0)


def test_events_without_a_page_are_credited_to_the_latest_that_shows_the_item() -> None:
    """Clients that do not send page ids are understood."""
    pages = [(1, _page("old", 1, [3, 1])), (2, _page("new", 2, [3, 4]))]
    events = [
        _event(1, "click", 0),
        _event(2, "click", 9),
        _event(3, "click", 3),
        _event(4, "impression", 4),
        _later(5),
    ]

    shown = _joiner().take(events, pages).shown

    assert shown.at_ms.tolist() == [pages[1][1].at_ms] * 2
    assert shown.clicked.tolist() == [True, False]


def test_without_impressions_all_down_to_the_last_action_was_seen() -> None:
    """A client that reports no impressions: what stands above a click was passed over."""
    events = [_event(1, "click", 0), _event(2, "click", 4, page_id=PageId("p")), _later(3)]

    shown = _joiner().take(events, [(1, _page("p", 1, [3, 1, 4, 5]))]).shown

    assert shown.clicked.tolist() == [False, False, True]


def test_a_page_that_nobody_looked_at_teaches_nothing() -> None:
    """Served is not seen."""
    events = [_event(1, "click", 0), _later(2)]

    assert len(_joiner().take(events, [(1, _page("p", 1, [3, 1]))]).shown) == 0


def test_pages_of_other_surfaces_teach_the_head_nothing() -> None:
    """On a list by time people choose from another order than the head's."""
    page = _page("p", 1, [3], surface="latest")
    events = [_event(1, "click", 0), _event(2, "click", 3, page_id=PageId("p")), _later(3)]

    joined = _joiner().take(events, [(1, page)])

    assert len(joined.shown) == 0
    assert joined.wanted.targets.tolist() == [0, 3]


@pytest.mark.parametrize(("level", "learned"), [(1, 1), (2, 0), (3, 0)])
def test_pages_made_without_ranking_teach_the_head_nothing(level: int, learned: int) -> None:
    """Under load a page may come from a reserve or be the same for all."""
    page = replace(_page("p", 1, [3]), level=level)
    events = [_event(1, "click", 0), _event(2, "click", 3, page_id=PageId("p")), _later(3)]

    assert len(_joiner().take(events, [(1, page)]).shown) == learned


def test_a_page_logged_after_its_outcome_is_dropped_and_counted() -> None:
    """Its features would have seen the answer."""
    joiner = _joiner()
    joiner.take([_event(1, "click", 0), _event(2, "click", 3, page_id=PageId("p"))], [])

    joined = joiner.take([_later(3)], [(1, _page("p", 1, [3]))])

    assert len(joined.shown) == 0
    assert joiner.late_pages == 1


def test_a_page_waits_for_the_events_it_was_served_on() -> None:
    """A page may be read before its reader's last events are; its features have them still."""
    whole, pieces = _joiner(), _joiner()
    page = _page("p", 2, [3, 1])
    first, second = _event(1, "click", 0), _event(2, "like", 6)
    rest = [_event(3, "impression", 3, page_id=PageId("p")), _later(4)]

    together = whole.take([first, second, *rest], [(1, page)])
    pieces.take([first], [(1, page)])
    apart = pieces.take([second, *rest], [])

    assert apart.shown.features.tobytes() == together.shown.features.tobytes()
    assert len(apart.shown) == 1


def test_how_the_log_is_cut_into_stretches_changes_no_example() -> None:
    """Read event by event or at once, the examples are the same."""
    pages = [(1, _page("p", 1, [3, 1])), (2, _page("q", 3, [5, 6]))]
    events = [
        _event(1, "click", 0),
        _event(2, "click", 3, page_id=PageId("p")),
        _event(3, "impression", 1, page_id=PageId("p")),
        _event(4, "like", 5, page_id=PageId("q")),
        _later(5),
    ]
    at_once = _joiner().take(events, pages)
    joiner = _joiner()

    parts = [joiner.take([logged], pages if k == 0 else []) for k, logged in enumerate(events)]

    assert sum(len(part.shown) for part in parts) == len(at_once.shown) == 3
    for name, whole in at_once.shown.arrays().items():
        cut = np.concatenate([part.shown.arrays()[name] for part in parts])
        assert cut.tobytes() == whole.tobytes()
    assert [t for part in parts for t in part.wanted.targets] == at_once.wanted.targets.tolist()


def test_pages_known_to_have_been_learned_are_passed_over() -> None:
    """After a restart the old pages are folded in, and only what had not matured comes again."""
    joiner = _joiner()
    old, young = _page("old", 1, [3]), _page("young", 3, [5])
    joiner.skip_until(old.at_ms + WAIT_MS)
    events = [
        _event(1, "click", 0),
        _event(2, "click", 3, page_id=PageId("old")),
        _event(3, "click", 1),
        _event(4, "click", 5, page_id=PageId("young")),
        _later(5),
    ]

    shown = joiner.take(events, [(1, old), (2, young)]).shown

    assert shown.at_ms.tolist() == [young.at_ms]
    assert joiner.state.page_offset == 2
