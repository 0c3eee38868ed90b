"""From margins to probabilities, where the labels themselves may be wrong at random.

    p = floor + (ceiling - floor) sigmoid(slope * margin + offset)

With floor 0 and ceiling 1 this is Platt's sigmoid. A teacher that flags a harmless text now and
then, and misses a harmful one, whatever the text, gives labels whose frequency levels off on both
sides; a plain sigmoid must then turn flat to follow them, and no text ever gets a clear answer.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy
from scipy import special

from inhouse.stats.calibration import Platt, fit_platt
from inhouse.stats.types import NotEnough

Doubles = npt.NDArray[np.float64]

LEAST_EACH: Final = 5  # texts on each side before a category is learned
_HIGHEST_FLOOR: Final = 0.2
_LOWEST_CEILING: Final = 0.6
_CEILING_RANGE: Final = 1.0 - _LOWEST_CEILING
_STEEPEST: Final = 7.0  # logarithm of the slope in standard deviations: as good as a step
_STEEPER: Final = (1.0, 3.0, 8.0)  # slopes to start from, in Platt's
_TINY: Final = 1e-9
_GAIN: Final = 2.0  # log-likelihood that two more parameters must bring (Akaike 1974)


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A rising curve from margins to probabilities."""

    slope: float  # of the logit, above 0 where a higher margin means more likely
    offset: float  # of the logit
    floor: float = 0.0  # probability of the least likely
    ceiling: float = 1.0  # probability of the most likely

    def apply(self, margins: Doubles) -> Doubles:
        """Probabilities of margins, any shape."""
        return self.of_logits(self.slope * margins + self.offset)

    def of_logits(self, logits: Doubles) -> Doubles:
        """Probabilities of logits: what a text's parts add up to."""
        inside = special.expit(logits)
        return np.asarray(self.floor + (self.ceiling - self.floor) * inside, dtype=np.float64)


def fit_curve(margins: Doubles, happened: npt.NDArray[np.bool_]) -> Curve | NotEnough:
    """Platt's sigmoid, or one with floor and ceiling where that is clearly the likelier.

    By maximum likelihood with Platt's smoothed targets, floor within 0 to 0.2, ceiling within 0.6
    to 1. margins: real numbers of texts the weights were not fitted to. NotEnough as `fit_platt`.
    """
    platt = fit_platt(margins, happened)
    if isinstance(platt, NotEnough):
        return platt
    plain = Curve(slope=platt.slope, offset=platt.offset)
    positives = int(happened.sum())
    targets = np.where(
        happened, (positives + 1) / (positives + 2), 1 / (len(happened) - positives + 2)
    )
    levelled = min(
        (_levelled(platt, steeper, margins, targets) for steeper in _STEEPER),
        key=lambda curve: _loss(curve, margins, targets),
    )
    gain = _loss(plain, margins, targets) - _loss(levelled, margins, targets)
    return levelled if gain > _GAIN else plain


def _levelled(platt: Platt, steeper: float, margins: Doubles, targets: Doubles) -> Curve:
    """The best curve near a steeper sigmoid that is half-way up where the plain one is. Slope,
    floor and ceiling keep within their ranges by an exponential and two sigmoids."""
    scale = float(margins.std())
    unit = margins / scale

    def loss(values: Doubles) -> tuple[float, Doubles]:
        curve = _curve_of(values)
        inside = special.expit(curve.slope * unit + curve.offset)
        height = curve.ceiling - curve.floor
        p = np.clip(curve.floor + height * inside, _TINY, 1 - _TINY)
        value = -(targets * np.log(p) + (1 - targets) * np.log1p(-p)).sum()
        by_p = (p - targets) / (p * (1 - p))
        by_logit = by_p * height * inside * (1 - inside)
        rest = _HIGHEST_FLOOR - curve.floor, 1 - curve.ceiling
        gradient = [
            (by_logit * unit).sum() * curve.slope,
            by_logit.sum(),
            (by_p * (1 - inside)).sum() * curve.floor * rest[0] / _HIGHEST_FLOOR,
            (by_p * inside).sum() * (curve.ceiling - _LOWEST_CEILING) * rest[1] / _CEILING_RANGE,
        ]
        return float(value), np.array(gradient)

    steep = max(platt.slope * scale, 1e-3) * steeper
    start = np.array([np.log(steep), platt.offset * steeper, -3.0, 2.0])
    found = _curve_of(scipy.optimize.minimize(loss, start, jac=True, method="BFGS").x)
    return replace(found, slope=found.slope / scale)


def _curve_of(values: Doubles) -> Curve:
    """log slope, offset, and floor and ceiling as logits within their ranges."""
    floor, ceiling = special.expit(values[2:]).tolist()
    return Curve(
        slope=float(np.exp(min(values[0], _STEEPEST))),
        offset=float(values[1]),
        floor=_HIGHEST_FLOOR * floor,
        ceiling=_LOWEST_CEILING + _CEILING_RANGE * ceiling,
    )


def _loss(curve: Curve, margins: Doubles, targets: Doubles) -> float:
    """Negative log-likelihood."""
    p = np.clip(curve.apply(margins), _TINY, 1 - _TINY)
    return float(-(targets * np.log(p) + (1 - targets) * np.log1p(-p)).sum())
