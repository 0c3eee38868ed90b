"""One network's lessons, in torch. Imported only by the processes that `reader_fit` starts.

Binary cross-entropy over the labels there are, AdamW, one cycle of the learning rate (Smith & Topin
2018), dropout on vectors and features, and words read as unknown, each as often as its lesson says.
One thread and a seed: the same lesson gives the same network.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from inhouse.core.random import stream
from inhouse.models.owned.reader import WIDTHS, Network
from inhouse.models.owned.reader_fit import Lesson

_FILTERS: Final = 100  # of each width
_DROPPED: Final = 0.5
_BATCH: Final = 64
_RATE: Final = 1e-3
_DECAY: Final = 0.01
_MOST_WORDS: Final = 128  # of a text, while learning
_UNKNOWN: Final = 0
_SHUFFLED: Final = 3.0  # words by which texts of unlike length may share a batch


class _Net(nn.Module):
    """The trainable twin of `reader.Network`."""

    def __init__(self, vectors: Tensor, unread: Tensor, categories: int) -> None:
        super().__init__()
        rows, width = vectors.shape
        self.nothing = rows
        self.vectors = nn.Embedding(rows + 1, width, padding_idx=rows)
        with torch.no_grad():
            self.vectors.weight[:rows] = vectors
        self.unread = functional.pad(unread, (0, 1))
        self.filters = nn.ModuleList(
            nn.Conv1d(width, _FILTERS, size, padding=size // 2) for size in WIDTHS
        )
        self.head = nn.Linear(len(WIDTHS) * _FILTERS + width, categories)
        self.dropped = nn.Dropout(_DROPPED)

    def forward(self, places: Tensor) -> Tensor:
        """Margins [batch, categories] of places [batch, length]."""
        told = (places != self.nothing).unsqueeze(-1)  # [batch, length, 1]
        if self.training:
            unread = (torch.rand(places.shape) < self.unread[places]) & told.squeeze(-1)
            places = torch.where(unread, torch.full_like(places, _UNKNOWN), places)
        vectors = self.dropped(self.vectors(places)) * told  # [batch, length, width]
        length = places.shape[1]
        best = [
            functional.relu(
                look(vectors.transpose(1, 2))[:, :, :length]
            )  # [batch, filters, length]
            .masked_fill(~told.transpose(1, 2), 0.0)
            .amax(2)
            for look in self.filters
        ]
        mean = vectors.sum(1) / told.sum(1)
        margins: Tensor = self.head(self.dropped(torch.cat([*best, mean], 1)))
        return margins


def taught(lesson: Lesson) -> Network:
    """Teach one network."""
    torch.set_num_threads(1)
    torch.manual_seed(lesson.seed)
    vectors, unread = torch.from_numpy(lesson.vectors), torch.from_numpy(lesson.unread)
    net = _Net(vectors, unread, lesson.targets.shape[1])
    targets = torch.from_numpy(lesson.targets)
    order = stream(lesson.seed, "lessons")
    batches = [batch for _ in range(lesson.rounds) for batch in _batches(lesson, order)]
    optimiser = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=_DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _RATE, total_steps=len(batches) + 1, pct_start=0.1
    )
    net.train()
    for rows in batches:
        wanted = targets[torch.from_numpy(rows)]
        known = ~torch.isnan(wanted)
        margins = net(torch.from_numpy(_padded(lesson, rows, net.nothing)))
        loss = functional.binary_cross_entropy_with_logits(
            margins[known], wanted[known], reduction="sum"
        )
        optimiser.zero_grad()
        (loss / len(rows)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        cycle.step()
    return _network(net)


def _batches(lesson: Lesson, order: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """The labelled texts, those of like length together, in any order."""
    labelled = np.flatnonzero(~np.isnan(lesson.targets).all(axis=1))
    lengths = np.diff(lesson.starts)[labelled] + order.normal(0, _SHUFFLED, len(labelled))
    rows = labelled[np.argsort(lengths)]
    parts = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    return [parts[place] for place in order.permutation(len(parts))]


def _padded(lesson: Lesson, rows: npt.NDArray[np.int64], nothing: int) -> npt.NDArray[np.int64]:
    """[rows, length]: the words of each text, then nothing; a text without any is one unknown."""
    texts = [
        lesson.places[
            lesson.starts[row] : min(lesson.starts[row + 1], lesson.starts[row] + _MOST_WORDS)
        ]
        for row in rows
    ]
    table = np.full((len(rows), max(1, *(len(text) for text in texts))), nothing, dtype=np.int64)
    for row, text in enumerate(texts):
        table[row, : max(len(text), 1)] = text if len(text) else _UNKNOWN
    return table


def _network(net: _Net) -> Network:
    def array(tensor: Tensor) -> npt.NDArray[np.float32]:
        return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)

    looks = [(array(look.weight), array(look.bias)) for look in net.filters]  # type: ignore[arg-type]
    # torch has [filters, width, words], the reader [words, width, filters].
    filters = [weight.transpose(2, 1, 0) for weight, _ in looks]
    return Network(
        vectors=array(net.vectors.weight),
        filters=np.ascontiguousarray(np.concatenate(filters)),
        thresholds=np.stack([bias for _, bias in looks]),
        head=np.ascontiguousarray(array(net.head.weight).T),
        biases=array(net.head.bias),
    )
