"""The nouns of arranging. A row is a candidate's rank by value, 0 the best."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.recommend.types import Mask, Removal, Rows

# Why a candidate was passed over when its turn had come by value.
HELD: Final = ("", "creator_neighbour", "creator_cap", "creator_spread", "like_those_above")
NEIGHBOUR, CAP, SPREAD, ALIKE = 1, 2, 3, 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowed:
    """Who may stand on a place."""

    mask: Mask  # [rows]
    strict: bool  # whether every rule about creators holds for them, or some had to give way
    apart: Mask  # [rows] not by the creator of the place above
    uncapped: Mask  # [rows] their creator is below the cap

    def reasons(self, rows: int) -> NDArray[np.uint8]:
        """uint8[rows], for the first rows: why each that is left does not get this place."""
        forbidden = np.where(
            ~self.apart[:rows], NEIGHBOUR, np.where(~self.uncapped[:rows], CAP, SPREAD)
        )
        return np.where(self.mask[:rows], ALIKE, forbidden).astype(np.uint8)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Who stands on a place."""

    row: int
    propensity: float = 1.0  # probability of this choice given the candidates and the places above
    explored: bool = False  # by chance
    note: str = ""  # how, where it was not by value


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A place of the page."""

    choice: Choice
    notes: tuple[str, ...]  # see docs/packages/recommend.md


@dataclass(frozen=True, kw_only=True, slots=True)
class Arranged:
    """The page, what is left for later, and what was taken out; together all candidates."""

    places: tuple[Placed, ...]  # in order
    reserve: Rows  # items beyond the page's end, best first
    removed: tuple[Removal, ...]  # by the creator cap
