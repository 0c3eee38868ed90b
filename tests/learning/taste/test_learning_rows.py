"""The table of rows: moves like Adam, stays within its bound, and tells what changed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inhouse.learning.taste.rows import RowTable, TableBounds, bytes_a_row, rows_in

DAY_MS = 86_400_000


def _table(most: int = 64, *, dims: int = 4, admit_after: int = 1, **more: float) -> RowTable:
    bounds = TableBounds(most=most, admit_after=admit_after, unused_ms=DAY_MS)
    return RowTable(dims, **{"rate": 0.01, "decay": 0.1, **more}, bounds=bounds)


def _hear(table: RowTable, *keys: int, at_ms: int = 0) -> None:
    dice = torch.Generator().manual_seed(keys[0])
    table.hear(np.array(keys), np.full(len(keys), at_ms, dtype=np.int64), dice)


def test_rows_move_as_under_adam() -> None:
    """Where every row is touched at every step the table equals torch's AdamW."""
    table, rows = _table(), np.arange(6)
    _hear(table, *range(6))
    parameter = torch.nn.Parameter(table.values_of(rows))
    adam = torch.optim.AdamW([parameter], lr=0.01, weight_decay=0.1)
    dice = torch.Generator().manual_seed(2)

    for _ in range(20):
        gradient = torch.randn(6, 4, generator=dice)
        table.update(rows, gradient)
        parameter.grad = gradient
        adam.step()

    torch.testing.assert_close(table.values_of(rows), parameter.detach(), atol=1e-6, rtol=1e-5)


def test_a_key_without_a_row_never_moves() -> None:
    """It reads as zeros before and after a gradient on it."""
    table = _table()
    _hear(table, 1)

    table.update(np.arange(3), torch.ones(3, 4))

    assert table.has(np.arange(3)).tolist() == [False, True, False]
    assert table.values_of(np.array([0, 2])).abs().sum() == 0
    assert table.values_of(np.array([1])).abs().sum() > 0


def test_the_bound_holds_and_the_longest_unused_make_room() -> None:
    """Of 1,000 ids in a table of 64 rows the latest are held, each with a row of its own."""
    table = _table(64)
    for key in range(1_000):
        _hear(table, key * 1_000_003, at_ms=key)
        assert len(table) <= 64

    held = table.keys() // 1_000_003
    assert held.tolist() == list(range(1_000 - len(held), 1_000))
    assert len(held) >= 60
    assert len(np.unique(table.values_of(table.keys()).numpy(), axis=0)) == len(held)


def test_rare_ids_get_no_row_of_a_half_full_table() -> None:
    """Up to half at once; beyond, an id is admitted when it was heard of three times."""
    table = _table(64, admit_after=3)
    _hear(table, *range(32))
    assert len(table) == 32
    _hear(table, 100, 101)
    _hear(table, 100)
    assert not table.has(np.array([100, 101])).any()

    _hear(table, 100)

    assert table.has(np.array([100, 101])).tolist() == [True, False]


def test_rows_expire_and_their_slots_are_taken_again() -> None:
    """A day after it was last heard of a row is gone; a new one starts without its past."""
    table = _table(4)
    _hear(table, 1, 2)
    table.update(np.array([1, 2]), torch.ones(2, 4))
    _hear(table, 2, at_ms=DAY_MS)

    assert table.expire(DAY_MS + 1) == 1

    assert table.keys().tolist() == [2]
    _hear(table, 7, at_ms=DAY_MS)
    assert table._top == 2
    assert table._steps[table._find(np.array([7]))].tolist() == [0]


def test_what_changed_is_told_once() -> None:
    """Rows touched since the last publication, and zeros for a published row that expired."""
    table = _table()
    _hear(table, 1, 2, 3)
    table.mark_published()
    before = table.values_of(np.array([1, 2, 3]))
    table.update(np.array([2]), torch.ones(1, 4))
    _hear(table, 1, 2, 3, at_ms=2 * DAY_MS)
    table._used_ms[table._find(np.array([3]))] = 0
    table.expire(2 * DAY_MS)

    keys, values = table.changed()

    assert keys.tolist() == [2, 3]
    assert values[1].tolist() == [0, 0, 0, 0]
    assert torch.equal(table.published_of(np.array([1, 2])), before[:2])
    table.mark_published()
    assert table.changed()[0].tolist() == []
    assert torch.equal(table.published_of(keys), table.values_of(keys))


def test_reverting_goes_back_to_what_was_published() -> None:
    """Published rows are as they were, others are gone, and nothing counts as changed."""
    table = _table()
    _hear(table, 1)
    table.mark_published()
    before = table.values_of(np.array([1]))
    table.update(np.array([1]), torch.ones(1, 4))
    _hear(table, 2)

    table.revert()

    assert table.keys().tolist() == [1]
    assert torch.equal(table.values_of(np.array([1])), before)
    assert table.changed()[0].tolist() == []


def test_what_another_published_decides_what_changed() -> None:
    """A row that differs is due, one that is equal is not, one no longer here is removed."""
    table = _table()
    _hear(table, 1, 2)
    equal = table.values_of(np.array([1])).numpy()

    table.set_published(np.array([1, 9]), np.concatenate([equal, equal]))

    keys, values = table.changed()
    assert keys.tolist() == [2, 9]
    assert values[1].abs().sum() == 0


@given(
    st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=8), min_size=1, max_size=30),
    st.integers(0, 29),
    st.integers(1, 3),
)
def test_a_restored_table_goes_on_like_the_one_it_was(
    batches: list[list[int]], cut: int, admit_after: int
) -> None:
    """Whatever was heard and moved, the copy equals the original then and later."""
    table = _table(16, admit_after=admit_after)
    other = _table(16, admit_after=admit_after)
    for now, batch in enumerate(batches):
        if now == min(cut, len(batches) - 1):
            other.restore({name: part.copy() for name, part in table.arrays().items()})
            tables = [table, other]
        else:
            tables = [table] if now < cut else [table, other]
        for each in tables:
            _hear(each, *batch, at_ms=now)
            keys = np.unique(batch)
            each.update(keys, torch.full((len(keys), 4), float(now)))

    every = np.arange(41)
    assert len(table) <= 16
    assert table.keys().tolist() == other.keys().tolist() == every[table.has(every)].tolist()
    assert torch.equal(table.values_of(every), other.values_of(every))
    assert torch.equal(table.changed()[1], other.changed()[1])


def test_a_table_of_another_shape_is_not_restored() -> None:
    """More rows than there is room for, or rows of another length, raise a ValueError."""
    big = _table(64)
    _hear(big, *range(40))

    with pytest.raises(ValueError, match="40 rows"):
        _table(16).restore(big.arrays())


def test_the_memory_of_a_table_is_what_was_said() -> None:
    """A table of a MB takes at most a MB."""
    rows = rows_in(8, 64)
    table = RowTable(64, rate=0.1, decay=0.0, bounds=TableBounds(most=rows))

    assert rows == (8 << 20) // bytes_a_row(64)
    assert table.size_bytes <= 8 << 20
