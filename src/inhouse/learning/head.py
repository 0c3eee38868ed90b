"""The ranking head as arrays: what a person will do with a candidate, computed with numpy alone.

From the features of `features.candidates`, standardised and clipped to six deviations, a linear
part and one hidden layer give four numbers each:

    x = clip((features - mean) / spread, -6, 6)
    z = x S + silu(x A + a) B + b
    p_click, p_like, p_hide = sigmoid(z_0..2)        dwell_ms = 1000 exp(min(z_3, log 300))

Dwell is the mean of a quasi-Poisson model with a log link: its estimate of the mean is consistent
whatever the true spread (Gourieroux, Monfort and Trognon, 1984).
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.errors import SnapshotError
from inhouse.features.candidates import FEATURE_NAMES

Floats = NDArray[np.float32]
TASKS: Final = ("click", "like", "hide", "dwell")
CLIP: Final = 6.0  # deviations
LONGEST_S: Final = 300.0  # dwell beyond it counts as this


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """What the person is expected to do with each candidate."""

    p_click: Floats  # [n] opens it, or anything stronger
    p_like: Floats  # [n] likes, comments, shares, saves or asks for more
    p_hide: Floats  # [n] hides or reports it
    dwell_ms: Floats  # [n] expected time spent on it


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadWeights:
    """Everything learned. Raises SnapshotError where the shapes do not fit each other."""

    mean: Floats  # [F]
    spread: Floats  # [F] standard deviation, 1 where a feature never varied
    straight: Floats  # [F, 4] S, the linear part
    inward: Floats  # [F, K] A
    inward_bias: Floats  # [K] a
    outward: Floats  # [K, 4] B
    bias: Floats  # [4] b

    def __post_init__(self) -> None:
        f, k, tasks = len(FEATURE_NAMES), self.inward_bias.shape[0], len(TASKS)
        wanted: dict[str, tuple[int, ...]] = {
            "mean": (f,),
            "spread": (f,),
            "straight": (f, tasks),
            "inward": (f, k),
            "inward_bias": (k,),
            "outward": (k, tasks),
            "bias": (tasks,),
        }
        for name, shape in wanted.items():
            found = getattr(self, name)
            if found.shape != shape:
                raise SnapshotError(
                    f"{name} is {found.shape}, expected {shape}; train a new snapshot"
                )
            if not np.isfinite(found).all():
                raise SnapshotError(f"{name} holds numbers that are not finite; train a new one")

    def arrays(self) -> dict[str, Floats]:
        """The learned arrays by name, for a file."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def predict(weights: HeadWeights, features: Floats) -> Predictions:
    """For float32[n, F] in the order of FEATURE_NAMES."""
    z = head_logits(weights, features)
    dwell_s = np.exp(np.minimum(z[:, 3], np.float32(np.log(LONGEST_S))))
    return Predictions(
        p_click=_sigmoid(z[:, 0]),
        p_like=_sigmoid(z[:, 1]),
        p_hide=_sigmoid(z[:, 2]),
        dwell_ms=dwell_s * np.float32(1_000),
    )


def head_logits(weights: HeadWeights, features: Floats) -> Floats:
    """float32[n, 4] before the link functions."""
    x = np.clip((features - weights.mean) / weights.spread, -CLIP, CLIP)  # [n, F]
    hidden = x @ weights.inward + weights.inward_bias  # [n, F] @ [F, K] -> [n, K]
    hidden = hidden * _sigmoid(hidden)
    z: Floats = (x @ weights.straight + hidden @ weights.outward + weights.bias).astype(np.float32)
    return z  # [n, 4]


def _sigmoid(z: Floats) -> Floats:
    p: Floats = 0.5 * (1 + np.tanh(0.5 * z))  # cannot overflow
    return p
