"""Batch training of the causal model: every place of every sequence at once, resumable, sharded.

Each place foresees the next item by a softmax over the catalogue, without what the person had
touched. What nobody wanted yet and has content is no negative: its content alone judges it, and
learns to stand for an item since each step leaves some ids out. Up to `FULL_SOFTMAX` items all
compete; beyond, K are drawn for each step by q, half even and half by count^0.75, the answers of
the step stand among them, and each logit is lowered by the log of how surely its item was to be
there, 1 - exp(-K q_j - n p_j), p_j being its share of answers.

A step is decided by its number and the seed alone: which rows, which negatives, which dropout. So a
run that was killed goes on from its checkpoint as if nothing had been, and n processes that each
take an nth of a step's rows and add up their gradients do what one would do.
"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inhouse.core.random import stream
from inhouse.features.content import CONTENT_DIMS
from inhouse.learning.causal.encoder import Block, CausalBlock, CausalEncoder, Rows
from inhouse.learning.causal.id_rows import IdRows
from inhouse.learning.causal.serving import CausalShape, CausalWeights
from inhouse.learning.causal.softmax import Softmax, mean_loss
from inhouse.learning.sequences.factors import item_factors
from inhouse.learning.sequences.flat import Catalogue, Longs, Packed, Sequences, pack
from inhouse.learning.taste.model import Dropout

Floats = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]

FULL_SOFTMAX: Final = 20_000  # items up to which every one competes
_START: Final = 0.05  # spread of id parts at first


@dataclass(frozen=True, kw_only=True, slots=True)
class SequenceTraining:
    """How a causal model is trained."""

    shape: CausalShape = field(default_factory=CausalShape)  # sizes of the model
    batch: int = 2_048  # places a step
    rate: float = 2e-3  # AdamW's learning rate
    decay: float = 0.0  # decoupled weight decay of matrices and id parts
    dropout: float = 0.5  # of what enters, of attention and of what each block adds
    forget_id: float = 0.1  # share of the items with content whose id part a step leaves out
    averaging: float = 0.99  # of the weights that are kept: their moving average over steps
    negatives: int = 2_048  # drawn a step where the softmax is sampled
    threads: int = 1  # of torch
    seed: int = 0  # of everything random


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What a model is made of and taught by; others than ours are for comparison alone."""

    block: Block = CausalBlock
    loss: Callable[[Tensor, Tensor, Softmax], Tensor] = mean_loss  # as `mean_loss` is called


class SequenceTrainer:
    """A causal model that is being trained. The same seed and calls give the same weights."""

    def __init__(
        self,
        sequences: Sequences,
        catalogue: Catalogue,
        training: SequenceTraining,
        parts: Parts = Parts(),
    ) -> None:
        torch.set_num_threads(training.threads)
        self.training = training
        self._sequences, self._catalogue = sequences, catalogue
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._dtype = _fast_type(self._device)
        dice = torch.Generator().manual_seed(training.seed)
        self._loss = parts.loss
        self._dense = _Dense(training.shape, dice, parts.block).to(self._device)
        encoder = self._dense.encoder
        self._encode = torch.compile(encoder) if self._device.type == "cuda" else encoder
        count, d = len(catalogue.item_ids), training.shape.dims
        times = sequences.counts(count)
        told = catalogue.content.any(axis=1)
        self._rivals = np.flatnonzero((times > 0) | ~told)
        start = torch.from_numpy(item_factors(sequences, count, d, training.seed)) * _START
        start[torch.from_numpy((times == 0) & told)] = 0
        self._ids = IdRows(
            start.to(self._device),
            rate=training.rate,
            decay=training.decay,
            averaging=training.averaging,
        )
        # Where no item has content, its map is neither used nor learned.
        content = torch.from_numpy(catalogue.content) if told.any() else None
        self._content = None if content is None else content.to(self._device)
        self._optimiser = _optimiser(self._dense, training)
        self._shares = times[self._rivals] / times.sum()  # of the rivals, in all answers
        raised = np.maximum(times[self._rivals], 1) ** 0.75
        self._odds = 0.5 / len(self._rivals) + 0.5 * raised / raised.sum()
        self._below = np.cumsum(self._odds)
        self.epoch, self.step = 0, 0  # epochs done, steps done in this one
        self.steps_before = 0  # of the epoch before
        self._packed, self._order = self._prepared()

    @property
    def steps_left(self) -> int:
        """In this epoch."""
        return math.ceil(len(self._order) / self._rows_a_step) - self.step

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        return self._ids.values.numel() + sum(p.numel() for p in self._dense.parameters())

    def learn(self) -> float:
        """One step; returns its mean loss in nats. The last of an epoch begins the next."""
        random = stream(self.training.seed, "sequences", self.epoch, self.step)
        start = self.step * self._rows_a_step
        rows = self._order[start : start + self._rows_a_step]
        loss = self._learn(self._packed.take(rows), random)
        self.step += 1
        if self.steps_left <= 0:
            self.epoch, self.step, self.steps_before = self.epoch + 1, 0, self.step
            self._packed, self._order = self._prepared()
        return loss

    def weights(self) -> CausalWeights:
        """The moving average of what was learned."""
        id_part, dense = self.averages()
        return CausalWeights(
            item_ids=self._catalogue.item_ids,
            shape=self.training.shape,
            id_part=id_part,
            content_map=dense.pop("content_map"),
            encoder={name.removeprefix("encoder."): part for name, part in dense.items()},
        )

    def averages(self) -> tuple[Floats, dict[str, Floats]]:
        """Moving averages of the id parts, float32[items, d], and of all else by name."""
        dense = {name: _array(part) for name, part in self._dense.averages.items()}
        return _array(self._ids.averages()), dense

    def arrays(self) -> Arrays:
        """Everything that `restore` needs to go on with the same losses."""
        found: Arrays = {"progress": np.array([self.epoch, self.step])}
        found.update({f"ids/{name}": part for name, part in self._ids.arrays().items()})
        for name, parameter in self._dense.named_parameters():
            state = self._optimiser.state.get(parameter, {})
            parts = {"value": parameter.detach(), "average": self._dense.averages[name], **state}
            for part, value in parts.items():
                found[f"dense/{name}/{part}"] = value.cpu().numpy().copy()
        return found

    @torch.no_grad()
    def restore(self, arrays: Arrays) -> None:
        """Go on from where those arrays were taken, on the same sequences and training."""
        self._ids.restore(
            {name[4:]: part for name, part in arrays.items() if name.startswith("ids/")}
        )
        for name, parameter in self._dense.named_parameters():
            held = {
                key.rsplit("/", 1)[1]: torch.from_numpy(part.copy()).to(self._device)
                for key, part in arrays.items()
                if key.startswith(f"dense/{name}/")
            }
            parameter.copy_(held.pop("value"))
            self._dense.averages[name].copy_(held.pop("average"))
            if held:
                self._optimiser.state[parameter] = {**held, "step": held["step"].cpu()}
        self.epoch, self.step = (int(number) for number in arrays["progress"])
        self._packed, self._order = self._prepared()

    @property
    def _rows_a_step(self) -> int:
        return max(1, self.training.batch // self.training.shape.length)

    def _prepared(self) -> tuple[Packed, Longs]:
        """The sequences packed for this epoch, and the order in which its rows come."""
        random = stream(self.training.seed, "sequences", self.epoch)
        people = random.permutation(np.flatnonzero(self._sequences.lengths > 1))
        packed = pack(self._sequences, self.training.shape.length, people)
        return packed, random.permutation(len(packed.items))

    def _learn(self, packed: Packed, random: np.random.Generator) -> float:
        """One step over the rows; with several processes this one's share of them."""
        choices, correction = self._choices(packed, random)
        needed = np.union1d(choices, packed.items[packed.items >= 0])  # [r]
        rank, world = place()
        mine = packed.take(np.arange(rank, len(packed.items), world))
        dropout = ShardedDropout(self.training.dropout, random, (rank, world, len(packed.items)))
        rows = torch.from_numpy(needed).to(self._device)
        leaf = self._ids.values[rows].requires_grad_()  # [r, d]
        vectors = self._vectors(leaf, rows, random)  # [r, d]
        people = self._people(vectors, needed, mine, dropout)  # [m, d], of places with an answer
        columns = torch.from_numpy(np.searchsorted(needed, choices)).to(self._device)
        softmax = _softmax(mine, choices, correction).on(self._device, self._dtype)
        loss = self._loss(people, vectors[columns], softmax)
        share = len(people) / int((packed.targets >= 0).sum())
        self._optimiser.zero_grad()
        (loss * share).backward()  # type: ignore[no-untyped-call]
        told = (loss.detach() * share).reshape(1)
        gradients = [leaf.grad, *(part.grad for part in self._dense.parameters())]
        _add_up([told, *(part for part in gradients if part is not None)])
        self._optimiser.step()
        self._dense.move_averages(self.training.averaging)
        if leaf.grad is not None:
            self._ids.update(rows, leaf.grad)
        return float(told)

    def _vectors(self, ids: Tensor, rows: Tensor, random: np.random.Generator) -> Tensor:
        """[r, d]: items from their id parts, where they have content now and then without."""
        if self._content is None:
            return ids
        content = self._content[rows]
        drawn = torch.from_numpy(random.random((len(rows), 1)) < self.training.forget_id)
        left_out = drawn.to(self._device) & (content != 0).any(1, keepdim=True)
        return self._dense.items(ids.masked_fill(left_out, 0), content)

    def _people(self, vectors: Tensor, needed: Longs, packed: Packed, dropout: Dropout) -> Tensor:
        """[m, d]: what is wanted at each place with an answer."""
        held = np.searchsorted(needed, np.maximum(packed.items, needed[0]))
        items = functional.embedding(torch.from_numpy(held).to(self._device), vectors)  # [n, L, d]
        with torch.autocast(
            self._device.type, torch.bfloat16, enabled=self._dtype != torch.float32
        ):
            people = self._encode(items, rows_of(packed).on(self._device), dropout)  # [n, L, d]
        answered = torch.from_numpy(packed.targets >= 0).to(self._device)
        wanted: Tensor = people[answered].float()
        return wanted

    def _choices(self, packed: Packed, random: np.random.Generator) -> tuple[Longs, Floats | None]:
        """The items that compete in this step, rising, and what their logits are lowered by."""
        rivals, drawn = self._rivals, self.training.negatives
        if len(rivals) <= FULL_SOFTMAX:
            return rivals, None
        answers = packed.targets[packed.targets >= 0]
        picked = np.searchsorted(self._below, random.random(drawn), side="right")
        places = np.union1d(np.minimum(picked, len(rivals) - 1), np.searchsorted(rivals, answers))
        expected = drawn * self._odds[places] + len(answers) * self._shares[places]
        return rivals[places], np.log(-np.expm1(-expected)).astype(np.float32)


class _Dense(nn.Module):
    """What is not a table: the content map and the encoder, with their moving averages."""

    def __init__(self, shape: CausalShape, dice: torch.Generator, block: Block) -> None:
        super().__init__()
        noise = torch.randn(CONTENT_DIMS, shape.dims, generator=dice)
        self.content_map = nn.Parameter(noise * 0.05)
        self.encoder = CausalEncoder(shape, dice, block)
        self.averages = {name: part.detach().clone() for name, part in self.named_parameters()}

    def items(self, id_part: Tensor, content: Tensor) -> Tensor:
        """[r, d] from id parts [r, d] and content [r, 64]."""
        return id_part + content @ self.content_map

    @torch.no_grad()
    def move_averages(self, averaging: float) -> None:
        """Move them towards the weights by one step."""
        torch._foreach_lerp_(list(self.averages.values()), list(self.parameters()), 1 - averaging)


class ShardedDropout(Dropout):
    """Draws for all rows of a step and keeps those of one process: the same, however many share it.

    What is dropped out has one of the process's rows at each place of its first dimension.
    """

    def __init__(
        self, share: float, numbers: np.random.Generator, place: tuple[int, int, int]
    ) -> None:
        """place: this process, how many there are, rows of all."""
        super().__init__(share, numbers)
        self._rank, self._world, self._rows = place

    def __call__(self, x: Tensor) -> Tensor:
        if self._below == 0:
            return x
        size = math.prod(x.shape[1:])
        drawn = np.frombuffer(self._numbers.bytes(size * self._rows), dtype=np.uint8)
        kept = drawn.reshape(self._rows, size)[self._rank :: self._world] >= self._below
        mask = torch.from_numpy(kept).view(x.shape).to(x.device, x.dtype)
        return x * mask.mul_(256 / (256 - self._below))


def rows_of(packed: Packed) -> Rows:
    """What stands beside the items of packed rows."""
    return Rows(
        people=torch.from_numpy(packed.people),
        codes=torch.from_numpy(packed.codes.astype(np.int64)),
    )


def _softmax(packed: Packed, choices: Longs, correction: Floats | None) -> Softmax:
    """Answers as columns of the choices, and what each person had touched left out."""
    rows, places = np.nonzero(packed.targets >= 0)
    answers = packed.targets[rows, places]  # [m]
    so_far = np.arange(packed.items.shape[1]) <= places[:, None]
    same = packed.people[rows] == packed.people[rows, places][:, None]
    touched = np.where(so_far & same, packed.items[rows], -1)  # [m, L]
    touched = np.where(touched == answers[:, None], -1, touched)
    columns = np.minimum(np.searchsorted(choices, touched), len(choices) - 1)
    return Softmax(
        targets=torch.from_numpy(np.searchsorted(choices, answers)),
        left_out=torch.from_numpy(np.where(choices[columns] == touched, columns, -1)),
        correction=None if correction is None else torch.from_numpy(correction),
    )


def _array(part: Tensor) -> Floats:
    found: Floats = part.cpu().numpy().astype(np.float32, copy=True)
    return found


@contextmanager
def together() -> Iterator[None]:
    """Train with the other processes that torchrun started, where it started this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
        dist.barrier()  # who lets go while another still speaks may be aborted
    finally:
        dist.destroy_process_group()


def place() -> tuple[int, int]:
    """This process among those that train together, and how many they are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def _add_up(parts: list[Tensor]) -> None:
    """In place, over all processes, in one message."""
    if place()[1] == 1:
        return
    flat = torch.cat([part.reshape(-1) for part in parts])
    dist.all_reduce(flat)
    start = 0
    for part in parts:
        part.copy_(flat[start : start + part.numel()].view_as(part))
        start += part.numel()


def _fast_type(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies it, twice as fast as float32 or more."""
    if device.type == "cuda" or torch.cpu.get_capabilities().get("avx512_bf16", False):
        return torch.bfloat16
    return torch.float32


def _optimiser(dense: nn.Module, training: SequenceTraining) -> torch.optim.Optimizer:
    shrunk = [part for part in dense.parameters() if part.dim() > 1]
    free = [part for part in dense.parameters() if part.dim() <= 1]
    return torch.optim.AdamW(
        [
            {"params": shrunk, "weight_decay": training.decay},
            {"params": free, "weight_decay": 0.0},
        ],
        lr=training.rate,
    )
