"""Calibration measured and mended."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.stats.calibration import (
    Isotonic,
    Platt,
    brier,
    entropy,
    expected_calibration_error,
    fit_isotonic,
    fit_platt,
    log_losses,
    logit,
    normalised_entropy,
    reliability,
)
from inhouse.stats.types import NotEnough


def overconfident(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits three times too large, with what happened."""
    random = stream(9, "overconfident")
    truth = random.normal(-1, 1.5, n)
    return 3 * truth, random.random(n) < expit(truth)


def ece(p: np.ndarray, happened: np.ndarray) -> float:
    """The error, which must be known."""
    found = expected_calibration_error(p, happened)
    assert isinstance(found, float)
    return found


def test_error_is_the_weighted_gap() -> None:
    """Two bins by hand: 0.75 * |1/3 - 0.1| + 0.25 * |1 - 0.9|."""
    found = ece(np.array([0.1, 0.1, 0.1, 0.9]), np.array([True, False, False, True]))
    assert pytest.approx(0.75 * (1 / 3 - 0.1) + 0.25 * 0.1) == found


def test_reliability_counts_everyone_once() -> None:
    """The bins' counts add up, and a certain prediction belongs to the last bin."""
    p = stream(1, "p").random(500)
    rows = reliability(np.append(p, 1.0), np.append(p > 0.5, True))
    assert sum(row.n for row in rows) == 501
    assert rows[-1].high == 1.0


def test_both_calibrators_mend_overconfidence() -> None:
    """From an error above 0.1 on fresh data to one below 0.02."""
    scores, happened = overconfident(20_000)
    fit, held = slice(0, 10_000), slice(10_000, None)
    assert ece(expit(scores[held]), happened[held]) > 0.1
    for fitted in (
        fit_platt(scores[fit], happened[fit]),
        fit_isotonic(scores[fit], happened[fit]),
    ):
        assert not isinstance(fitted, NotEnough)
        assert ece(fitted.apply(scores[held]), happened[held]) < 0.02


def test_platt_finds_the_slope() -> None:
    """Logits three times too large need a slope of one third and no offset."""
    fitted = fit_platt(*overconfident(50_000))
    assert isinstance(fitted, Platt)
    assert (pytest.approx(1 / 3, abs=0.01), pytest.approx(0.0, abs=0.05)) == (
        fitted.slope,
        fitted.offset,
    )


def test_platt_stays_finite_on_separable_data() -> None:
    """Smoothed targets keep perfect scores from promising certainty."""
    fitted = fit_platt([-2.0, -1.0, 1.0, 2.0], [False, False, True, True])
    assert isinstance(fitted, Platt)
    assert 0.5 < float(fitted.apply(2.0)) < 0.95


@given(
    st.lists(st.tuples(st.integers(-20, 20), st.booleans()), min_size=2, max_size=60).filter(
        lambda rows: len({r[1] for r in rows}) == 2 and len({r[0] for r in rows}) > 1
    )
)
def test_isotonic_agrees_with_scikit_learn(rows: list[tuple[int, bool]]) -> None:
    """The pooled curve is the reference implementation's, and never falls."""
    scores, happened = np.array([r[0] for r in rows], dtype=float), np.array([r[1] for r in rows])
    fitted = fit_isotonic(scores, happened)
    assert isinstance(fitted, Isotonic)
    at = np.linspace(-22, 22, 89)
    reference = IsotonicRegression(out_of_bounds="clip").fit(scores, happened)
    np.testing.assert_allclose(fitted.apply(at), reference.predict(at), atol=1e-9)
    assert list(fitted.p) == sorted(fitted.p)


def test_calibrators_come_back_from_arrays() -> None:
    """What is stored is what was fitted."""
    scores, happened = overconfident(500)
    platt, isotonic = fit_platt(scores, happened), fit_isotonic(scores, happened)
    assert isinstance(platt, Platt)
    assert isinstance(isotonic, Isotonic)
    assert platt == Platt.from_arrays(platt.to_arrays())
    assert isotonic == Isotonic.from_arrays(isotonic.to_arrays())


@pytest.mark.parametrize("fit", [fit_platt, fit_isotonic])
def test_one_outcome_cannot_be_calibrated(fit) -> None:  # type: ignore[no-untyped-def]
    """Without both outcomes, or without different scores, there is nothing to fit."""
    assert NotEnough(reason="only one outcome occurs", have=2) == fit([1.0, 2.0], [True, True])
    assert NotEnough(reason="all scores are equal", have=2) == fit([1.0, 1.0], [True, False])


def test_probabilities_out_of_range_are_refused() -> None:
    """Logits given as probabilities are named."""
    with pytest.raises(InputError, match="p runs from -1 to 2, expected 0 to 1"):
        expected_calibration_error([-1.0, 2.0], [True, False])


def test_no_predictions_have_no_error() -> None:
    """An empty table gives neither 0 nor NaN."""
    assert NotEnough(reason="no predictions", have=0, need=1) == expected_calibration_error([], [])
    assert NotEnough(reason="no predictions", have=0, need=1) == brier([], [])


def test_brier_is_the_mean_square() -> None:
    """Half sure and right or wrong costs a quarter."""
    assert brier([0.5, 0.5], [True, False]) == 0.25


def test_logit_is_finite_at_certainty() -> None:
    """Certain probabilities become large but finite logits."""
    assert np.isfinite(logit([0.0, 1.0])).all()
    assert logit([0.5]).tolist() == [0.0]


def test_bins_by_mass_hold_equally_many_of_what_is_rare() -> None:
    """Predictions near zero, which one bin of equal width would hold, are told apart."""
    p = np.linspace(0.001, 0.02, 1_000)
    happened = np.arange(1_000) % 100 == 0

    by_width, by_mass = reliability(p, happened, 10), reliability(p, happened, 10, by_mass=True)

    assert len(by_width) == 1
    assert [row.n for row in by_mass] == [100] * 10
    assert all(row.low <= row.p_mean <= row.high for row in by_mass)


def test_equal_predictions_are_one_bin_by_mass() -> None:
    """However many bins are asked for, equals are not torn apart."""
    (row,) = reliability([0.2] * 9, [True] + [False] * 8, 5, by_mass=True)

    assert (row.low, row.high, row.n, row.rate.estimate) == (0.2, 0.2, 9, 1 / 9)


def test_normalised_entropy_is_one_for_the_plain_rate() -> None:
    """Who tells everybody the rate has 1, who knows better has less; one outcome cannot say."""
    happened = np.array([True, False, False, False])

    assert normalised_entropy([0.25] * 4, happened) == pytest.approx(1.0)
    assert normalised_entropy([0.9, 0.1, 0.1, 0.1], happened) == pytest.approx(
        -np.log(0.9) / entropy(0.25)
    )
    assert isinstance(normalised_entropy([0.1, 0.1], [False, False]), NotEnough)


def test_log_losses_are_finite_at_certainty() -> None:
    """A wrong certainty costs much, and not everything."""
    assert log_losses([0.0, 1.0], [True, True]).tolist() == [pytest.approx(27.63, abs=0.01), 0.0]
