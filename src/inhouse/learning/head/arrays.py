"""The ranking head as arrays: what a person will do with a candidate, computed with numpy alone.

From the features of `features.candidates`, standardised and clipped to six deviations, a linear
part and one hidden layer give four numbers each:

    x = clip((features - mean) / spread, -6, 6)
    z = x S + silu(x A + a) B + b
    p_click, p_like, p_hide = sigmoid(z_0..2)        dwell_ms = 1000 exp(min(z_3, log 300))

Dwell is the mean of a quasi-Poisson model with a log link: its estimate of the mean is consistent
whatever the true spread (Gourieroux, Monfort and Trognon, 1984).

People stay longer on what is longer, whether they like it or not. So beside the time that is
expected stands dwell_even_ms, the same divided by how much longer than on average people stay on
posts of that length: what it would be if all were equally long (the confounder that Zhan et al.,
KDD 2022, section 3, take out by quantiles within groups of one length).
"""

from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.errors import SnapshotError
from inhouse.features.candidates import FEATURE_NAMES
from inhouse.learning.encoding import DWELL_CODES

Floats = NDArray[np.float32]
TASKS: Final = ("click", "like", "hide", "dwell")
CLIP: Final = 6.0  # deviations
LONGEST_S: Final = 300.0  # dwell beyond it counts as this
LENGTH_CODES: Final = DWELL_CODES  # 0 for no length of its own, then 1 + floor(log2(seconds + 1))
_DURATION: Final = FEATURE_NAMES.index("duration_log")
_ROUNDING: Final = 1e-4  # of float32, where a length is just a power of two


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """What the person is expected to do with each candidate."""

    p_click: Floats  # [n] opens it, or anything stronger
    p_like: Floats  # [n] likes, comments, shares, saves or asks for more
    p_hide: Floats  # [n] hides or reports it
    dwell_ms: Floats  # [n] expected time spent on it
    dwell_even_ms: Floats  # [n] the same if all posts were equally long


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
    stretch: Floats = field(default_factory=lambda: np.ones(LENGTH_CODES, dtype=np.float32))
    # [LENGTH_CODES] how many times as long as on average people stay on posts of each length

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
            "stretch": (LENGTH_CODES,),
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
    dwell_ms = dwell_s * np.float32(1_000)
    return Predictions(
        p_click=_sigmoid(z[:, 0]),
        p_like=_sigmoid(z[:, 1]),
        p_hide=_sigmoid(z[:, 2]),
        dwell_ms=dwell_ms,
        dwell_even_ms=dwell_ms / weights.stretch[length_codes(features)],
    )


def length_codes(features: Floats) -> NDArray[np.int64]:
    """int64[n] which power of two of seconds each post's own length falls into."""
    logs = features[:, _DURATION] / np.float32(np.log(2))  # log2(1 + seconds)
    codes = 1 + np.floor(np.clip(logs, 0, LENGTH_CODES) + _ROUNDING).astype(np.int64)
    return np.where(logs > 0, np.minimum(codes, LENGTH_CODES - 1), 0)


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
