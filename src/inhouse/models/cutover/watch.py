"""What the owned model does on live traffic, against the bounds it must keep. Pure.

Four things are watched since the stage began:

quality   against the rented model, pair by pair: of what it flags, how much the owned model misses,
          and of what it lets pass, how much the owned model flags. The bound of each is the upper
          end of what it was on the held-out texts, and the margin on top.
errors    requests to the owned model that failed.
latency   requests to it that took longer than the bound; one in twenty may.
drift     its probabilities, in blocks, against those of the texts it was judged on.

The first three are rates and watched by e-detectors (`stats.detection`), which may be looked at
after every pair and do not forget how to see a change after a long good time; drift is PSI less
what chance alone would give (`stats.drift`), looked at once a block. `live` counts the pairs for
the interval that lets a stage go forwards.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from inhouse.models.parity.agreement import ANY, Agreement, flagged, flagged_too
from inhouse.models.parity.gate import Parity, largest
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Outcome, Scores
from inhouse.stats.detection import RateWatch
from inhouse.stats.drift import Drift, Population, drift
from inhouse.stats.intervals import wilson
from inhouse.stats.types import Interval

Kind = Literal["quality", "errors", "latency", "drift"]
BLOCK: Final = 500  # pairs of which drift is looked at together
SLOW_SHARE: Final = 0.05  # of the requests, how many may take longer than the bound
_MOST_BOUND: Final = 0.95
# A model that the rented one could not be asked about has only itself to answer for.
_OK: Final[frozenset[Outcome]] = frozenset(("ok", "aborted"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """What a version must keep."""

    errors: float  # share of its requests that may fail
    latency_ms: float  # which at most SLOW_SHARE of its requests may exceed
    psi: float  # PSI its probabilities may have, beyond noise
    flag_at: float  # probability from which on a category counts as found
    missed: float | None = None  # of what the rented model flags; None where nobody knows
    extra: float | None = None  # of what the rented model lets pass
    judged_on: Population | None = None  # its probabilities on the held-out texts
    against: str = "the rented model"  # in words, whom it is held against


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossed:
    """A bound that was crossed."""

    kind: Kind
    reason: str  # in words, with figures


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """What both models said of a text."""

    teacher: Scores
    student: Scores


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """One request to the owned model."""

    outcome: Outcome
    latency_ms: float


def _no_pairs() -> Agreement:
    return Agreement(category=ANY, both=0, missed=0, extra=0, neither=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """All that was seen of a version since the stage began."""

    errors: RateWatch
    slow: RateWatch
    live: Agreement = field(default_factory=_no_pairs)
    missed: RateWatch | None = None  # None where the bound is not known
    extra: RateWatch | None = None
    block: tuple[int, ...] = ()  # of the present block, probabilities by bin
    drift: Drift | None = None  # of the latest whole block
    drifted: bool = False  # whether any block was over the bound


def begun(bounds: Bounds) -> Watched:
    """Nothing seen yet."""
    return with_bounds(
        Watched(errors=RateWatch(bound=bounds.errors), slow=RateWatch(bound=SLOW_SHARE)), bounds
    )


def with_bounds(watched: Watched, bounds: Bounds) -> Watched:
    """As it is under these bounds: a rate whose bound was changed is watched afresh."""
    bins = 0 if bounds.judged_on is None else len(bounds.judged_on.counts)
    return replace(
        watched,
        errors=_bounded(watched.errors, bounds.errors),
        missed=_known(watched.missed, bounds.missed),
        extra=_known(watched.extra, bounds.extra),
        block=watched.block if len(watched.block) == bins else (0,) * bins,
    )


def after_pairs(watched: Watched, pairs: Iterable[Pair], bounds: Bounds) -> Watched:
    """With further pairs, in their order."""
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    missed: list[bool] = []
    extra: list[bool] = []
    for pair in pairs:
        theirs = flagged(ANY, pair.teacher, bounds.flag_at)
        if theirs is not None:
            ours = flagged_too(ANY, pair.teacher, pair.student, bounds.flag_at)
            counts[theirs, ours] += 1
            (missed if theirs else extra).append(ours != theirs)
        watched = _after_score(watched, pair.student, bounds)
    live = watched.live
    return replace(
        watched,
        missed=None if watched.missed is None else watched.missed.after(missed),
        extra=None if watched.extra is None else watched.extra.after(extra),
        live=Agreement(
            category=ANY,
            both=live.both + counts[True, True],
            missed=live.missed + counts[True, False],
            extra=live.extra + counts[False, True],
            neither=live.neither + counts[False, False],
        ),
    )


def after_requests(watched: Watched, tried: Sequence[Tried], bounds: Bounds) -> Watched:
    """With further requests to the owned model, in their order."""
    return replace(
        watched,
        errors=watched.errors.after(one.outcome not in _OK for one in tried),
        slow=watched.slow.after(one.latency_ms > bounds.latency_ms for one in tried),
    )


def crossed(watched: Watched, bounds: Bounds) -> Crossed | None:
    """The first bound that was crossed; None while all hold."""
    for rate, told in ((watched.missed, _MISSED), (watched.extra, _EXTRA)):
        if rate is not None and rate.alarmed:
            reason = _rate_told(rate, told.format(bounds.against))
            return Crossed(kind="quality", reason=reason)
    if watched.errors.alarmed:
        return Crossed(kind="errors", reason=_rate_told(watched.errors, _ERRORS))
    if watched.slow.alarmed:
        told = f"of its requests took longer than {bounds.latency_ms:,.0f} ms"
        return Crossed(kind="latency", reason=_rate_told(watched.slow, told))
    if watched.drifted and watched.drift is not None:
        found = watched.drift
        return Crossed(
            kind="drift",
            reason=f"its probabilities moved away from those it was judged on: PSI {found.psi:.2f} "
            f"(bound {bounds.psi:.2f} and {found.noise:.2f} for chance) on {found.n:,} texts",
        )
    return None


_MISSED: Final = "that {} flags it misses"
_EXTRA: Final = "that {} lets pass it flags"
_ERRORS: Final = "of its requests failed"


def bounds_of(report: Parity | None, held: Agreement | None, settings: ModelSettings) -> Bounds:
    """What a version must keep, by the report it was let in with. held: how far it agreed on the
    held-out texts with whom it is held against."""
    missed, extra = (
        (None, None)
        if held is None
        else (
            _upper(held.missed, held.both + held.missed, settings.margin),
            _upper(held.extra, held.neither + held.extra, settings.margin),
        )
    )
    return Bounds(
        errors=settings.most_errors,
        latency_ms=settings.most_latency_ms,
        psi=settings.most_drift,
        flag_at=settings.flag_at,
        missed=missed,
        extra=extra,
        judged_on=None if report is None else report.population,
    )


def _upper(hits: int, n: int, margin: float) -> float | None:
    interval = wilson(hits, n)
    if not isinstance(interval, Interval):
        return None
    return min(_MOST_BOUND, interval.high + margin)


def _known(rate: RateWatch | None, bound: float | None) -> RateWatch | None:
    return None if bound is None else _bounded(rate, bound)


def _bounded(rate: RateWatch | None, bound: float) -> RateWatch:
    if rate is not None and math.isclose(rate.bound, bound):
        return rate
    return RateWatch(bound=bound)


def _after_score(watched: Watched, scores: Scores, bounds: Bounds) -> Watched:
    judged_on = bounds.judged_on
    if judged_on is None:
        return watched
    block = list(watched.block)
    block[judged_on.bin_of(largest(scores))] += 1
    if sum(block) < BLOCK:
        return replace(watched, block=tuple(block))
    found = drift(judged_on, block)
    if found.psi > bounds.psi + found.noise:
        return replace(watched, block=(0,) * len(block), drift=found, drifted=True)
    if watched.drifted:  # what crossed the bound is what is shown
        return replace(watched, block=(0,) * len(block))
    return replace(watched, block=(0,) * len(block), drift=found)


def _rate_told(rate: RateWatch, what: str) -> str:
    return (
        f"{rate.run_hits:,} of the last {rate.run:,} {what}, above the bound of {rate.bound:.1%} "
        f"({rate.hits:,} of {rate.n:,} since the stage began)"
    )
