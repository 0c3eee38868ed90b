"""Examples: what was shown or wanted, as it looked at that moment, with what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inhouse.features.candidates import FEATURE_NAMES
from inhouse.learning.encoding import Histories, empty_histories, stack


@dataclass(frozen=True, kw_only=True, slots=True)
class NextItems:
    """n moments at which somebody wanted an item, with their history just before."""

    histories: Histories  # [n], without the item itself
    targets: NDArray[np.int32]  # [n] index of the wanted item in the item table
    at_ms: NDArray[np.int64]  # [n] when
    offsets: NDArray[np.int64]  # [n] of the event in the log

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: NDArray[np.int64]) -> "NextItems":
        """Some of them, in the order given."""
        return NextItems(
            histories=self.histories.take(rows),
            targets=self.targets[rows],
            at_ms=self.at_ms[rows],
            offsets=self.offsets[rows],
        )

    def slice(self, start: int, stop: int) -> "NextItems":
        """Those from `start` up to, not including, `stop`."""
        return self.take(np.arange(start, min(stop, len(self)), dtype=np.int64))

    def rest(self, start: int) -> "NextItems":
        """Those from `start` on, as views of the same arrays."""
        return NextItems.of({name: part[start:] for name, part in self.arrays().items()})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, for a file."""
        told = {f.name: getattr(self.histories, f.name) for f in fields(Histories)}
        return {**told, "targets": self.targets, "at_ms": self.at_ms, "offsets": self.offsets}

    @staticmethod
    def of(arrays: Mapping[str, NDArray[Any]]) -> "NextItems":
        """From `arrays()`."""
        return NextItems(
            histories=Histories(**{f.name: arrays[f.name] for f in fields(Histories)}),
            targets=arrays["targets"],
            at_ms=arrays["at_ms"],
            offsets=arrays["offsets"],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Impressions:
    """n items that people saw on served pages, with what came of each."""

    features: NDArray[np.float32]  # [n, F] as the ranker saw them, in the order of FEATURE_NAMES
    clicked: NDArray[np.bool_]  # [n] opened, or anything stronger
    liked: NDArray[np.bool_]  # [n]
    hidden: NDArray[np.bool_]  # [n] hidden or reported
    dwell_ms: NDArray[np.float32]  # [n] longest look or watch
    propensity: NDArray[np.float32]  # [n] probability that it came to its place, in (0, 1]
    position: NDArray[np.int32]  # [n] place on the page, 0 first
    at_ms: NDArray[np.int64]  # [n] when the page was served

    def __len__(self) -> int:
        return len(self.clicked)

    def take(self, rows: NDArray[np.int64]) -> "Impressions":
        """Some of them, in the order given."""
        return Impressions(**{name: part[rows] for name, part in self.arrays().items()})

    def slice(self, start: int, stop: int) -> "Impressions":
        """Those from `start` up to, not including, `stop`."""
        return Impressions(**{name: part[start:stop] for name, part in self.arrays().items()})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, for a file."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """How well n examples were foreseen before they were learned from."""

    loss: float  # mean of -log p of what happened, nats; means nothing where n is 0
    n: int  # examples


def pooled(judgements: Sequence[Judgement]) -> Judgement:
    """One judgement of all their examples together."""
    n = sum(part.n for part in judgements)
    total = sum(part.loss * part.n for part in judgements)
    return Judgement(loss=total / max(n, 1), n=n)


def no_next_items(length: int) -> NextItems:
    """None."""
    return NextItems(
        histories=empty_histories(0, length),
        targets=np.empty(0, dtype=np.int32),
        at_ms=np.empty(0, dtype=np.int64),
        offsets=np.empty(0, dtype=np.int64),
    )


def no_impressions() -> Impressions:
    """None."""
    return Impressions(
        features=np.empty((0, len(FEATURE_NAMES)), dtype=np.float32),
        clicked=np.empty(0, dtype=np.bool_),
        liked=np.empty(0, dtype=np.bool_),
        hidden=np.empty(0, dtype=np.bool_),
        dwell_ms=np.empty(0, dtype=np.float32),
        propensity=np.empty(0, dtype=np.float32),
        position=np.empty(0, dtype=np.int32),
        at_ms=np.empty(0, dtype=np.int64),
    )


def join_next_items(parts: Sequence[NextItems], length: int) -> NextItems:
    """All of them in order."""
    if not parts:
        return no_next_items(length)
    return NextItems(
        histories=stack([part.histories for part in parts], length),
        targets=np.concatenate([part.targets for part in parts]),
        at_ms=np.concatenate([part.at_ms for part in parts]),
        offsets=np.concatenate([part.offsets for part in parts]),
    )


def join_impressions(parts: Sequence[Impressions]) -> Impressions:
    """All of them in order."""
    if not parts:
        return no_impressions()
    names = [f.name for f in fields(Impressions)]
    return Impressions(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    )
