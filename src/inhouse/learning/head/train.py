"""Training of the ranking head: refitted on what is remembered, from where it stood.

Losses: log loss for click, like and hide; quasi-Poisson deviance for dwell in seconds,
exp(z) - y z, whose minimum is the true mean. The head starts from the rates of the data, so that
it says the average until it has learned better.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inhouse.core.random import stream
from inhouse.features.candidates import FEATURE_NAMES
from inhouse.learning.examples.memory import ImpressionMemory
from inhouse.learning.examples.types import Impressions, Judgement
from inhouse.learning.head.arrays import (
    CLIP,
    LENGTH_CODES,
    LONGEST_S,
    TASKS,
    HeadWeights,
    head_logits,
    length_codes,
)
from inhouse.learning.train_state import below, numbers_array, restore_numbers, under

_LEAST_SPREAD: Final = 1e-6
_LEAST_RATE: Final = 1e-4
_DWELL_WEIGHT: Final = 0.05  # seconds are larger than nats
_IMAGINED: Final = 50  # impressions of average dwell that each length starts with
_LEAST_DWELL_S: Final = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadTraining:
    """How the head is trained."""

    hidden: int = 32  # units of the one hidden layer
    batch: int = 512  # impressions a step
    rate: float = 3e-3  # Adam's learning rate
    decay: float = 0.03  # decoupled weight decay of all but the biases
    memory: int = 50_000  # latest impressions kept
    threads: int = 1  # of torch
    seed: int = 0  # of everything random


class HeadTrainer:
    """A head that goes on learning. The same seed and calls give the same weights."""

    def __init__(self, training: HeadTraining) -> None:
        torch.set_num_threads(training.threads)
        self.training = training
        self.memory = ImpressionMemory(training.memory)
        self._numbers = stream(training.seed, "head", "batches")
        self._dice = torch.Generator().manual_seed(training.seed)
        self._weights: HeadWeights | None = None

    @property
    def weights(self) -> HeadWeights | None:
        """As learned so far; None before the start."""
        return self._weights

    def start(self, weights: HeadWeights | None) -> None:
        """Go on from trained weights; from the average of what is remembered where None."""
        self._weights = weights or first_weights(
            self.memory.all(), self.training.hidden, self._dice
        )

    def export(self) -> HeadWeights:
        """What was learned so far. Raises ValueError before the start."""
        if self._weights is None:
            raise ValueError("the head knows nothing yet; call `start` or `learn` first")
        return self._weights

    def remember(self, examples: Impressions) -> None:
        """Take impressions into the memory."""
        self.memory.add(examples)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that learning goes on from, for a checkpoint."""
        weights = self._weights.arrays() if self._weights is not None else {}
        return {
            **under("weights", weights),
            **under("memory", self.memory.all().arrays()),
            "numbers": numbers_array(self._numbers),
            "dice": self._dice.get_state().numpy(),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Be the trainer whose arrays these are. Raises KeyError, TypeError or ValueError."""
        weights = below("weights", arrays)
        self._weights = HeadWeights(**weights) if weights else None
        self.memory.add(Impressions(**below("memory", arrays)))
        restore_numbers(self._numbers, arrays["numbers"])
        self._dice.set_state(torch.from_numpy(arrays["dice"].copy()))

    def learn(self, steps: int, progress: Callable[[int], None] = lambda step: None) -> float:
        """Do so many steps over what is remembered; returns the mean training loss.

        Raises ValueError where nothing is remembered.
        """
        if not len(self.memory):
            raise ValueError("nothing is remembered; call `remember` before `learn`")
        known = self.memory.all()
        if self._weights is None:
            self.start(None)
        model = HeadModel(standardised_anew(self.export(), known.features))
        optimiser = _optimiser(model, self.training)
        features, labels = torch.from_numpy(known.features), _labels(known)
        total = 0.0
        for step in range(steps):
            rows = torch.from_numpy(self._numbers.integers(0, len(known), self.training.batch))
            loss = model.loss(features[rows], labels[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach())
            progress(step + 1)
        self._weights = replace(model.export(), stretch=stretch_of(known))
        return total / max(steps, 1)


def judge_head(weights: HeadWeights, examples: Impressions) -> Judgement:
    """Log loss of the three probabilities on examples."""
    return _log_loss(head_logits(weights, examples.features)[:, :3], examples)


def judge_rates(known: Impressions, examples: Impressions) -> Judgement:
    """The loss of the simplest head, which tells everyone the rates of what was known."""
    rates = np.clip(_labels(known)[:, :3].numpy().mean(axis=0), _LEAST_RATE, 1 - _LEAST_RATE)
    logits = np.log(rates / (1 - rates)).astype(np.float32)
    return _log_loss(np.broadcast_to(logits, (len(examples), 3)), examples)


def first_weights(known: Impressions, hidden: int, dice: torch.Generator) -> HeadWeights:
    """A head that says the average whatever it sees."""
    features, tasks = len(FEATURE_NAMES), len(TASKS)
    labels = _labels(known).numpy().mean(axis=0)
    rates = np.clip(labels[:3], _LEAST_RATE, 1 - _LEAST_RATE)
    bias = np.append(np.log(rates / (1 - rates)), np.log(max(labels[3], 1e-3)))
    inward = torch.randn(features, hidden, generator=dice).numpy() / features**0.5
    varies = known.features.std(axis=0) > _LEAST_SPREAD
    return HeadWeights(
        mean=known.features.mean(axis=0),
        spread=_spread(known.features),
        straight=np.zeros((features, tasks), dtype=np.float32),
        inward=(inward * varies[:, None]).astype(np.float32),
        inward_bias=np.zeros(hidden, dtype=np.float32),
        outward=np.zeros((hidden, tasks), dtype=np.float32),
        bias=bias.astype(np.float32),
        stretch=stretch_of(known),
    )


def stretch_of(known: Impressions) -> NDArray[np.float32]:
    """float32[LENGTH_CODES]: mean dwell on posts of each length, in means of all."""
    dwell_s = np.minimum(known.dwell_ms / 1_000, LONGEST_S)
    usual = max(float(dwell_s.mean()) if len(known) else 0.0, _LEAST_DWELL_S)
    codes = length_codes(known.features)
    times = np.bincount(codes, minlength=LENGTH_CODES) + _IMAGINED
    sums = np.bincount(codes, weights=dwell_s / usual, minlength=LENGTH_CODES) + _IMAGINED
    return (sums / times).astype(np.float32)


def standardised_anew(weights: HeadWeights, features: NDArray[np.float32]) -> HeadWeights:
    """The same function (but for the clipping) over the mean and spread of newer data."""
    mean, spread = features.mean(axis=0), _spread(features)
    stretch = (spread / weights.spread)[:, None]  # [F, 1]
    shift = (mean - weights.mean) / weights.spread  # [F]
    return HeadWeights(
        mean=mean,
        spread=spread,
        straight=weights.straight * stretch,
        inward=weights.inward * stretch,
        inward_bias=weights.inward_bias + shift @ weights.inward,
        outward=weights.outward,
        bias=weights.bias + shift @ weights.straight,
        stretch=weights.stretch,
    )


class HeadModel(nn.Module):
    """`arrays.py` in torch."""

    def __init__(self, weights: HeadWeights) -> None:
        super().__init__()
        self._mean = torch.from_numpy(weights.mean)
        self._spread = torch.from_numpy(weights.spread)
        self.straight = _parameter(weights.straight)
        self.inward = _parameter(weights.inward)
        self.inward_bias = _parameter(weights.inward_bias)
        self.outward = _parameter(weights.outward)
        self.bias = _parameter(weights.bias)

    def logits(self, features: Tensor) -> Tensor:
        """[n, 4] from [n, F]."""
        x = ((features - self._mean) / self._spread).clamp(-CLIP, CLIP)  # [n, F]
        hidden = functional.silu(x @ self.inward + self.inward_bias)  # [n, K]
        return x @ self.straight + hidden @ self.outward + self.bias  # [n, 4]

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """Mean over [n, F] features and [n, 4] labels, the last in seconds."""
        z = self.logits(features)
        said = functional.binary_cross_entropy_with_logits(z[:, :3], labels[:, :3])
        log_dwell = z[:, 3].clamp(max=float(np.log(LONGEST_S)))
        stayed = (torch.exp(log_dwell) - labels[:, 3] * log_dwell).mean()
        return 3 * said + _DWELL_WEIGHT * stayed

    def export(self) -> HeadWeights:
        """Everything learned, as arrays of their own."""
        learned = {
            name: parameter.detach().numpy().copy() for name, parameter in self.named_parameters()
        }
        return HeadWeights(mean=self._mean.numpy(), spread=self._spread.numpy(), **learned)


def _parameter(values: NDArray[np.float32]) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(values.astype(np.float32, copy=True)))


def _optimiser(model: HeadModel, training: HeadTraining) -> torch.optim.Optimizer:
    shrunk = [model.straight, model.inward, model.outward]
    return torch.optim.AdamW(
        [
            {"params": shrunk, "weight_decay": training.decay},
            {"params": [model.inward_bias, model.bias], "weight_decay": 0.0},
        ],
        lr=training.rate,
    )


def _labels(examples: Impressions) -> Tensor:
    """[n, 4]: clicked, liked, hidden, seconds."""
    columns = [
        examples.clicked,
        examples.liked,
        examples.hidden,
        np.minimum(examples.dwell_ms / 1_000, LONGEST_S),
    ]
    return torch.from_numpy(np.stack(columns, axis=1).astype(np.float32))


def _spread(features: NDArray[np.float32]) -> NDArray[np.float32]:
    spread = features.std(axis=0)
    return np.where(spread > _LEAST_SPREAD, spread, 1.0).astype(np.float32)


def _log_loss(logits: NDArray[np.float32], examples: Impressions) -> Judgement:
    z = logits.astype(np.float64)
    y = np.stack([examples.clicked, examples.liked, examples.hidden], axis=1)
    losses = np.logaddexp(0, z) - y * z  # -log of what happened
    n = len(examples)
    return Judgement(loss=float(losses.sum(axis=1).mean()) if n else 0.0, n=n)
