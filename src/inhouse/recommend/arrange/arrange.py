"""Arranging: from the best candidates to the best page."""

import numpy as np
from numpy.typing import NDArray

from inhouse.moderation.types import CODES
from inhouse.recommend.arrange.base import (
    CAP,
    HELD,
    Allowed,
    Arranged,
    Choice,
    Placed,
)
from inhouse.recommend.arrange.chance import Chance
from inhouse.recommend.arrange.creators import CreatorRule
from inhouse.recommend.arrange.likeness import Likeness
from inhouse.recommend.arrange.newcomers import NewcomerPlace
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates, Mask, Removal

_LABELS = {CODES["warn"]: "label:warn", CODES["age_gate"]: "label:age_gate"}


def arrange(moment: Moment, ranked: Candidates) -> Arranged:
    """Fill the page place by place. `ranked` is best first; placed, reserve and removed are it."""
    length = min(moment.query.n, len(ranked))
    if not moment.plan.arranged:
        return _as_ranked(moment, ranked, length)
    creators = CreatorRule(moment, ranked, length)
    chance = Chance(moment, ranked)
    newcomers = NewcomerPlace(moment, ranked)
    likeness = Likeness(moment, ranked)
    held = np.zeros(len(ranked), dtype=np.uint8)
    choices: list[Choice] = []
    for place in range(length):
        allowed = creators.allowed(place)
        choice = (
            chance.choose(place, allowed)
            or newcomers.choose(place, allowed)
            or likeness.choose(allowed)
        )
        if not choice.note:
            _note_passed(held, creators.left, allowed, choice.row)
        for part in (creators, newcomers, likeness):
            part.take(choice.row)
        choices.append(choice)
    return Arranged(
        places=tuple(
            Placed(choice=choice, notes=_notes(moment, ranked, place, choice, held))
            for place, choice in enumerate(choices)
        ),
        reserve=ranked.items[creators.left & (held != CAP)],
        removed=_capped(ranked, creators.left & (held == CAP)),
    )


def _as_ranked(moment: Moment, ranked: Candidates, length: int) -> Arranged:
    places = (Choice(row=row) for row in range(length))
    untouched = np.zeros(len(ranked), dtype=np.uint8)
    return Arranged(
        places=tuple(
            Placed(choice=choice, notes=_notes(moment, ranked, choice.row, choice, untouched))
            for choice in places
        ),
        reserve=ranked.items[length:],
        removed=(),
    )


def _note_passed(held: NDArray[np.uint8], left: Mask, allowed: Allowed, row: int) -> None:
    """Write down, once for each, why those of higher value did not get this place."""
    passed = left[:row] & (held[:row] == 0)
    if passed.any():
        held[:row][passed] = allowed.reasons(row)[passed]


def _notes(
    moment: Moment, ranked: Candidates, place: int, choice: Choice, held: NDArray[np.uint8]
) -> tuple[str, ...]:
    row = choice.row
    label = _LABELS.get(int(moment.actions(ranked.items[row : row + 1])[0]), "")
    moved = f"value_rank:{row + 1}" if row != place else ""
    delayed = f"held:{HELD[held[row]]}" if held[row] else ""
    return tuple(note for note in (choice.note, moved, delayed, label) if note)


def _capped(ranked: Candidates, rows: Mask) -> tuple[Removal, ...]:
    if not rows.any():
        return ()
    return (Removal(stage="CreatorRule", reason="creator_cap", items=ranked.items[rows]),)
