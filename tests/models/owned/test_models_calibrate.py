"""Probabilities from margins, with labels that are wrong at random."""

import numpy as np
from scipy import special

from inhouse.core.random import stream
from inhouse.models.owned.calibrate import Curve, fit_curve
from inhouse.stats.types import NotEnough


def _margins(harm: float, noise: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Well separated margins; labels missed and invented at the rates of `noise`."""
    random = stream(4, "margins")
    harmful = random.random(6_000) < harm
    margins = np.where(harmful, 2.0, -2.0) + random.normal(0, 0.7, 6_000)
    luck = random.random(6_000)
    labels = np.where(harmful, luck >= noise[0], luck < noise[1])
    return margins, labels


def test_labels_wrong_at_random_leave_a_clear_answer() -> None:
    """Where the teacher invents one flag in a hundred, a harmful text still gets its rate."""
    curve = fit_curve(*_margins(0.02, (0.1, 0.01)))
    assert isinstance(curve, Curve)
    likely, less, unlikely = curve.apply(np.array([2.0, 1.0, -2.0]))
    assert abs(likely - 0.9) < 0.08
    assert abs(less - 0.9) < 0.15
    assert abs(unlikely - 0.01) < 0.005


def test_without_noise_it_is_the_plain_sigmoid() -> None:
    """Two more parameters must earn their place."""
    random = stream(5, "margins")
    margins = random.normal(0, 2, 4_000)
    curve = fit_curve(margins, random.random(4_000) < special.expit(1.5 * margins - 1))
    assert isinstance(curve, Curve)
    assert (curve.floor, curve.ceiling) == (0.0, 1.0)
    assert abs(curve.slope - 1.5) < 0.2


def test_the_curve_rises() -> None:
    """A higher margin never means less likely."""
    curve = fit_curve(*_margins(0.1, (0.2, 0.02)))
    assert isinstance(curve, Curve)
    assert (np.diff(curve.apply(np.linspace(-9, 9, 200))) >= 0).all()


def test_one_outcome_alone_cannot_be_calibrated() -> None:
    """The answer says so."""
    assert isinstance(fit_curve(np.array([1.0, 2.0]), np.array([True, True])), NotEnough)
