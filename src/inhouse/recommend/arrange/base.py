"""The nouns of arranging. A row is a candidate's rank by value, 0 the best."""

from typing import Final

import msgspec

from inhouse.recommend.types import Removal, Rows

# Why a candidate was passed over when its turn had come by value, by code of `kernels`.
HELD: Final = ("", "creator_neighbour", "creator_cap", "creator_spread", "like_those_above")


class Choice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who stands on a place."""

    row: int
    propensity: float = 1.0  # probability of this choice given the candidates and the places above
    explored: bool = False  # by chance
    note: str = ""  # how, where it was not by value


class Placed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A place of the page."""

    choice: Choice
    notes: tuple[str, ...]  # see docs/packages/recommend.md


class Arranged(msgspec.Struct, frozen=True, kw_only=True):
    """The page, what is left for later, and what was taken out; together all candidates."""

    places: tuple[Placed, ...]  # in order
    reserve: Rows  # items beyond the page's end, best first
    removed: tuple[Removal, ...]  # by the creator cap
