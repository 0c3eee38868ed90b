"""Teaching a network in torch: steps, held-out losses, an early stop, a checkpoint that goes on.

AdamW with a linear warm-up and a cosine to nothing, gradients of several parts added up before each
step and cut at length 1. After every round the held-out loss decides whether the weights are the
best so far; after `patience` rounds without a better one it stops, and the best are the result.

Whoever is killed goes on where the last checkpoint was and comes to the very same weights: batches
and what is left out at random depend on seed, round and step alone. A checkpoint is one file of
tensors, written whole, and holds no words.
"""

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from inhouse.core.files import write_atomically
from inhouse.models.students.course import Rows, Taught, Tell, Work

_STATE: Final = "state"
_LONGEST_GRADIENT: Final = 1.0
_BETTER: Final = 1e-4  # of a loss: what counts as better


class Lesson(Protocol):
    """What a network is taught."""

    def steps(self, turn: int) -> list[list[Rows]]:
        """The steps of one round, each of parts that fit into memory; the same for the same
        round."""

    def loss(self, rows: Rows) -> tuple[Tensor, float]:
        """The sum of the losses of those rows, and how many units it is of."""

    def held_out(self) -> float:
        """The mean loss of a unit on what is not taught."""


@dataclass
class _At:
    """Where the work stands."""

    job: str  # digest of what is taught, how, and to whom
    turn: int = 0  # round
    step: int = 0  # within it
    done: int = 0  # steps of all rounds
    waited: int = 0  # rounds without a better loss
    first_loss: float = math.nan
    best_loss: float = math.inf


class Loop:
    """One network on its way through a course."""

    def __init__(self, model: nn.Module, lesson: Lesson, work: Work) -> None:
        """A checkpoint of another job than this work's is passed over."""
        self._model, self._lesson, self._course = model, lesson, work.course
        self._path, course = work.checkpoint, work.course
        self._weights = {name: one for name, one in model.named_parameters() if one.requires_grad}
        self._adam = torch.optim.AdamW(
            self._weights.values(), lr=course.rate, weight_decay=course.decay
        )
        whole = msgspec.json.encode([work.job, asdict(course) | {"keep_every_s": 0}])
        self._at = _At(job=hashlib.blake2b(whole, digest_size=16).hexdigest())
        self._best: dict[str, Tensor] = {}
        self._kept_s = time.monotonic()

    def run(self, tell: Tell) -> Taught:
        """Teach to the end, from the checkpoint on if there is one of this job. The model's weights
        are then the best ones; the caller removes the checkpoint once they are safe."""
        if not self._take_up():
            self._at.first_loss = self._at.best_loss = self._judged()
            self._remember_best()
        while self._at.turn < self._course.rounds and self._at.waited < self._course.patience:
            self._teach_round(tell)
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(self._best[name])
        self._model.eval()
        return Taught(
            first_loss=self._at.first_loss, best_loss=self._at.best_loss, rounds=self._at.turn
        )

    def _teach_round(self, tell: Tell) -> None:
        at, course = self._at, self._course
        steps = self._lesson.steps(at.turn)
        for place in range(at.step, len(steps)):
            self._model.train()
            torch.manual_seed(_dice(course.seed, at.turn, place))
            self._set_rate((at.turn + place / len(steps)) / course.rounds)
            loss = self._step(steps[place])
            at.step, at.done = place + 1, at.done + 1
            total = len(steps) * course.rounds
            tell(f"round {at.turn + 1} of {course.rounds}, loss {loss:.3f}", at.done, total)
            if time.monotonic() - self._kept_s >= course.keep_every_s:
                self._keep()
        loss = self._judged()
        at.turn, at.step = at.turn + 1, 0
        if loss < at.best_loss - _BETTER:
            at.best_loss, at.waited = loss, 0
            self._remember_best()
        else:
            at.waited += 1
        self._keep()

    def _step(self, parts: Sequence[Rows]) -> float:
        """One step on the mean over all parts; returns it."""
        self._adam.zero_grad()
        total, units = 0.0, 0.0
        for rows in parts:
            with half_precision(self._model):
                loss, count = self._lesson.loss(rows)
            loss.backward()  # type: ignore[no-untyped-call]
            total, units = total + float(loss.detach()), units + count
        for weight in self._weights.values():
            if weight.grad is not None:
                weight.grad /= max(units, 1.0)
        nn.utils.clip_grad_norm_(self._weights.values(), _LONGEST_GRADIENT)
        self._adam.step()
        return total / max(units, 1.0)

    def _judged(self) -> float:
        self._model.eval()
        with torch.inference_mode(), half_precision(self._model):
            return self._lesson.held_out()

    def _set_rate(self, done: float) -> None:
        """done: share of the course, 0 to 1."""
        course = self._course
        rise = min(1.0, (done + 1e-3) / course.warm_up) if course.warm_up else 1.0
        for group in self._adam.param_groups:
            group["lr"] = course.rate * rise * 0.5 * (1 + math.cos(math.pi * done))

    def _remember_best(self) -> None:
        self._best = {name: one.detach().clone() for name, one in self._weights.items()}

    def _keep(self) -> None:
        tensors = {f"now.{name}": one.detach() for name, one in self._weights.items()}
        tensors |= {f"best.{name}": one for name, one in self._best.items()}
        for name, weight in self._weights.items():
            for part, value in self._adam.state[weight].items():
                tensors[f"adam.{part}.{name}"] = value
        whole = {name: one.cpu().contiguous().clone() for name, one in tensors.items()}
        note = {_STATE: msgspec.json.encode(asdict(self._at)).decode()}
        write_atomically(self._path, save(whole, note))
        self._kept_s = time.monotonic()

    def _take_up(self) -> bool:
        """Whether there was a checkpoint of this job to go on from."""
        found = _read(self._path, self._at.job)
        if found is None:
            return False
        self._at, tensors = found
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(tensors[f"now.{name}"])
                self._best[name] = tensors[f"best.{name}"].to(weight.device)
                for part in ("step", "exp_avg", "exp_avg_sq"):
                    key = f"adam.{part}.{name}"
                    if key in tensors:
                        device = "cpu" if part == "step" else weight.device
                        self._adam.state[weight][part] = tensors[key].to(device)
        return True


def _read(path: Path, job: str) -> tuple[_At, Mapping[str, Tensor]] | None:
    """A checkpoint of that job; None where there is none, or it is another's or cannot be read."""
    try:
        with safe_open(path, framework="pt") as handle:
            at = msgspec.json.decode(handle.metadata()[_STATE], type=_At)
            if at.job != job:
                return None
            return at, {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, msgspec.MsgspecError):
        return None


def _dice(*numbers: int) -> int:
    """A seed for one step."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big")


def half_precision(model: nn.Module) -> AbstractContextManager[object]:
    """On a GPU arithmetic in bfloat16, where weights and sums of gradients stay as they are."""
    device = next(model.parameters()).device
    if device.type != "cuda":
        return nullcontext()
    return torch.autocast("cuda", dtype=torch.bfloat16)


def device_here() -> str:
    """Where to teach and run: a GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"
