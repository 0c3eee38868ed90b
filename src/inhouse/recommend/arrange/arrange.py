"""Arranging: from the best candidates to the best page."""

import math

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
from inhouse.recommend.arrange.pins import Pins
from inhouse.recommend.moment import Moment
from inhouse.recommend.rules.orders import is_about
from inhouse.recommend.types import Candidates, Mask, Removal, Rows

_LABELS = {CODES["warn"]: "label:warn", CODES["age_gate"]: "label:age_gate"}


def arrange(moment: Moment, ranked: Candidates) -> Arranged:
    """Fill the page place by place. `ranked` is best first; placed, reserve and removed are it."""
    length = min(moment.query.n, len(ranked))
    if not moment.plan.arranged:
        return as_ranked(moment, ranked)
    creators = CreatorRule(moment, ranked, length)
    chance = Chance(moment, ranked)
    pins = Pins(moment, ranked, length)
    newcomers = NewcomerPlace(moment, ranked)
    likeness = Likeness(moment, ranked)
    held = np.zeros(len(ranked), dtype=np.uint8)
    choices: list[Choice] = []
    for place in range(length):
        allowed = pins.reserve(creators.allowed(place))
        choice = (
            pins.choose(place, allowed)
            or chance.choose(place, allowed)
            or newcomers.choose(place, allowed)
            or likeness.choose(allowed)
        )
        if not choice.note:
            _note_passed(held, creators.left, allowed, choice.row)
        for part in (creators, newcomers, likeness, pins):
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


def as_ranked(moment: Moment, ranked: Candidates) -> Arranged:
    """The best first, but for pinned posts; no other rule of arranging holds."""
    length = min(moment.query.n, len(ranked))
    places = _pinned_first(moment, ranked, length)
    untouched = np.zeros(len(ranked), dtype=np.uint8)
    return Arranged(
        places=tuple(
            Placed(choice=choice, notes=_notes(moment, ranked, place, choice, untouched))
            for place, choice in enumerate(places)
        ),
        reserve=np.delete(ranked.items, [choice.row for choice in places]),
        removed=(),
    )


def _pinned_first(moment: Moment, ranked: Candidates, length: int) -> list[Choice]:
    """By rank, but for places that are given away."""
    pins = Pins(moment, ranked, length)
    left: Mask = np.ones(len(ranked), dtype=np.bool_)
    none: Mask = np.zeros(len(ranked), dtype=np.bool_)
    choices: list[Choice] = []
    for place in range(length):
        allowed = pins.reserve(Allowed(mask=left, strict=True, apart=none, uncapped=none))
        choice = pins.choose(place, allowed) or Choice(row=int(allowed.mask.argmax()))
        pins.take(choice.row)
        left[choice.row] = False
        choices.append(choice)
    return choices


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
    lifted = _boost_note(moment, ranked.items[row : row + 1])
    delayed = f"held:{HELD[held[row]]}" if held[row] else ""
    return tuple(note for note in (choice.note, moved, delayed, lifted, label) if note)


def _boost_note(moment: Moment, item: Rows) -> str:
    """Which rule raised or lowered the item's value, the strongest of several."""
    table = moment.table
    rules = [rule for rule in moment.orders.boosts if is_about(table, rule, item)[0]]
    if not rules:
        return ""
    strongest = max(rules, key=lambda rule: abs(math.log(rule.factor)))
    return f"{'boosted' if strongest.factor > 1 else 'lowered'}:{strongest.rule_id}"


def _capped(ranked: Candidates, rows: Mask) -> tuple[Removal, ...]:
    if not rows.any():
        return ()
    return (Removal(stage="CreatorRule", reason="creator_cap", items=ranked.items[rows]),)
