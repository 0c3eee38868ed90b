"""Classification metrics against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from inhouse.core.errors import InputError
from inhouse.stats.classification import (
    OperatingPoint,
    at_threshold,
    average_precision,
    recall_at_fpr,
    recall_at_precision,
    roc_auc,
)
from inhouse.stats.types import NotEnough

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=80).filter(
    lambda rows: len({r[0] for r in rows}) == 2
)


@given(ROWS)
def test_areas_agree_with_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    """With many ties, both areas are the reference's."""
    happened, scores = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], float)
    assert pytest.approx(roc_auc_score(happened, scores)) == roc_auc(happened, scores)
    expected = average_precision_score(happened, scores)
    assert pytest.approx(expected) == average_precision(happened, scores)


@given(ROWS, st.floats(0, 1))
def test_operating_points_are_the_best_allowed(rows: list[tuple[bool, int]], bound: float) -> None:
    """No threshold meets the bound with a higher recall, by trying them all."""
    happened, scores = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], float)
    points = [at_threshold(happened, scores, t) for t in range(10)]
    known = [p for p in points if isinstance(p, OperatingPoint)]
    by_fpr = recall_at_fpr(happened, scores, bound)
    by_precision = recall_at_precision(happened, scores, bound)
    assert isinstance(by_fpr, OperatingPoint)
    assert isinstance(by_precision, OperatingPoint)
    assert max((p.recall for p in known if p.fpr <= bound), default=0.0) == by_fpr.recall
    exact = [p.recall for p in known if p.precision is not None and p.precision >= bound]
    assert max(exact, default=0.0) == by_precision.recall


def test_a_threshold_by_hand() -> None:
    """Flagging at 0.5 takes three of four, two of them rightly."""
    found = at_threshold([True, True, False, False], [0.9, 0.5, 0.6, 0.1], 0.5)
    expected = OperatingPoint(threshold=0.5, precision=2 / 3, recall=1.0, fpr=0.5, flagged=3)
    assert expected == found


def test_nothing_flagged_has_no_precision() -> None:
    """A threshold above all scores flags nobody; precision is then unknown, not 0 or 1."""
    found = at_threshold([True, False], [0.2, 0.1], 0.5)
    assert isinstance(found, OperatingPoint)
    assert (found.precision, found.recall, found.flagged) == (None, 0.0, 0)


def test_a_bound_that_cannot_be_met_flags_nothing() -> None:
    """Where the top score is a negative's, no threshold keeps misfires at none."""
    found = recall_at_fpr([False, True], [0.9, 0.1], 0.0)
    assert isinstance(found, OperatingPoint)
    assert (0.0, float("inf")) == (found.recall, found.threshold)


@pytest.mark.parametrize("metric", [roc_auc, average_precision])
def test_one_class_is_not_enough(metric) -> None:  # type: ignore[no-untyped-def]
    """Without both classes nothing can be told apart."""
    assert NotEnough(reason="only one class occurs", have=2) == metric([True, True], [0.1, 0.2])
    assert NotEnough(reason="only one class occurs", have=0) == metric([], [])


def test_bounds_are_checked() -> None:
    """A bound in percent is refused by name."""
    with pytest.raises(InputError, match="most_fpr is 5, expected 0 to 1"):
        recall_at_fpr([True, False], [0.1, 0.2], 5)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 3)), max_size=60))
def test_a_weight_counts_a_pair_so_often(rows: list[tuple[bool, int, int]]) -> None:
    """Weights say what repeating the rows says; a weight of 0 is as if the pair were not there."""
    happened, scores, weights = (np.array([row[k] for row in rows]) for k in range(3))
    often = np.repeat(np.arange(len(rows)), weights.astype(np.int64))
    many = [happened.astype(np.bool_)[often], scores.astype(float)[often]]
    for measure in (roc_auc, average_precision):
        weighted, repeated = measure(happened, scores, weights), measure(*many)
        if isinstance(repeated, NotEnough):
            assert isinstance(weighted, NotEnough)
        else:
            assert pytest.approx(repeated) == weighted


def test_weights_that_cannot_be_are_refused() -> None:
    """One too few, or below 0."""
    with pytest.raises(InputError, match="1 weights for 2 rows, expected as many, each 0 or more"):
        roc_auc([True, False], [0.2, 0.1], [1.0])
