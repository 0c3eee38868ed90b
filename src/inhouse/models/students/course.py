"""How a network is taught, and how rows of tokens are cut into steps. Without torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inhouse.core.random import stream

Rows = Sequence[int]  # places of rows
Tell = Callable[[str, int, int], None]  # what is done, steps done, steps in all
_ROWS_A_STEP: Final = 16
_SHUFFLED: Final = 0.1  # share of its length by which a row may stand elsewhere
# Tokens of a part that goes through a network at once, fillings included.
AT_ONCE: Final = {"cpu": 4_096, "cuda": 16_384}


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """How a network is taught."""

    rounds: int  # over what is taught, at most
    rate: float  # of learning, at its highest
    patience: int = 1  # rounds without a better held-out loss after which it stops, at least 1
    warm_up: float = 0.05  # share of all steps in which the rate rises
    decay: float = 0.01  # of weights
    keep_every_s: float = 120.0  # between checkpoints; rounds always end with one
    seed: int = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A model to begin from, and where everything goes."""

    base: str  # name on the hub, or a folder
    full: bool  # whether all of its weights are taught
    most_tokens: int  # of a row: what is longer is cut or left out
    course: Course
    to: Path  # folder for the result
    checkpoint: Path  # file that a killed process goes on from
    job: str  # digest of what is taught to whom


@dataclass(frozen=True, kw_only=True, slots=True)
class Taught:
    """What came of a course."""

    first_loss: float  # held out, before anything was taught
    best_loss: float  # held out, of the weights that are the result
    rounds: int  # taught, the ones that were no better included


def steps_of(lengths: Sequence[int], at_once: int, seed: int, turn: int) -> list[list[Rows]]:
    """The steps of one round: rows of like length together, the steps in any order, the same for
    the same seed and round.

    >>> sorted(place for step in steps_of([3] * 40, 64, 1, 0) for part in step for place in part
    ... ) == list(range(40))
    True
    """
    dice = stream(seed, "steps", turn)
    about = [length * (1 + _SHUFFLED * dice.standard_normal()) for length in lengths]
    order = sorted(range(len(about)), key=about.__getitem__)
    steps = [order[at : at + _ROWS_A_STEP] for at in range(0, len(order), _ROWS_A_STEP)]
    return [parts_of(lengths, steps[place], at_once) for place in dice.permutation(len(steps))]


def parts_of(lengths: Sequence[int], places: Sequence[int], at_once: int) -> list[Rows]:
    """Rows cut so that no part, filled up to its longest, has more tokens than `at_once`; a row
    longer than that is a part alone.

    >>> parts_of([5, 5, 9, 30], [0, 1, 2, 3], 20)
    [[0, 1], [2], [3]]
    """
    parts: list[Rows] = []
    part: list[int] = []
    longest = 0
    for place in places:
        longest = max(longest, lengths[place])
        if part and longest * (len(part) + 1) > at_once:
            parts.append(part)
            part, longest = [], lengths[place]
        part.append(place)
    return [*parts, part] if part else parts
