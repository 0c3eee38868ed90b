"""What an experiment can look at: a number per person, or a ratio of two, and which way is good."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from inhouse.core.clock import DAY_MS
from inhouse.engagement.experiments.types import REMOVALS, Better
from inhouse.stats.types import Bools, Floats, Moments, NotEnough, moments

if TYPE_CHECKING:
    from inhouse.engagement.experiments.gathered import Gathered

# Rare things: below so many people with one, a normal approximation of their mean is a fiction.
LEAST_PEOPLE_WITH: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a measure is computed from."""

    gathered: "Gathered"  # sums per person
    removed_posts: frozenset[str]  # posts that a reviewer took down, and that stayed down
    until_ms: int  # now, or when the experiment was stopped


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One measure of everybody."""

    top: Floats  # per person
    bottom: Floats | None  # per person, for ratios of sums; None for plain means
    known: Bools  # whose answer is known: for returns, those whose day is over


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """Something an experiment can look at."""

    name: str  # as in Experiment.metrics
    unit: str  # what a value of 1 is
    better: Better  # which way people want it
    sample: Callable[[Facts], Sample]  # everybody's numbers


def _mean_of(name: str, scale: float = 1.0) -> Callable[[Facts], Sample]:
    def sample(facts: Facts) -> Sample:
        top = facts.gathered.sums[name] * scale
        return Sample(top=top, bottom=None, known=np.ones(len(top), np.bool_))

    return sample


def _sessions(facts: Facts) -> Sample:
    top = facts.gathered.sessions()
    return Sample(top=top, bottom=None, known=np.ones(len(top), np.bool_))


def _return_on(day: int) -> Callable[[Facts], Sample]:
    """Anchored on each person's own exposure: anything in the 24 hours from day x 24 h on."""

    def sample(facts: Facts) -> Sample:
        over_ms = facts.gathered.exposed_ms + (day + 1) * DAY_MS
        return Sample(
            top=facts.gathered.returned_on(day).astype(np.float64),
            bottom=None,
            known=over_ms <= facts.until_ms,
        )

    return sample


def _per_1k(name: str) -> Callable[[Facts], Sample]:
    def sample(facts: Facts) -> Sample:
        return _ratio(facts, facts.gathered.sums[name])

    return sample


def _removals(facts: Facts) -> Sample:
    return _ratio(facts, facts.gathered.impressions_of(set(facts.removed_posts)))


def _ratio(facts: Facts, top: Floats) -> Sample:
    return Sample(
        top=1_000 * top,
        bottom=facts.gathered.sums["impressions"],
        known=np.ones(len(top), np.bool_),
    )


_ALL: Final = (
    Measure(
        name="time_s",
        unit="seconds of watching and dwelling per person",
        better="up",
        sample=_mean_of("time_ms", 0.001),
    ),
    Measure(name="sessions", unit="sessions per person", better="up", sample=_sessions),
    Measure(
        name="d1_return",
        unit="share of people active 24 to 48 hours after their exposure",
        better="up",
        sample=_return_on(1),
    ),
    Measure(
        name="d7_return",
        unit="share of people active 7 to 8 days after their exposure",
        better="up",
        sample=_return_on(7),
    ),
    Measure(name="likes", unit="likes per person", better="up", sample=_mean_of("likes")),
    Measure(
        name="impressions",
        unit="posts seen per person",
        better="up",
        sample=_mean_of("impressions"),
    ),
    Measure(
        name="reports_per_1k",
        unit="reports per thousand impressions",
        better="down",
        sample=_per_1k("reports"),
    ),
    Measure(
        name="hides_per_1k",
        unit="hides per thousand impressions",
        better="down",
        sample=_per_1k("hides"),
    ),
    Measure(
        name=REMOVALS,
        unit="impressions per thousand of posts that a reviewer took down",
        better="down",
        sample=_removals,
    ),
)
MEASURES: Final[Mapping[str, Measure]] = MappingProxyType({m.name: m for m in _ALL})


def arm_moments(sample: Sample, inside: Bools) -> Moments | NotEnough:
    """Mean and variance of a measure over the people `inside`.

    For a ratio r = sum x / sum y the variance is that of its linear form by the delta method,
    (x - r y) / mean(y), so that a person, not an impression, is the unit.
    """
    people = inside & sample.known
    n = int(people.sum())
    if n == 0:
        return NotEnough(reason="nobody's answer is known yet", have=0)
    if sample.bottom is None:
        return moments(sample.top[people])
    top, bottom = sample.top[people], sample.bottom[people]
    if bottom.sum() == 0:
        return NotEnough(reason="nothing was shown to anybody", have=n)
    ratio = float(top.sum() / bottom.sum())
    spread = moments((top - ratio * bottom) / bottom.mean())
    return Moments(n=n, mean=ratio, variance=spread.variance)


def people_with(sample: Sample, inside: Bools) -> int:
    """How many of the people inside have any of it at all."""
    return int(((sample.top > 0) & inside & sample.known).sum())
