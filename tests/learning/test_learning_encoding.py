"""Histories as codes: cut, padded, and never showing the answer."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inhouse.features.history import HistoryArrays
from inhouse.learning.encoding import (
    AGE_CODES,
    DWELL_CODES,
    age_codes,
    dwell_codes,
    empty_histories,
    encode_history,
    stack,
)


def _history(items: list[int], ages_ms: list[int] | None = None) -> HistoryArrays:
    n = len(items)
    return HistoryArrays(
        items=np.array(items, dtype=np.int32),
        kinds=np.arange(n, dtype=np.int8) % 5,
        ages_ms=np.array(ages_ms or [0] * n, dtype=np.int64),
        values=np.zeros(n, dtype=np.float32),
        count=sum(item >= 0 for item in items),
    )


def test_a_short_history_is_padded_on_the_left() -> None:
    """The newest action stands last whatever the length."""
    encoded = encode_history(_history([-1, 7, 8]), 4)

    assert encoded.items.tolist() == [[-1, -1, 7, 8]]
    assert encoded.kinds.tolist() == [[0, 0, 1, 2]]


def test_a_long_history_keeps_its_newest_actions() -> None:
    """What does not fit is forgotten from the oldest on."""
    assert encode_history(_history([1, 2, 3, 4]), 2).items.tolist() == [[3, 4]]


def test_the_item_left_out_leaves_no_gap() -> None:
    """Without the answer the history reads as if the person had never touched it."""
    encoded = encode_history(_history([5, 9, 6, 9]), 3, leave_out=9)

    assert encoded.items.tolist() == [[-1, 5, 6]]


def test_ages_fall_into_powers_of_two_of_seconds() -> None:
    """Under a second is 0, a day 16, and nothing exceeds the highest code."""
    ages = np.array([0, 999, 1_000, 3_000, 86_400_000, 2**62], dtype=np.int64)

    assert age_codes(ages).tolist() == [0, 0, 1, 2, 16, AGE_CODES - 1]


def test_no_dwell_has_a_code_of_its_own() -> None:
    """Nothing measured differs from a look of under a second."""
    values = np.array([0, 500, 1_000, 60_000, 1e12], dtype=np.float32)

    assert dwell_codes(values).tolist() == [0, 1, 2, 6, DWELL_CODES - 1]


@given(st.lists(st.integers(-1, 5), max_size=12), st.integers(1, 8), st.integers(-1, 5))
def test_encoding_keeps_exactly_the_latest_other_items(
    items: list[int], length: int, answer: int
) -> None:
    """For any history: the kept items are the last `length` that are neither padding nor answer."""
    kept = [item for item in items if item not in (-1, answer)][-length:]

    encoded = encode_history(_history(items), length, leave_out=answer)

    assert encoded.items[0].tolist() == [-1] * (length - len(kept)) + kept


def test_stacking_nothing_gives_an_empty_table() -> None:
    """No parts and empty parts are the same."""
    assert len(stack([], 4)) == 0
    assert len(stack([empty_histories(0, 4), empty_histories(2, 4)], 4)) == 2


@given(
    ages_ms=st.lists(st.integers(-5, 2**47), min_size=1, max_size=9),
    values=st.lists(st.integers(0, 2**24), min_size=9, max_size=9),
    length=st.integers(1, 12),
    leave_out=st.integers(-1, 4),
)
def test_a_history_is_encoded_as_its_columns_are(
    ages_ms: list[int], values: list[int], length: int, leave_out: int
) -> None:
    """The compiled step gives what the codes of whole columns give, newest last, padded on the
    left."""
    count = len(ages_ms)
    items = np.arange(count, dtype=np.int32) % 5 - 1
    history = HistoryArrays(
        items=items,
        kinds=np.arange(count, dtype=np.int8),
        ages_ms=np.array(ages_ms, dtype=np.int64),
        values=np.array(values[:count], dtype=np.float32),
        count=count,
    )
    kept = np.flatnonzero((items >= 0) & (items != leave_out))[-length:]
    encoded = encode_history(history, length, leave_out)
    padding = [0] * (length - len(kept))
    assert encoded.items[0].tolist() == [-1] * len(padding) + items[kept].tolist()
    assert encoded.kinds[0].tolist() == padding + history.kinds[kept].tolist()
    assert encoded.ages[0].tolist() == padding + age_codes(history.ages_ms[kept]).tolist()
    assert encoded.dwells[0].tolist() == padding + dwell_codes(history.values[kept]).tolist()
