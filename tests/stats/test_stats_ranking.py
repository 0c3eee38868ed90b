"""Ranking metrics: by hand, by brute force, and without luck."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from inhouse.core.errors import InputError
from inhouse.stats.ranking import (
    coverage,
    gini,
    hit_rate,
    mrr,
    ndcg,
    ndcg_at,
    rank_correlation,
    recall_at,
    target_ranks,
)
from inhouse.stats.types import NotEnough


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=5, max_size=5), min_size=1, max_size=8),
    st.integers(0, 4),
)
def test_ranks_count_ties_against_the_target(rows: list[list[int]], target: int) -> None:
    """Brute force: the target stands behind everything that scores at least as much."""
    expected = [
        1 + sum(row[other] >= row[target] for other in range(5) if other != target) for row in rows
    ]
    assert expected == target_ranks(np.array(rows, float), [target] * len(rows)).tolist()


def test_a_constant_model_gets_no_credit() -> None:
    """Scoring everything alike hits nothing in the first ten of a hundred."""
    ranks = target_ranks(np.zeros((50, 100)), np.arange(50))
    assert (hit_rate(ranks, 10), ndcg(ranks, 10), mrr(ranks)) == (0.0, 0.0, 0.01)


def test_only_allowed_items_compete() -> None:
    """What is masked out does not push the target down, nor does the mask drop the target."""
    scores = np.array([[9.0, 5.0, 7.0]])
    allowed = np.array([[False, False, True]])
    assert target_ranks(scores, [1], allowed).tolist() == [2]


def test_numbers_that_are_not_one_never_help() -> None:
    """Another item's NaN ranks ahead of the target; the target's own is refused."""
    assert target_ranks([[float("nan"), 1.0]], [1]).tolist() == [2]
    with pytest.raises(InputError, match="a target's score is not a number"):
        target_ranks([[float("nan"), 1.0]], [0])


def test_single_target_metrics_by_hand() -> None:
    """Ranks 1, 2 and 20 at ten."""
    ranks = [1, 2, 20]
    assert pytest.approx(2 / 3) == hit_rate(ranks, 10)
    assert pytest.approx((1 + 1 / np.log2(3)) / 3) == ndcg(ranks, 10)
    assert pytest.approx((1 + 0.5 + 0.05) / 3) == mrr(ranks)


def test_list_metrics_by_hand() -> None:
    """Two of three relevant among the first three, at places one and three."""
    shown, wanted = ["a", "x", "b", "c"], ["a", "b", "c"]
    ideal = 1 + 1 / np.log2(3) + 0.5
    assert pytest.approx(2 / 3) == recall_at(shown, wanted, 3)
    assert pytest.approx(1.5 / ideal) == ndcg_at(shown, wanted, 3)
    assert (recall_at(shown, [], 3), ndcg_at(shown, [], 3)) == (None, None)


def test_a_list_shorter_than_k_is_not_an_error() -> None:
    """Fewer items than asked for are judged as they are."""
    assert (recall_at(["a"], ["a"], 5), ndcg_at(["a"], ["a"], 5)) == (1.0, 1.0)


def test_coverage_counts_an_item_once() -> None:
    """Three different items of six."""
    assert coverage([["a", "b"], ["b", "c"]], 6) == 0.5
    assert NotEnough(reason="the catalogue is empty", have=0, need=1) == coverage([["a"]], 0)


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=50).filter(any))
def test_gini_is_the_mean_difference(counts: list[int]) -> None:
    """The formula equals half the relative mean absolute difference, whatever the scale."""
    values = np.array(counts, float)
    expected = np.abs(values[:, None] - values).mean() / (2 * values.mean())
    assert pytest.approx(expected, abs=1e-9) == gini(counts)
    assert pytest.approx(expected, abs=1e-9) == gini(values * 7)


def test_nothing_to_average_is_said() -> None:
    """No rows and no counts give no number."""
    assert NotEnough(reason="no rows to average", have=0, need=1) == hit_rate([], 10)
    assert NotEnough(reason="nothing was counted", have=0, need=1) == gini([0, 0])


def test_ranks_count_from_one() -> None:
    """A rank of zero is a mistake of the caller."""
    with pytest.raises(InputError, match="ranks count from 1"):
        hit_rate([0, 1], 10)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), min_size=3, max_size=50
    )
)
def test_rank_correlation_is_spearmans(rows: list[tuple[int, int, int]]) -> None:
    """As scipy has it, ties among them; a weight counts a row so often."""
    first, second, weights = (np.array([row[k] for row in rows]) for k in range(3))
    one, two = np.repeat(first, weights), np.repeat(second, weights)
    found = rank_correlation(first, second, weights)
    if len(np.unique(one)) < 2 or len(np.unique(two)) < 2:
        assert isinstance(found, NotEnough)
    else:
        assert found == pytest.approx(spearmanr(one, two).statistic)
