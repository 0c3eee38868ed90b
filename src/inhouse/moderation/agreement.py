"""How far people agree: second looks at the same item by somebody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import sqlalchemy as sa

from inhouse.moderation.types import UNDO
from inhouse.stats.intervals import wilson
from inhouse.stats.types import Interval, NotEnough
from inhouse.store import tables
from inhouse.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class SecondLook:
    """Two people on one item, one after the other."""

    first: str  # reviewer
    second: str  # another reviewer
    first_restricts: bool
    second_restricts: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Of the second looks, how many came out as the first."""

    looks: int
    same: int
    share: Interval | NotEnough  # of looks that agree, 95%
    kappa: float | None  # agreement beyond chance; None where chance alone explains everything


def second_looks(database: Database, since_ms: int = 0) -> list[SecondLook]:
    """Cases decided again by another person, and appeals of a person's decision. Decisions that
    were taken back do not count."""
    told: dict[str, list[tuple[int, str, bool]]] = {}
    for at_ms, item_id, name, restricts in _opinions(database):
        told.setdefault(item_id, []).append((at_ms, name, restricts))
    return [
        SecondLook(
            first=first[1], second=second[1], first_restricts=first[2], second_restricts=second[2]
        )
        for opinions in told.values()
        for first, second in pairwise(sorted(opinions))
        if first[1] != second[1] and second[0] >= since_ms
    ]


def agreement(looks: Sequence[SecondLook]) -> Agreement:
    """The share of equal outcomes with Wilson's interval, and Cohen's kappa (1960, Educational and
    Psychological Measurement 20:37) on restricted or not.

    >>> look = SecondLook(first="a", second="b", first_restricts=True, second_restricts=True)
    >>> agreement([look]).same
    1
    """
    same = sum(look.first_restricts == look.second_restricts for look in looks)
    return Agreement(
        looks=len(looks), same=same, share=wilson(same, len(looks)), kappa=_kappa(looks, same)
    )


def _kappa(looks: Sequence[SecondLook], same: int) -> float | None:
    if not looks:
        return None
    first = sum(look.first_restricts for look in looks) / len(looks)
    second = sum(look.second_restricts for look in looks) / len(looks)
    by_chance = first * second + (1 - first) * (1 - second)
    return None if by_chance == 1.0 else (same / len(looks) - by_chance) / (1 - by_chance)


def _opinions(database: Database) -> list[tuple[int, str, str, bool]]:
    """When, on which item, who, and whether they restrict it."""
    made, appeals = tables.review_decisions, tables.appeals
    undone = sa.select(made.c.undoes).where(made.c.undoes.is_not(None))
    decisions = sa.select(made.c.at_ms, made.c.item_id, made.c.reviewer, made.c.action).where(
        made.c.action != UNDO, made.c.decision_id.not_in(undone)
    )
    outcomes = sa.select(
        appeals.c.decided_ms, appeals.c.item_id, appeals.c.decided_by, appeals.c.state
    ).where(appeals.c.state != "open")
    with database.read() as connection:
        found = [
            (at_ms, item_id, name, action != "allow")
            for at_ms, item_id, name, action in connection.execute(decisions)
        ]
        found += [
            (at_ms, item_id, name, state == "upheld")
            for at_ms, item_id, name, state in connection.execute(outcomes)
        ]
    return found
