"""Arranging said plainly, one numpy line a rule, to hold the compiled one to."""

import numpy as np
from numpy.typing import NDArray

from inhouse.recommend.arrange.kernels import (
    ALIKE,
    BY_VALUE,
    CAP,
    EXPLORED,
    NEIGHBOUR,
    NEWCOMER,
    PINNED,
    SPREAD,
    UNIFORM_SHARE,
    Creators,
    Gifts,
    Merit,
    Newcomers,
)

Mask = NDArray[np.bool_]
Place = tuple[int, int, int, float]  # row, how, told, propensity


def fill_plainly(
    length: int, creators: Creators, merit: Merit, gifts: Gifts
) -> tuple[list[Place], NDArray[np.uint8], Mask]:
    """The places, why each row was held, and who is left."""
    who, remaining, crowd = creators.who, creators.remaining.copy(), creators.crowd.copy()
    previous = creators.previous
    left, held = np.ones(len(who), dtype=np.bool_), np.zeros(len(who), dtype=np.uint8)
    pins = list(zip(gifts.pin_places.tolist(), gifts.pin_rows.tolist(), strict=True))
    waiting = dict(enumerate(pins))
    uniforms = iter(gifts.uniforms.tolist())
    content = merit.content[merit.items]
    is_new = _their_turn(gifts.newcomers)
    places: list[Place] = []
    for place in range(length):
        apart, uncapped = who != previous, (crowd < creators.cap)[who]
        keeps = _keeps_apart(remaining, length - place - 1)[who]
        border = keeps if place == 0 else apart
        rules = (apart & keeps & uncapped, apart & keeps, border, apart, np.ones_like(left))
        level = next(i for i, rule in enumerate(rules) if (left & rule).any())
        mask = left & rules[level]
        mask[[row for _, row in waiting.values()]] = False
        due = next(iter(waiting.items()), None)
        members = [i for i, row in enumerate(gifts.pool) if mask[row]]
        new = np.flatnonzero(mask & is_new)
        met = any(is_new[row] for row, *_ in places)
        if due is not None and (due[1][0] <= place or not mask.any()):
            chosen: Place = (due[1][1], PINNED, due[0], 1.0)
        elif level == 0 and gifts.by_chance[place] and members:
            q = np.bincount(gifts.draws[:, members].argmax(axis=1), minlength=len(members))
            p = (1 - UNIFORM_SHARE) * q / len(gifts.draws) + UNIFORM_SHARE / len(members)
            drawn = int(np.searchsorted(p.cumsum(), next(uniforms), side="right"))
            drawn = min(drawn, len(members) - 1)
            chosen = (int(gifts.pool[members[drawn]]), EXPLORED, len(members), float(p[drawn]))
        elif level == 0 and place == gifts.newcomers.place and not met and len(new):
            chosen = (int(new[0]), NEWCOMER, 0, 1.0)
        else:
            above = [row for row, *_ in places]
            like = np.maximum((content @ content[above].T).max(axis=1, initial=0), 0)
            marginal = merit.worth - merit.diversity * like
            chosen = (int(np.where(mask, marginal, -np.inf).argmax()), BY_VALUE, 0, 1.0)
            reasons = np.where(~apart, NEIGHBOUR, np.where(~uncapped, CAP, SPREAD))
            first = left & (held == 0) & (np.arange(len(who)) < chosen[0])
            held[first] = np.where(mask, ALIKE, reasons)[first]
        row = chosen[0]
        places.append(chosen)
        left[row] = False
        waiting = {i: pin for i, pin in waiting.items() if pin[1] != row}
        previous = int(who[row])
        remaining[previous] -= 1
        crowd[previous] += 1
    return places, held, left


def _their_turn(newcomers: Newcomers) -> Mask:
    """By a creator whom few have met, and shown less than those around it."""
    turn = np.zeros(len(newcomers.items), dtype=np.bool_)
    for i, item in enumerate(newcomers.items.tolist()):
        reach = min(item, newcomers.items_there - 1 - item, 32)
        around = newcomers.shown[item - reach : item + reach + 1]
        turn[i] = newcomers.unknown[i] and newcomers.shown[item] < around.mean()
    return turn


def _keeps_apart(remaining: NDArray[np.int64], to_come: int) -> Mask:
    if np.count_nonzero(remaining) > to_come:
        return np.ones(len(remaining), dtype=np.bool_)
    usable = np.minimum(remaining, (to_come + 1) // 2)
    own = np.minimum(remaining - 1, to_come // 2)
    fillable: Mask = usable.sum() - usable + own >= to_come
    return fillable
