"""What the statistics answer with: an interval, or that there is not enough to say."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inhouse.core.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """An estimate and the range it is known to."""

    estimate: float  # the point estimate
    low: float  # lower end
    high: float  # upper end
    level: float  # how often such an interval covers the truth, in (0, 1)

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign of the quantity is settled at this level."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NotEnough:
    """The explicit answer that the data cannot say; never a made-up number."""

    reason: str  # in words, lower case
    have: int = 0  # observations there are
    need: int | None = None  # observations that would do, None where unknown


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """What a mean's tests need to know of a sample."""

    n: int  # observations
    mean: float  # their mean; 0.0 where n is 0 and then never used
    variance: float  # unbiased sample variance; 0.0 where n < 2 and then never used


def moments(values: npt.ArrayLike) -> Moments:
    """Count, mean and unbiased variance of a one-dimensional sample.

    >>> moments([1.0, 2.0, 3.0])
    Moments(n=3, mean=2.0, variance=1.0)
    """
    sample = finite(values, "values")
    n = len(sample)
    return Moments(
        n=n,
        mean=float(sample.mean()) if n else 0.0,
        variance=float(sample.var(ddof=1)) if n > 1 else 0.0,
    )


def finite(values: npt.ArrayLike, name: str) -> Floats:
    """One-dimensional float64 array without NaN or infinity, or InputError."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise InputError(f"{name} has {array.ndim} dimensions, expected 1; flatten it first")
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise InputError(f"{name} holds {bad} values that are not finite; remove them first")
    return array


def same_length(first: Floats | Bools, second: Floats | Bools, names: str) -> None:
    """Raises InputError where two arrays that belong together differ in length."""
    if len(first) != len(second):
        raise InputError(f"{names} have {len(first)} and {len(second)} values, expected as many")


def weights_of(weights: npt.ArrayLike | None, n: int) -> Floats:
    """How often each of n rows counts, once where nothing is said, or InputError."""
    if weights is None:
        return np.ones(n)
    told = finite(weights, "weights")
    if len(told) != n or (n and told.min() < 0):
        raise InputError(f"{len(told)} weights for {n} rows, expected as many, each 0 or more")
    return told


def checked_level(level: float) -> float:
    """A confidence level in (0, 1), or InputError."""
    if not 0 < level < 1:
        raise InputError(f"level is {level}, expected more than 0 and less than 1, such as 0.95")
    return level
