"""Whom to ask twice: the owned model answers, and what it is unsure of goes on to a rented one.

A band of probabilities for each category: below it the owned model says no, above it yes, within it
the rented model is asked. Bands are learned on texts whose truth is known, so that

    with probability `sure`, on texts like these, at least `precision` of what the cascade flags is
    harmful and at least `recall` of what is harmful is flagged, in every category at once

at the least share asked twice. Learn then test (Angelopoulos, Bates, Candes, Jordan & Lei 2021,
arXiv 2110.01052): every band of a fixed grid is a hypothesis "it keeps less than that", its p-value
the larger of two exact binomial ones: of the right among the flagged, and of the flagged among the
harmful. Each lower end of the grid begins a fixed sequence of upper ends from the widest band to
the narrowest (section 5.1), which ends at the first that cannot be refuted; the chance to err is
shared evenly among the sequences and among the categories (Bonferroni).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special

from inhouse.core.errors import InputError
from inhouse.models.types import Band, Scores
from inhouse.stats.types import NotEnough

Bools = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]
LOWS: Final = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4)
HIGHS: Final = (1.01, 0.99, 0.97, 0.94, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
ALL: Final = Band(low=LOWS[0], high=HIGHS[0])
_LEAST: Final = 30  # texts with known truth on each side, before anything is said


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What the cascade must keep."""

    precision: float = 0.9  # of what it flags, in (0, 1)
    recall: float = 0.9  # of what is harmful, in (0, 1)
    sure: float = 0.9  # probability that both hold, in (0, 1)

    def __post_init__(self) -> None:
        for name in ("precision", "recall", "sure"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise InputError(
                    f"{name} is {value}, expected more than 0 and less than 1, such as 0.9"
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Texts of which the owned model's probability, the rented model's word and the truth are
    known, for one category. The owned model was not trained on them."""

    p: Doubles  # the owned model's probability
    rented: Bools  # whether the rented model flags
    truth: Bools  # whether it is harmful


@dataclass(frozen=True, kw_only=True, slots=True)
class Certified:
    """A band that keeps the goal, and what it did on the texts it was learned from."""

    band: Band
    escalated: float  # share of the texts within the band
    precision: float  # of what is flagged, on these texts
    recall: float  # of what is harmful, on these texts
    p_value: float  # of keeping less than the goal
    pairs: int  # texts it rests on


def learn_bands(pairs: Mapping[str, Pairs], goal: Goal) -> dict[str, Certified | NotEnough]:
    """The cheapest band of each category that keeps the goal, all at once with `goal.sure`."""
    error = (1 - goal.sure) / max(len(pairs), 1)
    return {category: _learn(one, goal, error) for category, one in pairs.items()}


def within(bands: Mapping[str, Band], scores: Scores) -> bool:
    """Whether the owned model is unsure of a text: of any category that has a band."""
    return any(
        band.low <= scores[category] < band.high
        for category, band in bands.items()
        if category in scores
    )


def flagged(pairs: Pairs, band: Band) -> Bools:
    """What the cascade says: the owned model outside the band, the rented one within."""
    inside = (pairs.p >= band.low) & (pairs.p < band.high)
    return np.where(inside, pairs.rented, pairs.p >= band.high)


def _learn(pairs: Pairs, goal: Goal, error: float) -> Certified | NotEnough:
    fewest = int(min(pairs.truth.sum(), (~pairs.truth).sum()))
    if fewest < _LEAST:
        return NotEnough(
            reason="too few texts of known truth on one side", have=fewest, need=_LEAST
        )
    found: list[Certified] = []
    for low in LOWS:
        for high in HIGHS:
            tested = _tested(pairs, Band(low=low, high=high), goal)
            if tested.p_value > error / len(LOWS):
                break
            found.append(tested)
    if not found:
        everything = _tested(pairs, ALL, goal)
        return NotEnough(
            reason=f"even with every text asked twice, precision {everything.precision:.3f} and "
            f"recall {everything.recall:.3f} do not show {goal.precision:g} and {goal.recall:g}",
            have=len(pairs.p),
        )
    return min(found, key=lambda one: (one.escalated, one.p_value))


def _tested(pairs: Pairs, band: Band, goal: Goal) -> Certified:
    said = flagged(pairs, band)
    hits, flags, harmful = int((said & pairs.truth).sum()), int(said.sum()), int(pairs.truth.sum())
    p_values = (_p_value(hits, flags, goal.precision), _p_value(hits, harmful, goal.recall))
    inside = (pairs.p >= band.low) & (pairs.p < band.high)
    return Certified(
        band=band,
        escalated=float(inside.mean()),
        precision=hits / flags if flags else 0.0,
        recall=hits / harmful,
        p_value=max(p_values),
        pairs=len(pairs.p),
    )


def _p_value(hits: int, trials: int, least: float) -> float:
    """Chance of so many hits or more, were the true rate `least`; 1 without any trial."""
    return float(special.betainc(hits, trials - hits + 1, least)) if hits else 1.0


def pairs_of(
    student: Sequence[Scores],
    teacher: Sequence[Scores],
    people: Sequence[Scores],
    flag_at: float,
) -> dict[str, Pairs]:
    """Texts told by category. What people said is the truth; where they said nothing of a text, the
    rented model's word is. Texts that either model did not speak of are passed over."""
    found: dict[str, Pairs] = {}
    for category in sorted({category for scores in student for category in scores}):
        rows = [
            (own[category], rented[category], said.get(category, rented[category]))
            for own, rented, said in zip(student, teacher, people, strict=True)
            if category in own and category in rented
        ]
        if rows:
            p, rented_p, truth = np.array(rows, dtype=np.float64).T
            found[category] = Pairs(p=p, rented=rented_p >= flag_at, truth=truth >= flag_at)
    return found
