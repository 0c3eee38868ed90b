"""The nouns of an experiment. None of them changes after it was created, but for being stopped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from inhouse.engagement.experiments.assignment import HASH_VERSION, Range

Setting = str | int | float | bool
REMOVALS: Final = "removals_seen_per_1k"
Better = Literal["up", "down"]  # which way people want a measure to go

DEFAULT_METRICS: Final = ("time_s", "sessions", "d1_return", "likes")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """One way of doing it."""

    key: str  # its name, `control`
    weight: float = 1.0  # share of people relative to the other arms, in any unit
    settings: Mapping[str, Setting] = field(default_factory=dict)  # what differs for its people


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Only people who fall into one of the ranges under the seed take part."""

    seed: str  # experiments that share a seed see the same numbers, and can share them out
    ranges: tuple[Range, ...]  # [start, end) within [0, 1]
    hash_version: int = HASH_VERSION  # 1 or 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Guardrail:
    """What must not get worse than by a margin."""

    metric: str  # see `measures.MEASURES`
    margin: float  # the loss that would be accepted, in the metric's own unit, more than 0


DEFAULT_GUARDRAILS: Final = (
    Guardrail(metric="reports_per_1k", margin=0.5),
    Guardrail(metric="hides_per_1k", margin=2.0),
    Guardrail(metric="removals_seen_per_1k", margin=0.5),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """A question with arms; the first arm is the control."""

    key: str  # its name, unique for ever
    arms: tuple[Arm, ...]  # two or more, the control first
    question: str = ""  # what it is to find out, in words
    coverage: float = 1.0  # share of the people who pass the filters, in (0, 1]
    filters: tuple[Filter, ...] = ()  # a person must pass all of them
    seed: str | None = None  # of the assignment; None is the key
    hash_version: int = HASH_VERSION  # 1 or 2
    metrics: tuple[str, ...] = DEFAULT_METRICS  # the first one decides
    guardrails: tuple[Guardrail, ...] = DEFAULT_GUARDRAILS  # none may be breached
    started_ms: int = 0  # when it was created
    stopped_ms: int | None = None  # when it was stopped; what happened later does not count
    log_offset: int = 0  # of the events when it was created; earlier ones are not looked at

    @property
    def active(self) -> bool:
        """Whether people are still assigned."""
        return self.stopped_ms is None

    @property
    def measured(self) -> tuple[str, ...]:
        """Everything it looks at, metrics first."""
        return (*self.metrics, *(guardrail.metric for guardrail in self.guardrails))


def layer(name: str, start: float, end: float) -> Filter:
    """A slice of a layer: experiments in disjoint slices of one layer never share a person.

    >>> layer("ranking", 0.0, 0.5)
    Filter(seed='layer:ranking', ranges=((0.0, 0.5),), hash_version=2)
    """
    return Filter(seed=f"layer:{name}", ranges=((start, end),))
