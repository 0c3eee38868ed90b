"""Stand-ins: a post that nobody had lies where people put its like."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inhouse.learning.stand_ins import NEAREST, with_stand_ins


def _kinds(numbers: np.random.Generator, n: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Two kinds of posts, and content that tells them apart beside much that all share."""
    kinds = numbers.integers(0, 2, n)
    content = numbers.normal(size=(n, 8)).astype(np.float32) * np.float32(0.1)
    content[:, 0] += 5
    content[:, 1] += 2 * kinds - 1
    return kinds, content


def test_a_new_post_lies_among_its_like() -> None:
    """The mean of the nearest ten, by what tells posts apart, not by what all share."""
    numbers = np.random.default_rng(3)
    kinds, content = _kinds(numbers, 400)
    wanted = np.arange(400) < 300
    ids = np.where(kinds[:, None] == 1, [1.0, -2.0], [-1.0, 2.0]).astype(np.float32)
    start = np.where(wanted[:, None], ids, 0).astype(np.float32)

    found = with_stand_ins(start, content, wanted)

    assert found.tolist() == ids.tolist()
    assert not start[300:].any()


@pytest.mark.parametrize("known", [NEAREST - 1, 0])
def test_too_few_to_learn_from_change_nothing(known: int) -> None:
    """Ten neighbours are wanted."""
    numbers = np.random.default_rng(3)
    _, content = _kinds(numbers, 30)
    ids = numbers.normal(size=(30, 2)).astype(np.float32)

    assert with_stand_ins(ids, content, np.arange(30) < known) is ids


def test_without_content_nothing_stands_in() -> None:
    """What nobody had and nothing is told of stays as it is, and serves nobody as a neighbour."""
    numbers = np.random.default_rng(3)
    _, content = _kinds(numbers, 40)
    content[20:30] = 0
    wanted = (np.arange(40) < 15) | (np.arange(40) >= 25)
    ids = np.where(wanted[:, None], 1.0, 0.0).astype(np.float32) * np.ones(3, dtype=np.float32)
    ids[25:30] = 100

    found = with_stand_ins(ids, content, wanted)

    assert found[15:20].tolist() == [[1.0] * 3] * 5
    assert found[20:].tolist() == ids[20:].tolist()
