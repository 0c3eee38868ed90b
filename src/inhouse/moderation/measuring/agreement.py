"""How far people agree: second looks at the same item by somebody else."""

from collections import Counter
from collections.abc import Hashable, Sequence
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
    """Cases decided again by another person, cases for two people, and appeals of a person's
    decision. What was taken back does not count."""
    told: dict[str, list[tuple[int, str, bool]]] = {}
    for at_ms, item_id, name, restricts in _opinions(database):
        told.setdefault(item_id, []).append((at_ms, name, restricts))
    return [
        SecondLook(
            first=first[1], second=second[1], first_restricts=first[2], second_restricts=second[2]
        )
        for opinions in told.values()
        for first, second in pairwise(sorted(opinions, key=lambda opinion: opinion[0]))
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


def alpha(units: Sequence[Sequence[Hashable]]) -> float | None:
    """Krippendorff's alpha for answers without an order (Krippendorff, "Content Analysis", 2004,
    chapter 11): 1 where all agree, 0 where they do as by chance.

    units: of each case what its reviewers said, any number of them; cases with fewer than two
    answers say nothing. None where there are none of two, or where everybody said the same of
    everything: then there is no chance to compare with.

    >>> round(alpha([["a", "a"], ["b", "b"], ["a", "b"], ["b", "b"]]), 4)
    0.5333
    """
    pairable = [unit for unit in units if len(unit) > 1]
    totals = Counter(answer for unit in pairable for answer in unit)
    n = sum(totals.values())
    by_chance = n * n - sum(count * count for count in totals.values())
    if not by_chance:
        return None
    differ = 0.0
    for unit in pairable:
        counts, m = Counter(unit), len(unit)
        differ += (m * m - sum(count * count for count in counts.values())) / (m - 1)
    return 1.0 - (n - 1) * differ / by_chance


def _kappa(looks: Sequence[SecondLook], same: int) -> float | None:
    if not looks:
        return None
    first = sum(look.first_restricts for look in looks) / len(looks)
    second = sum(look.second_restricts for look in looks) / len(looks)
    by_chance = first * second + (1 - first) * (1 - second)
    return None if by_chance == 1.0 else (same / len(looks) - by_chance) / (1 - by_chance)


def _opinions(database: Database) -> list[tuple[int, str, str, bool]]:
    """When, on which item, who, and whether they restrict it; of the same time, opinions come
    before decisions and these before appeals."""
    said, made, appeals = tables.review_opinions, tables.review_decisions, tables.appeals
    outcomes = sa.select(
        appeals.c.decided_ms, appeals.c.item_id, appeals.c.decided_by, appeals.c.state
    ).where(appeals.c.state != "open")
    with database.read() as connection:
        found = [
            (row.at_ms, row.item_id, row.reviewer, row.action != "allow")
            for table, key in ((said, said.c.opinion_id), (made, made.c.decision_id))
            for row in connection.execute(_standing(table, key)).all()
        ]
        found += [
            (at_ms, item_id, name, state == "upheld")
            for at_ms, item_id, name, state in connection.execute(outcomes)
        ]
    return found


def _standing(table: sa.Table, key: "sa.Column[str]") -> "sa.Select[tuple[int, str, str, str]]":
    """What was said and not taken back; answers to known cases are no looks at the item."""
    c = table.c
    undone = sa.select(c.undoes).where(c.undoes.is_not(None))
    query = sa.select(c.at_ms, c.item_id, c.reviewer, c.action).where(
        c.action != UNDO, key.not_in(undone)
    )
    if "gold_id" in c:
        query = query.where(c.gold_id.is_(None))
    return query.order_by(c.log_offset)
