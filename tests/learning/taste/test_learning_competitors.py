"""Who competes in a softmax, and how much each stands for."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.random import stream
from inhouse.learning.encoding import Histories
from inhouse.learning.examples.memory import NextItemMemory
from inhouse.learning.examples.types import NextItems
from inhouse.learning.taste.competitors import Competitors
from inhouse.learning.taste.rows import RowTable

ROWS = 500


def _examples(targets: list[int]) -> NextItems:
    n = len(targets)
    codes = np.zeros((n, 1), dtype=np.uint8)
    return NextItems(
        histories=Histories(
            items=np.full((n, 1), -1, dtype=np.int32), kinds=codes, ages=codes, dwells=codes
        ),
        targets=np.array(targets, dtype=np.int32),
        at_ms=np.arange(n, dtype=np.int64),
        offsets=np.arange(n, dtype=np.int64),
    )


def _world(wanted: list[int]) -> tuple[Competitors, NextItemMemory, RowTable]:
    """500 items with rows, of which some are still wanted; two wanted ones have no row."""
    table = RowTable(4, rate=0.1, decay=0.0)
    keys = np.arange(ROWS)
    table.hear(keys, np.zeros(ROWS, dtype=np.int64), torch.Generator().manual_seed(0))
    memory = NextItemMemory(1_000, 1)
    memory.add(_examples([*wanted, ROWS + 7, ROWS + 9]))
    return Competitors(table, memory), memory, table


@pytest.mark.parametrize("whole_up_to", [10, 60, 499])
def test_the_sampled_sum_estimates_the_whole(whole_up_to: int) -> None:
    """Over many draws the corrected sum of exponentials has the mean of the true one."""
    numbers = stream(1, "logits")
    wanted = numbers.choice(40, 300, p=np.arange(1, 41) / 820).tolist()
    competitors, _, _ = _world(wanted)
    logits = numbers.normal(size=ROWS).astype(np.float32)

    sums = []
    for _ in range(400):
        choices = competitors.choose(whole_up_to, 100, numbers)
        sums.append(np.exp(logits[choices.rows] - choices.correction.numpy()).sum())
        assert (np.diff(choices.rows) > 0).all()

    assert np.mean(sums) == pytest.approx(np.exp(logits).sum(), rel=0.03)


def test_what_is_still_wanted_competes_whole() -> None:
    """Of 500 items 3 are wanted: they stand for themselves, a sample of 5 for all the others."""
    competitors, _, _ = _world([8, 3, 8, 450])

    choices = competitors.choose(100, 20, stream(2, "draws"))

    themselves = choices.rows[choices.correction.numpy() == 0]
    assert themselves.tolist() == [3, 8, 450]
    assert 1 <= len(choices.rows) - 3 <= 5


def test_a_small_table_competes_whole() -> None:
    """Up to the border every row there is competes, wanted or not."""
    competitors, _, _ = _world([1])

    assert competitors.choose(ROWS, 20, stream(3, "draws")).rows.tolist() == list(range(ROWS))


@given(st.lists(st.lists(st.integers(0, 30), max_size=9), max_size=6), st.integers(1, 12))
def test_memory_counts_what_it_holds(batches: list[list[int]], most: int) -> None:
    """However examples come, the counts are those of the latest `most` answers."""
    memory = NextItemMemory(most, 1)
    for batch in batches:
        memory.add(_examples(batch))

    held = [target for batch in batches for target in batch][-most:]

    assert memory.wanted().tolist() == sorted(set(held))
    assert memory.times_wanted(np.arange(31)).tolist() == [held.count(item) for item in range(31)]


def test_what_is_forgotten_is_counted_no_more() -> None:
    """After forgetting two events the counts are those of what is left."""
    memory = NextItemMemory(10, 1)
    memory.add(_examples([5, 6, 5, 7]))

    memory.forget(np.array([0, 3]))

    assert memory.wanted().tolist() == [5, 6]
    assert memory.times_wanted(np.array([5, 7, 99])).tolist() == [1, 0, 0]
