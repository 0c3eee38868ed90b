"""Where id parts start."""

import numpy as np

from inhouse.learning.sequences.factors import item_factors
from inhouse.learning.sequences.flat import from_lists


def test_items_that_follow_each_other_lie_together() -> None:
    """Two groups that never mix have factors that hardly do."""
    sequences = from_lists([[0, 1, 2, 3], [3, 1, 0, 2], [4, 5, 6], [6, 4, 5], [7]])

    found = item_factors(sequences, 9, 4)

    alike = found @ found.T
    assert np.abs(alike[:4, 4:]).max() < 1e-5
    assert alike[:4, :4][~np.eye(4, dtype=bool)].mean() > 0.1
    assert (found[7:] == 0).all()
    assert abs(found.std() - 1) < 1e-5


def test_there_may_be_more_dimensions_than_items() -> None:
    """What the data cannot fill stays 0, and without data all does."""
    found = item_factors(from_lists([[0, 1, 2], [2, 1]]), 3, 8)

    assert found.shape == (3, 8)
    assert (found[:, 2:] == 0).all()
    assert found[:, :2].any()
    assert not item_factors(from_lists([[0]]), 3, 2).any()
