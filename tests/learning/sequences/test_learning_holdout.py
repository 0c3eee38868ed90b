"""Leave-one-out with every item ranked."""

import numpy as np

from inhouse.learning.sequences.flat import Sequences, from_lists
from inhouse.learning.sequences.holdout import HoldOut, leave_one_out, ranked
from inhouse.stats.types import NotEnough


def _falling(histories: Sequences) -> np.ndarray:  # type: ignore[type-arg]
    """Item 0 first, then 1, then 2 and so on, whatever the history."""
    return np.tile(np.arange(4, 0, -1, dtype=np.float32), (len(histories), 1))


def test_the_last_item_is_asked_and_what_was_had_does_not_compete() -> None:
    """Ranks count what is better and allowed; lists hold the best that is allowed."""
    questions = HoldOut(
        sequences=from_lists([[0, 1, 2], [3], [2, 3], [1, 0]]), counts=np.array([2, 1, 0, 9]), k=1
    )

    ranks, listed = ranked(questions, _falling)

    assert ranks.tolist() == [1, 3, 1]
    assert listed.tolist() == [2, 0, 1, 0]


def test_ties_stand_against_the_model() -> None:
    """Who scores all items alike is given the last rank."""
    questions = HoldOut(sequences=from_lists([[0, 1], [1, 2]]), counts=np.ones(4, dtype=np.int64))

    ranks, _ = ranked(questions, lambda asked: np.zeros((len(asked), 4), dtype=np.float32))

    assert ranks.tolist() == [3, 3]


def test_the_report_tells_cold_and_rare_apart() -> None:
    """Segments and debiased figures follow the counts that were learned from."""
    sequences = from_lists([[0, 1, 2], [2, 3], [1, 0], [0, 1, 2, 3]])
    questions = HoldOut(sequences=sequences, counts=np.array([8, 1, 0, 2]), k=1, far=2, few=2)

    found = leave_one_out("falling", questions, _falling)

    assert (found.n, found.hit_rate_far, found.coverage) == (4, 0.75, 0.75)
    assert found.mrr == (1 + 1 / 3 + 1 + 1) / 4
    assert found.hit_rate_cold_people == 2 / 3
    assert found.hit_rate_rare_items == 0.5
    assert found.hit_rate_new_items == 1.0
    assert found.hit_rate_debiased == (1 + 1 / 8 + 1 / 2) / (1 + 1 / 2 + 1 / 8 + 1 / 2)
    assert found.novelty == (2 * np.log2(4 / 8) + np.log2(4 / 1) * 0 + 2 + np.log2(4 / 2)) / 4


def test_without_questions_nothing_is_made_up() -> None:
    """Each figure says that there is not enough."""
    found = leave_one_out(
        "falling", HoldOut(sequences=from_lists([[1]]), counts=np.ones(4, dtype=np.int64)), _falling
    )

    assert isinstance(found.hit_rate, NotEnough)
    assert isinstance(found.novelty, NotEnough)
    assert isinstance(found.hit_rate_debiased, NotEnough)
