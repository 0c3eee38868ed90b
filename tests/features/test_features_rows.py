"""Packed sets and lists: the same as Python's own, in four bytes a row."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse.events.types import EVENT_KINDS
from inhouse.features.outcomes import are_positive, is_positive, last_wanted
from inhouse.features.people import HISTORY_KEPT, Action, History
from inhouse.features.rows import Latest, Ragged, RowSet, distinct, in_sorted

_ROWS = st.lists(st.integers(0, 400), max_size=300)


@given(_ROWS, _ROWS)
def test_a_row_set_is_a_set(added: list[int], asked: list[int]) -> None:
    """Adding says what is new; membership, size and order are those of a sorted set."""
    packed, plain = RowSet(), set[int]()
    for row in added:
        assert packed.add(row) == (row not in plain)
        plain.add(row)
    rows = np.array(asked, dtype=np.int32)

    assert packed.among(rows).tolist() == [row in plain for row in asked]
    assert [row in packed for row in asked] == [row in plain for row in asked]
    assert (list(packed), len(packed)) == (sorted(plain), len(plain))
    assert packed == RowSet(packed.rows())
    assert "a word" not in packed


@given(_ROWS, st.integers(0, 12))
def test_latest_keeps_the_last(rows: list[int], most: int) -> None:
    """Whatever came before is let go."""
    kept = Latest(10)
    for row in rows:
        kept.extend([row])
    assert kept.rows().tolist() == rows[-10:]
    assert kept.rows(most).tolist() == (rows[-10:][-most:] if most else [])
    assert len(kept) == min(len(rows), 10)


@given(_ROWS, _ROWS)
def test_membership_in_a_sorted_array(members: list[int], rows: list[int]) -> None:
    """As Python's `in`."""
    sorted_members = np.unique(np.array(members, dtype=np.int32))
    found = in_sorted(sorted_members, np.array(rows, dtype=np.int32))
    assert found.tolist() == [row in members for row in rows]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.lists(st.integers(0, 99), max_size=5)), max_size=60),
    st.lists(st.integers(0, 6), max_size=8),
)
def test_ragged_lists_are_lists(puts: list[tuple[int, list[int]]], asked: list[int]) -> None:
    """However often each is replaced, the latest is found, and a copy says the same."""
    packed, plain = Ragged(np.zeros(0, np.uint32), np.zeros(0, np.int32)), dict[int, list[int]]()
    for row, values in puts:
        packed.put(row, np.array(values, dtype=np.uint32))
        plain[row] = values
    rows = [row for row in asked if row <= max(plain, default=-1)]

    expected = [(value, place) for place, row in enumerate(rows) for value in plain.get(row, [])]
    for ragged in (packed, Ragged(*packed.all(max(plain, default=-1) + 1))):
        values, owners = ragged.of(np.array(rows, dtype=np.int32))
        assert list(zip(values.tolist(), owners.tolist(), strict=True)) == expected


def test_a_history_holds_its_last_actions() -> None:
    """Beyond two hundred the oldest go; a copy by columns is equal."""
    history = History()
    for number in range(HISTORY_KEPT + 60):
        history.remember(Action(item=number, kind=1, at_ms=number, value=number / 2))
    told = history.latest()

    assert told.items.tolist() == list(range(60, HISTORY_KEPT + 60))
    assert told.values.tolist() == [number / 2 for number in told.items]
    assert (len(history), history.latest(3).at_ms.tolist()) == (HISTORY_KEPT, [257, 258, 259])
    assert history == History(told)
    history.clear()
    assert len(history.latest()) == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(EVENT_KINDS) - 1),
            st.sampled_from([0.0, 5_000.0, 18_000.0, 30_000.0]),
            st.sampled_from([0, 4_000, 60_000]),
        ),
        max_size=20,
    )
)
def test_wanted_is_the_same_in_columns_and_one_by_one(acts: list[tuple[int, float, int]]) -> None:
    """One rule, two shapes."""
    kinds = np.array([kind for kind, _, _ in acts], dtype=np.int8)
    values = np.array([value for _, value, _ in acts], dtype=np.float32)
    durations = np.array([duration for _, _, duration in acts], dtype=np.int32)

    assert are_positive(kinds, values, durations).tolist() == [
        is_positive(EVENT_KINDS[kind], value, duration) for kind, value, duration in acts
    ]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(0, len(EVENT_KINDS) - 1),
            st.sampled_from([0.0, 4_000.0, 18_000.0, 30_000.0]),
        ),
        max_size=30,
    ),
    st.integers(0, 4),
)
@settings(deadline=None)  # the first call compiles
def test_the_last_wanted_are_met_by_walking_back(
    acts: list[tuple[int, int, float]], most: int
) -> None:
    """Each once, the newest first, by the same rule."""
    items = np.array([item for item, _, _ in acts], dtype=np.int32)
    kinds = np.array([kind for _, kind, _ in acts], dtype=np.int8)
    values = np.array([value for _, _, value in acts], dtype=np.float32)
    durations = np.array([0, 4_000, 60_000, 0, 18_000, 5_000], dtype=np.int32)
    wanted = items[are_positive(kinds, values, durations[items])][::-1].tolist()

    expected = list(dict.fromkeys(wanted))[:most]
    assert expected == last_wanted(items, kinds, values, durations, most).tolist()


@given(st.lists(st.integers(-5, 5), max_size=30))
def test_distinct_is_sorted_and_each_once(rows: list[int]) -> None:
    """None where there is none."""
    found = distinct(np.array(rows, dtype=np.int32))
    assert found.tolist() == sorted(set(rows))
    assert found.dtype == np.int32
