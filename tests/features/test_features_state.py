"""The state: a pure fold whose replay gives the same again."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse.catalog.types import Item, User
from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.ids import EventId, ItemId, PageId, UserId
from inhouse.events.types import EVENT_KINDS, Event, EventKind, LoggedEvent, PageItem, ServedPage
from inhouse.features.candidates import FEATURE_NAMES, Scores, candidate_features
from inhouse.features.history import history_arrays
from inhouse.features.outcomes import KIND_CODES, Outcome, is_positive
from inhouse.features.state import LiveState

START_MS = 1_700_000_000_000


def _items(count: int) -> list[Item]:
    return [
        Item(
            item_id=ItemId(f"i{i}"),
            creator_id=UserId(f"c{i % 3}"),
            title=f"post {i}",
            topics=(f"t{i % 4}",),
            created_ms=START_MS,
        )
        for i in range(count)
    ]


def _event(offset: int, kind: EventKind, item: int | None = None, **more: object) -> LoggedEvent:
    fields: dict[str, object] = {
        "event_id": EventId(f"e{offset}"),
        "at_ms": START_MS + offset * 1_000,
        "kind": kind,
        "user_id": UserId("u"),
        "item_id": None if item is None else ItemId(f"i{item}"),
        **more,
    }
    return LoggedEvent(log_offset=offset, received_ms=0, event=Event(**fields))  # type: ignore[arg-type]


def _state(count: int = 5) -> LiveState:
    state = LiveState()
    state.apply_items(_items(count))
    return state


def test_actions_on_one_item_at_one_sitting_become_one() -> None:
    """A dwell, a click and a like of the same item are one action: the strongest, the longest."""
    state = _state()
    state.apply_events(
        [
            _event(1, "impression", 0),
            _event(2, "like", 0),
            _event(3, "dwell", 0, value=9_000.0),
            _event(4, "click", 0),
        ]
    )
    recent = state.person(UserId("u")).recent.latest()

    assert recent.items.tolist() == [0]
    assert recent.kinds.tolist() == [KIND_CODES["like"]]
    assert recent.values.tolist() == [9_000.0]


def test_an_event_is_folded_in_once() -> None:
    """Events at or below the state's offset are passed over."""
    state = _state()
    events = [_event(1, "impression", 0), _event(2, "like", 0)]
    state.apply_events(events)
    state.apply_events(events)

    assert (state.items.impressions[0], state.items.likes[0], state.log_offset) == (1, 1, 2)


def test_whoever_acts_on_an_item_has_seen_it() -> None:
    """The first action on an item that was not seen before counts as an impression of it."""
    state = _state()
    state.apply_events([_event(1, "like", 0), _event(2, "click", 0), _event(3, "hide", 1)])

    assert state.items.impressions[:3].tolist() == [1, 1, 0]


def test_relations_follow_the_latest_event() -> None:
    """Follow and unfollow, mute and unmute undo each other; a block is known to both sides."""
    state = _state()
    state.apply_events(
        [
            _event(1, "follow", target="creator:c1"),
            _event(2, "mute", target="topic:t2"),
            _event(3, "mute", target="word:Spoiler"),
            _event(4, "block", target="creator:c2"),
            _event(5, "unfollow", target="creator:c1"),
        ]
    )
    person, blocked = state.person(UserId("u")), state.person(UserId("c2"))

    assert person.follows == set()
    assert person.muted_topics == {state.items.topic_names.find("t2")}
    assert person.muted_words == {"spoiler"}
    assert person.blocked_creators == {state.items.creators.find("c2")}
    assert blocked.blocked_by == {state.items.creators.find("u")}


def test_reset_forgets_taste_and_keeps_what_was_seen() -> None:
    """After a reset the history is empty, yet seen items do not come back."""
    state = _state()
    state.apply_events([_event(1, "like", 0), _event(2, "reset")])
    person = state.person(UserId("u"))

    assert (len(person.recent), list(person.seen)) == (0, [0])


def test_heat_halves_in_twelve_hours() -> None:
    """Two equal likes twelve hours apart warm an item by one and a half of one."""
    state = _state()
    state.items.warm(0, START_MS, 1.0)
    state.items.warm(0, START_MS + 12 * HOUR_MS, 1.0)

    assert state.items.heat_at(START_MS + 12 * HOUR_MS)[0] == np.float32(1.5)


def test_a_late_event_does_not_turn_time_back() -> None:
    """An event from the past adds its warmth without un-decaying what is there."""
    state = _state()
    state.items.warm(0, START_MS + DAY_MS, 1.0)
    state.items.warm(0, START_MS, 1.0)

    assert (state.items.heat[0], state.items.heat_ms[0]) == (2.0, START_MS + DAY_MS)


def test_a_stranger_is_not_remembered_for_asking() -> None:
    """Asking for an unknown person leaves the state as it was."""
    state = _state()
    state.person(UserId("nobody"))

    assert state.people == {}


def test_served_pages_are_remembered_in_order() -> None:
    """Items of served pages are kept with their creators; a page is folded in once."""
    state = _state()
    page = ServedPage(
        page_id=PageId("p"),
        at_ms=START_MS,
        user_id=UserId("u"),
        surface="for_you",
        items=tuple(
            PageItem(
                item_id=ItemId(f"i{i}"),
                position=i,
                source="fresh",
                sources=("fresh",),
                value=0.0,
                predicted={},
                propensity=1.0,
                explored=False,
            )
            for i in (3, 1)
        ),
    )
    state.apply_page(1, page)
    state.apply_page(1, page)

    assert state.person(UserId("u")).served.rows().tolist() == [3, 1]


def test_names_of_a_page_from_the_log_are_held_once() -> None:
    """What the page left over is remembered by the table's own names, in its order."""
    state = _state()
    page = ServedPage(
        page_id=PageId("p"),
        at_ms=START_MS,
        user_id=UserId("u"),
        surface="for_you",
        items=(),
        reserve=tuple(ItemId("".join(("i", k))) for k in "20x1"),
    )
    state.apply_page(1, page)
    reserve = state.reserves.of(UserId("u"))
    assert reserve is not None

    assert reserve.items == ("i2", "i0", "i1")
    assert {id(name) for name in reserve.items} <= {id(name) for name in state.items.ids}


def test_history_is_padded_on_the_left_and_newest_last() -> None:
    """The arrays hold the latest actions; places not filled are -1."""
    state = _state()
    state.apply_events([_event(1, "click", 0), _event(2, "like", 1)])
    history = history_arrays(state.person(UserId("u")), START_MS + 10_000, length=4)

    assert history.items.tolist() == [-1, -1, 0, 1]
    assert history.ages_ms.tolist() == [0, 0, 9_000, 8_000]
    assert history.count == 2


def test_long_looks_are_positive_and_short_ones_are_not() -> None:
    """A look counts from 18 s, or from the end of a shorter video."""
    found = [is_positive("watch", value, 7_000) for value in (6_999, 7_000)]
    found += [is_positive("dwell", value) for value in (17_999, 18_000)]

    assert found == [False, True, False, True]


def test_an_outcome_gathers_every_event() -> None:
    """A like is a click too; the longest look counts; a report is a hide."""
    outcome = Outcome()
    for kind, value in (("dwell", 3_000.0), ("like", None), ("dwell", 1_000.0), ("report", None)):
        outcome.add(kind, value)  # type: ignore[arg-type]

    assert outcome == Outcome(clicked=True, liked=True, hidden=True, dwell_ms=3_000.0)


def test_chosen_topics_and_follows_reach_the_features() -> None:
    """A sign-up topic and a followed creator show in their own columns."""
    state = _state()
    state.apply_users([User(user_id=UserId("u"), topics=("t1",))])
    state.apply_events([_event(1, "follow", target="creator:c2")])
    items = np.arange(5, dtype=np.int32)
    zeros = np.zeros(5, dtype=np.float32)
    features = candidate_features(
        state, state.person(UserId("u")), items, Scores(taste=zeros, similar=zeros), START_MS
    )
    chosen = features[:, FEATURE_NAMES.index("topic_chosen")]
    followed = features[:, FEATURE_NAMES.index("creator_followed")]

    assert chosen.tolist() == [0, 1, 0, 0, 0]
    assert followed.tolist() == [0, 0, 1, 0, 0]


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(EVENT_KINDS), st.integers(0, 4), st.integers(0, 3), st.integers(0, 10**9)
    ),
    max_size=60,
)


def _random_log(drawn: list[tuple[EventKind, int, int, int]]) -> list[LoggedEvent]:
    targets = ("creator:c1", "topic:t1", "word:post", "creator:u2")
    return [
        LoggedEvent(
            log_offset=offset,
            received_ms=0,
            event=Event(
                event_id=EventId(f"e{offset}"),
                at_ms=START_MS + at,
                kind=kind,
                user_id=UserId(f"u{person}"),
                item_id=ItemId(f"i{item}"),
                target=targets[person],
                value=float(at % 40_000),
            ),
        )
        for offset, (kind, item, person, at) in enumerate(drawn, start=1)
    ]


@settings(max_examples=60, deadline=None)
@given(_EVENTS, st.integers(1, 20))
def test_replay_in_any_cut_gives_the_same_features(
    drawn: list[tuple[EventKind, int, int, int]], cut: int
) -> None:
    """Folding a log in one piece or in many gives the same arrays, byte for byte, all finite."""
    log = _random_log(drawn)
    whole, pieces = _state(), _state()
    whole.apply_events(log)
    for start in range(0, len(log), cut):
        pieces.apply_events(log[start : start + cut])
    items = np.arange(5, dtype=np.int32)
    scores = Scores(taste=np.zeros(5, np.float32), similar=np.zeros(5, np.float32))
    for user_id in whole.people:
        both = [
            candidate_features(state, state.person(user_id), items, scores, START_MS + 10**10)
            for state in (whole, pieces)
        ]

        assert both[0].tobytes() == both[1].tobytes()
        assert np.isfinite(both[0]).all()
