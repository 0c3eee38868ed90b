"""Arranging: from the best candidates to the best page."""

import math
from typing import Final

import numpy as np

from inhouse.features.machine import plain
from inhouse.moderation.types import CODES
from inhouse.recommend.arrange.base import HELD, Arranged, Choice, Placed
from inhouse.recommend.arrange.chance import lottery_of
from inhouse.recommend.arrange.creators import creators_of, each_its_own
from inhouse.recommend.arrange.kernels import (
    BY_VALUE,
    CAP,
    EXPLORED,
    NEWCOMER,
    PINNED,
    Filled,
    Gifts,
    fill,
    handed,
)
from inhouse.recommend.arrange.likeness import merit_of
from inhouse.recommend.arrange.newcomers import newcomers_of
from inhouse.recommend.arrange.pins import Pin, pins_of
from inhouse.recommend.moment import Moment
from inhouse.recommend.rules.orders import is_about
from inhouse.recommend.types import Candidates, Mask, Removal, Rows

_NONE: Final = np.empty(0, dtype=np.int64)
_LABELS = {CODES["warn"]: "label:warn", CODES["age_gate"]: "label:age_gate"}


def arrange(moment: Moment, ranked: Candidates) -> Arranged:
    """Fill the page place by place. `ranked` is best first; placed, reserve and removed are it.

    A plan that is not arranged takes them by rank, but for places that are given away.
    """
    length = min(moment.query.n, len(ranked))
    arranged = moment.plan.arranged
    pins = pins_of(moment, ranked, length)
    filled = Filled(
        *fill(
            length,
            plain(creators_of(moment, ranked) if arranged else each_its_own(len(ranked))),
            plain(merit_of(moment, ranked)),
            handed(_gifts(moment, ranked, pins)),
        )
    )
    if not arranged:
        filled.held[:] = 0
    return Arranged(
        places=_places(moment, ranked, filled, pins),
        reserve=ranked.items[filled.left & (filled.held != CAP)],
        removed=_capped(ranked, filled.left & (filled.held == CAP)),
    )


def as_ranked(moment: Moment, ranked: Candidates) -> Arranged:
    """The best first, whatever the rules of arranging say: for when they fail."""
    length, n = min(moment.query.n, len(ranked)), len(ranked)
    filled = Filled(
        rows=np.arange(length),
        how=np.full(length, BY_VALUE, dtype=np.uint8),
        told=np.zeros(length, dtype=np.int64),
        propensities=np.ones(length),
        held=np.zeros(n, dtype=np.uint8),
        left=np.arange(n) >= length,
    )
    return Arranged(
        places=_places(moment, ranked, filled, []), reserve=ranked.items[length:], removed=()
    )


def _gifts(moment: Moment, ranked: Candidates, pins: list[Pin]) -> Gifts:
    lottery = lottery_of(moment, ranked)
    return Gifts(
        pin_places=np.array([place for place, _, _ in pins], dtype=np.int64) if pins else _NONE,
        pin_rows=np.array([row for _, row, _ in pins], dtype=np.int64) if pins else _NONE,
        pool=lottery.pool,
        draws=lottery.draws,
        by_chance=lottery.by_chance,
        uniforms=lottery.uniforms,
        newcomers=newcomers_of(moment, ranked),
    )


def _places(
    moment: Moment, ranked: Candidates, filled: Filled, pins: list[Pin]
) -> tuple[Placed, ...]:
    rows = filled.rows
    columns = (rows, filled.how, filled.told, filled.propensities, filled.held[rows])
    actions = moment.actions(ranked.items[rows])
    placed = []
    for place, (row, how, told, propensity, held, action) in enumerate(
        zip(*(column.tolist() for column in (*columns, actions)), strict=True)
    ):
        notes = (
            how_note := _how(how, told, pins) if how else "",
            f"value_rank:{row + 1}" if row != place else "",
            f"held:{HELD[held]}" if held else "",
            _boost_note(moment, ranked.items[row : row + 1]) if moment.orders.boosts else "",
            _LABELS.get(action, ""),
        )
        choice = Choice(row=row, propensity=propensity, explored=how == EXPLORED, note=how_note)
        placed.append(Placed(choice=choice, notes=tuple(filter(None, notes))))
    return tuple(placed)


def _how(how: int, told: int, pins: list[Pin]) -> str:
    """What to say of a place that did not go by value."""
    if how == PINNED:
        return f"pinned:{pins[told][2]}"
    if how == EXPLORED:
        return f"explored:{told}"
    return "new_creator" if how == NEWCOMER else ""


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
